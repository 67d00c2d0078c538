//! SIP trunks: how a leg and the call host talk within this process, and what of the protocol is a pure function.
//!
//! The sockets, transactions and audio packets are the crate `sip`'s. Between a leg of it and the host stands this framing,
//! so that a call over a trunk runs the code that every other call runs: audio is binary, 16-bit little-endian mono at the
//! rate of the start, of any length, both ways. Text is one word and its argument: from the leg `start TOKEN CALL RATE` (`-`
//! for none; 8000 or 16000), `mark N`, `dtmf D`, `stop`; to the leg `mark N`, `clear`, `press KEYS`.

pub mod control;
pub mod sdp;
pub mod status;

use crate::line::{Codec, Line};
use crate::protocol::{Capability, MediaStart};
use crate::words::{Manner, Words};
use base::wire::Wire;

/// What the registry knows of it.
pub const DESCRIPTOR: crate::registry::Descriptor = crate::registry::Descriptor {
    name: "sip",
    title: "SIP trunk",
    door: crate::registry::Door::InProcess,
    modes: &[],
    settings: &[],
    capabilities: &[
        Capability::Place,
        Capability::Answer,
        Capability::Reject,
        Capability::Audio,
        Capability::Marks,
        Capability::Clear,
        Capability::KeysIn,
        Capability::KeysOut,
        Capability::HangUp,
        Capability::TransferCold,
        Capability::TransferWarm,
    ],
    control: crate::registry::no_control,
};

/// The arguments of its start: a token, the name of the call.
#[derive(Debug, Default)]
pub struct Trunk;

impl Manner for Trunk {
    const CODEC: Codec = Codec::Little;
    const HAS_PAGE: bool = false;
    const TAKES_KEYS: bool = true;

    fn start(arguments: &mut dyn Iterator<Item = Option<String>>) -> MediaStart {
        let [token, carrier_ref] = std::array::from_fn(|_| arguments.next().flatten());
        MediaStart { token, carrier_ref, ..MediaStart::default() }
    }
}

/// The host's end.
pub type Media = Line<Words<Trunk>>;

/// What the host tells a leg, as the leg reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// Play this: 16-bit little-endian samples, see [`samples`].
    Audio(&'a [u8]),
    /// Echo this when everything before it was played.
    Mark(&'a str),
    /// Throw away what was not played.
    Clear,
    /// Press these keys.
    Keys(&'a str),
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
            ("press", keys) => Some(Told::Keys(keys)),
            _ => None,
        },
        Wire::Close(..) | Wire::End => Some(Told::Close),
        Wire::Request(_) => None,
    }
}

/// The message that opens a leg whose audio has this rate.
pub fn start(token: Option<&str>, carrier_ref: &str, rate_hz: u32) -> Wire {
    Wire::Text(format!("start {} {carrier_ref} {rate_hz}", token.unwrap_or("-")))
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
    use crate::protocol::{MediaCommand, MediaEvent, MediaProtocol, MediaSink};
    use base::MarkId;

    #[test]
    fn a_leg_reads_what_the_host_tells_it() {
        let mut media = Media::new();
        let mut sink = MediaSink::default();
        let Wire::Text(begin) = start(Some("t-1"), "abc@example", 16_000) else { panic!("text") };
        media.on_text(&begin, &mut sink);
        assert_eq!((media.sample_rate_hz(), Media::new().sample_rate_hz()), (16_000, 8_000));
        let Some(MediaEvent::Started(begun)) = sink.events.first() else { panic!("{:?}", sink.events) };
        assert_eq!((begun.token.as_deref(), begun.carrier_ref.as_deref()), (Some("t-1"), Some("abc@example")));
        let mut out = Vec::new();
        media.on_command(MediaCommand::Audio(&[1, -2]), &mut out);
        media.on_command(MediaCommand::Mark(MarkId(7)), &mut out);
        media.on_command(MediaCommand::Clear, &mut out);
        media.on_command(MediaCommand::Keys("1#"), &mut out);
        let told: Vec<_> = out.iter().filter_map(told).collect();
        assert_eq!(told, [Told::Audio(&[1, 0, 254, 255]), Told::Mark("m7"), Told::Clear, Told::Keys("1#")]);
        assert_eq!(samples(&[1, 0, 254, 255, 9]).collect::<Vec<_>>(), [1, -2]);
        assert_eq!(super::told(&Wire::Close(1000, "".into())), Some(Told::Close));
    }
}
