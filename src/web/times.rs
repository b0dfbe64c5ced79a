//! A moment on a page: in the zone that the viewer has chosen, else in his browser's where scripts run, else in UTC;
//! UTC shows under the pointer. What a moment is, is in `domain::time`.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::domain::time::Timestamp;

/// A `<time>` element.
pub struct Moment {
    moment: Timestamp,
    zone: Option<String>,
}

impl Moment {
    pub(super) fn new(moment: Timestamp, zone: Option<&str>) -> Self {
        Self { moment, zone: zone.map(str::to_owned) }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = self.moment.to_rfc3339();
        let utc = self.moment.wall_clock(0).strftime("%Y-%m-%d %H:%M:%S UTC");
        write!(formatter, r#"<time datetime="{machine}" title="{utc}""#)?;
        match self.zone.as_deref().and_then(|zone| self.moment.in_zone(zone)) {
            // A zone's abbreviation has letters, digits and signs alone.
            Some((wall, zone)) => {
                write!(formatter, r#">{} <span class="zone">{zone}</span></time>"#, wall.strftime("%Y-%m-%d %H:%M"))
            }
            None => {
                let wall = self.moment.wall_clock(0).strftime("%Y-%m-%d %H:%M");
                write!(formatter, r#" data-local>{wall} <span class="zone">UTC</span></time>"#)
            }
        }
    }
}

// It writes nothing but digits, signs and a zone's abbreviation.
impl HtmlSafe for Moment {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_in_the_viewers_zone_with_utc_under_the_pointer() {
        let moment = Timestamp::parse_rfc3339("2026-12-31T17:05:00Z").unwrap();
        let shown = Moment::new(moment, Some("Asia/Jakarta")).to_string();
        assert_eq!(
            shown,
            r#"<time datetime="2026-12-31T17:05:00.000Z" title="2026-12-31 17:05:00 UTC">2027-01-01 00:05 <span class="zone">WIB</span></time>"#
        );
        let anywhere = Moment::new(moment, None).to_string();
        assert!(anywhere.contains("data-local>2026-12-31 17:05 <span class=\"zone\">UTC"), "{anywhere}");
    }
}
