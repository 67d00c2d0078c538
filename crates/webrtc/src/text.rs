//! The few text messages that are about the audio that waits here. All others pass by unread.

use serde::Deserialize;

/// From the call host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FromHost {
    /// Answer when everything before it was heard.
    Mark(u64),
    /// Throw away what waits.
    Clear,
    /// For the page.
    Other,
}

/// From the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FromPage {
    /// The person pressed Interrupt.
    Interrupt,
    /// How long after its arrival the page's audio is heard.
    Playout { ms: u64 },
    /// Only we know what was played.
    Mark,
    /// For the call host.
    Other,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    ms: Option<u64>,
}

/// What a message of the call host asks for.
pub(crate) fn from_host(text: &str) -> FromHost {
    // Live events are most of what comes, and some are long.
    if text.starts_with(r#"{"type":"live""#) {
        return FromHost::Other;
    }
    match serde_json::from_str::<Envelope<'_>>(text) {
        Ok(Envelope { kind, id: Some(id), .. }) if kind == "mark" => FromHost::Mark(id),
        Ok(Envelope { kind, .. }) if kind == "clear" => FromHost::Clear,
        _ => FromHost::Other,
    }
}

/// What a message of the page asks for. What cannot be read is the call host's to refuse.
pub(crate) fn from_page(text: &str) -> FromPage {
    match serde_json::from_str::<Envelope<'_>>(text) {
        Ok(Envelope { kind, .. }) if kind == "interrupt" => FromPage::Interrupt,
        Ok(Envelope { kind, ms: Some(ms), .. }) if kind == "playout" => FromPage::Playout { ms },
        Ok(Envelope { kind, .. }) if kind == "mark" => FromPage::Mark,
        _ => FromPage::Other,
    }
}

/// What a page is told before the session ends; over a WebSocket it would be the close frame.
pub(crate) fn closed(code: u16, reason: &str) -> String {
    serde_json::json!({ "type": "closed", "code": code, "reason": reason }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_waiting_audio_is_recognised_and_nothing_else() {
        assert_eq!(from_host(r#"{"type":"mark","id":7}"#), FromHost::Mark(7));
        assert_eq!(from_host(r#"{"type":"clear"}"#), FromHost::Clear);
        assert_eq!(from_host(r#"{"type":"live","event":"x","id":7}"#), FromHost::Other);
        assert_eq!(from_page(r#"{"type":"interrupt"}"#), FromPage::Interrupt);
        assert_eq!(from_page(r#"{"type":"playout","ms":85}"#), FromPage::Playout { ms: 85 });
        assert_eq!(from_page(r#"{"type":"mark","id":7}"#), FromPage::Mark);
        assert_eq!(from_page("{"), FromPage::Other);
        assert_eq!(closed(4000, "a \"b\""), r#"{"type":"closed","code":4000,"reason":"a \"b\""}"#);
    }
}
