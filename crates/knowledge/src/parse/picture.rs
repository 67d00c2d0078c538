//! Pictures of text: read by Tesseract, which the operator installs. It is started by the child that reads documents, so that it
//! has no environment and inherits what that gave up (memory, processor time, files); it ends when its pipes close.

use crate::document::{Kind, Part, Structured};
use crate::refusal::Refusal;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// Where Debian, a build from source and Homebrew put it. The child has no `PATH`.
const PROGRAMS: &[&str] = &["/usr/bin/tesseract", "/usr/local/bin/tesseract", "/opt/homebrew/bin/tesseract"];
/// Languages that are looked for at once: each costs time.
const LANGUAGES_MAX: usize = 3;
/// Words of which the program is less sure than this, in percent, are mostly specks and edges.
const SURE_FROM: f32 = 40.0;
/// A short line whose letters are so much higher than those of the text is a heading.
const HEADING_FROM: f32 = 1.4;
const HEADING_CHARS_MAX: usize = 80;
/// Bytes of what is read from the program.
const ANSWER_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Beginnings of pictures that can be read.
pub fn is_picture(head: &[u8]) -> bool {
    const BEGIN: [&[u8]; 6] = [b"\x89PNG\r\n", b"\xFF\xD8\xFF", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*"];
    let bitmap = head.starts_with(b"BM") && head.get(6..10) == Some(&[0; 4]);
    let webp = head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP");
    BEGIN.iter().any(|begin| head.starts_with(begin)) || bitmap || webp
}

/// Reads a picture, or a file of several (TIFF).
pub fn parse(bytes: &[u8]) -> Result<Structured, Refusal> {
    let lines = lines(&Reader::find()?.read(bytes)?);
    let mut document = Structured::new(Kind::Image);
    document.pages = lines.iter().map(|line| line.page).max().unwrap_or(0);
    build(&lines, None, &mut document);
    Ok(document)
}

/// Adds what stands on pictures of pages, given by their numbers.
pub fn read_pages(pages: BTreeMap<u32, Vec<u8>>, document: &mut Structured) -> Result<(), Refusal> {
    let reader = Reader::find()?;
    for (page, bytes) in pages {
        build(&lines(&reader.read(&bytes)?), Some(page), document);
    }
    Ok(())
}

struct Reader {
    program: &'static str,
    languages: String,
}

impl Reader {
    fn find() -> Result<Self, Refusal> {
        let program = PROGRAMS.iter().find(|program| Path::new(program).is_file()).ok_or(Refusal::NoReader)?;
        let listed = Self::run(program, &["--list-langs"], &[])?;
        Ok(Self { program, languages: languages(&listed)? })
    }

    /// The words of a picture with their places, as tab separated values.
    fn read(&self, picture: &[u8]) -> Result<String, Refusal> {
        Self::run(self.program, &["stdin", "stdout", "-l", &self.languages, "tsv"], picture)
    }

    fn run(program: &str, args: &[&str], input: &[u8]) -> Result<String, Refusal> {
        let failed = |error: std::io::Error| Refusal::Parser(format!("{program}: {error}"));
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            // Several threads wait for each other by spinning, and calls pay for it.
            .env("OMP_THREAD_LIMIT", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Its remarks would be files of the one who started us, and there are to be none.
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let (Some(mut to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Refusal::Parser(format!("{program} has no standard input and output")));
        };
        let mut answer = Vec::new();
        let read = std::thread::scope(|scope| {
            // A program that stops reading has its reasons; they are in its status.
            scope.spawn(move || drop(to.write_all(input)));
            from.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)
        });
        let status = child.wait().map_err(failed)?;
        read.map_err(failed)?;
        if !status.success() {
            return Err(Refusal::Broken("the picture cannot be read, or is too large".into()));
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// English and what else is installed, out of the program's list.
fn languages(listed: &str) -> Result<String, Refusal> {
    let is_language = |name: &&str| !name.is_empty() && !name.contains([' ', '/']) && *name != "osd" && *name != "eng";
    let others = listed.lines().skip(1).map(str::trim).filter(is_language);
    let english = listed.lines().any(|line| line.trim() == "eng").then_some("eng");
    let some: Vec<&str> = english.into_iter().chain(others).take(LANGUAGES_MAX).collect();
    if some.is_empty() { Err(Refusal::NoReader) } else { Ok(some.join("+")) }
}

/// A line of a picture.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    page: u32,
    /// Block and paragraph on the page.
    paragraph: (u32, u32),
    /// Height of its highest word, in pixels.
    height: f32,
    text: String,
}

/// The lines out of the program's table: level, page, block, paragraph, line, word, left, top, width, height, confidence, text.
fn lines(table: &str) -> Vec<Line> {
    let mut found: Vec<(u32, Line)> = Vec::new();
    for row in table.lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let number = |at: usize| cells.get(at).and_then(|cell| cell.parse::<f32>().ok());
        let whole = |at: usize| number(at).map_or(0, |number| number as u32);
        let (Some(sure), Some(height), Some(text)) = (number(10), number(9), cells.get(11)) else { continue };
        if whole(0) != WORD || sure < SURE_FROM || text.trim().is_empty() {
            continue;
        }
        let (page, paragraph, line) = (whole(1), (whole(2), whole(3)), whole(4));
        match found.last_mut() {
            Some((of, last)) if (*of, last.page, last.paragraph) == (line, page, paragraph) => {
                last.text.push(' ');
                last.text.push_str(text.trim());
                last.height = last.height.max(height);
            }
            _ => found.push((line, Line { page, paragraph, height, text: text.trim().to_owned() })),
        }
    }
    found.into_iter().map(|(_, line)| line).collect()
}

/// The level of a word in the table.
const WORD: u32 = 5;

/// Lines into headings and paragraphs.
fn build(lines: &[Line], page: Option<u32>, document: &mut Structured) {
    let mut heights: Vec<f32> = lines.iter().flat_map(|line| vec![line.height; line.text.len()]).collect();
    heights.sort_by(f32::total_cmp);
    let usual = heights.get(heights.len() / 2).copied().unwrap_or(0.0);
    for paragraph in lines.chunk_by(|a, b| (a.page, a.paragraph) == (b.page, b.paragraph)) {
        let page = page.or(Some(paragraph[0].page));
        let is_high = paragraph.iter().all(|line| line.height > usual * HEADING_FROM);
        let text = joined(paragraph);
        let is_heading = is_high && text.chars().count() <= HEADING_CHARS_MAX && text.chars().any(char::is_alphabetic);
        document.push(page, if is_heading { Part::Heading { level: 2, text } } else { Part::Paragraph(text) });
    }
}

/// The lines of a paragraph; a word that was cut at the end of a line is one word.
fn joined(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        if text.ends_with('-') && line.text.chars().next().is_some_and(char::is_lowercase) {
            text.pop();
        } else if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&line.text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_picture_become_headings_and_paragraphs() {
        let row = |block: u32, line: u32, height: u32, sure: f32, text: &str| {
            format!("5\t1\t{block}\t1\t{line}\t1\t0\t0\t9\t{height}\t{sure}\t{text}\n")
        };
        let mut table = String::from("level\tpage_num\n4\t1\t1\t1\t1\t0\t0\t0\t9\t50\t-1\t\n");
        table.push_str(&row(1, 1, 50, 96.0, "Prices"));
        for (line, text) in [(1, "A bike costs 18 eu-"), (2, "ros a day."), (2, "|||")] {
            table.push_str(&row(2, line, 20, if text == "|||" { 12.0 } else { 95.0 }, text));
        }
        let mut document = Structured::new(Kind::Image);
        build(&lines(&table), None, &mut document);
        let parts: Vec<&Part> = document.blocks.iter().map(|block| &block.part).collect();
        let heading = Part::Heading { level: 2, text: "Prices".into() };
        assert_eq!(parts, [&heading, &Part::Paragraph("A bike costs 18 euros a day.".into())]);
        assert_eq!(document.blocks[0].page, Some(1));
    }

    #[test]
    fn english_comes_first_among_what_is_installed() {
        let listed = "List of available languages in \"/usr/share/tessdata/\" (4):\ndeu\neng\nosd\nscript/Latin\n";
        assert_eq!(languages(listed), Ok("eng+deu".into()));
        assert_eq!(languages("List of available languages (1):\nosd\n"), Err(Refusal::NoReader));
    }

    #[test]
    fn pictures_are_told_from_words_that_begin_like_them() {
        assert!(is_picture(b"\x89PNG\r\n\x1a\n") && is_picture(b"RIFF\x10\0\0\0WEBPVP8 "));
        assert!(!is_picture(b"BMW is a make of cars") && !is_picture(b"RIFF\x10\0\0\0WAVEfmt "));
    }
}
