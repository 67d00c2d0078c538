//! E-mails: subject, who and when, the text. Attachments are named, not opened.

use super::{html, markdown};
use crate::document::{Kind, Part, Structured};
use crate::refusal::Refusal;
use mail_parser::{MessageParser, MimeHeaders};

/// Reads an e-mail.
pub fn parse(bytes: &[u8]) -> Result<Structured, Refusal> {
    let message =
        MessageParser::default().parse(bytes).ok_or_else(|| Refusal::Broken("the e-mail cannot be read".into()))?;
    let mut document = Structured::new(Kind::Mail);
    document.title = message.subject().map(crate::document::even).filter(|title| !title.is_empty());
    if let Some(title) = document.title.clone() {
        document.push(None, Part::Heading { level: 1, text: title });
    }
    if let Some(date) = message.date() {
        document.push(None, Part::Paragraph(format!("Sent on {:04}-{:02}-{:02}.", date.year, date.month, date.day)));
    }
    let body = match (message.body_html(0), message.body_text(0)) {
        (Some(page), _) if message.html_part(0).is_some_and(|part| part.is_text_html()) => html::parse(&page)?,
        (_, Some(text)) => markdown::plain(&unquoted(&text)),
        (Some(page), None) => html::parse(&page)?,
        (None, None) => Structured::new(Kind::Mail),
    };
    document.blocks.extend(body.blocks);
    let names: Vec<String> =
        message.attachments().filter_map(|part| part.attachment_name().map(str::to_owned)).collect();
    if !names.is_empty() {
        document.push(None, Part::Paragraph(format!("Attachments: {}.", names.join(", "))));
    }
    Ok(document)
}

/// Without what was only quoted from an earlier message, and without the signature.
fn unquoted(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let body = text.split("\n-- \n").next().unwrap_or_default();
    body.lines().filter(|line| !line.starts_with('>')).collect::<Vec<_>>().join("\n")
}
