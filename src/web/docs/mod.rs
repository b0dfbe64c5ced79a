//! The documentation that the program carries: pages written in Markdown under `docs/`, the operations from the program's
//! own OpenAPI document, tables from the code, and a search over all of it. It needs no script.

use actix_web::get;
use actix_web::web::{Data, Path, Query};
use askama::Template;
use serde::Deserialize;
use utoipa::openapi::OpenApi;

use super::page as render;
use crate::error::{Code, Fault};
use crate::problem::Answered;

mod markdown;
mod pages;
mod reference;
mod search;

use pages::{GROUPS, Rendered};

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage<'a> {
    title: &'a str,
    slug: &'a str,
    asked: &'a str,
    body: &'a str,
    headings: &'a [markdown::Heading],
    next: Option<&'static pages::Page>,
}

#[derive(Template)]
#[template(path = "docs_reference.html")]
struct ReferencePage {
    title: &'static str,
    slug: &'static str,
    asked: &'static str,
    groups: &'static [reference::Group],
}

#[derive(Template)]
#[template(path = "docs_search.html")]
struct SearchPage<'a> {
    title: &'static str,
    slug: &'static str,
    asked: &'a str,
    hits: Vec<search::Hit>,
}

/// What is looked for.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    q: String,
}

/// Where to begin.
#[get("/docs")]
pub async fn start() -> Answered {
    show(pages::find("").ok_or_else(not_there)?)
}

/// Every operation of the API.
#[get("/docs/api")]
pub async fn api(document: Data<OpenApi>) -> Answered {
    render(&ReferencePage { title: "API reference", slug: "api", asked: "", groups: reference::groups(&document) })
}

/// What the documentation says about some words.
#[get("/docs/search")]
pub async fn find(asked: Query<Asked>, document: Data<OpenApi>) -> Answered {
    let asked: String = asked.q.trim().chars().take(200).collect();
    let hits = search::search(&asked, reference::groups(&document));
    render(&SearchPage { title: "Search", slug: "search", asked: &asked, hits })
}

/// One page.
#[get("/docs/{page}")]
pub async fn named(name: Path<String>) -> Answered {
    let slug = name.into_inner();
    show(pages::find(&slug).filter(|_| !slug.is_empty()).ok_or_else(not_there)?)
}

fn show(Rendered { page, document, next }: &Rendered) -> Answered {
    let (body, headings) = (&document.html, &document.headings);
    render(&DocsPage { title: page.title, slug: page.slug, asked: "", body, headings, next: *next })
}

fn not_there() -> Fault {
    Fault::new(Code::NotFound, "there is no such page; /docs has them all")
}
