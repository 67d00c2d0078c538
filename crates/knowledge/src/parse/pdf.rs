//! Digital PDF: characters with their places into lines, lines into paragraphs, large or bold short lines into headings.

use super::picture;
use crate::document::{Kind, Part, Structured, even};
use crate::refusal::Refusal;
use base::limits;
use pdf_extract::{Document, MediaBox, OutputDev, OutputError, Transform};
use std::collections::BTreeMap;

/// One line of a page.
#[derive(Clone, Debug, Default, PartialEq)]
struct Line {
    page: u32,
    text: String,
    /// Height of its letters, in points.
    size: f64,
    /// Distance from the top of the page, in points.
    y: f64,
}

/// Reads a PDF.
pub fn parse(bytes: &[u8]) -> Result<Structured, Refusal> {
    let broken = |why: String| Refusal::Broken(format!("the PDF cannot be read: {why}"));
    let mut pdf = Document::load_mem(bytes).map_err(|error| match error {
        pdf_extract::Error::Decryption(_) | pdf_extract::Error::InvalidPassword => Refusal::Encrypted,
        other => broken(other.to_string()),
    })?;
    // Many are encrypted with an empty password, which only asks readers to forbid printing.
    if pdf.is_encrypted() && pdf.decrypt("").is_err() {
        return Err(Refusal::Encrypted);
    }
    let pages = u32::try_from(pdf.get_pages().len()).unwrap_or(u32::MAX);
    if pages == 0 {
        return Err(broken("it has no pages".into()));
    }
    if pages > limits::KNOWLEDGE_PAGES_MAX {
        return Err(Refusal::Kind(format!(
            "the PDF has {pages} pages; at most {} are read",
            limits::KNOWLEDGE_PAGES_MAX
        )));
    }
    let mut lines = Lines::default();
    pdf_extract::output_doc(&pdf, &mut lines).map_err(|error| broken(error.to_string()))?;
    lines.close();
    let mut document = Structured::new(Kind::Pdf);
    document.pages = pages;
    if lines.all.is_empty() {
        scanned(&pdf, &mut document)?;
    }
    build(&without_running_heads(lines.all, pages), &mut document);
    document.title = document.blocks.iter().find_map(|block| match &block.part {
        Part::Heading { text, .. } if block.page == Some(1) => Some(text.clone()),
        _ => None,
    });
    Ok(document)
}

/// Reads the pictures of the pages of a PDF that holds no text: a scan.
fn scanned(pdf: &Document, document: &mut Structured) -> Result<(), Refusal> {
    let pages: BTreeMap<u32, Vec<u8>> =
        pdf.get_pages().into_iter().filter_map(|(number, page)| Some((number, picture_of(pdf, page)?))).collect();
    if pages.len() > limits::KNOWLEDGE_SCANNED_PAGES_MAX {
        return Err(Refusal::Kind(format!(
            "the PDF holds pictures of {} pages; at most {} are read",
            pages.len(),
            limits::KNOWLEDGE_SCANNED_PAGES_MAX
        )));
    }
    if pages.is_empty() { Ok(()) } else { picture::read_pages(pages, document) }
}

/// The largest picture of a page as a file of its own, if it is of a kind that scanners write: JPEG, or compressed rows of grey or
/// colour.
fn picture_of(pdf: &Document, page: pdf_extract::ObjectId) -> Option<Vec<u8>> {
    let images = pdf.get_page_images(page).ok()?;
    let image = images.into_iter().max_by_key(|image| image.width.saturating_mul(image.height))?;
    let filters = image.filters.unwrap_or_default();
    if filters.iter().any(|filter| filter == "DCTDecode") {
        return (filters.len() == 1).then(|| image.content.to_vec());
    }
    let (mark, channels) = match image.color_space.as_deref() {
        Some("DeviceGray" | "CalGray") => ("P5", 1),
        Some("DeviceRGB" | "CalRGB") => ("P6", 3),
        _ => return None,
    };
    let rows = pdf.get_object(image.id).ok()?.as_stream().ok()?.decompressed_content().ok()?;
    let whole = usize::try_from(image.width.checked_mul(image.height)?.checked_mul(channels)?).ok()?;
    if image.bits_per_component != Some(8) || whole == 0 || rows.len() < whole {
        return None;
    }
    // Netpbm: a line of text, then the rows as they are.
    let mut file = format!("{mark} {} {} 255\n", image.width, image.height).into_bytes();
    file.extend_from_slice(&rows[..whole]);
    Some(file)
}

/// Collects lines from characters.
#[derive(Default)]
struct Lines {
    all: Vec<Line>,
    line: Line,
    page: u32,
    height: f64,
    end: f64,
    word_begins: bool,
}

impl Lines {
    fn close(&mut self) {
        let line = std::mem::take(&mut self.line);
        if !line.text.trim().is_empty() {
            self.all.push(line);
        }
    }
}

impl OutputDev for Lines {
    fn begin_page(
        &mut self,
        page: u32,
        media: &MediaBox,
        _art: Option<(f64, f64, f64, f64)>,
    ) -> Result<(), OutputError> {
        self.close();
        (self.page, self.height) = (page, media.ury - media.lly);
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        self.close();
        Ok(())
    }

