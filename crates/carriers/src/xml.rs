//! Answers in XML.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::io;

/// What an answer is written with.
pub(crate) type Answering = Writer<Vec<u8>>;

/// A document whose one element `Response` holds what `verbs` writes.
pub(crate) fn response(verbs: impl FnOnce(&mut Answering) -> io::Result<()>) -> String {
    let mut writer = Writer::new(Vec::new());
    let written = writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
    written
        .and_then(|()| writer.create_element("Response").write_inner_content(verbs).map(drop))
        .expect("writing into memory does not fail");
    String::from_utf8(writer.into_inner()).expect("the writer was given text only")
}

/// One element with attributes and text; empty text for none.
pub(crate) fn element(writer: &mut Answering, name: &str, attributes: &[(&str, &str)], text: &str) -> io::Result<()> {
    let mut element = writer.create_element(name);
    for (key, value) in attributes {
        element = element.with_attribute((*key, speakable(value).as_str()));
    }
    match text {
        "" => element.write_empty()?,
        text => element.write_text_content(BytesText::new(&speakable(text)))?,
    };
    Ok(())
}

/// The text without the characters that XML 1.0 cannot carry even escaped; one of them would end the call.
pub(crate) fn speakable(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..))
        .collect()
}
