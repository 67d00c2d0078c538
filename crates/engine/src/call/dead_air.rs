//! Silence while it is the agent's turn. Whatever a provider does, the caller hears something before
//! [`DEAD_AIR_MS_MAX`] has passed: a line from the audio cache, which needs no provider, and again until the answer, the
//! apology or the goodbye is there.

use super::ending::Step;
use super::utterance::Utterance;
use super::{CallMachine, Media};
use crate::io::{Measure, Output, SynthesisInput};
use base::limits::{DEAD_AIR_MS_MAX, TTS_SEGMENTS_MAX};
use base::{CallTime, Millis, Pii, UtteranceId};
use model::live::LiveKind;
use std::collections::VecDeque;

/// The carrier needs so long to make a line audible and to say that the last one was over.
const WIRE_MS: u64 = 250;
/// Audio that is there and does not move is more often a late report than a stall.
const LATE_REPORT_MS: u64 = 1_000;

/// A line from the cache is heard within this, mostly.
const CACHED_MS: u64 = 120;
/// Silence that a caller takes for being listened to.
const PATIENCE_MS: u64 = 500;

/// What an interlude is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Something takes long.
    Filler,
    /// The agent listens.
    BackChannel,
    /// No voice works: this is the line itself.
    Line,
    /// Keys of the telephone: no words.
    Keys,
}

/// What is said outside the utterance in progress.
#[derive(Clone, Debug, Default)]
pub(super) struct Interludes {
    playing: Option<(Utterance, Purpose)>,
    /// Lines for a call whose voices have all failed.
    due: VecDeque<String>,
    /// Lines that nobody could say.
    unsaid: Vec<String>,
    /// Fillers since the caller's last turn.
    fillers: usize,
}

impl Interludes {
    pub fn is_playing(&self) -> bool {
        self.playing.is_some()
    }

    /// Whether a filler is being said.
    pub fn is_filling(&self) -> bool {
        self.playing.as_ref().is_some_and(|(_, purpose)| *purpose == Purpose::Filler)
    }

    /// Whether something is said that the caller must hear to its end.
    pub fn is_silent(&self) -> bool {
        self.playing.is_none() && self.due.is_empty()
    }

    /// The words of what is being said.
    pub fn text(&self) -> Option<String> {
        self.playing.as_ref().map(|(interlude, _)| interlude.text())
    }

    /// Whether the agent has the floor by it. A listening sound does not take it.
    pub fn has_floor(&self) -> bool {
        self.playing.as_ref().is_some_and(|(_, purpose)| *purpose != Purpose::BackChannel)
    }

    pub fn begin_turn(&mut self) {
        self.fillers = 0;
    }

    /// The one that is being said was cut off there. Says whether it is this one.
    pub fn cut_off(&mut self, id: UtteranceId, segment: u32, heard_bytes: u32) -> bool {
        let playing = self.playing.as_mut().filter(|(one, _)| one.id == id);
        playing.map(|(one, _)| one.cut_off(segment, heard_bytes)).is_some()
    }

    /// Lines that nobody could say, as one text.
    pub fn take_unsaid(&mut self) -> Option<String> {
        let unsaid = std::mem::take(&mut self.unsaid);
        (!unsaid.is_empty()).then(|| unsaid.join(" "))
    }

    pub fn deadline(&self) -> Option<(CallTime, &'static str)> {
        self.playing.as_ref().and_then(|(interlude, _)| interlude.deadline())
    }
}

impl CallMachine {
    /// The line was not silent until now.
    pub(super) fn sounded(&mut self, at: CallTime) {
        self.silent_since = self.silent_since.max(at);
    }

