//! Reading a JSON object field by field, so that one answer names everything that is wrong with it.
//!
//! Derived deserialisers stop at the first fault and lose a number's text; a caller with three mistakes would
//! need three round trips. What the fields of a request mean is not here: see `drafts`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// Objects of a list with faults of their own that one answer tells of.
const MOST_BAD_OBJECTS: usize = 20;

/// Everything that is wrong with a request, each with the path of the field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invalid {
    missing: Vec<String>,
    faults: Vec<(String, String)>,
}

impl Invalid {
    /// One fault: `path` and what it must be, as in `amount_minor`, `must be an integer`.
    #[must_use]
    pub fn one(path: &str, reason: &str) -> Self {
        Self { missing: Vec::new(), faults: vec![(path.to_owned(), reason.to_owned())] }
    }

    /// One field that is required and was not given.
    #[must_use]
    pub fn missing(path: &str) -> Self {
        Self { missing: vec![path.to_owned()], faults: Vec::new() }
    }

    /// The faults as `path: reason`, one each.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        let missing = self.missing.iter().map(|path| format!("{path}: missing"));
        missing.chain(self.faults.iter().map(|(path, reason)| format!("{path}: {reason}"))).collect()
    }

    /// The faults as one sentence.
    #[must_use]
    pub fn detail(&self) -> String {
        let mut sentences = Vec::new();
        if !self.missing.is_empty() {
            sentences.push(format!("missing required fields: {}", self.missing.join(", ")));
        }
        sentences.extend(self.faults.iter().map(|(path, reason)| format!("{path} {reason}")));
        sentences.join("; ")
    }

    fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.faults.is_empty()
    }
}

/// A JSON object whose values are kept as their text; a name that comes twice is an error.
struct RawObject<'a>(BTreeMap<String, &'a RawValue>);

impl<'de> Deserialize<'de> for RawObject<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = RawObject<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut values = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if values.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a name is given twice"));
                    }
                }
                Ok(RawObject(values))
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// A JSON object being read. Each getter takes its field out and notes what is wrong with it;
/// [`Fields::finish`] refuses what is left over.
pub struct Fields<'a> {
    prefix: &'static str,
    values: BTreeMap<String, &'a RawValue>,
    invalid: Invalid,
}

impl<'a> Fields<'a> {
    /// Starts on a request body; an empty body is an empty object.
    ///
    /// # Errors
    /// When the body is no JSON object.
    pub fn of_body(body: &'a [u8]) -> Result<Self, Invalid> {
        if body.is_empty() {
            return Ok(Self { prefix: "", values: BTreeMap::new(), invalid: Invalid::default() });
        }
        Self::of_json("", body).map_err(|_| Invalid::one("body", "must be a JSON object, each name given once"))
    }

    fn of_json(prefix: &'static str, json: &'a [u8]) -> Result<Self, serde_json::Error> {
        let RawObject(values) = serde_json::from_slice(json)?;
        Ok(Self { prefix, values, invalid: Invalid::default() })
    }

    /// Notes a fault with field `name`.
    pub fn fault(&mut self, name: &str, reason: &str) {
        self.invalid.faults.push((format!("{}{name}", self.prefix), reason.to_owned()));
    }

    /// Notes that a required field is not there.
    pub fn missing(&mut self, name: &str) {
        self.invalid.missing.push(format!("{}{name}", self.prefix));
    }

