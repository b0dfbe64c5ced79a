//! Which pages there are, in the order of reading, and what the code adds to them.

use std::sync::LazyLock;

use super::markdown::{self, Document};
use crate::config::Settings;
use crate::error::{Code, anchor};

/// A page as it is written.
pub struct Page {
    /// The last part of its address; the first page has none.
    pub slug: &'static str,
    /// Its heading.
    pub title: &'static str,
    text: &'static str,
}

/// Pages that belong together.
pub struct Group {
    pub title: &'static str,
    pub pages: &'static [Page],
}

macro_rules! page {
    ($slug:literal, $file:literal, $title:literal) => {
        Page { slug: $slug, title: $title, text: include_str!(concat!("../../../docs/", $file, ".md")) }
    };
}

/// Every page.
pub static GROUPS: &[Group] = &[
    Group {
        title: "Begin",
        pages: &[
            page!("", "start", "Take money in five minutes"),
            page!("modes", "modes", "Modes and keys"),
            page!("testing", "testing", "Testing with the mock"),
            page!("local", "local", "Events on your machine"),
        ],
    },
    Group {
        title: "Integrate",
        pages: &[
            page!("signing", "signing", "Signing requests"),
            page!("webhooks", "webhooks", "Receiving events"),
            page!("idempotency", "idempotency", "Idempotency and retries"),
            page!("errors", "errors", "Errors"),
            page!("invoices", "invoices", "Invoices and payment links"),
            page!("ledger", "ledger", "Ledger and proofs"),
        ],
    },
    Group {
        title: "Providers",
        pages: &[
            page!("nicepay", "nicepay", "NICEPAY"),
            page!("polar", "polar", "Polar"),
            page!("paypal", "paypal", "PayPal"),
        ],
    },
    Group {
        title: "Run it",
        pages: &[
            page!("going-live", "going-live", "Going live"),
            page!("operating", "operating", "Operating"),
            page!("settings", "settings", "Settings"),
            page!("security", "security", "Security and PCI scope"),
        ],
    },
];

/// A page as it is shown.
pub struct Rendered {
    pub page: &'static Page,
    pub document: Document,
    /// What to read then.
    pub next: Option<&'static Page>,
}

static RENDERED: LazyLock<Vec<Rendered>> = LazyLock::new(|| {
    let pages: Vec<&'static Page> = GROUPS.iter().flat_map(|group| group.pages).collect();
    pages
        .iter()
        .enumerate()
        .map(|(index, page)| {
            let document = markdown::render(&with_tables(page.text));
            Rendered { page, document, next: pages.get(index + 1).copied() }
        })
        .collect()
});

/// Every page, rendered once.
pub fn all() -> &'static [Rendered] {
    &RENDERED
}

/// The page at `slug`.
pub fn find(slug: &str) -> Option<&'static Rendered> {
    RENDERED.iter().find(|rendered| rendered.page.slug == slug)
}

/// The text with the code's own tables where a page asks for them.
fn with_tables(text: &str) -> String {
    type Table = fn() -> String;
    let tables: [(&str, Table); 4] = [
        ("<!-- settings -->", crate::config::markdown_table),
        ("<!-- errors -->", errors),
        ("<!-- plans -->", plans),
        ("<!-- providers -->", crate::gateway::providers_table),
    ];
    tables.into_iter().fold(text.to_owned(), |text, (place, table)| match text.contains(place) {
        true => text.replace(place, &table()),
        false => text,
    })
}

/// The plans, unless the settings have others.
fn plans() -> String {
    let settings = Settings::in_directory(std::path::Path::new("."));
    settings.map(|settings| crate::config::plans::markdown_table(&settings.plans)).unwrap_or_default()
}

/// A section for every error, under the anchor that its `type` names.
fn errors() -> String {
    let section = |code: &Code| {
        let (anchor, status, name) = (anchor(*code), code.status(), code.name());
        format!("### {status} {name} {{#{anchor}}}\n\n**{}.** {}\n\n", code.title(), code.meaning())
    };
    Code::ALL.iter().map(section).collect()
}
