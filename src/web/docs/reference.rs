//! The API reference: every operation of the program's own OpenAPI document.

use std::sync::OnceLock;

use serde_json::Value;
use utoipa::openapi::OpenApi;

/// One operation: a method of a path.
pub struct Operation {
    pub method: String,
    pub path: String,
    pub summary: String,
    /// Name, where it stands, meaning.
    pub parameters: Vec<(String, String, String)>,
    /// Status, meaning.
    pub answers: Vec<(String, String)>,
    /// Name, meaning, whether it must be there.
    pub request: Vec<(String, String, bool)>,
}

impl Operation {
    /// Where it is on its page.
    pub fn anchor(&self) -> String {
        let words =
            self.path.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        std::iter::once(self.method.to_lowercase().as_str()).chain(words).collect::<Vec<_>>().join("-")
    }
}

/// Operations about one subject.
pub struct Group {
    pub tag: String,
    pub operations: Vec<Operation>,
}

/// The operations of the program's document, by subject: read once.
pub fn groups(document: &OpenApi) -> &'static [Group] {
    static GROUPS: OnceLock<Vec<Group>> = OnceLock::new();
    GROUPS.get_or_init(|| read(document))
}

fn read(document: &OpenApi) -> Vec<Group> {
    let document = &serde_json::to_value(document).unwrap_or_default();
    let mut groups: Vec<Group> = Vec::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let tag = text(&operation["tags"][0]);
            let operation = Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                summary: text(&operation["summary"]),
                parameters: list(&operation["parameters"])
                    .map(|parameter| {
                        (text(&parameter["name"]), text(&parameter["in"]), text(&parameter["description"]))
                    })
                    .collect(),
                answers: operation["responses"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(status, answer)| (status.clone(), text(&answer["description"])))
                    .collect(),
                request: request_fields(document, operation),
            };
            match groups.iter_mut().find(|group| group.tag == tag) {
                Some(group) => group.operations.push(operation),
                None => groups.push(Group { tag, operations: vec![operation] }),
            }
        }
    }
    const ORDER: [&str; 8] =
        ["Payments", "Refunds", "Customers", "Events", "Checkout", "Mock provider", "Webhooks in", "Operators"];
    groups.sort_by_key(|group| ORDER.iter().position(|tag| *tag == group.tag));
    groups
}

/// The fields of an operation's body: name, meaning, whether it must be there.
fn request_fields(document: &Value, operation: &Value) -> Vec<(String, String, bool)> {
    let content = operation["requestBody"]["content"].as_object();
    let schema = content.and_then(|content| content.values().next()).map(|media| &media["schema"]);
    let name = schema.and_then(|schema| schema["$ref"].as_str()?.rsplit('/').next()).unwrap_or_default();
    let schema = &document["components"]["schemas"][name];
    let required: Vec<&str> = list(&schema["required"]).filter_map(Value::as_str).collect();
    schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, field)| (name.clone(), text(&field["description"]), required.contains(&name.as_str())))
        .collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().replace('`', "")
}
