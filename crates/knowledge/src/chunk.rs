//! A document into chunks: what is embedded, found and quoted. Pure, and the same for the same document.
//!
//! A chunk never crosses a heading. Headings go with it as a path. Long sections are split between sentences, with the end
//! of one chunk repeated at the beginning of the next; tables stay whole or are split between rows, and each row names
//! its columns, so that it means something alone. A chunk that says next to nothing joins its neighbour.

use crate::document::{Part, Structured};
use aws_lc_rs::digest::{SHA256, digest};
use base::limits;
use model::sentences::sentences;
use std::collections::HashMap;

/// One chunk of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Names it within its document by what it says: the same words under the same headings have the same id in the next
    /// version. 32 hexadecimal digits.
    pub id: String,
    /// Headings above it, the highest first; empty when there are none.
    pub path: Vec<String>,
    /// Page on which it begins, from 1.
    pub page: Option<u32>,
    /// Its sentences, items and rows, verbatim.
    pub units: Vec<String>,
}

/// About how many tokens a model sees.
pub fn tokens(text: &str) -> usize {
    text.chars().count().div_ceil(4)
}

/// The chunks of a document, in order, at most [`limits::KNOWLEDGE_CHUNKS_MAX`].
pub fn chunks(document: &Structured) -> Vec<Chunk> {
    let mut cutter = Cutter::default();
    for block in &document.blocks {
        match &block.part {
            Part::Heading { level, text } => cutter.heading(*level, text, document.own_title()),
            Part::Paragraph(text) => cutter.add(block.page, sentences(text).into_iter().map(str::to_owned), true),
            Part::List(items) => cutter.add(block.page, items.iter().cloned(), true),
            Part::Table { header, rows } => {
                cutter.add(block.page, rows.iter().map(|row| row_text(header, row)), false);
            }
        }
    }
    cutter.finish()
}

