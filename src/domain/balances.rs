//! What a balance is asked for: from which point of a line on, or over which stretch of time.

use std::collections::BTreeMap;

use super::decimals::Decimal;
use super::ids::{CheckpointId, DeltaId};
use super::plans::Period;
use super::time::Timestamp;

/// The longest stretch of time that one may ask for, in months.
pub const MAX_MONTHS: i64 = 1200;

/// The longest stretch of time that one may ask for, in days.
pub const MAX_DAYS: i64 = 36_525;

/// A stretch of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// All of it.
    All,
    /// What was verified in a month, UTC.
    Month(Period),
    /// What was verified from a moment on, and before another.
    Span(Timestamp, Timestamp),
    /// What comes after a point.
    After(Point),
}

/// A point of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Point {
    /// A delta, by its record's or receipt's id.
    Delta(DeltaId),
    /// The last delta of a checkpoint.
    Checkpoint(CheckpointId),
    /// The last delta of the checkpoint with this root.
    Root([u8; 32]),
}

/// The fields that say which stretch is meant, as they came.
#[derive(Clone, Debug, Default)]
pub struct WindowFields {
    /// `YYYY-MM`.
    pub period: Option<String>,
    /// `current_month` or `custom`.
    pub time_preset: Option<String>,
    /// A moment, or a day.
    pub start_date: Option<String>,
    /// A moment, or a day; what was verified at it is not meant.
    pub end_date: Option<String>,
    /// A point.
    pub starting_checkpoint: Option<String>,
    /// What the point is given as.
    pub starting_checkpoint_type: Option<String>,
}

/// Why fields say no stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowFault {
    /// They say several.
    Combination(&'static str),
    /// It is longer than one may ask for.
    TooWide,
    /// A field is not as it must be.
    Invalid(&'static str, &'static str),
}

impl WindowFields {
    /// The names of the fields, in requests.
    pub const NAMES: [&'static str; 6] =
        ["period", "timePreset", "startDate", "endDate", "startingCheckpoint", "startingCheckpointType"];

    /// The fields, in the order of [`WindowFields::NAMES`].
    #[must_use]
    pub fn of(values: [Option<String>; 6]) -> Self {
        let [period, time_preset, start_date, end_date, starting_checkpoint, starting_checkpoint_type] = values;
        Self { period, time_preset, start_date, end_date, starting_checkpoint, starting_checkpoint_type }
    }

    /// The stretch that they say.
    ///
    /// # Errors
    /// Why they say none.
    pub fn window(&self, now: Timestamp) -> Result<Window, WindowFault> {
        use WindowFault::{Combination, Invalid};
        if let Some(kind) = self.starting_checkpoint_type.as_deref()
            && !["itemsRoot", "proofRoot", "merkleRoot", "anchorId", "checkpointId", "recordId", "receiptId"]
                .contains(&kind)
        {
            return Err(Invalid(
                "startingCheckpointType",
                "must be one of itemsRoot, proofRoot, merkleRoot, anchorId, checkpointId, recordId, receiptId",
            ));
        }
        let has_dates = self.start_date.is_some() || self.end_date.is_some();
        if let Some(point) = &self.starting_checkpoint {
            if self.period.is_some() || self.time_preset.is_some() || has_dates {
                return Err(Combination("give either startingCheckpoint or a stretch of time, not both"));
            }
            return Point::parse(point).map(Window::After).ok_or(Invalid(
                "startingCheckpoint",
                "must be the proofRoot or id of a checkpoint, or a record's or receipt's id",
            ));
        }
        match (self.period.as_deref(), self.time_preset.as_deref()) {
            (Some(_), Some(_)) => Err(Combination("give either period or timePreset, not both")),
            (Some(_), None) if has_dates => Err(Combination("give either period or startDate and endDate, not both")),
            (Some(period), None) => {
                let period = Period::parse(period).ok_or(Invalid("period", "must be a month such as 2026-01"))?;
                if period.start() > now {
                    return Err(Invalid("period", "must not be in the future"));
                }
                Ok(Window::Month(period))
            }
            (None, Some("current_month")) if has_dates => {
                Err(Combination("startDate and endDate go with timePreset=custom alone"))
            }
            (None, Some("current_month")) => Ok(Window::Month(Period::of(now))),
            (None, Some("custom") | None) if has_dates => self.span(),
            (None, None) => Ok(Window::All),
            (None, Some("custom")) => Err(Invalid("startDate", "and endDate must be given with timePreset=custom")),
            (None, Some(_)) => Err(Invalid("timePreset", "must be current_month or custom")),
        }
    }

    fn span(&self) -> Result<Window, WindowFault> {
        let moment = |text: &Option<String>, name| {
            let text = text.as_deref().ok_or(WindowFault::Invalid(name, "must be given with the other date"))?;
            Timestamp::parse_rfc3339(text)
                .or_else(|| Timestamp::parse_day(text))
                .ok_or(WindowFault::Invalid(name, "must be a moment such as 2026-01-31T00:00:00Z, or a day"))
        };
        // What is verified is so at a millisecond.
        let whole = |moment: Timestamp| Timestamp::from_unix_micros(moment.unix_micros().div_euclid(1000) * 1000);
        let start = whole(moment(&self.start_date, "startDate")?);
        let end = whole(moment(&self.end_date, "endDate")?);
        if start >= end {
            return Err(WindowFault::Invalid("endDate", "must be after startDate"));
        }
        if end.since(start).as_secs() / 86_400 > MAX_DAYS.unsigned_abs() {
            return Err(WindowFault::TooWide);
        }
        Ok(Window::Span(start, end))
    }
}

impl Point {
    /// The point that a text names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(record_id) = DeltaId::parse_either(text) {
            return Some(Self::Delta(record_id));
        }
        if let Some(checkpoint_id) = CheckpointId::parse(text) {
            return Some(Self::Checkpoint(checkpoint_id));
        }
        super::merkle::parse_hash(text).map(Self::Root)
    }
}

