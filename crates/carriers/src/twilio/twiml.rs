//! Our answers in the platform's XML. Source: twilio.com/docs/voice/twiml.

use super::mode::RelayOptions;
use super::relay;
use crate::protocol::{Answer, resuming};
use crate::xml::{Answering, element, response, speakable};
use std::io;

/// Longest text of one spoken verb.
const SAY_CHARS_MAX: usize = 4_000;
/// How long a transferred call rings.
const TRANSFER_RING_SECS: &str = "30";

/// What the relay is to tell beside words: who speaks when, and which words were spoken.
const EVENTS: &str = "speaker-events tokens-played";

/// The document that says `answer`. Words are brought instead of audio where `relay` says how.
pub(super) fn document(answer: &Answer, relay: Option<&RelayOptions>) -> String {
    response(|writer| verbs(writer, answer, relay))
}

fn verbs(writer: &mut Answering, answer: &Answer, relay: Option<&RelayOptions>) -> io::Result<()> {
    match answer {
        Answer::Connect { media_url, token, next_url } => {
            let action = speakable(&resuming(next_url));
            let connect =
                writer.create_element("Connect").with_attributes([("action", action.as_str()), ("method", "POST")]);
            connect.write_inner_content(|writer| match relay {
                Some(options) => words(writer, media_url, token, options),
                None => stream(writer, media_url, token),
            })?;
            Ok(())
        }
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

fn stream(writer: &mut Answering, media_url: &str, token: &str) -> io::Result<()> {
    let stream = writer.create_element("Stream").with_attribute(("url", speakable(media_url).as_str()));
    stream.write_inner_content(|writer| parameter(writer, relay::TOKEN, token))?;
    Ok(())
}

/// Without a greeting of the platform's: ours is said like everything else, so that it is known what of it was heard.
fn words(writer: &mut Answering, media_url: &str, token: &str, options: &RelayOptions) -> io::Result<()> {
    let url = speakable(media_url);
    let given = |name: &Option<String>| name.as_deref().map(speakable);
    let (voice, speaks, hears) =
        (given(&options.voice), given(&options.tts_provider), given(&options.transcription_provider));
    let on_off = |is_on| if is_on { "true" } else { "false" };
    let attributes = [
        ("url", Some(url.as_str())),
        ("language", Some(options.language.as_str())),
        ("ttsProvider", speaks.as_deref()),
        ("voice", voice.as_deref()),
        ("transcriptionProvider", hears.as_deref()),
        ("interruptible", Some(options.interruptible)),
        ("dtmfDetection", Some(on_off(options.detects_keys))),
        ("partialPrompts", Some(on_off(true))),
        ("events", Some(EVENTS)),
    ];
    let given = attributes.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let element = writer.create_element("ConversationRelay").with_attributes(given);
    element.write_inner_content(|writer| {
        parameter(writer, relay::TOKEN, token)?;
        parameter(writer, relay::LANGUAGE, &options.language)
    })?;
    Ok(())
}

fn parameter(writer: &mut Answering, name: &str, value: &str) -> io::Result<()> {
    element(writer, "Parameter", &[("name", name), ("value", value)], "")
}
