//! Word processing and slides of Office Open XML (ECMA-376): the few elements that hold text.

use crate::document::{Kind, Part, Structured};
use crate::refusal::Refusal;
use base::limits;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::collections::HashMap;
use std::io::{Cursor, Read};
use zip::ZipArchive;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Refuses archives that unpack to more than we take, before anything is unpacked. What an archive says of itself may be
/// a lie; [`entry`] and the limits of the process hold then.
pub fn check_archive(bytes: &[u8]) -> Result<Archive<'_>, Refusal> {
    let broken = |error: zip::result::ZipError| Refusal::Broken(format!("the archive cannot be read: {error}"));
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let max = limits::KNOWLEDGE_UNPACKED_BYTES_MAX as u64;
    if archive.len() > limits::KNOWLEDGE_ARCHIVE_ENTRIES_MAX {
        return Err(Refusal::Bomb { max });
    }
    let mut total = 0_u64;
    for at in 0..archive.len() {
        let entry = archive.by_index_raw(at).map_err(broken)?;
        if entry.encrypted() {
            return Err(Refusal::Encrypted);
        }
        total = total.saturating_add(entry.size());
    }
    if total > max {
        return Err(Refusal::Bomb { max });
    }
    Ok(archive)
}

/// The text of one part of the archive; `None` when there is no such part.
fn entry(archive: &mut Archive<'_>, name: &str) -> Result<Option<String>, Refusal> {
    let broken = |why: String| Refusal::Broken(format!("{name} cannot be read: {why}"));
    let file = match archive.by_name(name) {
        Ok(file) => file,
        Err(zip::result::ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(broken(error.to_string())),
    };
    let max = limits::KNOWLEDGE_UNPACKED_BYTES_MAX as u64;
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(|error| broken(error.to_string()))?;
    if bytes.len() as u64 > max {
        return Err(Refusal::Bomb { max });
    }
    String::from_utf8(bytes).map(Some).map_err(|_| broken("it is no UTF-8".into()))
}

/// One event of a part, with names as they stand without their prefix.
enum Token<'a> {
    Open(BytesStart<'a>),
    Close(String),
    Text(String),
}

/// Walks over a part of the archive. A document type definition is refused: nothing honest has one, and entities blow up.
fn walk(xml: &str, mut each: impl FnMut(Token<'_>)) -> Result<(), Refusal> {
    let mut reader = Reader::from_str(xml);
    let broken = |why: String| Refusal::Broken(format!("the document is no proper XML: {why}"));
    loop {
        match reader.read_event().map_err(|error| broken(error.to_string()))? {
            Event::Start(tag) => each(Token::Open(tag)),
            Event::Empty(tag) => {
                let name = local(&tag);
                each(Token::Open(tag));
                each(Token::Close(name));
            }
            Event::End(tag) => each(Token::Close(tag.local_name().as_ref().to_owned())),
            Event::Text(text) => each(Token::Text(text.xml10_content().into_owned())),
            Event::CData(text) => each(Token::Text(text.xml10_content().into_owned())),
            Event::GeneralRef(reference) => {
                let known = match reference.xml10_content().as_ref() {
                    "amp" => Some('&'),
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => reference.resolve_char_ref().ok().flatten(),
                };
                each(Token::Text(known.map(String::from).unwrap_or_default()));
            }
            Event::DocType(_) => return Err(broken("it has a document type definition".into())),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

fn local(tag: &BytesStart<'_>) -> String {
    tag.local_name().as_ref().to_owned()
}

/// The value of an attribute, by its name without a prefix.
fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes();
    let mut found = attributes.with_checks(false).flatten();
    found.find(|one| one.key.local_name().as_ref() == name).map(|one| one.value.into_owned())
}

/// Reads a word processing document.
pub fn docx(bytes: &[u8]) -> Result<Structured, Refusal> {
    let mut archive = check_archive(bytes)?;
    let styles = match entry(&mut archive, "word/styles.xml")? {
        Some(xml) => heading_styles(&xml)?,
        None => HashMap::new(),
    };
    let body = entry(&mut archive, "word/document.xml")?
        .ok_or_else(|| Refusal::Broken("the archive holds no document".into()))?;
    let mut reader = Docx { styles, ..Docx::default() };
    walk(&body, |token| reader.token(token))?;
    reader.close_list();
    let mut document = reader.document;
    document.pages = reader.page;
    document.title = first_heading(&document);
    Ok(document)
}

fn first_heading(document: &Structured) -> Option<String> {
    document.blocks.iter().find_map(|block| match &block.part {
        Part::Heading { level: 1, text } => Some(text.clone()),
        _ => None,
    })
}

/// Levels of the styles that are headings: by their outline level, or by the name that Word gives them in every language.
fn heading_styles(xml: &str) -> Result<HashMap<String, u8>, Refusal> {
    let mut levels = HashMap::new();
    let mut style = String::new();
    walk(xml, |token| {
        let Token::Open(tag) = token else { return };
        let value = || attribute(&tag, "val").unwrap_or_default();
        match local(&tag).as_str() {
            "style" => style = attribute(&tag, "styleId").unwrap_or_default(),
            "name" => {
                let name = value().to_lowercase();
                let level = match name.strip_prefix("heading ") {
                    Some(level) => level.parse().ok(),
                    None => (name == "title").then_some(1),
                };
                levels.extend(level.map(|level| (style.clone(), level)));
            }
            "outlineLvl" => {
                let level = value().parse::<u8>().ok().filter(|level| *level < 6);
                levels.extend(level.map(|level| (style.clone(), level + 1)));
            }
            _ => {}
        }
    })?;
    Ok(levels)
}

struct Docx {
    styles: HashMap<String, u8>,
    document: Structured,
    page: u32,
    /// Page on which the paragraph or table began.
    began: u32,
    text: String,
    in_text: bool,
    heading: Option<u8>,
    numbered: bool,
    items: Vec<String>,
    /// Tables within tables: only the outer one has rows, the text of inner ones joins its cells.
    tables: usize,
    cell: String,
    row: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Default for Docx {
    fn default() -> Self {
        Self {
            styles: HashMap::new(),
            document: Structured::new(Kind::Docx),
            page: 1,
            began: 1,
            text: String::new(),
            in_text: false,
            heading: None,
            numbered: false,
            items: Vec::new(),
            tables: 0,
            cell: String::new(),
            row: Vec::new(),
            rows: Vec::new(),
        }
    }
}

impl Docx {
    fn token(&mut self, token: Token<'_>) {
        match token {
            Token::Open(tag) => self.open(&tag),
            Token::Close(name) => self.close(&name),
            Token::Text(text) if self.in_text => self.text.push_str(&text),
            Token::Text(_) => {}
        }
    }

    fn open(&mut self, tag: &BytesStart<'_>) {
        let value = || attribute(tag, "val").unwrap_or_default();
        match local(tag).as_str() {
            "t" => self.in_text = true,
            "tab" | "cr" => self.text.push(' '),
            "br" if attribute(tag, "type").as_deref() == Some("page") => self.page += 1,
            "br" => self.text.push(' '),
            "lastRenderedPageBreak" => self.page += 1,
            "p" => {
                self.text.clear();
                (self.heading, self.numbered) = (None, false);
                if self.tables == 0 {
                    self.began = self.page;
                }
            }
            "pStyle" => self.heading = self.styles.get(&value()).copied(),
            "outlineLvl" => self.heading = value().parse().ok().filter(|level: &u8| *level < 6).map(|level| level + 1),
            "numPr" => self.numbered = true,
            "tbl" => {
                if self.tables == 0 {
                    self.close_list();
                    self.began = self.page;
                }
                self.tables += 1;
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "t" => self.in_text = false,
            "p" => self.close_paragraph(),
            "tc" if self.tables == 1 => self.row.push(std::mem::take(&mut self.cell)),
            "tr" if self.tables == 1 => self.rows.push(std::mem::take(&mut self.row)),
            "tbl" => {
                self.tables = self.tables.saturating_sub(1);
                if self.tables == 0 {
                    let rows = std::mem::take(&mut self.rows);
                    self.document.push_table(Some(self.began), rows);
                }
            }
            _ => {}
        }
    }

    fn close_paragraph(&mut self) {
        let text = std::mem::take(&mut self.text);
        if self.tables > 0 {
            self.cell.push_str(&text);
            self.cell.push(' ');
            return;
        }
        match self.heading {
            Some(level) => {
                self.close_list();
                self.document.push(Some(self.began), Part::Heading { level, text });
            }
            None if self.numbered => self.items.push(text),
            None => {
                self.close_list();
                self.document.push(Some(self.began), Part::Paragraph(text));
            }
        }
    }

    fn close_list(&mut self) {
        let items = std::mem::take(&mut self.items);
        self.document.push(Some(self.began), Part::List(items));
    }
}

/// Reads slides: each has its title as a heading.
pub fn pptx(bytes: &[u8]) -> Result<Structured, Refusal> {
    let mut archive = check_archive(bytes)?;
    let number = |name: &str| name.strip_prefix("ppt/slides/slide")?.strip_suffix(".xml")?.parse::<u32>().ok();
    let mut slides: Vec<u32> = archive.file_names().filter_map(|name| number(&name.ok()?)).collect();
    slides.sort_unstable();
    let mut document = Structured::new(Kind::Pptx);
    for (at, slide) in slides.iter().enumerate() {
        let page = u32::try_from(at + 1).unwrap_or(u32::MAX);
        let Some(xml) = entry(&mut archive, &format!("ppt/slides/slide{slide}.xml"))? else { continue };
        read_slide(&xml, page, &mut document)?;
    }
    document.pages = u32::try_from(slides.len()).unwrap_or(u32::MAX);
    document.title = document.blocks.iter().find_map(|block| match &block.part {
        Part::Heading { text, .. } => Some(text.clone()),
        _ => None,
    });
    Ok(document)
}

#[derive(Default)]
struct Slide {
    title: String,
    paragraphs: Vec<String>,
    tables: Vec<Vec<Vec<String>>>,
    text: String,
    in_text: bool,
    is_title: bool,
    in_table: bool,
    cell: String,
    row: Vec<String>,
    rows: Vec<Vec<String>>,
}

fn read_slide(xml: &str, page: u32, document: &mut Structured) -> Result<(), Refusal> {
    let mut slide = Slide::default();
    walk(xml, |token| slide.token(token))?;
    let Slide { title, paragraphs, tables, .. } = slide;
    let text = if title.trim().is_empty() { format!("Slide {page}") } else { title };
    document.push(Some(page), Part::Heading { level: 2, text });
    document.push(Some(page), Part::List(paragraphs));
    for table in tables {
        document.push_table(Some(page), table);
    }
    Ok(())
}

impl Slide {
    fn token(&mut self, token: Token<'_>) {
        match token {
            Token::Open(tag) => match local(&tag).as_str() {
                "t" => self.in_text = true,
                "br" | "tab" => self.text.push(' '),
                "sp" => self.is_title = false,
                "ph" => {
                    self.is_title = attribute(&tag, "type").is_some_and(|kind| kind == "title" || kind == "ctrTitle");
                }
                "tbl" => self.in_table = true,
                _ => {}
            },
            Token::Text(text) if self.in_text => self.text.push_str(&text),
            Token::Text(_) => {}
            Token::Close(name) => match name.as_str() {
                "t" => self.in_text = false,
                "p" => self.close_paragraph(),
                "tc" => self.row.push(std::mem::take(&mut self.cell)),
                "tr" => self.rows.push(std::mem::take(&mut self.row)),
                "tbl" => {
                    self.in_table = false;
                    self.tables.push(std::mem::take(&mut self.rows));
                }
                _ => {}
            },
        }
    }

    fn close_paragraph(&mut self) {
        let text = std::mem::take(&mut self.text);
        if self.in_table {
            self.cell.push_str(&text);
            self.cell.push(' ');
        } else if self.is_title {
            self.title.push_str(&text);
            self.title.push(' ');
        } else {
            self.paragraphs.push(text);
        }
    }
}
