//! Markdown documents into sections and sentences. Pure.

use super::words::{sentences, words};
pub use model::passage::Passage;
pub use model::seed::Document;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Words of a section that are said whole.
pub const WHOLE_SECTION_WORDS_MAX: usize = 40;
/// Words beyond which a section is split at a sentence, so that one vector still means one thing.
const SECTION_WORDS_MAX: usize = 180;

/// Whether a passage is short enough to be said whole.
pub fn is_short(passage: &Passage) -> bool {
    passage.sentences.iter().map(|sentence| words(sentence).len()).sum::<usize>() <= WHOLE_SECTION_WORDS_MAX
}

/// The sections of a document in their order; headings without text are left out. Text before the first heading belongs to
/// a section named as the document.
pub fn sections(document: &Document) -> Vec<Passage> {
    let mut collected = Vec::new();
    let mut heading = document.title.clone();
    let mut block = String::new();
    let mut blocks: Vec<String> = Vec::new();
    let mut in_heading = false;
    for event in Parser::new_ext(&document.text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                finish(&mut collected, document, &heading, &mut blocks, &mut block);
                in_heading = true;
            }
            Event::End(TagEnd::Heading(level)) => {
                in_heading = false;
                let title = std::mem::take(&mut block).trim().to_owned();
                heading = if level == HeadingLevel::H1 { document.title.clone() } else { title };
            }
            Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::TableRow | TagEnd::TableHead) if !in_heading => {
                blocks.push(std::mem::take(&mut block));
            }
            Event::End(TagEnd::TableCell) => block.push_str(", "),
            Event::Text(text) | Event::Code(text) => block.push_str(&text),
            Event::SoftBreak | Event::HardBreak => block.push(' '),
            _ => {}
        }
    }
    finish(&mut collected, document, &heading, &mut blocks, &mut block);
    collected
}

fn finish(out: &mut Vec<Passage>, document: &Document, heading: &str, blocks: &mut Vec<String>, rest: &mut String) {
    blocks.push(std::mem::take(rest));
    let mut part: Vec<String> = Vec::new();
    let mut length = 0;
    for block in blocks.drain(..) {
        for sentence in sentences(block.trim().trim_end_matches(',')) {
            let count = words(sentence).len();
            if length + count > SECTION_WORDS_MAX && !part.is_empty() {
                out.push(passage(document, heading, std::mem::take(&mut part)));
                length = 0;
            }
            length += count;
            part.push(sentence.to_owned());
        }
    }
    if !part.is_empty() {
        out.push(passage(document, heading, part));
    }
}

fn passage(document: &Document, heading: &str, sentences: Vec<String>) -> Passage {
    Passage { document: document.title.clone(), heading: heading.to_owned(), page: None, sentences }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Passage> {
        sections(&Document { title: "Help".into(), text: text.into() })
    }

    #[test]
    fn headings_become_sections_and_markup_disappears() {
        let found = read(
            "# Shop\n\n## Hours\nOpen **daily** from 9:00.\nClosed on [Sunday](x).\n\n## Empty\n\n## List\n- One thing.\n- Another",
        );
        let view: Vec<(&str, String)> = found.iter().map(|s| (s.heading.as_str(), s.text())).collect();
        let expected = [("Hours", "Open daily from 9:00. Closed on Sunday."), ("List", "One thing. Another")];
        assert_eq!(view, expected.map(|(heading, text)| (heading, text.to_owned())));
        assert_eq!(found[0].sentences.len(), 2);
    }

    #[test]
    fn text_without_headings_is_one_section_named_as_the_document() {
        assert_eq!(read("Just this.")[0].heading, "Help");
        assert!(read("").is_empty());
    }

    #[test]
    fn a_long_section_is_split_at_a_sentence() {
        let found = read(&format!("## Long\n{}", "This sentence has exactly seven words here. ".repeat(40)));
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|s| s.text().ends_with('.') && words(&s.text()).len() <= SECTION_WORDS_MAX));
    }
}
