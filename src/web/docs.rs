//! The documentation that the program carries: the operations from its own OpenAPI document, the errors from the code.

use actix_web::get;
use actix_web::web::Data;
use askama::Template;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use super::page as render;
use crate::error::{Code, anchor};
use crate::problem::Answered;

struct Operation {
    method: String,
    path: String,
    summary: String,
    parameters: Vec<(String, String, String)>,
    answers: Vec<(String, String)>,
    request: Vec<(String, String, bool)>,
}

struct Group {
    tag: String,
    operations: Vec<Operation>,
}

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage {
    groups: Vec<Group>,
}

#[derive(Template)]
#[template(path = "errors.html")]
struct ErrorsPage {
    errors: Vec<(String, u16, &'static str, &'static str, String)>,
}

/// The operations of the API.
#[get("/docs")]
pub async fn reference(document: Data<OpenApi>) -> Answered {
    let document = serde_json::to_value(document.as_ref()).unwrap_or_default();
    render(&DocsPage { groups: groups(&document) })
}

/// Every error: its status, its code, what it means.
#[get("/docs/errors")]
pub async fn errors() -> Answered {
    let errors = Code::ALL
        .iter()
        .map(|code| (anchor(*code), code.status(), code.name(), code.title(), code.meaning().replace('`', "")))
        .collect();
    render(&ErrorsPage { errors })
}

fn groups(document: &Value) -> Vec<Group> {
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
