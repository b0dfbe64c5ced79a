//! A payment's metadata as people search for it: which of its values can be found, and what a search asks for.

use serde_json::Value;

/// The longest name that is found, in characters.
const MAX_NAME: usize = 100;

/// The longest value that is found, in characters.
const MAX_VALUE: usize = 200;

/// The most values of one payment that are found.
const MOST_PAIRS: usize = 50;

/// A name in the metadata and its value as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

impl Pair {
    fn new(name: &str, value: &str) -> Option<Self> {
        let fits = |text: &str, max: usize| !text.is_empty() && text.chars().count() <= max;
        (fits(name, MAX_NAME) && fits(value, MAX_VALUE))
            .then(|| Self { name: name.to_owned(), value: value.to_owned() })
    }

    /// What `name=value` asks for; the name ends at the first `=`.
    #[must_use]
    pub fn asked(text: &str) -> Option<Self> {
        let (name, value) = text.split_once('=')?;
        Self::new(name.trim(), value.trim())
    }
}

/// What of a JSON object can be found: its texts, numbers and truths, not what lies deeper.
#[must_use]
pub fn pairs(metadata: &str) -> Vec<Pair> {
    if metadata == "{}" {
        return Vec::new();
    }
    let Ok(Value::Object(fields)) = serde_json::from_str(metadata) else { return Vec::new() };
    let pair = |(name, value): (&String, &Value)| match value {
        Value::String(text) => Pair::new(name, text),
        Value::Number(number) => Pair::new(name, &number.to_string()),
        Value::Bool(truth) => Pair::new(name, if *truth { "true" } else { "false" }),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    fields.iter().filter_map(pair).take(MOST_PAIRS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_numbers_and_truths_are_found_and_nothing_deeper() {
        let found =
            pairs(r#"{"order":"A-1","count":3,"gift":true,"none":null,"list":[1],"in":{"a":"b"},"empty":"","":"x"}"#);
        let mut shown: Vec<String> = found.iter().map(|pair| format!("{}={}", pair.name, pair.value)).collect();
        shown.sort();
        assert_eq!(shown, ["count=3", "gift=true", "order=A-1"]);
        assert!(pairs("{}").is_empty() && pairs("[1]").is_empty() && pairs("no JSON").is_empty());
        let long = format!(r#"{{"a":"{}","b":"{}"}}"#, "x".repeat(200), "x".repeat(201));
        assert_eq!(pairs(&long).len(), 1);
        let many: Vec<String> = (0..80).map(|number| format!("\"k{number}\":1")).collect();
        assert_eq!(pairs(&format!("{{{}}}", many.join(","))).len(), 50);
    }

    #[test]
    fn a_search_names_a_pair_up_to_its_first_equals_sign() {
        assert_eq!(Pair::asked("order = A=1"), Some(Pair { name: "order".to_owned(), value: "A=1".to_owned() }));
        assert_eq!((Pair::asked("order="), Pair::asked("=1"), Pair::asked("order")), (None, None, None));
    }
}
