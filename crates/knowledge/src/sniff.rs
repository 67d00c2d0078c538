//! What a file is, by its content. Its name only tells apart what is plain text anyway.

use crate::document::Kind;
use crate::refusal::Refusal;
use std::borrow::Cow;

/// Beginning of a file that decides.
const HEAD_BYTES: usize = 4096;

/// Beginnings of files that we know and do not read, and what to say.
const FOREIGN: &[(&[u8], &str)] = &[
    (
        b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
        "an old or password-protected Office file; save it as .docx, .xlsx or .pptx without a password",
    ),
    (b"MZ", "a program"),
    (b"\x7FELF", "a program"),
    (b"#!", "a script"),
    (b"\x1F\x8B", "a compressed archive; unpack it"),
    (b"7z\xBC\xAF", "a compressed archive; unpack it"),
    (b"Rar!", "a compressed archive; unpack it"),
    (b"BZh", "a compressed archive; unpack it"),
    (b"\xFD7zXZ", "a compressed archive; unpack it"),
    (b"{\\rtf", "a rich text file; save it as .docx"),
    (b"SQLite format 3\0", "a database"),
];

/// What the bytes are. `name` is the file's name or the last part of its address.
pub fn sniff(bytes: &[u8], name: &str) -> Result<Kind, Refusal> {
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    if head.iter().all(u8::is_ascii_whitespace) && bytes.len() <= HEAD_BYTES {
        return Err(Refusal::Empty("the file is empty".into()));
    }
    if head.windows(5).take(1024).any(|five| five == b"%PDF-") {
        return Ok(Kind::Pdf);
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return office(bytes);
    }
    if crate::parse::picture::is_picture(head) {
        return Ok(Kind::Image);
    }
    if crate::recording::is_recording(head) {
        return Err(foreign(
            "a recording; a recorded call is heard where documents are uploaded, and is no document itself",
        ));
    }
    if head.starts_with(b"RIFF") {
        return Err(foreign("a film; films are not read"));
    }
    if let Some((_, what)) = FOREIGN.iter().find(|(magic, what)| {
        // Two printable bytes are also the beginning of words.
        head.starts_with(magic)
            && (magic.len() > 2 || what.starts_with("a compressed") || !is_text(head) || *magic == b"#!")
    }) {
        return Err(foreign(what));
    }
    if !is_text(head) {
        return Err(foreign("no kind of document that is known"));
    }
    Ok(plain(&decode(bytes), name))
}

fn foreign(what: &str) -> Refusal {
    Refusal::Kind(format!("the file is {what}"))
}

/// Which Office document a ZIP archive is.
fn office(bytes: &[u8]) -> Result<Kind, Refusal> {
    let archive = zip::ZipArchive::new(std::io::Cursor::new(bytes))
        .map_err(|error| Refusal::Broken(format!("the archive cannot be read: {error}")))?;
    let has = |name: &str| archive.index_for_name(name).is_some();
    if has("word/document.xml") {
        Ok(Kind::Docx)
    } else if has("ppt/presentation.xml") {
        Ok(Kind::Pptx)
    } else if has("xl/workbook.xml") {
        Ok(Kind::Xlsx)
    } else {
        Err(foreign("an archive and no Office document; unpack it"))
    }
}

/// Whether the beginning of a file can be text: no zero bytes (unless a byte order mark says UTF-16), hardly a control
/// character.
fn is_text(head: &[u8]) -> bool {
    if head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF") {
        return true;
    }
    let odd = head.iter().filter(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()).count();
    !head.contains(&0) && odd * 100 <= head.len()
}

/// The text of bytes: by byte order mark, else UTF-8, else what Windows and the Web take for Latin letters.
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}

fn plain(text: &str, name: &str) -> Kind {
    let start: String = text.trim_start().chars().take(HEAD_BYTES).collect::<String>().to_ascii_lowercase();
    let markup = start.starts_with("<!doctype html")
        || start.starts_with("<html")
        || (start.starts_with('<') && (start.contains("<html") || start.contains("<body") || start.contains("<head")));
    if markup {
        return Kind::Html;
    }
    if is_mail(text) {
        return Kind::Mail;
    }
    let extension = name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
    match extension.as_str() {
        "csv" | "tsv" => Kind::Csv,
        "md" | "markdown" => Kind::Markdown,
        _ if is_markdown(text) => Kind::Markdown,
        _ if crate::parse::separator(text).is_some() => Kind::Csv,
        _ if start.starts_with('<') && start.contains("</") => Kind::Html,
        _ => Kind::Text,
    }
}

/// Whether a text begins with the head of an e-mail.
fn is_mail(text: &str) -> bool {
    const FIELDS: [&str; 9] =
        ["from", "to", "subject", "date", "received", "mime-version", "message-id", "return-path", "content-type"];
    let mut known = 0;
    for line in text.lines().take(200) {
        if line.is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((field, _)) = line.split_once(':') else { return false };
        if field.is_empty() || !field.bytes().all(|byte| byte.is_ascii_graphic()) {
            return false;
        }
        known += usize::from(FIELDS.contains(&field.to_ascii_lowercase().as_str()));
    }
    known >= 3
}

fn is_markdown(text: &str) -> bool {
    let heading = |line: &str| {
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        (1..=6).contains(&level) && line.as_bytes().get(level) == Some(&b' ')
    };
    let rule = |line: &str| line.starts_with('|') && line.contains("---");
    text.lines().take(400).any(|line| heading(line) || rule(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_decides_and_not_the_name() {
        let found = |bytes: &[u8], name: &str| sniff(bytes, name);
        assert_eq!(found(b"%PDF-1.7\n", "a.docx"), Ok(Kind::Pdf));
        assert_eq!(found(b"<!DOCTYPE html><p>x", "a.txt"), Ok(Kind::Html));
        assert_eq!(found(b"# Hours\nOpen.", "a.txt"), Ok(Kind::Markdown));
        assert_eq!(found(b"name,price\nbell,4\nlock,9\n", "prices"), Ok(Kind::Csv));
        assert_eq!(found(b"From: a@b.example\nTo: c@d.example\nSubject: Hi\n\nText", "x"), Ok(Kind::Mail));
        assert_eq!(found(b"Just a text, with a comma.\nAnd more.", "x.pdf"), Ok(Kind::Text));
        assert_eq!(found(b"\x89PNG\r\n\x1a\n", "invoice.pdf"), Ok(Kind::Image));
        assert_eq!(found("Ganz \u{e4}hnlich".as_bytes(), "x"), Ok(Kind::Text));
    }

    #[test]
    fn what_is_not_read_is_named() {
        for bytes in [
            &b"MZ\x90\x00\x03\x00"[..],
            b"RIFF\x10\0\0\0WAVEfmt ",
            b"\x7FELF\x02",
            b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
            b"#!/bin/sh\nrm",
        ] {
            assert!(matches!(sniff(bytes, "invoice.pdf"), Err(Refusal::Kind(_))), "{bytes:?}");
        }
        assert!(matches!(sniff(b"ab\0\x01\x02", "a.txt"), Err(Refusal::Kind(_))));
        assert!(matches!(sniff(b" \n", "a.txt"), Err(Refusal::Empty(_))));
        assert!(matches!(sniff(b"PK\x03\x04nothing", "a.docx"), Err(Refusal::Broken(_))));
    }

    #[test]
    fn letters_of_old_windows_files_arrive() {
        assert_eq!(decode(b"caf\xE9"), "caf\u{e9}");
        assert_eq!(decode(b"\xFF\xFEh\0i\0"), "hi");
    }
}
