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

fn connect(element: &Element) -> Result<Verb, String> {
    let stream = element.child("Stream").ok_or("<Connect> without <Stream>")?;
    let url = stream.attribute("url").ok_or("<Stream> without url")?;
    if url.contains('?') {
        return Err("the url of <Stream> has a query (31920)".to_owned());
    }
    let loopback = url.starts_with("ws://127.0.0.1:") || url.starts_with("ws://localhost:");
    if !url.starts_with("wss://") && !loopback {
        return Err("the url of <Stream> is not wss".to_owned());
    }
    let mut parameters = Vec::new();
    for child in stream.children.iter().filter(|child| child.name == "Parameter") {
        let part = |name: &str| child.attribute(name).ok_or(format!("<Parameter> without {name}"));
        let (name, value) = (part("name")?, part("value")?);
        if name.len() + value.len() > 500 {
            return Err("a <Parameter> of more than 500 characters".to_owned());
        }
        parameters.push((name, value));
    }
    Ok(Verb::Connect { action: element.attribute("action"), url, parameters })
}
