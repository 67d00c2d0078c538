//! Our answers in the platform's XML. Source: twilio.com/docs/voice/twiml.

use crate::protocol::{Answer, resuming};
use crate::xml::{Answering, element, response, speakable};
use std::io;

/// Longest text of one spoken verb.
const SAY_CHARS_MAX: usize = 4_000;
/// How long a transferred call rings.
const TRANSFER_RING_SECS: &str = "30";

/// The document that says `answer`.
pub(super) fn document(answer: &Answer) -> String {
    response(|writer| verbs(writer, answer))
}

fn verbs(writer: &mut Answering, answer: &Answer) -> io::Result<()> {
    match answer {
        Answer::Connect { media_url, token, next_url } => connect(writer, media_url, token, next_url),
        Answer::Busy => element(writer, "Reject", &[("reason", "busy")], ""),
        Answer::Reject => element(writer, "Reject", &[("reason", "rejected")], ""),
        Answer::SayAndHangUp { text } => {
            let text: String = text.chars().take(SAY_CHARS_MAX).collect();
            element(writer, "Say", &[], &text)?;
            element(writer, "Hangup", &[], "")
        }
        Answer::HangUp => element(writer, "Hangup", &[], ""),
        Answer::Transfer { to, caller_id } => {
            let mut dial = writer.create_element("Dial").with_attribute(("timeout", TRANSFER_RING_SECS));
            if let Some(number) = caller_id {
                dial = dial.with_attribute(("callerId", number.expose()));
            }
            dial.write_inner_content(|writer| element(writer, "Number", &[], to.expose()))?;
            Ok(())
        }
    }
}

fn connect(writer: &mut Answering, media_url: &str, token: &str, next_url: &str) -> io::Result<()> {
    let action = speakable(&resuming(next_url));
    let connect = writer.create_element("Connect").with_attributes([("action", action.as_str()), ("method", "POST")]);
    connect.write_inner_content(|writer| {
        let stream = writer.create_element("Stream").with_attribute(("url", speakable(media_url).as_str()));
        stream
            .write_inner_content(|writer| element(writer, "Parameter", &[("name", "token"), ("value", token)], ""))?;
        Ok(())
    })?;
    Ok(())
}
