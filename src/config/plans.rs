//! The plans among the settings: `[plans.<name>]`, each with every one of its fields. A file or a variable may change a
//! plan or add one.

use super::Reader;
use crate::domain::plans::{Plan, Plans, is_plan_name};

/// More would not be a limit.
const MOST_DELTAS: u32 = 4_000_000_000;

impl Reader {
    pub(super) fn plans(&mut self) -> Plans {
        let mut names: Vec<String> = self
            .values
            .keys()
            .filter_map(|name| Some(name.strip_prefix("plans.")?.split_once('.')?.0.to_owned()))
            .collect();
        names.dedup();
        let mut plans = Vec::new();
        for name in names {
            if !is_plan_name(&name) {
                self.faults.push(format!(
                    "plans.{name}: a plan's name has lower-case letters, digits, - and _, 32 at the most, a letter first"
                ));
            }
            let monthly_deltas: Option<u32> = self.number(&format!("plans.{name}.monthly_deltas"), 0, MOST_DELTAS);
            let has_production = self.parsed(&format!("plans.{name}.production"), "true or false");
            let is_hard_cap = self.parsed(&format!("plans.{name}.hard_cap"), "true or false");
            plans.push(Plan {
                name,
                monthly_deltas: monthly_deltas.filter(|limit| *limit > 0).map(i64::from),
                has_production: has_production.unwrap_or(false),
                is_hard_cap: is_hard_cap.unwrap_or(true),
                is_lapsed: false,
            });
        }
        Plans::new(plans)
    }
}

/// The plans as a Markdown table, for the README.
#[must_use]
pub fn markdown_table(plans: &Plans) -> String {
    let mut table =
        String::from("| plan | verified deltas a month | Production | beyond the limit |\n|---|---|---|---|\n");
    for plan in plans.iter() {
        let limit = plan.monthly_deltas.map_or_else(|| "no limit".to_owned(), |limit| limit.to_string());
        let production = if plan.has_production { "yes" } else { "no" };
        let beyond = match (plan.monthly_deltas, plan.is_hard_cap) {
            (None, _) => "",
            (Some(_), true) => "402 on writes",
            (Some(_), false) => "counted as overage",
        };
        table.push_str(&format!("| `{}` | {limit} | {production} | {beyond} |\n", plan.name));
    }
    table
}
