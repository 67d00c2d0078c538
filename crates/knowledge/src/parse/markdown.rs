//! Markdown and plain text. HTML inside Markdown is dropped: what a person would not see is not read.

use crate::document::{Kind, Part, Structured};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Reads Markdown. The first heading of the first level is the title and stays a heading.
pub fn parse(text: &str, kind: Kind) -> Structured {
    let mut reader = Reader { document: Structured::new(kind), ..Reader::default() };
    for event in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        reader.event(event);
    }
    reader.close_paragraph();
    reader.document
}

/// Reads plain text: paragraphs stand between empty lines, lines that begin alike with a mark are lists.
pub fn plain(text: &str) -> Structured {
    let mut document = Structured::new(Kind::Text);
    for paragraph in text.replace("\r\n", "\n").split("\n\n") {
        let lines: Vec<&str> = paragraph.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let item =
            |line: &&str| ["- ", "* ", "• ", "– "].iter().find_map(|mark| line.strip_prefix(mark)).map(str::to_owned);
        let items: Vec<String> = lines.iter().filter_map(item).collect();
        if !items.is_empty() && items.len() == lines.len() {
            document.push(None, Part::List(items));
        } else {
            document.push(None, Part::Paragraph(lines.join("\n")));
        }
    }
    document
}

struct Reader {
    document: Structured,
    text: String,
    heading: bool,
    hidden: usize,
    lists: usize,
    items: Vec<String>,
    row: Vec<String>,
    rows: Vec<Vec<String>>,
    header: Vec<String>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            document: Structured::new(Kind::Markdown),
            text: String::new(),
            heading: false,
            hidden: 0,
            lists: 0,
            items: Vec::new(),
            row: Vec::new(),
            rows: Vec::new(),
            header: Vec::new(),
        }
    }
}

impl Reader {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) if self.hidden == 0 => self.text.push_str(&text),
            Event::SoftBreak | Event::HardBreak => self.text.push(' '),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Heading { .. } => {
                self.close_paragraph();
                self.heading = true;
            }
            Tag::List(_) => {
                if self.lists == 0 {
                    self.close_paragraph();
                } else {
                    self.close_item();
                }
                self.lists += 1;
            }
            Tag::Item if self.lists > 0 => self.close_item(),
            // The words for a picture are for those who do not see it; what else is hidden there is not read.
            Tag::MetadataBlock(_) | Tag::HtmlBlock => self.hidden += 1,
            Tag::Table(_) => self.close_paragraph(),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => {
                let text = std::mem::take(&mut self.text);
                if level == HeadingLevel::H1 && self.document.title.is_none() {
                    self.document.title = Some(crate::document::even(&text)).filter(|title| !title.is_empty());
                }
                self.heading = false;
                self.document.push(None, Part::Heading { level: level as u8, text });
            }
            TagEnd::Paragraph | TagEnd::CodeBlock if self.lists == 0 => self.close_paragraph(),
            TagEnd::Paragraph | TagEnd::CodeBlock => self.text.push(' '),
            TagEnd::Item => self.close_item(),
            TagEnd::List(_) => {
                self.lists = self.lists.saturating_sub(1);
                if self.lists == 0 {
                    let items = std::mem::take(&mut self.items);
                    self.document.push(None, Part::List(items));
                }
            }
            TagEnd::TableCell => self.row.push(std::mem::take(&mut self.text)),
            TagEnd::TableHead => self.header = std::mem::take(&mut self.row),
            TagEnd::TableRow => {
                let row = std::mem::take(&mut self.row);
                self.rows.push(row);
            }
            TagEnd::Table => {
                let mut rows = vec![std::mem::take(&mut self.header)];
                rows.append(&mut self.rows);
                self.document.push_table(None, rows);
            }
            TagEnd::MetadataBlock(_) | TagEnd::HtmlBlock => self.hidden = self.hidden.saturating_sub(1),
            _ => {}
        }
    }

    fn close_item(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.trim().is_empty() {
            self.items.push(text);
        }
    }

    fn close_paragraph(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.document.push(None, Part::Paragraph(text));
    }
}