    /// The field's JSON text, unless it is absent or null.
    pub fn raw(&mut self, name: &str) -> Option<&'a str> {
        self.values.remove(name).map(RawValue::get).filter(|text| *text != "null")
    }

    fn value(&mut self, name: &str) -> Option<Value> {
        let raw = self.raw(name)?;
        let parsed = serde_json::from_str(raw).ok();
        if parsed.is_none() {
            self.fault(name, "must be valid JSON, nested less than 100 deep");
        }
        parsed
    }

    /// A text of `min` to `max` characters without control characters.
    pub fn text(&mut self, name: &str, min: usize, max: usize) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => match text_fault(&text, min, max) {
                None => return Some(text),
                Some(reason) => self.fault(name, &reason),
            },
            _ => self.fault(name, "must be a string"),
        }
        None
    }

    /// As [`Fields::text`], and it must be there.
    pub fn required_text(&mut self, name: &str, min: usize, max: usize) -> Option<String> {
        if !self.is_given(name) {
            self.missing(name);
        }
        self.text(name, min, max)
    }

    /// The text of a number that is not negative, digit by digit, if the field holds a number at all.
    pub fn number_text(&mut self, name: &str, max: usize) -> Option<String> {
        let raw = self
            .values
            .get(name)
            .map(|raw| raw.get())
            .filter(|raw| raw.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']))?;
        self.values.remove(name);
        if raw.starts_with('-') || raw.len() > max {
            self.fault(name, &format!("must not be negative, and have {max} characters at the most"));
        }
        Some(raw.to_owned())
    }

    /// An integer from `min` to `max`, written as one: `1.0`, `1e3` and `"1"` are refused.
    pub fn integer(&mut self, name: &str, min: i64, max: i64) -> Option<i64> {
        let value = self.value(name)?;
        let number = value.as_i64().filter(|number| (min..=max).contains(number));
        if number.is_none() {
            self.fault(name, &format!("must be an integer from {min} to {max}"));
        }
        number
    }

    /// As [`Fields::integer`], and it must be there.
    pub fn required_integer(&mut self, name: &str, min: i64, max: i64) -> Option<i64> {
        if !self.is_given(name) {
            self.missing(name);
        }
        self.integer(name, min, max)
    }

    /// True or false.
    pub fn boolean(&mut self, name: &str) -> Option<bool> {
        match self.raw(name)? {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.fault(name, "must be true or false");
                None
            }
        }
    }

    /// One of `choices`.
    pub fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let value = self.value(name)?;
        let chosen = choices.iter().find(|(text, _)| value.as_str() == Some(text)).map(|(_, choice)| *choice);
        if chosen.is_none() {
            let names: Vec<&str> = choices.iter().map(|(text, _)| *text).collect();
            self.fault(name, &format!("must be one of {}", names.join(", ")));
        }
        chosen
    }

    /// An object of at most `max_bytes`, kept as its own text so that it can be echoed to the digit.
    pub fn object_text(&mut self, name: &str, max_bytes: usize) -> Option<String> {
        let raw = self.raw(name)?;
        if raw.len() > max_bytes {
            self.fault(name, &format!("must be at most {max_bytes} bytes"));
            return None;
        }
        match serde_json::from_str::<Value>(raw) {
            Ok(value @ Value::Object(_)) if !has_control_characters(&value) => return Some(raw.to_owned()),
            Ok(Value::Object(_)) => self.fault(name, "must not hold control characters"),
            Ok(_) => self.fault(name, "must be a JSON object"),
            Err(_) => self.fault(name, "must be valid JSON, nested less than 100 deep"),
        }
        None
    }

    /// Reads an object inside this one with `read`; its faults are named `<prefix><field>`.
    pub fn object<T>(
        &mut self,
        name: &str,
        prefix: &'static str,
        read: impl FnOnce(&mut Fields<'a>) -> T,
    ) -> Option<T> {
        let raw = self.raw(name)?;
        let Ok(mut inner) = Fields::of_json(prefix, raw.as_bytes()) else {
            self.fault(name, "must be a JSON object, each name given once");
            return None;
        };
        let value = read(&mut inner);
        if let Err(invalid) = inner.finish() {
            self.invalid.missing.extend(invalid.missing);
            self.invalid.faults.extend(invalid.faults);
        }
        Some(value)
    }

    /// Whether nothing is wrong with the field so far.
    #[must_use]
    pub fn is_sound(&self, name: &str) -> bool {
        let path = format!("{}{name}", self.prefix);
        !self.invalid.missing.contains(&path) && self.invalid.faults.iter().all(|(faulty, _)| *faulty != path)
    }

    /// Reads a list of 1 to `most` objects, each with `read`; their faults are named `<name>[<index>].<field>`. Only the
    /// first objects that have faults are told of.
    pub fn list<T>(
        &mut self,
        name: &str,
        most: usize,
        mut read: impl FnMut(&mut Fields<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(raw) = self.raw(name) else {
            self.missing(name);
            return None;
        };
        let Ok(objects) = serde_json::from_str::<Vec<&'a RawValue>>(raw) else {
            self.fault(name, "must be a list");
            return None;
        };
        if !(1..=most).contains(&objects.len()) {
            self.fault(name, &format!("must have 1 to {most} objects"));
            return None;
        }
        let mut items = Vec::with_capacity(objects.len());
        let mut bad = 0;
        for (index, object) in objects.iter().enumerate() {
            let path = |field: &str| format!("{name}[{index}].{field}");
            let Ok(mut inner) = Fields::of_json("", object.get().as_bytes()) else {
                self.fault(&format!("{name}[{index}]"), "must be a JSON object, each name given once");
                return None;
            };
            let item = read(&mut inner);
            if let Err(invalid) = inner.finish() {
                self.invalid.missing.extend(invalid.missing.iter().map(|field| path(field)));
                self.invalid.faults.extend(invalid.faults.into_iter().map(|(field, reason)| (path(&field), reason)));
                bad += 1;
                if bad == MOST_BAD_OBJECTS {
                    return None;
                }
            }
            items.extend(item);
        }
        Some(items)
    }

    /// Whether the field is there and not null.
    #[must_use]
    pub fn is_given(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|raw| raw.get() != "null")
    }

    /// Whether the field is there and is null.
    #[must_use]
    pub fn is_null(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|raw| raw.get() == "null")
    }

    /// Refuses unknown fields and reports every fault.
    ///
    /// # Errors
    /// Everything that was noted.
    pub fn finish(mut self) -> Result<(), Invalid> {
        for name in std::mem::take(&mut self.values).into_keys() {
            let shown: String = name.chars().filter(|character| !character.is_control()).take(64).collect();
            self.fault(&shown, "is not a field of this request");
        }
        if self.invalid.is_empty() { Ok(()) } else { Err(self.invalid) }
    }
}

