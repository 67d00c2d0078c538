//! Bytes into [`Structured`]: one file per family of formats. All of it runs in the child process ([`crate::child`]) and
//! may panic, loop or eat memory there: the libraries below were written for honest files.

mod html;
mod mail;
mod markdown;
mod office;
mod pdf;
pub(crate) mod picture;
mod table;

pub(crate) use table::separator;

use crate::document::{Kind, Structured};
use crate::refusal::Refusal;
use crate::sniff::{decode, sniff};
use base::limits;

/// Reads a document. `name` is the file's name or the last part of its address.
pub fn parse(bytes: &[u8], name: &str) -> Result<Structured, Refusal> {
    let max = limits::KNOWLEDGE_FILE_BYTES_MAX as u64;
    if bytes.len() as u64 > max {
        return Err(Refusal::TooLarge { bytes: bytes.len() as u64, max });
    }
    let document = match sniff(bytes, name)? {
        Kind::Pdf => pdf::parse(bytes)?,
        Kind::Docx => office::docx(bytes)?,
        Kind::Pptx => office::pptx(bytes)?,
        Kind::Xlsx => table::xlsx(bytes)?,
        Kind::Html => html::parse(&decode(bytes))?,
        Kind::Markdown => markdown::parse(&decode(bytes), Kind::Markdown),
        // Pairs are typed in; no file is recognised as such.
        Kind::Text | Kind::Pairs => markdown::plain(&decode(bytes)),
        Kind::Csv => table::csv(&decode(bytes))?,
        Kind::Mail => mail::parse(bytes)?,
        Kind::Image => picture::parse(bytes)?,
    };
    if document.chars() == 0 {
        return Err(Refusal::Empty(match document.kind {
            Kind::Pdf => "the PDF holds no text, and no pictures of pages that can be read".into(),
            Kind::Image => "there is no text in the picture that can be read".into(),
            _ => "there is no text in the file".into(),
        }));
    }
    Ok(document)
}

#[cfg(test)]
mod tests;
