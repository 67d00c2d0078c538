//! Supervisors at a call: what they hear of it, whose voice the caller hears, and what a recogniser makes of that voice.
//!
//! Listeners are behind a bounded queue that drops what they do not take, so nobody who listens can slow a call. A frame
//! costs nothing while nobody listens.

use super::ears::{CallerFrame, Ears};
use super::feed::Feed;
use super::{CallHost, HostMessage};
use crate::service::{SttCommand, SttSession};
use base::limits;
use engine::io::{DeskInput, Input, SpeechInput};
use model::agent::Sound;
use model::journal::HoldMode;
use providers::stt::{SttEvent, SttOpen};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use tokio::sync::{mpsc, watch};

/// Whose voice it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The caller.
    Caller,
    /// The agent.
    Agent,
    /// A supervisor who has the call.
    Person,
}

/// What is heard of a call.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    /// Audio at this rate.
    Frame { side: Side, rate_hz: u32, pcm: Arc<[i16]> },
    /// What was not played yet of the agent's voice was thrown away.
    Clear,
}

/// Who has a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Kind and id of a credential of the person who has it. `None`: the agent has it; the inner one: somebody who did not say
    /// who they are.
    pub by: Option<Option<String>>,
    /// For how long they took it.
    pub mode: Option<HoldMode>,
    /// The line that the caller hears.
    pub(crate) line: Option<u64>,
}

/// What becomes of the recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recording {
    /// The call is recorded.
    pub(crate) is_on: bool,
    /// What is heard is left out.
    pub(crate) is_paused: bool,
    /// Who said so last: a credential, or the call that is joined to this one.
    pub(crate) by: Option<String>,
}

/// Audio of a supervisor, at the rate of the call.
pub(crate) struct PersonAudio {
    pub(crate) line: u64,
    pub(crate) pcm: Box<[i16]>,
}

/// Where supervisors come to a call.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) frames: Feed<Heard>,
    pub(crate) voices: mpsc::Sender<PersonAudio>,
    pub(crate) rate_hz: Arc<AtomicU32>,
    /// Listeners that are there. Asking the channel would take a lock for every frame.
    pub(crate) lines: Arc<AtomicUsize>,
    pub(crate) last_line: Arc<AtomicU64>,
    /// Who has the call.
    pub(crate) held: Arc<watch::Sender<Held>>,
    pub(crate) recording: Arc<watch::Sender<Recording>>,
}

/// A supervisor came or went, or wants to be the one of their lines that the caller hears.
pub(crate) enum LineMessage {
    Opened { line: u64, by: String },
    Closed { line: u64 },
    Claims { line: u64 },
}

pub(super) struct Desk {
    pub(super) door: Door,
    voices: mpsc::Receiver<PersonAudio>,
    /// Lines that are open, in the order in which they came.
    lines: Vec<(u64, String)>,
    /// The line that the caller hears.
    speaking: Option<u64>,
    /// The line with which the call was taken.
    claimed: Option<u64>,
    ears: Option<Ears>,
    stt: Option<SttSession>,
    /// No recogniser works: what is said is not written down.
    is_deaf: bool,
    words: String,
}

impl Desk {
    /// `is_deaf`: what is said here is written down in another call.
    pub(super) fn new(is_deaf: bool, recording: Recording) -> Self {
        let (sender, voices) = mpsc::channel(limits::AUDIO_IN_FRAMES_MAX);
        let door = Door {
            frames: Feed::new(limits::TAP_FRAMES_MAX),
            voices: sender,
            rate_hz: Arc::new(AtomicU32::new(super::PHONE_HZ)),
            lines: Arc::default(),
            last_line: Arc::default(),
            held: Arc::new(watch::Sender::new(Held::default())),
            recording: Arc::new(watch::Sender::new(recording)),
        };
        let (lines, words) = (Vec::new(), String::new());
        Self { door, voices, lines, speaking: None, claimed: None, ears: None, stt: None, is_deaf, words }
    }

    /// Lets supervisors hear this.
    pub(super) fn tap(&self, side: Side, pcm: &[i16]) {
        if self.door.lines.load(Ordering::Relaxed) > 0 {
            let rate_hz = self.door.rate_hz.load(Ordering::Relaxed);
            self.door.frames.tell(Heard::Frame { side, rate_hz, pcm: pcm.into() });
        }
    }

    pub(super) fn tap_clear(&self) {
        if self.door.lines.load(Ordering::Relaxed) > 0 {
            self.door.frames.tell(Heard::Clear);
        }
    }

    /// Whoever is joined to this call must know: their call hears the same.
    pub(super) fn tell_pause(&self, is_paused: bool, by: Option<&str>) {
        self.door.recording.send_modify(|recording| {
            (recording.is_paused, recording.by) = (is_paused, by.map(str::to_owned));
        });
    }

