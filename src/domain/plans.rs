//! Plans and the months that they are counted in. What plans there are is in the settings; what was used is in
//! `crate::store::usage`.

use std::sync::Arc;

use super::time::Timestamp;

/// The plan of a tenant that has just registered.
pub const FIRST_PLAN: &str = "free";

/// What a tenant may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name, as in `starter`.
    pub name: String,
    /// Verified deltas a month and mode; no limit when `None`.
    pub monthly_deltas: Option<i64>,
    /// Whether a tenant can have Production.
    pub has_production: bool,
    /// Whether the limit ends the writing, or what is beyond it is counted as overage.
    pub is_hard_cap: bool,
    /// Whether the settings no longer have it: nothing more may be used of it then.
    pub is_lapsed: bool,
}

impl Plan {
    /// A plan that the settings do not have (any more). It allows nothing that costs: what is safe when nobody knows
    /// what was agreed.
    #[must_use]
    pub fn lapsed(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            monthly_deltas: Some(0),
            has_production: false,
            is_hard_cap: true,
            is_lapsed: true,
        }
    }

    /// What holds for the operator's own tenants: everything.
    #[must_use]
    pub fn unlimited(name: &str) -> Self {
        Self { name: name.to_owned(), monthly_deltas: None, has_production: true, is_hard_cap: false, is_lapsed: false }
    }

    /// How many deltas there may be in a month before the next is refused; `None` where none is refused.
    #[must_use]
    pub fn cap(&self) -> Option<i64> {
        self.monthly_deltas.filter(|_| self.is_hard_cap)
    }

    /// How many are left, of a plan with a limit.
    #[must_use]
    pub fn remaining(&self, used: i64) -> Option<i64> {
        self.monthly_deltas.map(|limit| limit.saturating_sub(used).max(0))
    }

    /// How many are beyond the limit.
    #[must_use]
    pub fn overage(&self, used: i64) -> i64 {
        self.monthly_deltas.map_or(0, |limit| used.saturating_sub(limit).max(0))
    }

    /// Why `wanted` more are refused: the limit, its size, and when it resets.
    #[must_use]
    pub fn refusal(&self, used: i64, wanted: i64, period: Period) -> String {
        if self.is_lapsed {
            return format!("the plan {} is no longer offered; ask the operator for another", self.name);
        }
        let limit = self.monthly_deltas.unwrap_or(i64::MAX);
        format!(
            "the plan {} has {limit} verified deltas a month, {used} are used and {wanted} more were asked for; the count \
             resets at {}",
            self.name,
            period.end().to_rfc3339()
        )
    }
}

/// Every plan that there is, the smallest first. A copy shares them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plans(Arc<[Plan]>);

impl Plans {
    /// Puts plans in order.
    #[must_use]
    pub fn new(mut plans: Vec<Plan>) -> Self {
        plans.sort_by_key(|plan| (plan.monthly_deltas.unwrap_or(i64::MAX), plan.name.clone()));
        Self(plans.into())
    }

    /// Every plan, the smallest first.
    pub fn iter(&self) -> impl Iterator<Item = &Plan> {
        self.0.iter()
    }

    /// The plan of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Plan> {
        self.0.iter().find(|plan| plan.name == name)
    }

    /// What holds for a tenant whose plan has this name.
    #[must_use]
    pub fn of_tenant(&self, name: &str, is_operator: bool) -> Plan {
        if is_operator {
            return Plan::unlimited(name);
        }
        self.named(name).cloned().unwrap_or_else(|| Plan::lapsed(name))
    }

    /// The names, for a sentence.
    #[must_use]
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|plan| plan.name.as_str()).collect();
        names.join(", ")
    }
}

/// Whether `name` can be a plan's: lower-case letters, digits, `-` and `_`, 32 at the most, a letter first.
#[must_use]
pub fn is_plan_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
}

/// A month of the calendar, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    year: i16,
    month: i8,
}

impl Period {
    /// The month that `moment` is in.
    #[must_use]
    pub fn of(moment: Timestamp) -> Self {
        let date = moment.wall_clock(0);
        Self { year: date.year(), month: date.month() }
    }

    /// The month that `text` names, as `2026-11`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let are_digits = [(year, 4), (month, 2)]
            .iter()
            .all(|(part, length)| part.len() == *length && part.bytes().all(|byte| byte.is_ascii_digit()));
        let (year, month) = (year.parse().ok()?, month.parse().ok()?);
        (are_digits && (1..=12).contains(&month) && year > 0).then_some(Self { year, month })
    }

    /// Its first moment, UTC.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp::parse_rfc3339(&format!("{:04}-{:02}-01T00:00:00Z", self.year, self.month)).unwrap_or_default()
    }

    /// The first moment after it, when what was counted in it is counted no more.
    #[must_use]
    pub fn end(self) -> Timestamp {
        let (year, month) =
            if self.month == 12 { (self.year.saturating_add(1), 1) } else { (self.year, self.month + 1) };
        Timestamp::parse_rfc3339(&format!("{year:04}-{month:02}-01T00:00:00Z")).unwrap_or_default()
    }
}

impl std::fmt::Display for Period {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_where_the_next_begins() {
        let period = Period::of(Timestamp::parse_rfc3339("2026-12-31T23:59:59.999Z").unwrap());
        assert_eq!(period.to_string(), "2026-12");
        assert_eq!(period.end().to_rfc3339(), "2027-01-01T00:00:00.000Z");
        assert_eq!(Period::of(period.end()).to_string(), "2027-01");
        assert_eq!(Period::parse("2026-12"), Some(period));
        for bad in ["2026-13", "2026-00", "2026-1", "26-12", "2026-12-01", "+026-12", "0000-01", ""] {
            assert_eq!(Period::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_plan_that_is_gone_allows_nothing_and_the_operator_everything() {
        let plans = Plans::new(vec![Plan { monthly_deltas: Some(5), ..Plan::unlimited("small") }]);
        let lapsed = plans.of_tenant("gone", false);
        assert_eq!((lapsed.cap(), lapsed.has_production), (Some(0), false));
        assert_eq!(plans.of_tenant("gone", true).cap(), None);
        let small = plans.of_tenant("small", false);
        assert_eq!((small.cap(), small.remaining(7), small.overage(7)), (None, Some(0), 2));
    }
}