    /// When the silence must end, while it is the agent's to end.
    pub(super) fn dead_air_at(&self) -> Option<CallTime> {
        let owed_since = self.owed_since.filter(|_| self.owes_sound() && !mutant!(DeadAirNotArmed))?;
        let first_ms = self.timing().filler_after_ms;
        if mutant!(FillerOnce) && self.interludes.fillers > 0 {
            return None;
        }
        let next_ms = DEAD_AIR_MS_MAX - WIRE_MS;
        let mut wait_ms = if self.interludes.fillers == 0 { first_ms } else { next_ms };
        if self.voice.as_ref().is_some_and(Utterance::has_audio_ahead) {
            wait_ms = wait_ms.max(LATE_REPORT_MS);
        }
        let since = self.silent_since.max(owed_since);
        let at = since + Millis(wait_ms);
        // The answer would have to wait behind a filler that begins a moment before it.
        let due = self.voice.as_ref().and_then(Utterance::sound_is_due);
        let is_there = self.voice.as_ref().is_some_and(Utterance::has_audio);
        let latest = since + Millis(if is_there { DEAD_AIR_MS_MAX } else { DEAD_AIR_MS_MAX - CACHED_MS });
        Some(due.map_or(at, |due| due.min(latest).max(at)))
    }

    /// Notes when the caller began to wait for us.
    pub(super) fn note_silence(&mut self, now: CallTime) {
        if self.owes_sound() {
            let unheard = self.hearing.pause.as_ref().filter(|pause| pause.is_unheard(self.hearing.has_words()));
            let since = unheard.map_or(now, |pause| pause.speech_end);
            self.owed_since.get_or_insert(since);
        } else {
            self.owed_since = None;
        }
    }

    /// The caller has been waiting for the answer since the end of what they said, less what they were given to go on.
    pub(super) fn owe_answer(&mut self, now: CallTime, speech_end: CallTime) {
        let since = speech_end.max(now - Millis(PATIENCE_MS));
        // Somebody whose words were long in coming has waited from the first.
        self.owed_since = Some(self.owed_since.map_or(since, |earlier| earlier.min(since)));
    }

    /// Whether the caller waits for us.
    fn owes_sound(&self) -> bool {
        if self.media != Media::Up || self.has_human || self.interludes.is_playing() {
            return false;
        }
        if self.hearing.is_speaking() || self.barge_in.is_pending() {
            return false;
        }
        if self.closing.as_ref().is_some_and(|closing| !matches!(closing.step, Step::LastWords(_))) {
            return false;
        }
        let has_words = self.hearing.has_words();
        let voice_is_due =
            self.voice.as_ref().is_some_and(|voice| voice.has_outstanding_audio() || voice.has_waiting_text());
        self.thought.is_some()
            || voice_is_due
            || self.hearing.pause.as_ref().is_some_and(|pause| pause.is_unheard(has_words))
    }

    /// It has been silent for too long.
    pub(super) fn fill_silence(&mut self, now: CallTime) {
        let lines = &self.agent.lines;
        let line = if self.interludes.fillers.is_multiple_of(2) { &lines.filler } else { &lines.still_working };
        let line = line.clone();
        self.interludes.fillers += 1;
        self.out.measure(Measure::Filler);
        self.begin_interlude(now, line, Purpose::Filler);
    }

    /// Shows that the agent listens to a long story.
    pub(super) fn show_listening(&mut self, now: CallTime) {
        let sounds = &self.agent.lines.back_channels;
        let Some(sound) = sounds.get(self.hearing.listening_sounds % sounds.len().max(1)).cloned() else { return };
        self.hearing.listening_sounds += 1;
        self.out.measure(Measure::BackChannel);
        self.begin_interlude(now, sound, Purpose::BackChannel);
    }

    /// Says a line without a voice: from the audio cache, after those that wait.
    pub(super) fn say_without_voice(&mut self, now: CallTime, text: &str) {
        if self.interludes.due.len() < TTS_SEGMENTS_MAX {
            self.interludes.due.push_back(text.to_owned());
        }
        self.next_interlude(now);
    }

