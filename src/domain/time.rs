//! Moments in time, UTC, as whole microseconds: what is stored, compared and printed.
//!
//! Reading the clock is not here: see `crate::clock`.

use std::time::Duration;

/// A moment, in microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `micros` microseconds after the epoch.
    #[must_use]
    pub const fn from_unix_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The moment `seconds` seconds after the epoch; saturates at the ends of the range.
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    /// Microseconds since the epoch, borrowed.
    #[must_use]
    pub const fn as_unix_micros(&self) -> &i64 {
        &self.0
    }

    /// Milliseconds since the epoch; 0 for a moment before it.
    #[must_use]
    pub fn unix_millis(self) -> u64 {
        u64::try_from(self.0 / 1000).unwrap_or(0)
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment and `later`; saturates.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(later.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This moment less `earlier`; saturates.
    #[must_use]
    pub fn minus(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(earlier.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this moment is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The later of `self` and the first moment after `previous`: keeps the changes of one payment in order
    /// when two machines' clocks differ.
    #[must_use]
    pub fn strictly_after(self, previous: Self) -> Self {
        Self(self.0.max(previous.0.saturating_add(1)))
    }

    /// RFC 3339 in UTC with a `Z`, to the millisecond.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let moment = jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        format!("{moment:.3}")
    }

    /// What a clock on the wall shows at this moment, `hours_east` of UTC.
    #[must_use]
    pub fn wall_clock(self, hours_east: i8) -> jiff::civil::DateTime {
        let moment = jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        jiff::tz::Offset::constant(hours_east).to_datetime(moment)
    }

    /// What a clock on the wall shows at this moment in a time zone, with the zone's abbreviation; `None` where no time
    /// zone has that IANA name.
    #[must_use]
    pub fn in_zone(self, zone: &str) -> Option<(jiff::civil::DateTime, String)> {
        let moment = jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let zoned = moment.in_tz(zone).ok()?;
        Some((zoned.datetime(), zoned.strftime("%Z").to_string()))
    }

    /// The beginning of the day, UTC, that a text such as `2026-12-31` names.
    #[must_use]
    pub fn parse_day(text: &str) -> Option<Self> {
        let date: jiff::civil::Date = text.parse().ok()?;
        date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|moment| Self(moment.timestamp().as_microsecond()))
    }

    /// The beginning of a day, UTC, in days since the epoch; saturates.
    #[must_use]
    pub const fn of_day(day: i64) -> Self {
        Self(day.saturating_mul(86_400_000_000))
    }

    /// The moment that an RFC 3339 text names.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|moment| Self(moment.as_microsecond()))
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_rfc3339(&text).ok_or_else(|| serde::de::Error::custom("not a moment of RFC 3339"))
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

/// Whether a time zone has this IANA name.
#[must_use]
pub fn is_time_zone(name: &str) -> bool {
    jiff::tz::TimeZone::get(name).is_ok()
}

/// The IANA names of time zones that people choose among: UTC, and those of a region, in order.
#[must_use]
pub fn time_zones() -> Vec<String> {
    let known = jiff::tz::db().available().map(|name| name.to_string());
    let mut names: Vec<String> = known.filter(|name| name.contains('/') && !name.starts_with("Etc/")).collect();
    names.sort();
    names.insert(0, "UTC".to_owned());
    names
}

/// A length of time as people write it: `90s`, `15m`, `24h`, `7d`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit_at = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let seconds_per_unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds_per_unit).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_prints_and_parses_as_rfc_3339() {
        let moment = Timestamp::from_unix_micros(1_760_000_000_123_456);
        assert_eq!(moment.to_rfc3339(), "2025-10-09T08:53:20.123Z");
        assert_eq!(Timestamp::parse_rfc3339("2025-10-09T08:53:20.123456Z"), Some(moment));
        assert_eq!(Timestamp::parse_rfc3339("yesterday"), None);
    }

    #[test]
    fn the_clock_on_the_wall_is_ahead_in_the_east() {
        let late = Timestamp::parse_rfc3339("2026-12-31T17:05:00Z").unwrap();
        assert_eq!(late.wall_clock(7).to_string(), "2027-01-01T00:05:00");
    }

    #[test]
    fn a_zone_is_known_by_its_name() {
        let late = Timestamp::parse_rfc3339("2026-12-31T17:05:00Z").unwrap();
        let (wall, zone) = late.in_zone("Asia/Jakarta").unwrap();
        assert_eq!((wall.to_string(), zone), ("2027-01-01T00:05:00".to_owned(), "WIB".to_owned()));
        assert!(late.in_zone("Mars/Olympus").is_none() && !is_time_zone("Mars/Olympus") && is_time_zone("UTC"));
    }

    #[test]
    fn a_duration_needs_a_number_and_a_known_unit() {
        assert_eq!(parse_duration("24h"), Some(Duration::from_secs(86_400)));
        assert_eq!(parse_duration("90s"), Some(Duration::from_secs(90)));
        for bad in ["", "h", "24", "24 h", "-1h", "1w", "99999999999999999999d"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
