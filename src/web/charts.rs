//! Bars by day as numbers for a drawing. A picture is drawn by the template, with its numbers in a table below it.

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
}
