//! Reading a query string: every fault at once, and no parameter that is silently ignored.

use std::collections::BTreeMap;

use crate::domain::fields::Invalid;
use crate::domain::time::Timestamp;
use crate::error::{Fault, Outcome};

/// Longest value of a parameter, in characters.
const MAX_VALUE: usize = 300;

/// The parameters of a request. Each getter takes its parameter out; [`Query::finish`] refuses what is left.
pub struct Query {
    values: BTreeMap<String, String>,
    fault: Option<Invalid>,
}

impl Query {
    /// Reads a query string.
    #[must_use]
    pub fn parse(query: &str) -> Self {
        let mut values = BTreeMap::new();
        let mut fault = None;
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let is_too_long = value.chars().count() > MAX_VALUE;
            if is_too_long || value.chars().any(char::is_control) {
                fault = Some(Invalid::one(&shown(&name), "must be at most 300 characters without control characters"));
            } else if values.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                fault = Some(Invalid::one(&shown(&name), "must be given once"));
            }
        }
        Self { values, fault }
    }

    /// Notes a fault with a parameter.
    pub fn refuse(&mut self, name: &str, reason: &str) {
        self.fault.get_or_insert(Invalid::one(name, reason));
    }

    /// A parameter, unless it is absent or empty.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.values.remove(name).filter(|value| !value.is_empty())
    }

    /// A parameter that must be there.
    pub fn required(&mut self, name: &str) -> String {
        let value = self.text(name);
        if value.is_none() {
            self.fault.get_or_insert(Invalid::missing(name));
        }
        value.unwrap_or_default()
    }

    /// A parameter that `parse` must understand.
    pub fn parsed<T>(&mut self, name: &str, what: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let parsed = parse(&text);
        if parsed.is_none() {
            self.refuse(name, &format!("must be {what}"));
        }
        parsed
    }

    /// A moment.
    pub fn moment(&mut self, name: &str) -> Option<Timestamp> {
        self.parsed(name, "an RFC 3339 time such as 2026-05-09T12:34:56Z", Timestamp::parse_rfc3339)
    }

    /// Where the page before ended, as an id that `parse` knows.
    pub fn cursor<T: std::fmt::Display>(&mut self, parse: fn(&str) -> Option<T>) -> Option<String> {
        self.parsed("cursor", "the next_cursor of the page before", |text| parse(text).map(|id| id.to_string()))
    }

    /// How many items a page has: 1 to 100, 20 unless told.
    pub fn limit(&mut self) -> usize {
        let in_range = |text: &str| text.parse().ok().filter(|limit| (1..=100).contains(limit));
        self.parsed("limit", "an integer from 1 to 100", in_range).unwrap_or(20)
    }

    /// A whole number from `min` to `max`, `otherwise` unless told.
    pub fn number(&mut self, name: &str, min: i64, max: i64, otherwise: i64) -> i64 {
        let in_range = |text: &str| text.parse().ok().filter(|number| (min..=max).contains(number));
        let what =
            if max == i64::MAX { format!("an integer from {min}") } else { format!("an integer from {min} to {max}") };
        self.parsed(name, &what, in_range).unwrap_or(otherwise)
    }

    /// Refuses unknown parameters.
    ///
    /// # Errors
    /// The first fault.
    pub fn finish(mut self) -> Outcome<()> {
        if let Some(name) = self.values.keys().next().cloned() {
            self.refuse(&shown(&name), "is not a parameter of this request");
        }
        self.fault.map_or(Ok(()), |fault| Err(Fault::from(fault)))
    }
}

fn shown(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(64).collect()
}