    pub(super) fn next_interlude(&mut self, now: CallTime) {
        if self.media == Media::Up
            && !self.interludes.is_playing()
            && !self.barge_in.is_pending()
            && let Some(text) = self.interludes.due.pop_front()
        {
            self.begin_interlude(now, text, Purpose::Line);
        }
    }

    fn begin_interlude(&mut self, now: CallTime, text: String, purpose: Purpose) {
        if self.interludes.is_playing() {
            return;
        }
        let (utterance, turn) = (self.ids.utterance(), self.turn);
        self.out.live(LiveKind::AgentSaying { turn, text: Pii::new(text.clone()) });
        self.interludes.playing = Some((Utterance::interlude(utterance, turn, &text, now), purpose));
        self.out.push(Output::Interlude { utterance, text });
    }

    /// Presses keys of the telephone: their tones, before anything else.
    pub(super) fn press_keys(&mut self, now: CallTime, keys: String) {
        self.drop_interludes(now);
        let (utterance, turn) = (self.ids.utterance(), self.turn);
        self.interludes.playing = Some((Utterance::interlude(utterance, turn, &keys, now), Purpose::Keys));
        self.out.push(Output::Press { utterance, keys });
    }

    /// An event of the interlude. Says whether it was one.
    pub(super) fn interlude_synthesis(&mut self, now: CallTime, id: UtteranceId, event: &SynthesisInput) -> bool {
        let Some((interlude, purpose)) = self.interludes.playing.as_mut().filter(|(one, _)| one.id == id) else {
            return false;
        };
        match event {
            SynthesisInput::FirstAudio => {
                interlude.first_audio(now);
            }
            SynthesisInput::Words { segment, words } => interlude.words_begin(*segment, words),
            SynthesisInput::SegmentDone { segment, end_ms, words } => {
                interlude.segment_done(now, *segment, *end_ms, words.clone());
            }
            SynthesisInput::Wordless { end_ms } => {
                let (words, is_line) = (interlude.becomes_wordless(now, *end_ms), *purpose == Purpose::Line);
                if is_line {
                    self.interludes.unsaid.push(words);
                }
            }
            SynthesisInput::CutOff { .. } => {} // Taken before.
            SynthesisInput::Failed { .. } => self.stop_interlude(now),
        }
        true
    }

    /// The caller heard some of the interlude. Says whether it was one.
    pub(super) fn interlude_played(&mut self, now: CallTime, id: UtteranceId, played_ms: u64, finished: bool) -> bool {
        let Some((interlude, _)) = self.interludes.playing.as_mut().filter(|(one, _)| one.id == id) else {
            return false;
        };
        interlude.played(now, played_ms, finished);
        let is_over = interlude.is_finished();
        self.sounded(now);
        if is_over {
            self.interlude_over(now);
        }
        true
    }

    /// Ends the interlude at once.
    pub(super) fn stop_interlude(&mut self, now: CallTime) {
        if let Some((interlude, _)) = &self.interludes.playing {
            self.out.push(Output::StopPlayout { utterance: interlude.id });
            self.interlude_over(now);
        }
    }

    /// Drops what would have been said without a voice.
    pub(super) fn drop_interludes(&mut self, now: CallTime) {
        self.interludes.due.clear();
        self.stop_interlude(now);
    }

    fn interlude_over(&mut self, now: CallTime) {
        let Some((interlude, purpose)) = self.interludes.playing.take() else { return };
        self.quiet_since = now;
        if let Some(voice) = &mut self.voice {
            voice.waited(interlude.begun_at(), now);
        }
        // What was not begun was not said, and a waiting sound has no words.
        if purpose != Purpose::Keys && !interlude.is_wordless() && !interlude.heard().is_empty() {
            let heard = self.journal_said(now, &interlude, None);
            match purpose {
                // The caller's words stand around it.
                Purpose::BackChannel | Purpose::Keys => {}
                Purpose::Filler | Purpose::Line => self.dialog.agent_aside(&heard),
            }
        }
        self.next_interlude(now);
    }
}
