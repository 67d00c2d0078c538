//! Web pages: scripts, styles, navigation and forms are left out, the rest goes through Markdown.

use super::markdown;
use crate::document::{Kind, Structured, even};
use crate::refusal::Refusal;
use htmd::HtmlToMarkdown;
use pulldown_cmark::{Event, Parser, Tag};

/// What is no part of a page's text.
const SKIPPED: [&str; 23] = [
    "head", "script", "style", "noscript", "template", "nav", "footer", "aside", "form", "button", "select", "input",
    "textarea", "iframe", "object", "embed", "svg", "canvas", "img", "video", "audio", "dialog", "title",
];

/// Reads a web page.
pub fn parse(text: &str) -> Result<Structured, Refusal> {
    let converter = HtmlToMarkdown::builder().skip_tags(SKIPPED.to_vec()).scripting_enabled(false).build();
    let converted =
        converter.convert(text).map_err(|error| Refusal::Broken(format!("the page cannot be read: {error}")))?;
    let mut document = markdown::parse(&converted, Kind::Html);
    document.title = title(text).or(document.title);
    document.links = links(text);
    Ok(document)
}

/// Addresses that the whole page links to, navigation included.
fn links(text: &str) -> Vec<String> {
    let quiet = vec!["script", "style", "svg", "img", "template"];
    let Ok(whole) = HtmlToMarkdown::builder().skip_tags(quiet).build().convert(text) else { return Vec::new() };
    let address = |event: Event<'_>| match event {
        Event::Start(Tag::Link { dest_url, .. }) => Some(dest_url.into_string()),
        _ => None,
    };
    let mut found: Vec<String> = Parser::new(&whole).filter_map(address).take(LINKS_MAX).collect();
    found.sort_unstable();
    found.dedup();
    found
}

const LINKS_MAX: usize = 2_000;

/// The title in the head of the page.
fn title(text: &str) -> Option<String> {
    let lower = text.get(..text.len().min(64 * 1024)).unwrap_or(text).to_ascii_lowercase();
    let open = lower.find("<title")?;
    let begin = open + lower[open..].find('>')? + 1;
    let end = begin + lower[begin..].find("</title")?;
    let inner = htmd::convert(text.get(begin..end)?).ok()?;
    Some(even(&inner.replace('\\', ""))).filter(|title| !title.is_empty())
}
