//! A simulated caller in this process, at a phone line's 8 kHz µ-law, so that a test runs the code that a call runs.
//!
//! Audio is binary µ-law of any length, both ways. Text is one word and its argument: from the caller `start AGENT TOKEN CALL`
//! (`-` for none; the last is the platform's id of the call and may be left out), `mark N`, `dtmf D`, `text …`, `stop`; to the caller `mark N`, `clear`, `live JSON`.

use crate::line::{Codec, Line};
use crate::playout::{BACKGROUND_PEAK, PlayedMark, Playout};
use crate::protocol::MediaStart;
use crate::words::{Manner, Words};
use audio_codec_algorithms::{decode_ulaw, encode_ulaw};
use base::limits::FRAME_MS;
use base::wire::Wire;
use std::collections::VecDeque;

const RATE_HZ: u32 = 8000;

/// What the registry knows of it.
pub const DESCRIPTOR: crate::registry::Descriptor = crate::registry::Descriptor {
    name: "loopback",
    title: "Simulated caller",
    door: crate::registry::Door::InProcess,
    capabilities: crate::registry::SOCKET,
    modes: &[],
    settings: &[],
    control: crate::registry::no_control,
};
const FRAME_SAMPLES: usize = (RATE_HZ as u64 * FRAME_MS / 1000) as usize;

/// The arguments of its start: an agent, a token, the platform's id of the call.
#[derive(Debug, Default)]
pub struct Caller;

impl Manner for Caller {
    const CODEC: Codec = Codec::Ulaw;
    const HAS_PAGE: bool = true;

    fn start(arguments: &mut dyn Iterator<Item = Option<String>>) -> MediaStart {
        let [agent, token, carrier_ref] = std::array::from_fn(|_| arguments.next().flatten());
        MediaStart { token, agent, carrier_ref, ..MediaStart::default() }
    }
}

/// Our end: what a call host talks to.
pub type LoopbackMedia = Line<Words<Caller>>;
/// The name by which the registry knows it.
pub type Media = LoopbackMedia;

/// What the caller noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerEvent {
    /// A mark was reached by playing, and echoed.
    Played(PlayedMark),
    /// The agent was interrupted; this much of its audio was thrown away.
    Cleared {
        /// When, in milliseconds of the caller's clock.
        at_ms: u64,
        /// Audio that was never heard.
        dropped_ms: u64,
    },
    /// A live event, as JSON.
    Live(String),
    /// The other end closed the line.
    Closed {
        /// WebSocket close code.
        code: u16,
    },
}

/// The other end: a phone with a loudspeaker, a microphone and a keypad. Pure; its clock is the `now_ms` it is given,
/// milliseconds since the call began.
#[derive(Debug)]
pub struct LoopbackCaller {
    playout: Playout,
    microphone: VecDeque<i16>,
    /// When the next frame of the microphone is due.
    next_frame_ms: u64,
    out: Vec<Wire>,
    events: Vec<CallerEvent>,
    closed: bool,
}

impl LoopbackCaller {
    /// A caller who asks for this agent, and shows this token. The first wire of [`LoopbackCaller::advance`] says so.
    pub fn new(agent: Option<&str>, token: Option<&str>) -> Self {
        Self::starting(format!("start {} {}", agent.unwrap_or("-"), token.unwrap_or("-")))
    }

    /// A caller whose call a platform has announced: this token lets it in, and this is the platform's id of it.
    pub fn announced(token: &str, carrier_ref: &str) -> Self {
        Self::starting(format!("start - {token} {carrier_ref}"))
    }

    fn starting(start: String) -> Self {
        Self {
            playout: Playout::new(RATE_HZ).with_background_below(BACKGROUND_PEAK),
            microphone: VecDeque::new(),
            next_frame_ms: 0,
            out: vec![Wire::Text(start)],
            events: Vec::new(),
            closed: false,
        }
    }

    /// Queues words for the microphone: 16-bit mono at 8 kHz. They are sent in real time, behind what waits.
    pub fn say(&mut self, pcm: &[i16]) {
        self.microphone.extend(pcm);
    }

    /// Whether words wait for the microphone.
    pub fn is_speaking(&self) -> bool {
        !self.microphone.is_empty()
    }

    /// Throws away the words that wait.
    pub fn fall_silent(&mut self) {
        self.microphone.clear();
    }

    /// Presses a key.
    pub fn press(&mut self, key: char) {
        self.out.push(Wire::Text(format!("dtmf {key}")));
    }

    /// Types.
    pub fn write(&mut self, text: &str) {
        self.out.push(Wire::Text(format!("text {text}")));
    }

    /// Puts the phone down; nothing is sent afterwards.
    pub fn hang_up(&mut self) {
        if !self.closed {
            self.out.push(Wire::Text("stop".to_owned()));
            self.closed = true;
        }
    }

    /// Takes a message of the other end that arrived at `now_ms`.
    pub fn on_wire(&mut self, now_ms: u64, wire: &Wire) {
        self.play_until(now_ms);
        match wire {
            Wire::Binary(bytes) => {
                let pcm: Vec<i16> = bytes.iter().map(|byte| decode_ulaw(*byte)).collect();
                self.playout.push_audio(&pcm);
            }
            Wire::Text(text) => self.on_text(text),
            Wire::Close(code, _) => {
                self.closed = true;
                self.events.push(CallerEvent::Closed { code: *code });
            }
            Wire::Request(_) | Wire::End => {}
        }
        self.play_until(now_ms);
    }

