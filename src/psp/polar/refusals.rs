//! Polar's error bodies, of which there are several shapes, and what they come to.

use serde::Deserialize;
use serde_json::Value;

use super::LOCKED_FOR;
use crate::psp::Failure;
use crate::psp::http::Answer;

/// The shapes of Polar's error bodies: a name with a text, a list of faults, or OAuth's.
#[derive(Deserialize)]
pub struct Fault {
    pub error: Option<String>,
    detail: Option<Value>,
}

/// What a refusal comes to. An answer that is not in Polar's words leaves open who answered and what was done.
pub fn refusal(answer: &Answer) -> Failure {
    if answer.status == 401 {
        return Failure::refused("the provider does not accept the credentials");
    }
    let garbage = Failure::Unknown { class: "garbage" };
    if answer.status / 100 != 4 {
        return garbage;
    }
    let Ok(Fault { error, detail }) = answer.json::<Fault>() else { return garbage };
    let reason = match (error.as_deref(), &detail) {
        (Some("insufficient_scope"), _) => "the access token lacks a scope".to_owned(),
        (Some(name), _) if answer.status == 409 && name.ends_with("Locked") => {
            return Failure::NotSent { class: "locked", retry_after: Some(LOCKED_FOR) };
        }
        (_, Some(Value::Array(faults))) => faults.iter().map(describe).collect::<Vec<_>>().join("; "),
        (Some(name), Some(Value::String(text))) => format!("{name}: {text}"),
        (None, Some(Value::String(text))) => text.clone(),
        (Some(name), _) => name.to_owned(),
        (None, _) => return garbage,
    };
    Failure::refused(reason)
}

/// A fault of one field. Of what is said of the buyer only the kind is told, as the text may repeat it.
fn describe(fault: &Value) -> String {
    let place: Vec<String> = fault["loc"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|part| *part != "body")
        .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
        .collect();
    let place = place.join(".");
    let text = if place.contains("customer") { &fault["type"] } else { &fault["msg"] };
    format!("{place}: {}", text.as_str().unwrap_or("refused"))
}
