//! The search over the documentation: every word must occur; headings count for more than text.

use super::pages;
use super::reference::Group;

/// How many places are shown at most.
const MOST: usize = 20;

/// How much of the text around the first word is shown, in characters.
const EXCERPT: usize = 180;

/// A place that has all the words.
pub struct Hit {
    pub page: String,
    pub heading: String,
    pub address: String,
    /// Pieces of the text, and whether each is one of the words.
    pub excerpt: Vec<(String, bool)>,
}

/// The places that have all the words of `asked`, best first.
pub fn search(asked: &str, groups: &[Group]) -> Vec<Hit> {
    let words: Vec<String> = asked.split_whitespace().map(str::to_lowercase).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let mut hits: Vec<(usize, Hit)> = Vec::new();
    let mut consider = |page: &str, heading: &str, address: String, text: &str| {
        if let Some(score) = score(&words, page, heading, text) {
            let (page, heading) = (page.to_owned(), heading.to_owned());
            hits.push((score, Hit { page, heading, address, excerpt: excerpt(text, &words) }));
        }
    };
    for rendered in pages::all() {
        for section in &rendered.document.sections {
            let slash = if rendered.page.slug.is_empty() { "" } else { "/" };
            let fragment = if section.heading.anchor.is_empty() { "" } else { "#" };
            let address = format!("/docs{slash}{}{fragment}{}", rendered.page.slug, section.heading.anchor);
            consider(rendered.page.title, &section.heading.text, address, &section.text);
        }
    }
    for operation in groups.iter().flat_map(|group| &group.operations) {
        let heading = format!("{} {}", operation.method, operation.path);
        let fields: Vec<&str> = operation.request.iter().map(|(name, _, _)| name.as_str()).collect();
        let text = format!("{} {}", operation.summary, fields.join(" "));
        consider("API reference", &heading, format!("/docs/api#{}", operation.anchor()), &text);
    }
    // Stable: where two count the same, the order of reading stays.
    hits.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    hits.into_iter().take(MOST).map(|(_, hit)| hit).collect()
}

/// How well a place answers; `None` when a word is missing.
fn score(words: &[String], page: &str, heading: &str, text: &str) -> Option<usize> {
    let [page, heading, text] = [page, heading, text].map(str::to_lowercase);
    words.iter().try_fold(0, |sum, word| {
        let found = 12 * usize::from(heading.contains(word))
            + 4 * usize::from(page.contains(word))
            + text.matches(word.as_str()).count().min(5);
        (found > 0).then_some(sum + found)
    })
}

fn excerpt(text: &str, words: &[String]) -> Vec<(String, bool)> {
    let characters: Vec<char> = text.chars().collect();
    // Characters whose lower case is longer are rare, and then a place in the text is a little off, no more.
    let lower: Vec<char> =
        characters.iter().map(|character| character.to_lowercase().next().unwrap_or(*character)).collect();
    let matches_at = |at: usize| {
        let fits = |word: &&String| word.chars().eq(lower[at..].iter().copied().take(word.chars().count()));
        words.iter().find(fits).map(|word| word.chars().count())
    };
    let first = (0..lower.len()).find(|at| matches_at(*at).is_some()).unwrap_or(0);
    let from = (0..=first.saturating_sub(EXCERPT / 3)).rev().find(|at| *at == 0 || lower[*at - 1] == ' ').unwrap_or(0);
    let mut pieces: Vec<(String, bool)> = Vec::new();
    let mut at = from;
    while at < characters.len().min(from + EXCERPT) {
        let length = matches_at(at);
        let taken: String = characters[at..].iter().take(length.unwrap_or(1)).collect();
        at += length.unwrap_or(1);
        match pieces.last_mut() {
            Some((piece, is_word)) if !*is_word && length.is_none() => piece.push_str(&taken),
            _ => pieces.push((taken, length.is_some())),
        }
    }
    pieces
}