/// A row that means something alone: `Column: cell; column: cell.`
fn row_text(header: &[String], row: &[String]) -> String {
    let cells = row.iter().enumerate().filter(|(_, cell)| !cell.is_empty()).map(|(at, cell)| match header.get(at) {
        Some(name) if !name.is_empty() => format!("{name}: {cell}"),
        _ => cell.clone(),
    });
    let text = cells.collect::<Vec<_>>().join("; ");
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

#[derive(Default)]
struct Cutter {
    /// Level and text of the headings above.
    headings: Vec<(u8, String)>,
    /// Page, words, and whether it may be repeated in the next chunk.
    section: Vec<(Option<u32>, String, bool)>,
    chunks: Vec<Chunk>,
    seen: HashMap<String, usize>,
}

impl Cutter {
    fn heading(&mut self, level: u8, text: &str, title: Option<&str>) {
        self.close();
        self.headings.retain(|(above, _)| *above < level);
        // The title says nothing about a part of the document.
        if level > 1 || title != Some(text) {
            self.headings.push((level, text.to_owned()));
        }
    }

    fn add(&mut self, page: Option<u32>, units: impl Iterator<Item = String>, repeatable: bool) {
        for unit in units {
            for piece in pieces(&unit) {
                self.section.push((page, piece, repeatable));
            }
        }
    }

    /// Makes chunks of the section that ends here.
    fn close(&mut self) {
        let section = std::mem::take(&mut self.section);
        if section.is_empty() {
            return;
        }
        let path: Vec<String> = self.headings.iter().map(|(_, text)| text.clone()).collect();
        let total: usize = section.iter().map(|(_, text, _)| tokens(text)).sum();
        let words = total + path.last().map_or(0, |heading| tokens(heading));
        if words < limits::KNOWLEDGE_CHUNK_TOKENS_MIN && self.joins_the_one_before(&path, &section) {
            return;
        }
        let mut units: Vec<String> = Vec::new();
        let (mut page, mut size, mut fresh) = (section[0].0, 0, 0);
        let mut left = total;
        for (on, text, repeatable) in section {
            let cost = tokens(&text);
            // What would be left alone and tiny stays here.
            let rest_is_tiny = left < limits::KNOWLEDGE_CHUNK_TOKENS_MIN;
            if size + cost > limits::KNOWLEDGE_CHUNK_TOKENS_MAX && fresh > 0 && !rest_is_tiny {
                let overlap = overlap(&units, repeatable);
                self.push(path.clone(), page, std::mem::replace(&mut units, overlap));
                size = units.iter().map(|unit| tokens(unit)).sum();
                (page, fresh) = (on, 0);
            }
            (size, left, fresh) = (size + cost, left - cost, fresh + 1);
            units.push(text);
        }
        self.push(path, page, units);
    }

    /// Adds a tiny section to the chunk before it, if that belongs to the same part of the document.
    fn joins_the_one_before(&mut self, path: &[String], section: &[(Option<u32>, String, bool)]) -> bool {
        let Some(last) = self.chunks.last_mut() else { return false };
        let parent = |path: &[String]| path.len().saturating_sub(1);
        if last.path[..parent(&last.path)] != path[..parent(path)] {
            return false;
        }
        let text = section.iter().map(|(_, text, _)| text.as_str()).collect::<Vec<_>>().join(" ");
        last.units.push(match path.last() {
            Some(heading) => format!("{heading}: {text}"),
            None => text,
        });
        true
    }

    fn push(&mut self, path: Vec<String>, page: Option<u32>, units: Vec<String>) {
        if self.chunks.len() < limits::KNOWLEDGE_CHUNKS_MAX {
            self.chunks.push(Chunk { id: String::new(), path, page, units });
        }
    }

    fn finish(mut self) -> Vec<Chunk> {
        self.close();
        for chunk in &mut self.chunks {
            let name = format!("{}\n\n{}", chunk.path.join("\n"), chunk.units.join("\n"));
            let copies = self.seen.entry(name.clone()).or_default();
            chunk.id = hex(&digest(&SHA256, format!("{copies}\n{name}").as_bytes()).as_ref()[..16]);
            *copies += 1;
        }
        self.chunks
    }
}

/// The end of a chunk that begins the next one; empty before a table.
fn overlap(units: &[String], repeatable: bool) -> Vec<String> {
    let mut size = 0;
    let fits = |unit: &&String| {
        size += tokens(unit);
        repeatable && size <= limits::KNOWLEDGE_OVERLAP_TOKENS_MAX
    };
    let mut kept: Vec<String> = units.iter().rev().take_while(fits).cloned().collect();
    kept.reverse();
    kept
}

/// A unit that is no longer than a chunk, cut between words where it is.
fn pieces(unit: &str) -> Vec<String> {
    if tokens(unit) <= limits::KNOWLEDGE_CHUNK_TOKENS_MAX {
        return vec![unit.to_owned()];
    }
    let chars_max = limits::KNOWLEDGE_CHUNK_TOKENS_MAX * 4;
    let mut pieces = vec![String::new()];
    let (mut length, mut word) = (0, String::new());
    for c in unit.chars().chain([' ']) {
        if c != ' ' && word.chars().count() < chars_max {
            word.push(c);
            continue;
        }
        let more = word.chars().count() + 1;
        if length + more > chars_max && length > 0 {
            pieces.push(String::new());
            length = 0;
        }
        if let Some(last) = pieces.last_mut() {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(&word);
        }
        length += more;
        word.clear();
        if c != ' ' {
            word.push(c);
        }
    }
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Kind;

    fn document(parts: Vec<Part>) -> Structured {
        let mut document = Structured::new(Kind::Markdown);
        for part in parts {
            document.push(None, part);
        }
        document
    }

    fn heading(level: u8, text: &str) -> Part {
        Part::Heading { level, text: text.into() }
    }

    fn text(count: usize) -> Part {
        let sentence = |at: usize| format!("Sentence {at} has a number of words that say something about it.");
        Part::Paragraph((0..count).map(sentence).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn headings_are_kept_as_a_path() {
        let found = chunks(&document(vec![
            heading(1, "Delivery"),
            text(1),
            heading(2, "Abroad"),
            text(1),
            heading(3, "Switzerland"),
            text(1),
            heading(2, "Costs"),
            text(1),
        ]));
        let paths: Vec<String> = found.iter().map(|chunk| chunk.path.join(" / ")).collect();
        assert_eq!(paths, ["Delivery", "Delivery / Abroad", "Delivery / Abroad / Switzerland", "Delivery / Costs"]);
    }

    #[test]
    fn a_long_section_is_split_between_sentences_and_the_next_part_begins_with_the_end_of_this_one() {
        let found = chunks(&document(vec![heading(1, "Long"), text(60)]));
        assert!(found.len() > 3, "{}", found.len());
        for pair in found.windows(2) {
            assert!(
                pair[0].units.contains(&pair[1].units[0])
                    && pair[1].units.contains(&pair[0].units[pair[0].units.len() - 1])
            );
        }
        for chunk in &found {
            let size: usize = chunk.units.iter().map(|unit| tokens(unit)).sum();
            assert!(size <= limits::KNOWLEDGE_CHUNK_TOKENS_MAX + limits::KNOWLEDGE_CHUNK_TOKENS_MIN, "{size}");
            assert!(size >= limits::KNOWLEDGE_CHUNK_TOKENS_MIN, "{size}");
        }
    }

    #[test]
    fn rows_of_a_split_table_still_name_their_columns() {
        let rows = (0..80).map(|at| vec![format!("Part {at}"), format!("{at}.90 euros")]).collect();
        let found = chunks(&document(vec![
            heading(1, "Prices"),
            Part::Table { header: vec!["Part".into(), "Price".into()], rows },
        ]));
        assert!(found.len() > 2);
        assert!(
            found
                .iter()
                .flat_map(|chunk| &chunk.units)
                .all(|row| row.starts_with("Part: Part") && row.contains("; Price: "))
        );
        let all: usize = found.iter().map(|chunk| chunk.units.len()).sum();
        assert_eq!(all, 80, "no row twice, none lost");
    }

    #[test]
    fn what_says_next_to_nothing_joins_its_neighbour() {
        let found = chunks(&document(vec![
            heading(2, "Opening hours"),
            text(1),
            heading(2, "Fax"),
            Part::Paragraph("None.".into()),
        ]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].units.last().map(String::as_str), Some("Fax: None."));
    }

    #[test]
    fn the_same_words_have_the_same_id_in_the_next_version_and_no_two_chunks_share_one() {
        let before = chunks(&document(vec![heading(2, "A"), text(2), heading(2, "B"), text(2)]));
        let after = chunks(&document(vec![heading(2, "New"), text(3), heading(2, "B"), text(2)]));
        assert_eq!(before[1].id, after[1].id);
        let twice = chunks(&document(vec![heading(2, "B"), text(2), heading(2, "B"), text(2)]));
        assert_ne!(twice[0].id, twice[1].id);
    }

    #[test]
    fn a_word_without_end_is_cut() {
        let found = chunks(&document(vec![Part::Paragraph("x".repeat(10_000))]));
        assert!(
            found.iter().flat_map(|chunk| &chunk.units).all(|unit| tokens(unit) <= limits::KNOWLEDGE_CHUNK_TOKENS_MAX)
        );
        assert_eq!(found.iter().flat_map(|chunk| &chunk.units).map(|unit| unit.len()).sum::<usize>(), 10_000);
    }
}
