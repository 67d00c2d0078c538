//! TwiML as the platform reads it: anything it would reject is an error here.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use std::collections::BTreeMap;

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `<Connect><Stream>`.
    Connect {
        /// Asked when the stream ends.
        action: Option<String>,
        /// The media socket.
        url: String,
        /// Travel to the media socket.
        parameters: Vec<(String, String)>,
    },
    /// `<Say>`.
    Say(String),
    /// `<Hangup>`.
    Hangup,
    /// `<Reject>` with its reason.
    Reject(String),
    /// `<Dial>`.
    Dial {
        /// Who is called.
        number: String,
        /// What their phone shows.
        caller_id: Option<String>,
    },
    /// `<Redirect>`.
    Redirect(String),
}

#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    children: Vec<Element>,
    text: String,
}

/// The verbs of a document, or why the platform would refuse it.
pub fn parse(document: &str) -> Result<Vec<Verb>, String> {
    let root = tree(document)?;
    if root.name != "Response" {
        return Err(format!("the root is <{}>, not <Response>", root.name));
    }
    root.children.iter().map(verb).collect()
}

fn verb(element: &Element) -> Result<Verb, String> {
    let attribute = |name: &str| element.attributes.get(name).cloned();
    match element.name.as_str() {
        "Connect" => connect(element),
        "Say" => Ok(Verb::Say(element.text.clone())),
        "Hangup" => Ok(Verb::Hangup),
        "Reject" => Ok(Verb::Reject(attribute("reason").unwrap_or_else(|| "rejected".to_owned()))),
        "Redirect" => Ok(Verb::Redirect(element.text.trim().to_owned())),
        "Dial" => {
            let number = element.children.iter().find(|child| child.name == "Number");
            let number = number.map_or(element.text.trim(), |number| number.text.trim()).to_owned();
            Ok(Verb::Dial { number, caller_id: attribute("callerId") })
        }
        other => Err(format!("<{other}> is no verb this twin knows")),
    }
}

fn connect(element: &Element) -> Result<Verb, String> {
    let stream = element.children.iter().find(|child| child.name == "Stream").ok_or("<Connect> without <Stream>")?;
    let url = stream.attributes.get("url").cloned().ok_or("<Stream> without url")?;
    if url.contains('?') {
        return Err("the url of <Stream> has a query (31920)".to_owned());
    }
    let loopback = url.starts_with("ws://127.0.0.1:") || url.starts_with("ws://localhost:");
    if !url.starts_with("wss://") && !loopback {
        return Err("the url of <Stream> is not wss".to_owned());
    }
    let mut parameters = Vec::new();
    for child in stream.children.iter().filter(|child| child.name == "Parameter") {
        let part = |name: &str| child.attributes.get(name).cloned().ok_or(format!("<Parameter> without {name}"));
        let (name, value) = (part("name")?, part("value")?);
        if name.len() + value.len() > 500 {
            return Err("a <Parameter> of more than 500 characters".to_owned());
        }
        parameters.push((name, value));
    }
    Ok(Verb::Connect { action: element.attributes.get("action").cloned(), url, parameters })
}

fn open(start: &BytesStart<'_>) -> Result<Element, String> {
    let mut element = Element { name: start.name().as_ref().to_owned(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = unescape(&attribute.value).map_err(|error| error.to_string())?.into_owned();
        element.attributes.insert(attribute.key.as_ref().to_owned(), value);
    }
    Ok(element)
}

fn tree(document: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(document);
    let mut stack = vec![Element::default()];
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        let top = stack.last_mut().ok_or("more closed than opened")?;
        match event {
            Event::Start(start) => stack.push(open(&start)?),
            Event::Empty(start) => top.children.push(open(&start)?),
            Event::Text(text) => top.text.push_str(&text),
            Event::CData(text) => top.text.push_str(&text),
            Event::GeneralRef(entity) => {
                let text = format!("&{};", &*entity);
                top.text.push_str(&unescape(&text).map_err(|error| error.to_string())?);
            }
            Event::End(_) => {
                let closed = stack.pop().ok_or("more closed than opened")?;
                stack.last_mut().ok_or("more closed than opened")?.children.push(closed);
            }
            Event::Eof => break,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    match (stack.pop(), stack.is_empty()) {
        (Some(mut root), true) if root.children.len() == 1 => {
            root.children.pop().ok_or_else(|| "an empty document".to_owned())
        }
        _ => Err("not one whole element".to_owned()),
    }
}