/// Numbers of a stretch from `first` to `last`, at most `most` of them and evenly apart, the first and the last among them.
#[must_use]
pub fn sampled(first: i64, last: i64, most: i64) -> Vec<i64> {
    let steps = last - first;
    if steps < most {
        return (first..=last).collect();
    }
    let at = |index: i64| i64::try_from(i128::from(index) * i128::from(steps) / i128::from(most - 1)).unwrap_or(steps);
    (0..most).map(|index| first + at(index)).collect()
}

/// Amounts by reference, of one side.
pub type Amounts = BTreeMap<String, Decimal>;

/// A reference that not all sides have the same amount of.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The reference.
    pub reference_id: String,
    /// What one side has of it.
    pub your_amount: Option<Decimal>,
    /// What the other side has of it.
    pub their_amount: Option<Decimal>,
    /// What the ledger has of it.
    pub neutral_amount: Option<Decimal>,
}

/// The references of which the sides that were given and the ledger do not all have the same.
#[must_use]
pub fn differences(yours: Option<&Amounts>, theirs: Option<&Amounts>, neutral: &Amounts) -> Vec<Difference> {
    let mut references: Vec<&String> = neutral.keys().collect();
    references.extend([yours, theirs].into_iter().flatten().flat_map(Amounts::keys));
    references.sort_unstable();
    references.dedup();
    let differing = references.into_iter().filter_map(|reference| {
        let of = |side: &Amounts| side.get(reference).copied();
        let neutral_amount = of(neutral);
        let (your_amount, their_amount) = (yours.and_then(of), theirs.and_then(of));
        let is_same =
            (yours.is_none() || your_amount == neutral_amount) && (theirs.is_none() || their_amount == neutral_amount);
        let reference_id = reference.clone();
        (!is_same).then_some(Difference { reference_id, your_amount, their_amount, neutral_amount })
    });
    differing.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(fields: &[(&str, &str)]) -> Result<Window, WindowFault> {
        let values = WindowFields::NAMES
            .map(|name| fields.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned()));
        WindowFields::of(values).window(Timestamp::parse_rfc3339("2026-11-21T12:00:00Z").unwrap())
    }

    #[test]
    fn one_stretch_is_meant() {
        let at = |text| Timestamp::parse_rfc3339(text).unwrap();
        assert_eq!(window(&[]), Ok(Window::All));
        assert_eq!(window(&[("period", "2026-10")]), Ok(Window::Month(Period::parse("2026-10").unwrap())));
        assert_eq!(window(&[("timePreset", "current_month")]), Ok(Window::Month(Period::parse("2026-11").unwrap())));
        let span = Ok(Window::Span(at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z")));
        let dates = [("startDate", "2026-01-01"), ("endDate", "2026-02-01T00:00:00Z")];
        assert_eq!(window(&dates), span);
        assert_eq!(window(&[dates[0], dates[1], ("timePreset", "custom")]), span);
        let root = "ab".repeat(32);
        for text in [root.clone(), format!("0x{root}")] {
            assert_eq!(window(&[("startingCheckpoint", &text)]), Ok(Window::After(Point::Root([0xab; 32]))));
        }
    }

    #[test]
    fn two_stretches_at_once_are_refused() {
        let checkpoint = ("startingCheckpoint", "rec_01jz0000000000000000000000");
        for fields in [
            vec![checkpoint, ("period", "2026-10")],
            vec![checkpoint, ("timePreset", "current_month")],
            vec![checkpoint, ("startDate", "2026-10-01")],
            vec![("period", "2026-10"), ("timePreset", "current_month")],
            vec![("period", "2026-10"), ("endDate", "2026-10-01")],
            vec![("timePreset", "current_month"), ("endDate", "2026-10-01")],
        ] {
            assert!(matches!(window(&fields), Err(WindowFault::Combination(_))), "{fields:?}");
        }
    }

    #[test]
    fn what_is_no_stretch_names_the_field() {
        for (fields, field) in [
            (vec![("period", "2026-13")], "period"),
            (vec![("period", "2026-12")], "period"),
            (vec![("timePreset", "last_week")], "timePreset"),
            (vec![("timePreset", "custom")], "startDate"),
            (vec![("endDate", "2026-10-01")], "startDate"),
            (vec![("startDate", "2026-10-01"), ("endDate", "2026-10-01")], "endDate"),
            (vec![("startDate", "soon"), ("endDate", "2026-10-01")], "startDate"),
            (vec![("startingCheckpoint", "nonsense")], "startingCheckpoint"),
            (vec![("startingCheckpointType", "nonsense")], "startingCheckpointType"),
        ] {
            assert!(matches!(window(&fields), Err(WindowFault::Invalid(named, _)) if named == field), "{fields:?}");
        }
        assert_eq!(window(&[("startDate", "1900-01-01"), ("endDate", "2026-10-01")]), Err(WindowFault::TooWide));
    }

    #[test]
    fn a_sample_has_both_ends_and_is_evenly_apart() {
        assert_eq!(sampled(3, 5, 10), [3, 4, 5]);
        assert!(sampled(1, 0, 10).is_empty());
        assert_eq!(sampled(1, 100, 4), [1, 34, 67, 100]);
        let many = sampled(7, 1_000_000_007, 200);
        assert_eq!((many.len(), many[0], many[199]), (200, 7, 1_000_000_007));
        assert!(many.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn sides_differ_by_reference() {
        let side = |pairs: &[(&str, &str)]| -> Amounts {
            pairs.iter().map(|(name, amount)| ((*name).to_owned(), Decimal::parse(amount).unwrap())).collect()
        };
        let neutral = side(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let (yours, theirs) =
            (side(&[("a", "1"), ("b", "2.5"), ("d", "4")]), side(&[("a", "1"), ("b", "2"), ("c", "3")]));
        let named: Vec<_> =
            differences(Some(&yours), Some(&theirs), &neutral).into_iter().map(|d| d.reference_id).collect();
        assert_eq!(named, ["b", "c", "d"]);
        assert!(differences(None, Some(&theirs), &neutral).is_empty());
    }
}
