//! What every parser gives: a document as headings, paragraphs, lists and tables, in reading order.

use serde::{Deserialize, Serialize};

/// What a file turned out to be, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Portable Document Format.
    Pdf,
    /// Word processing, Office Open XML.
    Docx,
    /// Slides, Office Open XML.
    Pptx,
    /// Spreadsheet, Office Open XML.
    Xlsx,
    /// A web page.
    Html,
    /// Markdown.
    Markdown,
    /// Plain text.
    Text,
    /// Values separated by commas, semicolons, tabs or bars.
    Csv,
    /// An e-mail as RFC 5322 writes it.
    Mail,
    /// A picture of text.
    Image,
    /// Questions with their answers, typed in.
    Pairs,
}

impl Kind {
    /// The name as it is stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Docx => "docx",
            Self::Pptx => "pptx",
            Self::Xlsx => "xlsx",
            Self::Html => "html",
            Self::Markdown => "markdown",
            Self::Text => "text",
            Self::Csv => "csv",
            Self::Mail => "mail",
            Self::Image => "image",
            Self::Pairs => "pairs",
        }
    }
}

/// A document as its parser understood it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Structured {
    /// What it is.
    pub kind: Kind,
    /// The title that it gives itself.
    pub title: Option<String>,
    /// Pages, slides or sheets; 0 where there is no such thing.
    pub pages: u32,
    /// Its parts in reading order.
    pub blocks: Vec<Block>,
    /// Addresses that a page links to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
}

/// One part of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Page on which it begins, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// What it is.
    pub part: Part,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A heading; 1 is the highest.
    Heading {
        /// 1 to 6.
        level: u8,
        /// Its words.
        text: String,
    },
    /// Running text.
    Paragraph(String),
    /// Items of a list.
    List(Vec<String>),
    /// A table.
    Table {
        /// Names of the columns; empty when the first row is none.
        header: Vec<String>,
        /// Rows of cells.
        rows: Vec<Vec<String>>,
    },
}

impl Structured {
    /// One without content.
    pub const fn new(kind: Kind) -> Self {
        Self { kind, title: None, pages: 0, blocks: Vec::new(), links: Vec::new() }
    }

    /// Questions with their answers, each a heading with text.
    pub fn of_pairs(pairs: &[(String, String)]) -> Self {
        let mut document = Self::new(Kind::Pairs);
        for (question, answer) in pairs {
            document.push(None, Part::Heading { level: 2, text: question.clone() });
            document.push(None, Part::Paragraph(answer.clone()));
        }
        document
    }

    /// Adds a part; white space is evened out, and what has no words is left out.
    pub fn push(&mut self, page: Option<u32>, part: Part) {
        let part = match part {
            Part::Heading { level, text } => {
                non_empty(&text).map(|text| Part::Heading { level: level.clamp(1, 6), text })
            }
            Part::Paragraph(text) => non_empty(&text).map(Part::Paragraph),
            Part::List(items) => {
                let items: Vec<String> = items.iter().filter_map(|item| non_empty(item)).collect();
                (!items.is_empty()).then_some(Part::List(items))
            }
            Part::Table { header, rows } => {
                let header: Vec<String> = header.iter().map(|cell| even(cell)).collect();
                let rows: Vec<Vec<String>> = rows
                    .iter()
                    .map(|row| row.iter().map(|cell| even(cell)).collect::<Vec<_>>())
                    .filter(|row| row.iter().any(|cell| !cell.is_empty()))
                    .collect();
                (!rows.is_empty()).then_some(Part::Table { header, rows })
            }
        };
        self.blocks.extend(part.map(|part| Block { page, part }));
    }

