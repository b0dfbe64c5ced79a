//! The mail that a server of this machine's own has nobody to send with. It is shown where nobody else can look: to who
//! asks this machine by its own name, so that no other site's name that was pointed here can read it.

use std::net::IpAddr;

use actix_web::http::header::HOST;
use actix_web::web::Data;
use actix_web::{HttpRequest, get};
use askama::Template;

use super::shell::render;
use super::times::Moment;
use crate::error::{Code, Fault};
use crate::gateway::Gateway;
use crate::problem::Answered;

/// A piece of a mail's text: a link of ours, or anything else.
struct Piece {
    text: String,
    is_link: bool,
}

struct Shown {
    recipient: String,
    subject: String,
    pieces: Vec<Piece>,
    written: Moment,
}

#[derive(Template)]
#[template(path = "outbox.html")]
struct OutboxPage {
    mails: Vec<Shown>,
}

/// The newest mails.
#[get("/outbox")]
pub async fn page(gateway: Data<Gateway>, request: HttpRequest) -> Answered {
    let base = gateway.settings().base_url();
    if !gateway.has_outbox() || !is_own_name(&request, &base) {
        return Err(Fault::new(Code::NotFound, "there is nothing at this path").into());
    }
    let mails = gateway.outbox().await?.into_iter().map(|mail| Shown {
        pieces: pieces(&mail.text, &base),
        recipient: mail.recipient,
        subject: mail.subject,
        written: Moment::new(mail.created_at, None),
    });
    render(&OutboxPage { mails: mails.collect() })
}

/// Whether the server was asked by this machine's own name, or by the one of its settings.
fn is_own_name(request: &HttpRequest, base: &str) -> bool {
    let host = request.headers().get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Ok(asked) = url::Url::parse(&format!("http://{host}")) else { return false };
    let name = asked.host_str().unwrap_or_default();
    let is_loopback = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let of_base = url::Url::parse(base).ok().and_then(|base| base.host_str().map(str::to_owned));
    is_loopback || name == "localhost" || of_base.as_deref() == Some(name)
}

fn pieces(text: &str, base: &str) -> Vec<Piece> {
    let words = text.split_inclusive(char::is_whitespace);
    let mut pieces: Vec<Piece> = Vec::new();
    for word in words {
        let trimmed = word.trim_end();
        if trimmed.strip_prefix(base).is_some_and(|rest| rest.starts_with('/')) {
            pieces.push(Piece { text: trimmed.to_owned(), is_link: true });
            pieces.push(Piece { text: word[trimmed.len()..].to_owned(), is_link: false });
        } else {
            pieces.push(Piece { text: word.to_owned(), is_link: false });
        }
    }
    pieces
}
