//! TwiML as the platform reads it: anything it would reject is an error here.

use super::super::phone::Verb;
use super::super::phone::xml::{self, Element};

/// The verbs of a document, or why the platform would refuse it.
pub fn parse(document: &str) -> Result<Vec<Verb>, String> {
    xml::response(document)?.iter().map(verb).collect()
}

fn verb(element: &Element) -> Result<Verb, String> {
    match element.name.as_str() {
        "Connect" => connect(element),
        "Say" => Ok(Verb::Say(element.text.clone())),
        "Hangup" => Ok(Verb::Hangup),
        "Reject" => Ok(Verb::Reject(element.attribute("reason").unwrap_or_else(|| "rejected".to_owned()))),
        "Redirect" => Ok(Verb::Redirect(element.text.trim().to_owned())),
        "Dial" => {
            let number = element.child("Number");
            let number = number.map_or(element.text.trim(), |number| number.text.trim()).to_owned();
            Ok(Verb::Dial { number, caller_id: element.attribute("callerId") })
        }
        other => Err(format!("<{other}> is no verb this twin knows")),
    }
}

/// Attributes of `<ConversationRelay>` beside its address, with their values where there are few.
const RELAY: [(&str, &[&str]); 11] = [
    ("language", &[]),
    ("ttsProvider", &["ElevenLabs", "Google", "Amazon"]),
    ("voice", &[]),
    ("transcriptionProvider", &["Deepgram", "Google"]),
    ("interruptible", &["none", "dtmf", "speech", "any"]),
    ("dtmfDetection", &["true", "false"]),
    ("partialPrompts", &["true", "false"]),
    ("events", &[]),
    ("preemptible", &["true", "false"]),
    ("welcomeGreeting", &[]),
    ("hints", &[]),
];

fn connect(element: &Element) -> Result<Verb, String> {
    if let Some(relay) = element.child("ConversationRelay") {
        return words(element, relay);
    }
    let stream = element.child("Stream").ok_or("<Connect> without <Stream>")?;
    let url = stream.attribute("url").ok_or("<Stream> without url")?;
    if url.contains('?') {
        return Err("the url of <Stream> has a query (31920)".to_owned());
    }
    is_secure(&url)?;
    let parameters = parameters(stream)?;
    Ok(Verb::Connect { action: element.attribute("action"), url, parameters })
}

fn words(element: &Element, relay: &Element) -> Result<Verb, String> {
    let url = relay.attribute("url").ok_or("64101: <ConversationRelay> without url")?;
    is_secure(&url)?;
    let attributes = relay.attributes.iter().filter(|(name, _)| *name != "url");
    for (name, value) in attributes.clone() {
        let known = RELAY.iter().find(|(known, _)| known == name);
        let (_, values) = known.ok_or_else(|| format!("64101: {name} is no attribute that this twin knows"))?;
        if !values.is_empty() && !values.contains(&value.as_str()) {
            return Err(format!("64101: {name} is {value:?}"));
        }
    }
    let attributes = attributes.map(|(name, value)| (name.clone(), value.clone())).collect();
    Ok(Verb::Relay { action: element.attribute("action"), url, parameters: parameters(relay)?, attributes })
}

fn is_secure(url: &str) -> Result<(), String> {
    let loopback = url.starts_with("ws://127.0.0.1:") || url.starts_with("ws://localhost:");
    if url.starts_with("wss://") || loopback { Ok(()) } else { Err(format!("{url} is not wss")) }
}

fn parameters(stream: &Element) -> Result<Vec<(String, String)>, String> {
    let mut parameters = Vec::new();
    for child in stream.children.iter().filter(|child| child.name == "Parameter") {
        let part = |name: &str| child.attribute(name).ok_or(format!("<Parameter> without {name}"));
        let (name, value) = (part("name")?, part("value")?);
        if name.len() + value.len() > 500 {
            return Err("a <Parameter> of more than 500 characters".to_owned());
        }
        parameters.push((name, value));
    }
    Ok(parameters)
}
