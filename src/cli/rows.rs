//! Rows on standard output: aligned columns for people, or one JSON object a line.

use std::io::Write;

use serde_json::Value;

use super::Failure;

/// Prints a line at once. Whoever reads may have gone, as `head` does.
pub(super) fn print_line(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|_| Failure::new("nobody reads the output any more"))
}

/// Prints cells in columns of these widths; the last one is as wide as it is.
pub(super) fn print_cells(widths: &[usize], cells: &[&str]) -> Result<(), Failure> {
    print_line(&aligned(widths, cells))
}

fn aligned(widths: &[usize], cells: &[&str]) -> String {
    let mut line = String::new();
    for (index, cell) in cells.iter().enumerate() {
        let width = widths.get(index).copied().unwrap_or(0);
        line.push_str(&format!("{cell:<width$}  "));
    }
    line.trim_end().to_owned()
}

/// A field as a cell: text as it is, nothing as a dash.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The time of day of an RFC 3339 moment, in UTC.
pub(super) fn time_of_day(moment: &str) -> &str {
    moment.get(11..19).unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    #[test]
    fn cells_are_aligned_and_nothing_trails() {
        assert_eq!(super::aligned(&[4, 2], &["a", "b", "c"]), "a     b   c");
        assert_eq!(super::aligned(&[4, 2], &["a", ""]), "a");
        assert_eq!(super::time_of_day("2026-05-09T12:34:56Z"), "12:34:56");
    }
}
