//! What the lists of the console share: what a page's address asks for, the way to older rows, and how a state is shown.
//! The rows themselves are with their nouns.

use actix_web::HttpRequest;
use url::form_urlencoded::{Serializer, parse};

use super::forms::Pairs;
use crate::domain::time::Timestamp;
use crate::gateway::{AppName, Gateway};

/// Rows on a page.
pub(super) const PER_PAGE: usize = 50;

/// Characters of a value that are looked at.
const MOST_CHARACTERS: usize = 255;

/// What the query of an address asks for. What is empty, too long or no text is as if it were not there.
pub(super) struct Asked(Vec<(String, String)>);

impl Asked {
    /// What a request asks for.
    pub(super) fn of(request: &HttpRequest) -> Self {
        let pairs = parse(request.query_string().as_bytes());
        let pairs = pairs.map(|(name, value)| (name.into_owned(), value.trim().to_owned()));
        let is_fine = |value: &str| {
            !value.is_empty() && value.chars().count() <= MOST_CHARACTERS && !value.chars().any(char::is_control)
        };
        Self(pairs.filter(|(_, value)| is_fine(value)).collect())
    }

    /// The value of a name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The same, or nothing.
    pub(super) fn shown(&self, name: &str) -> String {
        self.text(name).unwrap_or_default().to_owned()
    }

    /// The same, owned.
    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// The beginning of a day, UTC.
    pub(super) fn day(&self, name: &str) -> Option<Timestamp> {
        self.text(name).and_then(Timestamp::parse_day)
    }

    /// Whether anything at all is asked for but another page.
    pub(super) fn is_plain(&self) -> bool {
        self.0.iter().all(|(name, _)| ["cursor", "done"].contains(&name.as_str()))
    }

    /// The address of `path` with the same questions, from `cursor` on.
    pub(super) fn address(&self, path: &str, cursor: Option<&str>) -> String {
        let mut query = Serializer::new(String::new());
        for (name, value) in self.0.iter().filter(|(name, _)| !["cursor", "done"].contains(&name.as_str())) {
            query.append_pair(name, value);
        }
        if let Some(cursor) = cursor {
            query.append_pair("cursor", cursor);
        }
        match query.finish() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }

    /// The way from this page to others.
    pub(super) fn pager(&self, path: &str, next: Option<&str>) -> Pager {
        Pager {
            first: self.text("cursor").map(|_| self.address(path, None)),
            next: next.map(|next| self.address(path, Some(next))),
        }
    }
}

/// The way from a page to others.
pub(super) struct Pager {
    /// The first page, unless this is it.
    pub first: Option<String>,
    /// The next page, if there is one.
    pub next: Option<String>,
}

/// One of several that can be chosen.
pub(super) struct Choice {
    /// What is sent.
    pub value: String,
    /// What people read.
    pub title: String,
    /// Whether it is chosen now.
    pub is_chosen: bool,
}

/// The choices among texts.
pub(super) fn choices<'a>(values: impl IntoIterator<Item = &'a str>, chosen: Option<&str>) -> Vec<Choice> {
    let choice =
        |value: &str| Choice { value: value.to_owned(), title: value.to_owned(), is_chosen: chosen == Some(value) };
    values.into_iter().map(choice).collect()
}

/// The ways to pay, of which a form may tick some.
pub(super) fn method_choices(typed: &Pairs) -> Vec<Choice> {
    let is_ticked = |method: &str| typed.all("methods").any(|ticked| ticked == method);
    let mut methods = choices(Gateway::methods(), None);
    methods.iter_mut().for_each(|choice| choice.is_chosen = is_ticked(&choice.value));
    methods
}

/// The choices among apps.
pub(super) fn app_choices(apps: &[AppName], chosen: Option<&str>) -> Vec<Choice> {
    let title = |app: &AppName| match app.archived_at {
        Some(_) => format!("{} (archived)", app.name),
        None => app.name.clone(),
    };
    let choice = |app: &AppName| Choice {
        value: app.app_id.to_string(),
        title: title(app),
        is_chosen: chosen == Some(app.app_id.as_str()),
    };
    apps.iter().map(choice).collect()
}

/// How a state looks: good, bad, on its way, or over.
pub(super) fn tone(state: &str) -> &'static str {
    match state {
        "succeeded" | "active" | "delivered" | "ready" | "started" | "applied" | "verified" | "paid" => "good",
        "failed" | "dead" | "past_due" | "down" | "degraded" | "refused" | "disabled" | "overdue" => "bad",
        "initiated" | "pending" | "incomplete" | "prepared" | "unknown" | "queued" | "open" => "info",
        _ => "",
    }
}

/// The address of a thing's page.
pub(super) fn address_of(path: &str, id: &str) -> String {
    let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("{path}/{id}")
}

/// A number as people read it.
pub(super) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// JSON as people read it; what is no JSON as it is.
pub(super) fn readable_json(text: &str) -> String {
    let value: Result<serde_json::Value, _> = serde_json::from_str(text);
    value.ok().and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| text.to_owned())
}
