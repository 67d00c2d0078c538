//! Our answers in the platform's XML. Source: twilio.com/docs/voice/twiml.

use crate::protocol::Answer;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::io;

/// Longest text of one spoken verb.
const SAY_CHARS_MAX: usize = 4_000;
/// How long a transferred call rings.
const TRANSFER_RING_SECS: &str = "30";
/// Query parameter of the URL that is asked when our media socket ends. The platform has no field that tells this request
/// from a first one, and the URL is signed.
pub(super) const RESUMED_QUERY: (&str, &str) = ("resumed", "1");

/// The document that says `answer`.
pub(super) fn document(answer: &Answer) -> String {
    let mut writer = Writer::new(Vec::new());
    write(&mut writer, answer).expect("writing into memory does not fail");
    String::from_utf8(writer.into_inner()).expect("the writer was given text only")
}

fn write(writer: &mut Writer<Vec<u8>>, answer: &Answer) -> io::Result<()> {
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer.create_element("Response").write_inner_content(|writer| verbs(writer, answer))?;
    Ok(())
}

fn verbs(writer: &mut Writer<Vec<u8>>, answer: &Answer) -> io::Result<()> {
    match answer {
        Answer::Connect { media_url, token, next_url } => connect(writer, media_url, token, next_url)?,
        Answer::Busy => reject(writer, "busy")?,
        Answer::Reject => reject(writer, "rejected")?,
        Answer::SayAndHangUp { text } => {
            let text: String = speakable(text).chars().take(SAY_CHARS_MAX).collect();
            writer.create_element("Say").write_text_content(BytesText::new(&text))?;
            writer.create_element("Hangup").write_empty()?;
        }
        Answer::HangUp => {
            writer.create_element("Hangup").write_empty()?;
        }
        Answer::Transfer { to, caller_id } => {
            let mut dial = writer.create_element("Dial").with_attribute(("timeout", TRANSFER_RING_SECS));
            if let Some(number) = caller_id {
                dial = dial.with_attribute(("callerId", number.expose()));
            }
            dial.write_inner_content(|writer| {
                writer.create_element("Number").write_text_content(BytesText::new(to.expose()))?;
                Ok(())
            })?;
        }
    }
    Ok(())
}

fn connect(writer: &mut Writer<Vec<u8>>, media_url: &str, token: &str, next_url: &str) -> io::Result<()> {
    let (name, value) = RESUMED_QUERY;
    let separator = if next_url.contains('?') { '&' } else { '?' };
    let action = speakable(&format!("{next_url}{separator}{name}={value}"));
    writer
        .create_element("Connect")
        .with_attribute(("action", action.as_str()))
        .with_attribute(("method", "POST"))
        .write_inner_content(|writer| {
            writer
                .create_element("Stream")
                .with_attribute(("url", speakable(media_url).as_str()))
                .write_inner_content(|writer| {
                    writer
                        .create_element("Parameter")
                        .with_attribute(("name", "token"))
                        .with_attribute(("value", speakable(token).as_str()))
                        .write_empty()?;
                    Ok(())
                })?;
            Ok(())
        })?;
    Ok(())
}

fn reject(writer: &mut Writer<Vec<u8>>, reason: &str) -> io::Result<()> {
    writer.create_element("Reject").with_attribute(("reason", reason)).write_empty()?;
    Ok(())
}

/// The text without the characters that XML 1.0 cannot carry even escaped; one of them would end the call.
fn speakable(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..))
        .collect()
}
