//! The pages on which a person plays the buyer: plain HTML, no script.

use std::sync::Arc;

use actix_web::HttpResponse;

use super::{Charge, Shared, change, pay};

/// Where the pages are, with the id behind it.
pub(super) const PATH: &str = "/simulator/pay/";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn page(status: u16, body: &str) -> HttpResponse {
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>NICEPAY simulator</title><h1>NICEPAY simulator</h1>{body}"
    );
    HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap())
        .content_type("text/html; charset=utf-8")
        .body(html)
}

pub(super) fn answer(shared: &Arc<Shared>, method: &str, path: &str, body: &[u8]) -> HttpResponse {
    let id = path.strip_prefix(PATH).or_else(|| path.strip_prefix("/nicepay/api/generateQrisImage/"));
    match (method, path, id) {
        ("GET", "/", _) => {
            let rows: String = shared
                .lock()
                .charges
                .iter()
                .rev()
                .map(|charge| {
                    let (id, reference) = (escape(&charge.id), escape(&charge.reference));
                    let (what, state) = (escape(&way(charge)), state(charge));
                    format!("<li><a href=\"{PATH}{id}\">{reference}</a>: {what}, Rp {}, {state}", charge.amount)
                })
                .collect();
            page(200, &format!("<ul>{rows}</ul>"))
        }
        ("GET", _, Some(id)) => show(shared, id),
        ("POST", _, Some(id)) => {
            let verb =
                url::form_urlencoded::parse(body).find(|(name, _)| name == "do").map(|(_, value)| value.into_owned());
            let done = match verb.as_deref() {
                Some("pay") => pay(shared, id),
                Some("expire") => change(shared, id, &['3'], |charge| if charge.is_qris { '5' } else { '4' }),
                Some("fail") => change(shared, id, &['3', '4'], |charge| if charge.is_qris { '6' } else { '4' }),
                _ => Err("nothing was chosen".to_owned()),
            };
            match done {
                Ok(()) => show(shared, id),
                Err(error) => page(409, &escape(&error)),
            }
        }
        _ => page(404, "There is nothing here."),
    }
}

/// How it is paid, as a person knows it.
fn way(charge: &Charge) -> String {
    if charge.is_qris { "QRIS".to_owned() } else { format!("{} {}", charge.bank, charge.number) }
}

/// What has become of it. The two methods number the same states differently.
fn state(charge: &Charge) -> String {
    let word = match (charge.is_qris, charge.status) {
        (_, '0') => "paid",
        (_, '3') => "waiting for the buyer",
        (false, '1') => "taken back by the bank",
        (true, '2') => "given back or voided",
        (true, '4') => "under way",
        (false, '4') | (true, '5') => "expired or canceled",
        (true, '6') => "failed",
        _ => "neither paid nor waiting",
    };
    format!("{word} (status {})", charge.status)
}

fn show(shared: &Shared, id: &str) -> HttpResponse {
    let Some(charge) = shared.lock().find(id).cloned() else { return page(404, "There is no such payment.") };
    let what = if charge.is_qris { charge.qr.clone() } else { way(&charge) };
    let buttons: String = [("pay", "Pay"), ("expire", "Let it expire"), ("fail", "Let it fail")]
        .iter()
        .map(|(verb, label)| format!("<button name=\"do\" value=\"{verb}\">{label}</button> "))
        .collect();
    page(
        200,
        &format!(
            "<p>{}<p>Rp {} for {}<p>Status {}<p><code>{}</code><form method=\"post\" action=\"{PATH}{}\">{buttons}</form>",
            escape(&charge.reference),
            charge.amount,
            escape(&charge.goods),
            charge.status,
            escape(&what),
            escape(&charge.id),
        ),
    )
}
