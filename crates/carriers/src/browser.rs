//! A page in a browser: binary PCM at 16 kHz and JSON text over one WebSocket. Our own protocol; the page's author finds
//! it in `docs/specs/browser-audio.md`.

use crate::marks::PendingMarks;
use crate::protocol::{MediaCommand, MediaEvent, MediaProtocol, MediaSink, MediaStart};
use base::limits::MEDIA_MESSAGE_BYTES_MAX;
use base::wire::Wire;
use base::{MarkId, Pii};
use serde::Deserialize;

const RATE_HZ: u32 = 16_000;

/// What the registry knows of it.
pub const DESCRIPTOR: crate::registry::Descriptor = crate::registry::Descriptor {
    name: "browser",
    title: "Browser",
    door: crate::registry::Door::Page,
    capabilities: crate::registry::SOCKET,
    modes: &[],
    settings: &[],
    control: crate::registry::no_control,
};

/// What a page says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FromPage {
    Start {
        #[serde(default)]
        agent: Option<String>,
        #[serde(default)]
        token: Option<String>,
        /// Nobody speaks: words are typed and read.
        #[serde(default)]
        written: bool,
    },
    Text {
        text: String,
    },
    Mark {
        id: u64,
    },
    Dtmf {
        digit: char,
    },
    Interrupt,
    End,
    /// Later pages may say more.
    #[serde(other)]
    Unknown,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Streaming,
    Over,
}

/// The audio of one page: 16-bit little-endian mono at 16 kHz, binary.
#[derive(Debug)]
pub struct BrowserMedia {
    state: State,
    marks: PendingMarks,
}

/// The name by which the registry knows it.
pub type Media = BrowserMedia;

impl Default for BrowserMedia {
    fn default() -> Self {
        Self::new()
    }
}

impl BrowserMedia {
    /// A socket that has said nothing yet.
    pub fn new() -> Self {
        Self { state: State::Waiting, marks: PendingMarks::default() }
    }

    fn violation(&mut self, code: u16, why: &'static str, sink: &mut MediaSink) {
        self.state = State::Over;
        sink.events.push(MediaEvent::Violation { code, why });
    }

    fn said(&mut self, message: FromPage, sink: &mut MediaSink) {
        match (message, &self.state) {
            (FromPage::Unknown, _) | (_, State::Over) => {}
            (FromPage::Start { agent, token, written }, State::Waiting) => {
                self.state = State::Streaming;
                let start = MediaStart { token, agent, is_written: written, ..MediaStart::default() };
                sink.events.push(MediaEvent::Started(start));
            }
            (FromPage::Start { .. }, State::Streaming) => self.violation(1002, "second start", sink),
            (_, State::Waiting) => self.violation(1002, "a message before start", sink),
            (FromPage::Text { text }, State::Streaming) => {
                if !text.trim().is_empty() {
                    sink.events.push(MediaEvent::Typed(Pii::new(text)));
                }
            }
            (FromPage::Mark { id }, State::Streaming) => {
                if self.marks.echoed(MarkId(id)) {
                    sink.events.push(MediaEvent::Mark(MarkId(id)));
                }
            }
            (FromPage::Dtmf { digit }, State::Streaming) => {
                if matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D') {
                    sink.events.push(MediaEvent::Dtmf(Pii::new(digit)));
                }
            }
            (FromPage::Interrupt, State::Streaming) => sink.events.push(MediaEvent::Interrupted),
            (FromPage::End, State::Streaming) => sink.events.push(MediaEvent::HangUp),
        }
    }
}

impl MediaProtocol for BrowserMedia {
    fn sample_rate_hz(&self) -> u32 {
        RATE_HZ
    }

    fn on_text(&mut self, text: &str, sink: &mut MediaSink) {
        if self.state == State::Over {
            return;
        }
        if text.len() > MEDIA_MESSAGE_BYTES_MAX {
            return self.violation(1009, "a message of more than 64 KiB", sink);
        }
        match serde_json::from_str(text) {
            Ok(message) => self.said(message, sink),
            Err(_) => self.violation(1007, "a message that is not of the protocol", sink),
        }
    }