    /// Adds a table whose first row names the columns when it looks like names. Pairs of question and answer become
    /// headings with text, which is what they are.
    pub fn push_table(&mut self, page: Option<u32>, mut rows: Vec<Vec<String>>) {
        rows.retain(|row| row.iter().any(|cell| !cell.trim().is_empty()));
        let named = rows.len() > 1 && is_header(&rows[0]);
        let header = if named { rows.remove(0) } else { Vec::new() };
        match question_and_answer(&header) {
            Some((question, answer)) => {
                for row in rows {
                    let cell = |at: usize| row.get(at).cloned().unwrap_or_default();
                    self.push(page, Part::Heading { level: 2, text: cell(question) });
                    self.push(page, Part::Paragraph(cell(answer)));
                }
            }
            None => self.push(page, Part::Table { header, rows }),
        }
    }

    /// The title that the document gives itself as a whole: that of a page or a message, or its only heading of the first
    /// level.
    pub fn own_title(&self) -> Option<&str> {
        let is_first = |block: &&Block| matches!(block.part, Part::Heading { level: 1, .. });
        let says_so = matches!(self.kind, Kind::Html | Kind::Mail);
        let single = self.blocks.iter().filter(is_first).count() == 1;
        self.title.as_deref().filter(|_| says_so || single)
    }

    /// Characters of all parts.
    pub fn chars(&self) -> usize {
        self.blocks
            .iter()
            .map(|block| match &block.part {
                Part::Heading { text, .. } | Part::Paragraph(text) => text.chars().count(),
                Part::List(items) => items.iter().map(|item| item.chars().count()).sum(),
                Part::Table { header, rows } => {
                    rows.iter().flatten().chain(header).map(|cell| cell.chars().count()).sum()
                }
            })
            .sum()
    }
}

/// White space evened out, control characters dropped.
pub(crate) fn even(text: &str) -> String {
    let clean = |c: char| if c.is_whitespace() { ' ' } else { c };
    let visible = |c: &char| c.is_whitespace() || !(c.is_control() || is_invisible(*c));
    let text: String = text.chars().filter(visible).map(clean).collect();
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Characters that nobody sees and that only hide something from people: zero-width, bidirectional controls, tags.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{FFFD}' | '\u{E0000}'..='\u{E007F}')
}

fn non_empty(text: &str) -> Option<String> {
    let text = even(text);
    (!text.is_empty()).then_some(text)
}

/// Whether a row names columns: all cells filled, different, short, and none a number.
fn is_header(row: &[String]) -> bool {
    let cells: Vec<String> = row.iter().map(|cell| even(cell)).collect();
    let like_a_name =
        |cell: &String| !cell.is_empty() && cell.chars().count() <= 60 && cell.chars().any(char::is_alphabetic);
    let mut different = cells.clone();
    different.sort_unstable();
    different.dedup();
    cells.iter().all(like_a_name) && different.len() == cells.len()
}

fn question_and_answer(header: &[String]) -> Option<(usize, usize)> {
    let at = |names: &[&str]| header.iter().position(|cell| names.contains(&even(cell).to_lowercase().as_str()));
    let question = at(&["question", "questions", "q", "frage", "pregunta", "domanda"])?;
    let answer = at(&["answer", "answers", "a", "antwort", "respuesta", "réponse", "risposta"])?;
    Some((question, answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_question_and_answer_become_headings_with_text() {
        let mut document = Structured::new(Kind::Csv);
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        document.push_table(None, vec![row("Question", "Answer"), row("Are you open?", "Yes.")]);
        let parts: Vec<&Part> = document.blocks.iter().map(|block| &block.part).collect();
        assert_eq!(parts, [&Part::Heading { level: 2, text: "Are you open?".into() }, &Part::Paragraph("Yes.".into())]);
    }

    #[test]
    fn a_first_row_of_numbers_names_no_columns() {
        let mut document = Structured::new(Kind::Csv);
        document.push_table(None, vec![vec!["1".into(), "2".into()], vec!["3".into(), "4".into()]]);
        assert!(
            matches!(&document.blocks[0].part, Part::Table { header, rows } if header.is_empty() && rows.len() == 2)
        );
    }

    #[test]
    fn what_nobody_can_see_is_not_read() {
        assert_eq!(even("a\u{200B}b \u{202E} c\u{E0041}\u{0007}\n\n d"), "ab c d");
    }
}