/// What is wrong with a text that must have `min` to `max` characters and no control characters.
#[must_use]
pub fn text_fault(text: &str, min: usize, max: usize) -> Option<String> {
    let length = text.chars().count();
    if length < min || length > max {
        return Some(format!("must have {min} to {max} characters"));
    }
    text.chars().any(char::is_control).then(|| "must not hold control characters".to_owned())
}

fn has_control_characters(value: &Value) -> bool {
    match value {
        Value::String(text) => text.chars().any(char::is_control),
        Value::Array(items) => items.iter().any(has_control_characters),
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| name.chars().any(char::is_control) || has_control_characters(value))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_answer_names_every_fault() {
        let mut fields = Fields::of_body(br#"{"a": 1.5, "b": "", "zzz": {}}"#).unwrap();
        fields.required_integer("a", 1, 9);
        fields.required_text("b", 1, 9);
        fields.required_text("c", 1, 9);
        let invalid = fields.finish().unwrap_err();
        assert_eq!(
            invalid.messages(),
            [
                "c: missing",
                "a: must be an integer from 1 to 9",
                "b: must have 1 to 9 characters",
                "zzz: is not a field of this request"
            ]
        );
        assert!(invalid.detail().starts_with("missing required fields: c; a must be an integer"));
    }

    #[test]
    fn what_is_no_object_is_refused_whole() {
        for body in ["[]", "1", "nonsense", "{\"a\":1,\"a\":2}", "\u{feff}{}", "{} {}"] {
            assert!(Fields::of_body(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn an_object_text_keeps_its_digits() {
        let mut fields = Fields::of_body(br#"{"m": {"n": 1.10, "big": 123456789012345678901234567890}}"#).unwrap();
        assert_eq!(fields.object_text("m", 100).unwrap(), r#"{"n": 1.10, "big": 123456789012345678901234567890}"#);
    }
}
