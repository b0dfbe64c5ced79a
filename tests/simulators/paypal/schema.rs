//! PayPal's own OpenAPI files: what a body must look like, and the words of its errors.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

/// One of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum File {
    Orders,
    Payments,
    Webhooks,
}

static FILES: LazyLock<[Value; 3]> = LazyLock::new(|| {
    [
        include_str!("../../../psp-fixtures/paypal/openapi/checkout_orders_v2.json"),
        include_str!("../../../psp-fixtures/paypal/openapi/payments_payment_v2.json"),
        include_str!("../../../psp-fixtures/paypal/openapi/notifications_webhooks_v1.json"),
    ]
    .map(|text| serde_json::from_str(text).unwrap())
});

type Compiled = Mutex<HashMap<(File, String), Arc<Validator>>>;

static COMPILED: LazyLock<Compiled> = LazyLock::new(Mutex::default);

fn file(file: File) -> &'static Value {
    &FILES[file as usize]
}

/// A fault of a body: where, which keyword of the schema, and in words.
#[derive(Debug)]
pub struct Fault {
    pub at: String,
    pub keyword: String,
    pub text: String,
}

/// The faults of `body` by the schema `name`.
pub fn faults(of: File, name: &str, body: &Value) -> Vec<Fault> {
    let validator = {
        let mut compiled = COMPILED.lock().unwrap();
        let compile = || {
            let components = file(of)["components"].clone();
            let schema =
                json!({ "allOf": [{ "$ref": format!("#/components/schemas/{name}") }], "components": components });
            // OpenAPI 3.0 has the references of draft 4 to 7: what stands beside one is ignored.
            Arc::new(jsonschema::options().with_draft(Draft::Draft7).build(&schema).unwrap())
        };
        Arc::clone(compiled.entry((of, name.to_owned())).or_insert_with(compile))
    };
    let fault = |error: jsonschema::ValidationError<'_>| Fault {
        at: error.instance_path().to_string(),
        keyword: error.schema_path().to_string().rsplit('/').next().unwrap_or_default().to_owned(),
        text: error.to_string(),
    };
    validator.iter_errors(body).map(fault).collect()
}

/// The schemas that a body of this status must fit, for an operation.
pub fn answer_schemas(of: File, operation: &str, status: u16) -> Vec<String> {
    let operations =
        file(of)["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let found = operations.into_iter().find(|found| found["operationId"] == operation);
    let found = found.unwrap_or_else(|| panic!("no operation {operation}"));
    let schema = &found["responses"][status.to_string()]["content"]["application/json"]["schema"];
    let all = schema["allOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
    let name = |schema: &Value| schema["$ref"].as_str().map(|name| name.rsplit('/').next().unwrap().to_owned());
    all.iter().filter_map(name).collect()
}

/// The words that PayPal has for an issue of an operation's status; none where its file pins none.
pub fn description(of: File, operation: &str, status: u16, issue: &str) -> Option<String> {
    answer_schemas(of, operation, status).iter().find_map(|name| {
        let details = &file(of)["components"]["schemas"][name]["properties"]["details"]["items"];
        let choices = details["anyOf"].as_array().or_else(|| details["oneOf"].as_array())?;
        let choice = choices.iter().find(|choice| choice["properties"]["issue"]["enum"][0] == issue)?;
        choice["properties"]["description"]["enum"][0].as_str().map(str::to_owned)
    })
}
