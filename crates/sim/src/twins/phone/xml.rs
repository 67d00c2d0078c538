//! XML answers as platforms read them.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use std::collections::BTreeMap;

/// One element.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) children: Vec<Element>,
    pub(crate) text: String,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        self.attributes.get(name).cloned()
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }
}

/// The verbs of a document as elements.
pub(crate) fn response(document: &str) -> Result<Vec<Element>, String> {
    let root = tree(document)?;
    if root.name != "Response" {
        return Err(format!("the root is <{}>, not <Response>", root.name));
    }
    Ok(root.children)
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

/// The whole document.
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