    /// No audio comes here that could be recorded.
    pub(super) fn tell_unrecorded(&self) {
        self.door.recording.send_modify(|recording| recording.is_on = false);
    }

    /// What to wait for: audio of supervisors, and what is understood of it.
    pub(super) fn sources(&mut self) -> (&mut mpsc::Receiver<PersonAudio>, Option<&mut mpsc::Receiver<SttEvent>>) {
        (&mut self.voices, self.stt.as_mut().map(|session| &mut session.events))
    }

    /// The line on which somebody is heard: the one that they took the call with, as long as it is open, else their first.
    /// Another page of theirs hears the call and takes nobody's voice away.
    fn line_of(&self, by: Option<&str>) -> Option<u64> {
        let theirs = || self.lines.iter().filter(|(_, of)| Some(of.as_str()) == by).map(|(line, _)| *line);
        let kept = [self.claimed, self.speaking].into_iter().flatten().find(|kept| theirs().any(|line| line == *kept));
        kept.or_else(|| theirs().next())
    }

    fn push_stt(&self, command: SttCommand) {
        if let Some(session) = &self.stt
            && let Err(mpsc::error::TrySendError::Full(SttCommand::Audio(_))) = session.commands.try_send(command)
        {
            metrics::counter!("frontdesk_audio_in_dropped_frames_total").increment(1);
        }
    }
}

impl CallHost {
    /// Who takes a call over by a request may have an open line beside it.
    pub(super) fn with_line(&self, input: Input) -> Input {
        match input {
            Input::Desk(DeskInput::TakeOver { by, mode, with_line }) => {
                let with_line =
                    self.relay.is_none() && (with_line || by.is_some() && self.desk.line_of(by.as_deref()).is_some());
                Input::Desk(DeskInput::TakeOver { by, mode, with_line })
            }
            other => other,
        }
    }

    pub(super) fn on_line(&mut self, message: LineMessage) {
        let by = match message {
            LineMessage::Opened { line, by } => {
                self.desk.lines.push((line, by.clone()));
                Some(by)
            }
            LineMessage::Claims { line } => {
                self.desk.claimed = Some(line);
                None
            }
            LineMessage::Closed { line } => {
                self.desk.claimed.take_if(|claimed| *claimed == line);
                let at = self.desk.lines.iter().position(|(open, _)| *open == line);
                at.map(|at| self.desk.lines.remove(at).1)
            }
        };
        let has_call = by.is_some() && self.machine.holder() == Some(by.as_deref());
        if has_call {
            let is_up = self.desk.line_of(by.as_deref()).is_some();
            self.feed(Input::Desk(DeskInput::Line { is_up }));
        }
        self.follow_holder();
    }

    /// The caller hears the line of whoever has the call, and no other.
    pub(super) fn follow_holder(&mut self) {
        let speaking = self.machine.holder().and_then(|by| self.desk.line_of(by));
        if speaking == self.desk.speaking {
            return;
        }
        self.desk.speaking = speaking;
        self.tell_desk(); // Each page knows whether it is the one that is heard.
        self.mouth.person_leaves();
        self.desk.push_stt(SttCommand::Finalize);
        if speaking.is_none() {
            self.desk.ears = None;
        }
    }

    /// Tells supervisors who has the call, and on which of their lines they are heard.
    pub(super) fn tell_desk(&self) {
        let held = Held {
            by: self.machine.holder().map(|by| by.map(str::to_owned)),
            mode: self.machine.hold_mode(),
            line: self.desk.speaking,
        };
        self.desk.door.held.send_if_modified(|known| {
            let is_new = *known != held;
            *known = held;
            is_new
        });
    }

    pub(super) fn on_person(&mut self, audio: PersonAudio) {
        // Where the platform speaks nobody else is heard, and neither is anybody by a caller on hold.
        if self.machine.is_on_hold() {
            return;
        }
        if self.desk.speaking != Some(audio.line) || self.link.is_none() || self.relay.is_some() {
            return;
        }
        // Who reads gets the words alone.
        if self.paper.is_none() {
            self.mouth.person(&audio.pcm);
        }
        let rate_hz = self.mouth.rate_hz();
        if self.desk.stt.is_none() && !self.desk.is_deaf {
            self.open_person_stt(rate_hz);
        }
        // Nothing of the caller is in it, so there is no echo to take out.
        let sound = Sound { echo_guard: false, ..self.agent.sound.clone() };
        let mut ears = self.desk.ears.take().unwrap_or_else(|| Ears::new(rate_hz, &sound, false, false, None));
        ears.hear(&audio.pcm, |frame| {
            if let CallerFrame::Clean(frame) = frame {
                self.desk.push_stt(SttCommand::Audio(frame.into()));
            }
        });
        while let Some(event) = ears.poll() {
            match event {
                SpeechInput::Started => {
                    self.desk.push_stt(SttCommand::Speech(true));
                    self.feed(Input::Desk(DeskInput::Speaks));
                }
                SpeechInput::Stopped { .. } => {
                    self.desk.push_stt(SttCommand::Speech(false));
                    self.desk.push_stt(SttCommand::Finalize);
                }
                _ => {}
            }
        }
        self.desk.ears = Some(ears);
    }

