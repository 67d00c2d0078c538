//! SIP trunks: how a leg and the call host talk within this process, and what of the protocol is a pure function.
//!
//! The sockets, transactions and audio packets are the crate `sip`'s. Between a leg of it and the host stands this framing,
//! so that a call over a trunk runs the code that every other call runs: audio is binary, 16-bit little-endian mono at 8 kHz,
//! of any length, both ways. Text is one word and its argument: from the leg `start TOKEN CALL` (`-` for none), `mark N`,
//! `dtmf D`, `stop`; to the leg `mark N`, `clear`.

pub mod control;
pub mod sdp;
pub mod status;

use crate::marks::PendingMarks;
use crate::protocol::{Capability, MediaCommand, MediaEvent, MediaProtocol, MediaSink, MediaStart};
use base::limits::MEDIA_MESSAGE_BYTES_MAX;
use base::wire::Wire;
use base::{MarkId, Pii};

/// Samples per second of a leg's audio.
pub const RATE_HZ: u32 = 8000;

/// What the registry knows of it.
pub const DESCRIPTOR: crate::registry::Descriptor = crate::registry::Descriptor {
    name: "sip",
    title: "SIP trunk",
    door: crate::registry::Door::InProcess,
    settings: &[],
    capabilities: &[
        Capability::Place,
        Capability::Answer,
        Capability::Reject,
        Capability::Audio,
        Capability::Marks,
        Capability::Clear,
        Capability::KeysIn,
        Capability::HangUp,
        Capability::TransferCold,
    ],
    control: crate::registry::no_control,
};

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Waiting,
    Streaming,
    Over,
}

/// The host's end.
#[derive(Debug, Default)]
pub struct Media {
    state: State,
    marks: PendingMarks,
}

impl Media {
    /// A leg that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    fn violation(&mut self, code: u16, why: &'static str, sink: &mut MediaSink) {
        self.state = State::Over;
        sink.events.push(MediaEvent::Violation { code, why });
    }

    fn start(&mut self, arguments: &str, sink: &mut MediaSink) {
        if self.state == State::Streaming {
            return self.violation(1002, "second start", sink);
        }
        let mut words = arguments.split(' ').map(|word| (word != "-" && !word.is_empty()).then(|| word.to_owned()));
        let token = words.next().flatten();
        let carrier_ref = words.next().flatten();
        self.state = State::Streaming;
        sink.events.push(MediaEvent::Started(MediaStart { token, carrier_ref, ..MediaStart::default() }));
    }

    fn said(&mut self, word: &str, argument: &str, sink: &mut MediaSink) {
        match word {
            "mark" => match argument.parse().map(MarkId) {
                Ok(mark) if self.marks.echoed(mark) => sink.events.push(MediaEvent::Mark(mark)),
                Ok(_) => {}
                Err(_) => self.violation(1007, "a mark that is not a number", sink),
            },
            "dtmf" => match argument.chars().next() {
                Some(key) => sink.events.push(MediaEvent::Dtmf(Pii::new(key))),
                None => self.violation(1007, "a key press without a key", sink),
            },
            "stop" => {
                self.state = State::Over;
                sink.events.push(MediaEvent::Stopped);
            }
            _ => self.violation(1007, "a message that is not of the protocol", sink),
        }
    }
}

impl MediaProtocol for Media {
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
        let (word, argument) = text.split_once(' ').unwrap_or((text, ""));
        match self.state {
            _ if word == "start" => self.start(argument, sink),
            State::Waiting => self.violation(1002, "a message before start", sink),
            _ => self.said(word, argument, sink),
        }
    }

    fn on_binary(&mut self, bytes: &[u8], sink: &mut MediaSink) {
        match self.state {
            State::Over => {}
            State::Waiting => self.violation(1002, "audio before start", sink),
            State::Streaming if bytes.len() > MEDIA_MESSAGE_BYTES_MAX => {
                self.violation(1009, "a message of more than 64 KiB", sink);
            }
            State::Streaming if !bytes.len().is_multiple_of(2) => {
                self.violation(1007, "half a sample", sink);
            }
            State::Streaming => sink.pcm.extend(samples(bytes)),
        }
    }

    fn on_command(&mut self, command: MediaCommand<'_>, out: &mut Vec<Wire>) {
        if self.state != State::Streaming {
            return;
        }
        match command {
            MediaCommand::Audio(pcm) => out.push(Wire::Binary(bytes(pcm))),
            MediaCommand::Mark(mark) => {
                self.marks.sent(mark);
                out.push(Wire::Text(format!("mark {mark}")));
            }
            MediaCommand::Clear => {
                self.marks.clear();
                out.push(Wire::Text("clear".to_owned()));
            }
            MediaCommand::Live(_) => {}
        }
    }
}

/// What the host tells a leg, as the leg reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// Play this: 16-bit little-endian samples, see [`samples`].
    Audio(&'a [u8]),
    /// Echo this when everything before it was played.
    Mark(&'a str),
    /// Throw away what was not played.
    Clear,
    /// The host is done with the leg: hang up.
    Close,
}

/// Reads a message of the host. `None` for what no leg needs.
pub fn told(wire: &Wire) -> Option<Told<'_>> {
    match wire {
        Wire::Binary(bytes) => Some(Told::Audio(bytes)),
        Wire::Text(text) => match text.split_once(' ').unwrap_or((text, "")) {
            ("mark", name) => Some(Told::Mark(name)),
            ("clear", _) => Some(Told::Clear),
            _ => None,
        },
        Wire::Close(..) | Wire::End => Some(Told::Close),
        Wire::Request(_) => None,
    }
}

/// The message that opens a leg.
pub fn start(token: Option<&str>, carrier_ref: &str) -> Wire {
    Wire::Text(format!("start {} {carrier_ref}", token.unwrap_or("-")))
}

/// The message that says that a mark was played.
pub fn mark(name: &str) -> Wire {
    Wire::Text(format!("mark {name}"))
}

/// The message that says that a key was pressed.
pub fn key(key: char) -> Wire {
    Wire::Text(format!("dtmf {key}"))
}

/// The message that says that the leg is over.
pub fn stop() -> Wire {
    Wire::Text("stop".to_owned())
}

/// Samples as bytes.
pub fn bytes(pcm: &[i16]) -> Vec<u8> {
    pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// Bytes as samples; half a sample at the end is dropped.
pub fn samples(bytes: &[u8]) -> impl Iterator<Item = i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_reads_what_the_host_tells_it() {
        let mut media = Media::new();
        let mut sink = MediaSink::default();
        let Wire::Text(begin) = start(Some("t-1"), "abc@example") else { panic!("text") };
        media.on_text(&begin, &mut sink);
        let Some(MediaEvent::Started(begun)) = sink.events.first() else { panic!("{:?}", sink.events) };
        assert_eq!((begun.token.as_deref(), begun.carrier_ref.as_deref()), (Some("t-1"), Some("abc@example")));
        let mut out = Vec::new();
        media.on_command(MediaCommand::Audio(&[1, -2]), &mut out);
        media.on_command(MediaCommand::Mark(MarkId(7)), &mut out);
        media.on_command(MediaCommand::Clear, &mut out);
        let told: Vec<_> = out.iter().filter_map(told).collect();
        assert_eq!(told, [Told::Audio(&[1, 0, 254, 255]), Told::Mark("7"), Told::Clear]);
        assert_eq!(samples(&[1, 0, 254, 255, 9]).collect::<Vec<_>>(), [1, -2]);
        assert_eq!(super::told(&Wire::Close(1000, "".into())), Some(Told::Close));
    }
}