    fn on_binary(&mut self, bytes: &[u8], sink: &mut MediaSink) {
        match self.state {
            State::Over => {}
            State::Waiting => self.violation(1002, "audio before start", sink),
            State::Streaming if bytes.len() > MEDIA_MESSAGE_BYTES_MAX => {
                self.violation(1009, "a message of more than 64 KiB", sink);
            }
            State::Streaming => {
                let (samples, rest) = bytes.as_chunks::<2>();
                if !rest.is_empty() {
                    return self.violation(1007, "half a sample", sink);
                }
                sink.pcm.extend(samples.iter().map(|sample| i16::from_le_bytes(*sample)));
            }
        }
    }

    fn on_command(&mut self, command: MediaCommand<'_>, out: &mut Vec<Wire>) {
        if self.state != State::Streaming {
            return;
        }
        match command {
            MediaCommand::Audio(pcm) => {
                out.push(Wire::Binary(pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()));
            }
            MediaCommand::Mark(mark) => {
                self.marks.sent(mark);
                out.push(Wire::Text(format!(r#"{{"type":"mark","id":{mark}}}"#)));
            }
            MediaCommand::Clear => {
                self.marks.clear();
                out.push(Wire::Text(r#"{"type":"clear"}"#.to_owned()));
            }
            // A page has no telephone behind it.
            MediaCommand::Keys(_) => {}
            // Nor anybody who speaks but us.
            MediaCommand::Say { .. } | MediaCommand::Language(_) | MediaCommand::Leave(_) => {}
            MediaCommand::Live(event) => {
                let fields = event.trim().strip_prefix('{').map(str::trim_start);
                if let Some(fields) = fields.filter(|fields| !fields.starts_with('}')) {
                    out.push(Wire::Text(format!(r#"{{"type":"live",{fields}"#)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> BrowserMedia {
        let mut media = BrowserMedia::new();
        media.on_text(r#"{"type":"start","agent":"shop","token":null}"#, &mut MediaSink::default());
        media
    }

    #[test]
    fn a_page_chooses_its_agent_and_types() {
        let mut media = BrowserMedia::new();
        let mut sink = MediaSink::default();
        media.on_text(r#"{"type":"start","agent":"shop","token":"t1"}"#, &mut sink);
        media.on_text(r#"{"type":"text","text":"Do you sell tandems?"}"#, &mut sink);
        media.on_text(r#"{"type":"later","anything":[1]}"#, &mut sink);
        media.on_text(r#"{"type":"end"}"#, &mut sink);
        assert_eq!(
            sink.events,
            [
                MediaEvent::Started(MediaStart {
                    token: Some("t1".into()),
                    agent: Some("shop".into()),
                    ..MediaStart::default()
                }),
                MediaEvent::Typed("Do you sell tandems?".into()),
                MediaEvent::HangUp,
            ]
        );
    }

    #[test]
    fn a_frame_to_the_page_is_640_bytes() {
        let mut out = Vec::new();
        let mut media = started();
        media.on_command(MediaCommand::Audio(&vec![1; media.frame_samples()]), &mut out);
        assert!(matches!(&out[..], [Wire::Binary(bytes)] if bytes.len() == 640 && bytes[..2] == [1, 0]));
    }

    #[test]
    fn live_events_keep_their_fields_beside_the_type() {
        let mut out = Vec::new();
        started().on_command(MediaCommand::Live(r#"{"at":120,"event":"phase","phase":"thinking"}"#), &mut out);
        assert_eq!(out, [Wire::Text(r#"{"type":"live","at":120,"event":"phase","phase":"thinking"}"#.into())]);
    }

    #[test]
    fn half_a_sample_closes_the_socket() {
        let mut sink = MediaSink::default();
        started().on_binary(&[0; 641], &mut sink);
        assert_eq!(sink.events, [MediaEvent::Violation { code: 1007, why: "half a sample" }]);
    }
}
