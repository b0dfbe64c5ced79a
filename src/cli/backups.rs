//! `switchyard backup` and `switchyard restore`: copies of an embedded database.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{Done, Failure};
use crate::clock::Clock;
use crate::config::Settings;
use crate::gateway::{OpenError, backups};

#[derive(clap::Args)]
pub(super) struct BackupArguments {
    /// The file to write. It must not exist yet.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct RestoreArguments {
    /// A file that `switchyard backup` wrote.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn back_up(settings: &Settings, arguments: &BackupArguments) -> Done {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let copied = backups::back_up(settings, &arguments.file, &mut |done, total| {
        bar.set_length(total.max(done));
        bar.set_position(done);
    })
    .await;
    bar.finish_and_clear();
    let bytes =
        copied.map_err(|error| failure(settings, &error, "choose a new name, as backup-$(date +%F-%H%M).db"))?;
    let file = absolute(&arguments.file);
    if arguments.json {
        println!("{}", json!({ "file": file, "bytes": bytes, "database": settings.database.describe() }));
    } else {
        println!("{file}");
    }
    eprintln!(
        "{bytes} bytes, checked and on the disk. The sealing key is not in it: keep a copy of it somewhere else."
    );
    Ok(())
}

pub(super) fn restore(settings: &Settings, arguments: &RestoreArguments) -> Done {
    let kept_as = backups::restore(settings, &Clock::system(), &arguments.file)
        .map_err(|error| failure(settings, &error, "nothing was changed"))?;
    let database = settings.database.describe();
    let kept_as = kept_as.as_deref().map(absolute);
    if arguments.json {
        println!("{}", json!({ "database": database, "kept_as": kept_as }));
    } else {
        println!("{database}");
    }
    if let Some(kept_as) = kept_as {
        eprintln!("The database that was there is now {kept_as}.");
    }
    eprintln!("`switchyard balances verify` checks the ledger; `switchyard serve` goes on from here.");
    Ok(())
}

fn failure(settings: &Settings, error: &OpenError, otherwise: &str) -> Failure {
    let is_embedded = settings.database.kind() == "sqlite";
    Failure::with_hint(
        error.to_string(),
        if is_embedded { otherwise } else { "/docs/operating has the lines for PostgreSQL" },
    )
}

fn absolute(file: &Path) -> String {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned()).display().to_string()
}
