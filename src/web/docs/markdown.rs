//! From Markdown to the HTML of a page: headings that can be linked to, and examples in several languages as tabs.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// A page, ready to be shown and to be searched.
pub struct Document {
    pub html: String,
    /// Of the second level: the page's own contents.
    pub headings: Vec<Heading>,
    /// The text between headings, without code.
    pub sections: Vec<Section>,
}

/// A heading and where it is.
#[derive(Clone, Default)]
pub struct Heading {
    pub anchor: String,
    pub text: String,
}

/// A heading and the plain text beneath it.
#[derive(Default)]
pub struct Section {
    pub heading: Heading,
    pub text: String,
}

/// An example: what its tab is called, and its lines.
struct Example {
    label: &'static str,
    code: String,
}

/// The languages that a reader chooses from.
const TABS: [&str; 4] = ["curl", "TypeScript", "Python", "Node"];

/// Renders a page. HTML in it is left out: comments are for its tests.
pub fn render(text: &str) -> Document {
    let options = Options::ENABLE_TABLES | Options::ENABLE_HEADING_ATTRIBUTES;
    let mut page = Page::default();
    let mut events = Parser::new_ext(text, options).peekable();
    while let Some(event) = events.next() {
        match event {
            Event::Html(_) | Event::InlineHtml(_) | Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
            Event::Start(Tag::CodeBlock(kind)) => {
                let lines = std::iter::from_fn(|| events.next_if(|event| *event != Event::End(TagEnd::CodeBlock)));
                let code = lines
                    .filter_map(|event| if let Event::Text(text) = event { Some(text.into_string()) } else { None })
                    .collect();
                events.next();
                let example = Example { label: label(&kind), code };
                page.example(example);
            }
            Event::Start(Tag::Heading { level, id, .. }) => {
                let inside: Vec<Event> =
                    std::iter::from_fn(|| events.next_if(|event| !matches!(event, Event::End(TagEnd::Heading(_)))))
                        .collect();
                events.next();
                page.heading(level, id.map(|id| id.to_string()), inside);
            }
            event => page.take(event),
        }
    }
    page.finish()
}

#[derive(Default)]
struct Page<'a> {
    html: String,
    headings: Vec<Heading>,
    sections: Vec<Section>,
    /// What is rendered at the next heading or example.
    waiting: Vec<Event<'a>>,
    /// Examples that stand together.
    examples: Vec<Example>,
    groups: usize,
}

impl<'a> Page<'a> {
    fn take(&mut self, event: Event<'a>) {
        self.show_examples();
        let text = match &event {
            Event::Text(text) | Event::Code(text) => text.as_ref(),
            Event::SoftBreak | Event::HardBreak => " ",
            Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Link) | Event::Start(_) => "",
            _ => " ",
        };
        if self.sections.is_empty() {
            self.sections.push(Section::default());
        }
        if let Some(section) = self.sections.last_mut() {
            section.text.push_str(text);
        }
        self.waiting.push(event);
    }

    fn heading(&mut self, level: HeadingLevel, id: Option<String>, inside: Vec<Event<'a>>) {
        self.show_examples();
        self.flush();
        let text: String = inside
            .iter()
            .filter_map(
                |event| if let Event::Text(text) | Event::Code(text) = event { Some(text.as_ref()) } else { None },
            )
            .collect();
        let heading = Heading { anchor: id.unwrap_or_else(|| anchor_of(&text)), text };
        let mut content = String::new();
        html::push_html(&mut content, inside.into_iter());
        let Heading { anchor, .. } = &heading;
        self.html.push_str(&format!("<{level} id=\"{anchor}\"><a href=\"#{anchor}\">{content}</a></{level}>\n"));
        if level == HeadingLevel::H2 {
            self.headings.push(heading.clone());
        }
        self.sections.push(Section { heading, text: String::new() });
    }

    /// Examples in languages to choose from wait for each other; what is not one of those stands alone.
    fn example(&mut self, example: Example) {
        if TABS.contains(&example.label) {
            self.examples.push(example);
            return;
        }
        self.show_examples();
        self.examples.push(example);
        self.show_examples();
    }

    /// One example stands alone; several are tabs, which the style sheet shows one of.
    fn show_examples(&mut self) {
        if self.examples.is_empty() {
            return;
        }
        self.flush();
        self.groups += 1;
        let examples = std::mem::take(&mut self.examples);
        let group = self.groups;
        if examples.len() > 1 {
            self.html.push_str("<div class=\"tabs\">");
            for (index, Example { label, .. }) in examples.iter().enumerate() {
                let checked = if index == 0 { " checked" } else { "" };
                self.html.push_str(&format!(
                    "<input type=\"radio\" name=\"tabs-{group}\" id=\"tab-{group}-{index}\"{checked}>\
                     <label for=\"tab-{group}-{index}\">{label}</label>"
                ));
            }
        }
        for Example { label, code } in &examples {
            let mut escaped = String::new();
            html::push_html(&mut escaped, std::iter::once(Event::Text(code.as_str().into())));
            let class = if *label == "Text" { " class=\"output\"" } else { "" };
            self.html
                .push_str(&format!("<pre{class} tabindex=\"0\" aria-label=\"{label}\"><code>{escaped}</code></pre>"));
        }
        if examples.len() > 1 {
            self.html.push_str("</div>");
        }
        self.html.push('\n');
    }

    fn flush(&mut self) {
        html::push_html(&mut self.html, self.waiting.drain(..));
    }

    fn finish(mut self) -> Document {
        self.show_examples();
        self.flush();
        let html = self.html.replace("<table>", "<div class=\"scroll\"><table>").replace("</table>", "</table></div>");
        Document { html, headings: self.headings, sections: self.sections }
    }
}

/// What an example's tab is called: by the first word behind its fence.
fn label(kind: &CodeBlockKind<'_>) -> &'static str {
    let language = match kind {
        CodeBlockKind::Fenced(words) => words.split_whitespace().next().unwrap_or_default(),
        CodeBlockKind::Indented => "",
    };
    match language {
        "curl" => "curl",
        "ts" => "TypeScript",
        "python" => "Python",
        "ts-sh" => "Node",
        "python-sh" => "Python",
        "sh" => "Shell",
        "json" => "JSON",
        "toml" => "Settings",
        _ => "Text",
    }
}

/// The anchor of a heading: its words in lower case, joined by hyphens.
fn anchor_of(text: &str) -> String {
    let words = text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}