    fn open_person_stt(&mut self, rate_hz: u32) {
        let Some(service) = self.routes.stt_of_people(&self.shared.services) else {
            self.desk.is_deaf = true;
            return;
        };
        let open = SttOpen {
            sample_rate_hz: rate_hz,
            language: self.agent.language.clone(),
            hints: vec![self.agent.business_name.clone()],
            now_unix_ms: 0,
        };
        self.desk.stt = Some(service.open_billed(open, &self.bill));
    }

    pub(super) fn on_person_stt(&mut self, event: Option<SttEvent>) {
        let is_whole = match event {
            Some(SttEvent::Final { text, finalized }) => {
                if !self.desk.words.is_empty() && !text.is_empty() {
                    self.desk.words.push(' ');
                }
                self.desk.words.push_str(&text);
                finalized
            }
            Some(SttEvent::Started | SttEvent::Partial { .. } | SttEvent::Usage { .. } | SttEvent::EndOfTurn) => false,
            Some(SttEvent::Failed(failure)) => {
                tracing::warn!(%failure, "what a supervisor says is not written down any more");
                (self.desk.stt, self.desk.is_deaf) = (None, true);
                true
            }
            None => {
                self.desk.stt = None;
                true
            }
        };
        let words = std::mem::take(&mut self.desk.words);
        if !is_whole {
            self.desk.words = words;
            return;
        }
        if self.desk.speaking.is_none() {
            self.desk.stt = None; // Nothing more will be said.
        }
        if !words.trim().is_empty() {
            self.feed(Input::Desk(DeskInput::Said { text: words.into() }));
        }
    }
}

/// An open line of a supervisor. The call learns when it is dropped.
pub(crate) struct OpenLine {
    pub(crate) line: u64,
    door: Door,
    messages: mpsc::Sender<HostMessage>,
}

impl OpenLine {
    /// Tells the call. `None` when so many are there already, or the call is over.
    pub(crate) async fn open(door: &Door, messages: &mpsc::Sender<HostMessage>, by: &str) -> Option<Self> {
        if door.lines.fetch_add(1, Ordering::AcqRel) >= limits::SUPERVISORS_PER_CALL_MAX {
            door.lines.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        let line = door.last_line.fetch_add(1, Ordering::Relaxed) + 1;
        metrics::gauge!("frontdesk_supervisors").increment(1.0);
        let opened = Self { line, door: door.clone(), messages: messages.clone() };
        let message = HostMessage::Line(LineMessage::Opened { line, by: by.to_owned() });
        messages.send(message).await.is_ok().then_some(opened)
    }
}

impl Drop for OpenLine {
    fn drop(&mut self) {
        self.door.lines.fetch_sub(1, Ordering::AcqRel);
        metrics::gauge!("frontdesk_supervisors").decrement(1.0);
        let (messages, line) = (self.messages.clone(), self.line);
        let tell = async move {
            let _ = messages.send(HostMessage::Line(LineMessage::Closed { line })).await; // The call may be over.
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk(lines: &[(u64, &str)]) -> Desk {
        let mut desk = Desk::new(false, Recording::default());
        desk.lines = lines.iter().map(|(line, by)| (*line, (*by).to_owned())).collect();
        desk
    }

    #[test]
    fn a_second_page_of_the_same_person_takes_nobodys_voice_away() {
        let mut desk = desk(&[(1, "user:kim"), (2, "user:kim"), (3, "user:ada")]);
        assert_eq!(desk.line_of(Some("user:kim")), Some(1));
        desk.speaking = Some(2);
        assert_eq!(desk.line_of(Some("user:kim")), Some(2), "whoever is heard stays heard");
        desk.claimed = Some(1);
        assert_eq!(desk.line_of(Some("user:kim")), Some(1), "the page on which the call was taken is heard");
        desk.claimed = Some(3);
        assert_eq!(desk.line_of(Some("user:kim")), Some(2), "what another person took is not theirs");
        desk.lines.remove(1);
        assert_eq!(desk.line_of(Some("user:kim")), Some(1), "the other page goes on");
        assert_eq!(desk.line_of(None), None);
    }
}