    /// Lets the clock reach `now_ms`: plays, echoes the marks that were reached, and sends one frame for every 20 ms,
    /// silence when there are no words. `out` gets what to send, in order.
    pub fn advance(&mut self, now_ms: u64, out: &mut Vec<Wire>) {
        out.append(&mut self.out);
        if self.closed {
            return;
        }
        while self.next_frame_ms + FRAME_MS <= now_ms {
            self.next_frame_ms += FRAME_MS;
            self.play_until(self.next_frame_ms);
            let words = self.microphone.len().min(FRAME_SAMPLES);
            let spoken = self.microphone.drain(..words).chain(std::iter::repeat(0)).take(FRAME_SAMPLES);
            self.out.push(Wire::Binary(spoken.map(encode_ulaw).collect()));
        }
        self.play_until(now_ms);
        out.append(&mut self.out);
    }

    /// What was noticed since the last call.
    pub fn take_events(&mut self) -> Vec<CallerEvent> {
        std::mem::take(&mut self.events)
    }

    /// Whether either end put the phone down.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The loudspeaker: what was heard, and when.
    pub fn playout(&self) -> &Playout {
        &self.playout
    }

    fn on_text(&mut self, text: &str) {
        match text.split_once(' ').unwrap_or((text, "")) {
            ("mark", name) => self.playout.push_mark(name),
            ("clear", _) => {
                let dropped_ms = self.playout.queued_ms();
                // Like a phone platform: cleared marks come back as if they had been played.
                for name in self.playout.clear() {
                    self.out.push(Wire::Text(format!("mark {name}")));
                }
                self.events.push(CallerEvent::Cleared { at_ms: self.playout.now_ms(), dropped_ms });
            }
            ("live", event) => self.events.push(CallerEvent::Live(event.to_owned())),
            _ => {}
        }
    }

    fn play_until(&mut self, now_ms: u64) {
        for mark in self.playout.advance(now_ms) {
            self.out.push(Wire::Text(format!("mark {}", mark.name)));
            self.events.push(CallerEvent::Played(mark));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{MediaCommand, MediaEvent, MediaProtocol, MediaSink};
    use base::MarkId;

    /// Runs both ends against each other, one millisecond a step, and returns what our end noticed.
    struct Both {
        caller: LoopbackCaller,
        host: LoopbackMedia,
        sink: MediaSink,
        now_ms: u64,
    }

    impl Both {
        fn new() -> Self {
            let (caller, host) = (LoopbackCaller::new(Some("shop"), None), LoopbackMedia::new());
            Self { caller, host, sink: MediaSink::default(), now_ms: 0 }
        }

        fn run_until(&mut self, end_ms: u64) {
            while self.now_ms < end_ms {
                let mut wires = Vec::new();
                self.caller.advance(self.now_ms, &mut wires);
                for wire in wires {
                    match wire {
                        Wire::Text(text) => self.host.on_text(&text, &mut self.sink),
                        Wire::Binary(bytes) => self.host.on_binary(&bytes, &mut self.sink),
                        Wire::Close(..) | Wire::Request(_) | Wire::End => {}
                    }
                }
                self.now_ms += 1;
            }
        }

        fn command(&mut self, command: MediaCommand<'_>) {
            let mut wires = Vec::new();
            self.host.on_command(command, &mut wires);
            for wire in wires {
                self.caller.on_wire(self.now_ms, &wire);
            }
        }
    }

    #[test]
    fn words_arrive_in_real_time_with_silence_around_them() {
        let mut line = Both::new();
        line.caller.say(&[8031; 320]);
        line.run_until(101);
        assert_eq!(line.sink.pcm.len(), 5 * FRAME_SAMPLES);
        assert!(line.sink.pcm[..320].iter().all(|sample| (sample - 8031).abs() < 300));
        assert!(line.sink.pcm[320..].iter().all(|sample| *sample == 0));
    }

    #[test]
    fn what_an_interruption_cleared_was_neither_heard_nor_confirmed() {
        let mut line = Both::new();
        line.run_until(1);
        line.command(MediaCommand::Audio(&[5000; 800]));
        line.command(MediaCommand::Mark(MarkId(1)));
        line.command(MediaCommand::Audio(&[5000; 800]));
        line.command(MediaCommand::Mark(MarkId(2)));
        line.run_until(151);
        line.command(MediaCommand::Clear);
        line.run_until(400);
        assert_eq!(line.sink.events[1..], [MediaEvent::Mark(MarkId(1))]);
        assert!(line.caller.take_events().contains(&CallerEvent::Cleared { at_ms: 151, dropped_ms: 50 }));
        assert_eq!(line.caller.playout().spans().len(), 1);
    }

    #[test]
    fn a_caller_who_put_the_phone_down_sends_nothing_more() {
        let mut line = Both::new();
        line.run_until(10);
        line.caller.hang_up();
        line.run_until(500);
        assert_eq!(line.sink.events.last(), Some(&MediaEvent::Stopped));
        assert!(line.sink.pcm.is_empty());
    }
}