    fn output_character(
        &mut self,
        place: &Transform,
        width: f64,
        _spacing: f64,
        font_size: f64,
        text: &str,
    ) -> Result<(), OutputError> {
        let across = font_size * (place.m11 + place.m21);
        let down = font_size * (place.m12 + place.m22);
        let size = (across * down).abs().sqrt();
        let (x, y) = (place.m31, self.height - place.m32);
        if !self.line.text.is_empty() && self.word_begins {
            let gap = (y - self.line.y).abs();
            if gap > size * 0.5 && (x < self.end || gap > size * 1.5) {
                self.close();
            } else if x > self.end + size * 0.1 || x < self.end - size * 2.0 {
                self.line.text.push(' ');
            }
        }
        if self.line.text.is_empty() {
            self.line = Line { page: self.page, size, y, text: String::new() };
        }
        self.line.size = self.line.size.max(size);
        self.line.text.push_str(text);
        self.word_begins = false;
        self.end = x + width * size;
        Ok(())
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        self.word_begins = true;
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        Ok(())
    }
}

/// Without page numbers, and without lines that stand on most pages: running heads and feet.
fn without_running_heads(lines: Vec<Line>, pages: u32) -> Vec<Line> {
    let shape =
        |line: &Line| even(&line.text).chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect::<String>();
    let mut seen: std::collections::HashMap<String, std::collections::HashSet<u32>> = std::collections::HashMap::new();
    for line in &lines {
        seen.entry(shape(line)).or_default().insert(line.page);
    }
    let repeats = |line: &Line| pages >= 3 && seen.get(&shape(line)).is_some_and(|on| on.len() * 2 > pages as usize);
    let is_number = |line: &Line| {
        let text = even(&line.text);
        !text.is_empty() && text.len() <= 12 && text.chars().all(|c| c.is_ascii_digit() || " -–/|.".contains(c))
    };
    lines.into_iter().filter(|line| !repeats(line) && !is_number(line)).collect()
}

/// The height of the letters that most of the text has.
fn body_size(lines: &[Line]) -> f64 {
    let mut weights: Vec<(i64, usize)> = Vec::new();
    for line in lines {
        let size = (line.size * 2.0).round() as i64;
        match weights.iter_mut().find(|(of, _)| *of == size) {
            Some((_, chars)) => *chars += line.text.len(),
            None => weights.push((size, line.text.len())),
        }
    }
    weights.into_iter().max_by_key(|(_, chars)| *chars).map_or(10.0, |(size, _)| size as f64 / 2.0)
}

fn build(lines: &[Line], document: &mut Structured) {
    let body = body_size(lines);
    let mut sizes: Vec<i64> =
        lines.iter().filter(|line| is_heading(line, body)).map(|line| line.size.round() as i64).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.dedup();
    let mut paragraph: Vec<&Line> = Vec::new();
    for line in lines {
        if is_heading(line, body) {
            close(&mut paragraph, document);
            let level = sizes.iter().position(|size| *size == line.size.round() as i64).unwrap_or(0) + 1;
            let level = u8::try_from(level.min(6)).unwrap_or(6);
            // A heading over two lines is one heading.
            if let Some(last) = document.blocks.last_mut()
                && let Part::Heading { level: above, text } = &mut last.part
                && *above == level
                && last.page == Some(line.page)
            {
                text.push(' ');
                text.push_str(&even(&line.text));
            } else {
                document.push(Some(line.page), Part::Heading { level, text: line.text.clone() });
            }
            continue;
        }
        if let Some(before) = paragraph.last()
            && (begins_anew(before, line, body) || is_item(&line.text))
        {
            close(&mut paragraph, document);
        }
        paragraph.push(line);
    }
    close(&mut paragraph, document);
}

/// Larger than the text, short, and no sentence.
fn is_heading(line: &Line, body: f64) -> bool {
    let text = line.text.trim();
    line.size > body * 1.12
        && text.chars().count() <= 120
        && text.chars().any(char::is_alphabetic)
        && !text.ends_with(',')
}

fn begins_anew(before: &Line, line: &Line, body: f64) -> bool {
    let gap = line.y - before.y;
    if before.page != line.page {
        // A sentence goes on over the page.
        return before.text.trim_end().ends_with(['.', '!', '?', ':']);
    }
    gap > body * 1.9 || gap < 0.0
}

/// Marks of lists; the last is the bullet of a symbol font.
const BULLETS: [char; 7] = ['•', '–', '-', '*', '◦', '▪', '\u{f0b7}'];

fn is_item(text: &str) -> bool {
    let mut chars = text.trim_start().chars();
    chars.next().is_some_and(|mark| BULLETS.contains(&mark)) && chars.next().is_some_and(char::is_whitespace)
}

fn close(paragraph: &mut Vec<&Line>, document: &mut Structured) {
    let Some(first) = paragraph.first() else { return };
    let page = Some(first.page);
    let mut text = String::new();
    for line in paragraph.drain(..) {
        let line = line.text.trim();
        // A word cut at the end of a line is one word; a hyphen before a capital belongs to it.
        if text.ends_with('-') && line.chars().next().is_some_and(char::is_lowercase) {
            text.pop();
        } else if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(line);
    }
    if is_item(&text) {
        let item = text.trim_start().trim_start_matches(BULLETS).trim().to_owned();
        if let Some(last) = document.blocks.last_mut()
            && let Part::List(items) = &mut last.part
        {
            items.push(even(&item));
        } else {
            document.push(page, Part::List(vec![item]));
        }
    } else {
        document.push(page, Part::Paragraph(text));
    }
}
