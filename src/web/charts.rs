//! Bars by day, and the course of a balance, as numbers for a drawing. A picture is drawn by the template, with its
//! numbers in a table below it.

use std::fmt::Write;

use crate::domain::decimals::Decimal;

/// Units of the drawing across for one day, and down in all.
pub(super) const DAY_WIDTH: usize = 10;
const HEIGHT: i128 = 100;

/// A bar: its lower part, and what stands on it.
pub(super) struct Bar {
    pub x: usize,
    pub low_y: i64,
    pub low_height: i64,
    pub high_y: i64,
    pub high_height: i64,
    pub title: String,
}

/// A value of a day.
pub(super) struct Value {
    pub low: i64,
    pub high: i64,
    pub title: String,
}

/// How high a value is where `most` is as high as the drawing. What is more than nothing is seen.
fn height(value: i64, most: i64) -> i64 {
    if value <= 0 || most <= 0 {
        return 0;
    }
    let height = i128::from(value) * (HEIGHT - 2) / i128::from(most);
    i64::try_from(height.max(1)).unwrap_or(0)
}

/// The bars of one value after the other, and the highest of them.
pub(super) fn bars(values: Vec<Value>) -> (Vec<Bar>, i64) {
    let most = values.iter().map(|value| value.low.saturating_add(value.high)).max().unwrap_or(0);
    let bars = values.into_iter().enumerate().map(|(index, value)| {
        let (low_height, high_height) = (height(value.low, most), height(value.high, most));
        let low_y = 100 - low_height;
        Bar {
            x: index * DAY_WIDTH + 1,
            low_y,
            low_height,
            high_y: (low_y - high_height).max(0),
            high_height,
            title: value.title,
        }
    });
    (bars.collect(), most)
}

/// Units of a course's drawing across, and down.
const COURSE_WIDTH: i64 = 1000;
const COURSE_HEIGHT: i128 = 400;

/// A value from a moment on.
pub(super) struct Step {
    /// Microseconds.
    pub at: i64,
    pub value: Decimal,
    pub title: String,
}

/// The part of a course's drawing where one value holds.
pub(super) struct Stay {
    pub x: i64,
    pub width: i64,
    pub title: String,
}

/// The course of a value as a line in steps.
pub(super) struct Course {
    /// The line, as a path.
    pub line: String,
    /// What is between it and nothing, as a path.
    pub area: String,
    /// Where nothing is.
    pub zero: i64,
    pub stays: Vec<Stay>,
    pub low: Decimal,
    pub high: Decimal,
}

/// How far down a value is in a drawing from `high` to `low`.
fn depth(value: Decimal, low: Decimal, high: Decimal) -> i64 {
    let (mut below, mut range) =
        (high.millionths().saturating_sub(value.millionths()), high.millionths().saturating_sub(low.millionths()));
    // Of a number this large, the last digits are not seen.
    while range > i128::MAX / 1000 {
        (below, range) = (below / 1000, range / 1000);
    }
    if range == 0 {
        return i64::try_from(COURSE_HEIGHT / 2).unwrap_or(0);
    }
    i64::try_from(4 + below * (COURSE_HEIGHT - 8) / range).unwrap_or(0)
}

/// The course of a value from one moment to another, in microseconds, that was `before` at first. Where all happened at
/// one moment, each step is as wide as the others.
pub(super) fn course(before: Decimal, steps: Vec<Step>, [from, to]: [i64; 2]) -> Course {
    let values = || steps.iter().map(|step| step.value).chain([before, Decimal::ZERO]);
    let (low, high) = (values().min().unwrap_or_default(), values().max().unwrap_or_default());
    let y = |value| depth(value, low, high);
    let span = i128::from(to) - i128::from(from);
    let count = steps.len().max(1) as i64;
    let x = |index: usize, at: i64| {
        if span <= 0 {
            return index as i64 * COURSE_WIDTH / count;
        }
        let x = (i128::from(at) - i128::from(from)) * i128::from(COURSE_WIDTH) / span;
        i64::try_from(x).unwrap_or(0).clamp(0, COURSE_WIDTH)
    };
    let (zero, mut line) = (y(Decimal::ZERO), format!("M0 {}", y(before)));
    let places: Vec<i64> = steps.iter().enumerate().map(|(index, step)| x(index, step.at)).collect();
    for (place, step) in places.iter().zip(&steps) {
        // Writing to a text cannot fail.
        let _ = write!(line, "H{place}V{}", y(step.value));
    }
    let _ = write!(line, "H{COURSE_WIDTH}");
    let area = format!("{line}V{zero}H0Z");
    let ends: Vec<i64> = places.iter().skip(1).copied().chain([COURSE_WIDTH]).collect();
    let stay = |((x, end), title): ((i64, i64), String)| {
        let x = x.min(COURSE_WIDTH - 2);
        Stay { x, width: (end - x).max(2), title }
    };
    let stays = places.into_iter().zip(ends).zip(steps.into_iter().map(|step| step.title)).map(stay).collect();
    Course { line, area, zero, stays, low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_bar_fills_the_drawing_and_the_smallest_is_seen() {
        let value = |low, high| Value { low, high, title: String::new() };
        let (bars, most) = bars(vec![value(0, 0), value(1, 0), value(900, 100_000)]);
        assert_eq!(most, 100_900);
        assert_eq!((bars[0].low_height, bars[0].high_height), (0, 0));
        assert_eq!((bars[1].low_height, bars[1].low_y), (1, 99));
        assert!(bars[2].high_y <= 2 && bars[2].high_height >= 97);
        assert_eq!(bars[2].x, 21);
        let (bars, _) = super::bars(vec![value(i64::MAX, i64::MAX)]);
        assert!(bars[0].low_height <= 100);
    }

    #[test]
    fn a_course_goes_in_steps_between_its_extremes_and_nothing() {
        let step = |at, text| Step { at, value: Decimal::parse(text).unwrap(), title: String::new() };
        let drawn = course(Decimal::ZERO, vec![step(0, "100"), step(50, "-100"), step(100, "0.5")], [0, 100]);
        assert_eq!(drawn.line, "M0 200H0V4H500V396H1000V199H1000");
        assert_eq!((drawn.area, drawn.zero), (format!("{}V200H0Z", drawn.line), 200));
        assert_eq!((drawn.stays[0].x, drawn.stays[0].width), (0, 500));
        assert_eq!((drawn.stays[2].x, drawn.stays[2].width), (998, 2));
        assert_eq!((drawn.low.to_string(), drawn.high.to_string()), ("-100".to_owned(), "100".to_owned()));
        // All at one moment; nothing but zeros; larger than a drawing can count with.
        assert_eq!(course(Decimal::ZERO, vec![step(7, "1"), step(7, "2")], [7, 7]).line, "M0 396H0V200H500V4H1000");
        assert_eq!(course(Decimal::ZERO, Vec::new(), [0, 1]).line, "M0 200H1000");
        let huge = Decimal::from_millionths(i128::MAX);
        let huge = course(
            huge,
            vec![Step { at: 1, value: Decimal::from_millionths(i128::MIN), title: String::new() }],
            [0, 2],
        );
        assert_eq!(huge.line, "M0 4H500V396H1000");
    }
}
