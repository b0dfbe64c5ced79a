//! The envelope of answers under `/dashboard` and `/api/v1`.

use serde::Serialize;
use serde_json::{Value, json};

use crate::gateway::views::{Enveloped, render};
use crate::problem::{Answered, json as json_answer};

/// `{"success":true,"statusCode":n,"data":…}`.
///
/// # Errors
/// None; handlers return it as it is.
pub fn envelope(status: u16, data: &impl Serialize) -> Answered {
    Ok(json_answer(status, render(&Enveloped::new(status, data))))
}

/// The same with a sentence for people.
///
/// # Errors
/// None; handlers return it as it is.
pub fn envelope_saying(status: u16, data: &Value, message: &str) -> Answered {
    let body = json!({ "success": true, "statusCode": status, "data": data, "message": message });
    Ok(json_answer(status, body.to_string()))
}

/// A page of a list: as [`envelope`], and where the next page begins.
///
/// # Errors
/// None; handlers return it as it is.
pub fn envelope_page(data: &Value, next: Option<&str>) -> Answered {
    let body = json!({ "success": true, "statusCode": 200, "data": data, "nextCursor": next });
    Ok(json_answer(200, body.to_string()))
}
