//! What is taken out of a provider's message before it is archived: personal data and secrets, by the names that the
//! driver lists. The archive is for finding out what happened, and for that the ids and amounts are enough.

use serde_json::Value;

use super::Driver;

const SCRUBBED: &str = "[scrubbed]";

/// The text of `body` without what `driver` lists. What is neither JSON nor a form is kept by its length alone.
#[must_use]
pub fn scrubbed(driver: &Driver, body: &[u8]) -> String {
    let is_listed = |name: &str| driver.scrubbed.contains(&name);
    if driver.scrubbed.is_empty() {
        return String::from_utf8_lossy(body).replace('\0', "\u{fffd}");
    }
    if let Ok(mut value) = serde_json::from_slice::<Value>(body) {
        scrub(&mut value, &is_listed);
        return value.to_string().replace("\\u0000", "\u{fffd}");
    }
    let looks_like_a_form = body.contains(&b'=') && body.iter().all(u8::is_ascii_graphic);
    if !looks_like_a_form {
        return format!("[{} bytes that are neither JSON nor a form]", body.len());
    }
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in url::form_urlencoded::parse(body) {
        form.append_pair(&name, if is_listed(&name) { SCRUBBED } else { &value });
    }
    form.finish().replace("%00", "\u{fffd}")
}

fn scrub(value: &mut Value, is_listed: &impl Fn(&str) -> bool) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match value {
                    Value::Null => {}
                    _ if is_listed(name) => *value = SCRUBBED.into(),
                    _ => scrub(value, is_listed),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| scrub(item, is_listed)),
        _ => {}
    }
}
