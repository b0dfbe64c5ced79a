//! How providers lay out their settlement reports, among the settings: `[reconcile.<provider>]`. The defaults say how
//! much of them is known; a file may change a column or all.

use std::collections::BTreeMap;

use super::{Reader, SettingDoc};
use crate::domain::report_layouts::{Layout, Unit};
use crate::psp::Driver;

/// What a layout has.
pub(super) const SETTINGS: [SettingDoc; 15] = [
    SettingDoc {
        name: "reconcile.<provider>.reference",
        meaning: "column of the provider's id of the transaction, in its settlement report",
    },
    SettingDoc {
        name: "reconcile.<provider>.our_id",
        meaning: "column of our payment's or refund's id; may be missing in a report",
    },
    SettingDoc { name: "reconcile.<provider>.amount", meaning: "column of the amount" },
    SettingDoc {
        name: "reconcile.<provider>.unit",
        meaning: "what the amount counts: `major` (the currency, with a point), `minor` (its smallest unit) or `hundredths` (but whole yen and the like)",
    },
    SettingDoc { name: "reconcile.<provider>.currency", meaning: "column of the currency; empty if there is none" },
    SettingDoc { name: "reconcile.<provider>.default_currency", meaning: "currency of a report that does not name it" },
    SettingDoc {
        name: "reconcile.<provider>.kind",
        meaning: "column of the kind of line; empty if there is none: then what is negative is a refund",
    },
    SettingDoc {
        name: "reconcile.<provider>.payment_kinds",
        meaning: "what the kind of a payment begins with, comma-separated",
    },
    SettingDoc {
        name: "reconcile.<provider>.refund_kinds",
        meaning: "what the kind of a refund begins with, comma-separated; other kinds are passed over",
    },
    SettingDoc {
        name: "reconcile.<provider>.direction",
        meaning: "column that says whether money came or went; empty if there is none",
    },
    SettingDoc { name: "reconcile.<provider>.credit", meaning: "the word in it for money that came" },
    SettingDoc { name: "reconcile.<provider>.date", meaning: "column of the date; empty if there is none" },
    SettingDoc { name: "reconcile.<provider>.hours_east", meaning: "hours east of UTC of dates that do not say it" },
    SettingDoc {
        name: "reconcile.<provider>.header_marker",
        meaning: "first cell of the line with the names, where lines begin with what they are",
    },
    SettingDoc {
        name: "reconcile.<provider>.row_marker",
        meaning: "first cell of a line about a transaction, where lines begin with what they are",
    },
];

impl Reader {
    pub(super) fn layouts(&mut self) -> BTreeMap<String, Layout> {
        let mut providers: Vec<String> = self
            .values
            .keys()
            .filter_map(|name| Some(name.strip_prefix("reconcile.")?.split_once('.')?.0.to_owned()))
            .collect();
        providers.dedup();
        let mut layouts = BTreeMap::new();
        for provider in providers {
            if Driver::named(&provider).is_none() {
                self.faults.push(format!("reconcile.{provider}: there is no such provider"));
            }
            let layout = self.layout(&format!("reconcile.{provider}"));
            layouts.insert(provider, layout);
        }
        layouts
    }

    fn layout(&mut self, prefix: &str) -> Layout {
        let text = |reader: &mut Self, name: &str| reader.text(&format!("{prefix}.{name}"));
        let list = |reader: &mut Self, name: &str| -> Vec<String> {
            let text = reader.text(&format!("{prefix}.{name}"));
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let unit = Unit::parse(&text(self, "unit"));
        if unit.is_none() {
            self.faults.push(format!("{prefix}.unit must be major, minor or hundredths"));
        }
        let hours_east = self.text(&format!("{prefix}.hours_east")).parse().ok();
        let hours_east = hours_east.filter(|hours| (-12..=14).contains(hours));
        if hours_east.is_none() {
            self.faults.push(format!("{prefix}.hours_east must be a whole number from -12 to 14"));
        }
        let layout = Layout {
            reference: text(self, "reference"),
            our_id: text(self, "our_id"),
            amount: text(self, "amount"),
            unit: unit.unwrap_or_default(),
            currency: text(self, "currency"),
            default_currency: text(self, "default_currency"),
            kind: text(self, "kind"),
            payment_kinds: list(self, "payment_kinds"),
            refund_kinds: list(self, "refund_kinds"),
            direction: text(self, "direction"),
            credit: text(self, "credit"),
            date: text(self, "date"),
            hours_east: hours_east.unwrap_or_default(),
            header_marker: text(self, "header_marker"),
            row_marker: text(self, "row_marker"),
        };
        for (name, value) in [("reference", &layout.reference), ("amount", &layout.amount)] {
            if value.is_empty() {
                self.faults.push(format!("{prefix}.{name} must name a column"));
            }
        }
        if layout.currency.is_empty() && layout.default_currency.is_empty() {
            self.faults.push(format!("{prefix}: either currency must name a column or default_currency a currency"));
        }
        layout
    }
}
