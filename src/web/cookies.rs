//! The two cookies of the pages. One holds the token of who is signed in; the other ties the forms of who is not to his
//! browser. Both belong to this host alone, come over https (or from this machine) alone, and no script sees them.

use actix_web::HttpRequest;
use actix_web::http::header::COOKIE;

/// Holds the token of who is signed in.
pub(super) const SESSION: &str = "__Host-switchyard";

/// Ties the forms of who is not signed in to his browser.
pub(super) const BROWSER: &str = "__Host-switchyard-form";

/// A cookie that the answer to a request is to set.
#[derive(Clone)]
pub(super) struct Fresh(pub String);

/// The value of a cookie, where it is given once.
pub(super) fn read(request: &HttpRequest, name: &str) -> Option<String> {
    let headers = request.headers().get_all(COOKIE).filter_map(|value| value.to_str().ok());
    let mut values = headers
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned());
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// Sets a cookie until the browser is closed.
pub(super) fn set(name: &str, value: &str) -> String {
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax")
}

/// Takes a cookie away.
pub(super) fn clear(name: &str) -> String {
    format!("{name}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax")
}
