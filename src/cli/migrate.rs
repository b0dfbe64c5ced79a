//! `switchyard migrate`

use super::{Done, Failure};
use crate::config::Settings;
use crate::gateway::maintenance;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Only say what would be run; exit 1 if there is something.
    #[arg(long)]
    check: bool,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Done {
    let target = &settings.database;
    if arguments.check {
        let pending = maintenance::pending_migrations(settings)?;
        pending.iter().for_each(|name| println!("{name}"));
        if pending.is_empty() {
            eprintln!("{} is up to date", target.describe());
            return Ok(());
        }
        let what = format!("{} migrations are pending on {}", pending.len(), target.describe());
        return Err(Failure::with_hint(what, "`switchyard migrate` runs them; so does `switchyard serve`"));
    }
    let ran = maintenance::migrate(settings)?;
    ran.iter().for_each(|name| println!("{name}"));
    eprintln!("{}: {} migrations run", target.describe(), ran.len());
    Ok(())
}
