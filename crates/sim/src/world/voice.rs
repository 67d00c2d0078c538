//! The agent's voice and the ear that hears it: synthesis with word times, playout in real time, marks that come late,
//! and a ledger of what was really heard.

use super::plan::{Event, Plan};
use super::swarm::Trouble;
use base::limits::AUDIO_OUT_BUFFER_MS_MAX;
use base::{CallTime, ErrorClass, Millis, UtteranceId};
use engine::Input;
use engine::io::SynthesisInput;
use std::collections::{BTreeMap, VecDeque};

/// Audio in the cache is played with the next frame.
const CACHE_MS: u64 = 20;
/// While nothing can be played, the line is looked at with every frame.
const DRY_MS: u64 = 20;

/// When the machine is told where words begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WordTimes {
    Never,
    AtTheEnd,
    AsTheyCome,
}

/// One word and when it sounds.
#[derive(Clone, Copy, Debug)]
struct Word {
    /// Byte offsets in the segment's text.
    from: usize,
    to: usize,
    begin_ms: u64,
    /// When its sound is over.
    silent_ms: u64,
    /// When the next one begins, which is when people who have only word times know that it is over.
    end_ms: u64,
}

/// One segment and when it sounds.
#[derive(Clone, Debug)]
struct Segment {
    text: String,
    words: Vec<Word>,
    /// How many of them the machine knows the beginning of.
    words_told: usize,
    start_ms: u64,
    end_ms: u64,
    audio_from: CallTime,
    audio_whole: CallTime,
    /// The machine knows where it ends.
    is_told: bool,
}

/// One utterance on its way to the ear.
#[derive(Clone, Debug)]
struct Line {
    segments: Vec<Segment>,
    times: WordTimes,
    ms_per_char: u64,
    /// From this segment on there is no audio.
    fails_at: Option<(usize, bool)>,
    stalls_at_ms: Option<u64>,
    has_end: bool,
    tick_ms: u64,
    last_tick: CallTime,
    mark_ms: u64,
    /// What the ear heard.
    played_ms: u64,
    /// What the machine was told of it.
    told_ms: u64,
    told_finished: bool,
    is_over: bool,
    /// The machine has stopped it: what it is told later counts no more.
    is_stopped: bool,
    is_written: bool,
    /// Synthesised and not played.
    is_held: bool,
    is_interlude: bool,
    /// Nothing could be played when the ear last listened.
    is_dry: bool,
}

/// Audio of one utterance that the ear heard, and when.
pub type Span = (UtteranceId, CallTime, CallTime);

/// Everything the agent ever said in this call.
#[derive(Clone, Debug, Default)]
pub struct Voice {
    lines: BTreeMap<UtteranceId, Line>,
    /// Interludes that are played or wait for the one before.
    interludes: VecDeque<UtteranceId>,
    /// What the ear heard since the world last looked.
    pub spans: Vec<Span>,
    /// Listening sounds of the agent: heard, but no turn.
    listening_sounds: Vec<String>,
    /// The last time the ear heard the agent.
    pub sounded_at: CallTime,
    /// What the ear heard to its end since the caller last looked.
    pub just_heard: Option<String>,
}

impl Voice {
    /// A silent voice that knows which of its sounds are no turn.
    pub fn new(listening_sounds: Vec<String>) -> Self {
        Self { listening_sounds, ..Self::default() }
    }

    /// A segment goes to synthesis.
    pub fn speak(&mut self, plan: &mut Plan, utterance: UtteranceId, index: u32, text: &str) {
        let now = plan.now;
        let line = self.lines.entry(utterance).or_insert_with(|| Line::draw(plan));
        let is_held = line.is_held;
        let (start_ms, free_at) = line.segments.last().map_or((0, now), |last| (last.end_ms, last.audio_whole));
        let begin = free_at.max(now);
        let slow = plan.strikes(Trouble::VoiceSlow);
        let first_ms = if slow { plan.ms(600, 1_800) } else { plan.ms(40, 250) };
        let (words, end_ms) = line.lay_out(plan, text, start_ms);
        let speed = if slow { 1 } else { plan.ms(3, 10) };
        let audio_from = begin + Millis(first_ms);
        let audio_whole = audio_from + Millis((end_ms - start_ms) / speed);
        let text = text.to_owned();
        line.segments.push(Segment {
            text,
            words,
            start_ms,
            end_ms,
            audio_from,
            audio_whole,
            words_told: 0,
            is_told: false,
        });
        if line.is_over {
            return;
        }
        line.tell_synthesis(plan, utterance, index);
        if index == 0 && !is_held {
            line.begin(plan, utterance);
        }
    }

    /// Synthesis without playout, until it is released.
    pub fn hold(&mut self, plan: &mut Plan, utterance: UtteranceId) {
        self.lines.entry(utterance).or_insert_with(|| Line::draw(plan)).is_held = true;
    }

    /// What was held is played from now on.
    pub fn release(&mut self, plan: &mut Plan, utterance: UtteranceId) {
        let Some(line) = self.lines.get_mut(&utterance).filter(|line| !line.is_over) else { return };
        if std::mem::take(&mut line.is_held) && !line.segments.is_empty() {
            line.begin(plan, utterance);
        }
    }

    /// Plays a phrase of the cache now, or a waiting sound; or something that has no words.
    pub fn interlude(&mut self, plan: &mut Plan, utterance: UtteranceId, text: &str) {
        let is_cold = !text.is_empty() && plan.strikes(Trouble::PhrasesCold);
        let mut line = Line::draw(plan);
        line.fails_at = None;
        line.is_interlude = true;
        line.has_end = true;
        let text = if is_cold { "" } else { text };
        let (words, end_ms) = if is_cold { (Vec::new(), plan.ms(400, 900)) } else { line.lay_out(plan, text, 0) };
        let event = if is_cold {
            SynthesisInput::Wordless { end_ms }
        } else {
            let starts = words.iter().map(|word| (word.from as u32, word.begin_ms)).collect();
            let words = if line.times == WordTimes::Never { Vec::new() } else { starts };
            SynthesisInput::SegmentDone { segment: 0, end_ms, words }
        };
        let there = plan.now + Millis(CACHE_MS);
        line.segments.push(Segment {
            text: text.to_owned(),
            words,
            start_ms: 0,
            end_ms,
            audio_from: there,
            audio_whole: there,
            words_told: 0,
            is_told: false,
        });
        plan.tell(0, Input::Synthesis { utterance, event });
        line.begin(plan, utterance);
        self.lines.insert(utterance, line);
        self.interludes.push_back(utterance);
    }

    /// Whether nothing of it may be heard yet.
    pub fn is_held(&self, utterance: UtteranceId) -> bool {
        self.lines.get(&utterance).is_some_and(|line| line.is_held)
    }

    /// Whether the ear hears the agent, and for how long at least it will.
    pub fn audible_ms(&self) -> Option<u64> {
        let audible = self.lines.values().rfind(|line| !line.is_over && !line.is_held && line.played_ms > 0)?;
        Some(audible.segments.last().map_or(0, |last| last.end_ms).saturating_sub(audible.played_ms))
    }

    /// The words of what is audible now, as far as they were heard.
    pub fn audible_words(&self) -> String {
        let line = self.lines.values().rfind(|line| !line.is_over && !line.is_held && line.played_ms > 0);
        line.map_or_else(String::new, |line| line.heard(line.played_ms, false).join(" "))
    }

    /// The words of what is being said, heard or not.
    pub fn line_text(&self) -> String {
        let line = self.lines.values().rfind(|line| !line.is_over && !line.is_held && !line.is_interlude);
        line.map_or_else(String::new, |line| {
            line.segments.iter().map(|segment| segment.text.as_str()).collect::<Vec<_>>().join(" ")
        })
    }

    /// No more segments follow.
    pub fn end(&mut self, utterance: UtteranceId) {
        if let Some(line) = self.lines.get_mut(&utterance) {
            line.has_end = true;
        }
    }

    /// The ear hears nothing more of it.
    pub fn stop(&mut self, plan: &mut Plan, utterance: UtteranceId) {
        let Some(line) = self.lines.get_mut(&utterance) else { return };
        if !line.is_over && !line.is_held && plan.strikes(Trouble::MarksAfterStop) {
            let played_ms = line.played_ms + 20;
            let ms = plan.ms(5, 400);
            plan.tell(ms, Input::Playout { utterance, played_ms, finished: false });
        }
        line.is_over = true;
        line.is_stopped = true;
        self.interludes.retain(|interlude| *interlude != utterance);
    }

    /// The audio path or the process is gone: nothing is heard any more.
    pub fn cut(&mut self, is_process_gone: bool) {
        for line in self.lines.values_mut() {
            line.is_over = true;
            line.is_written |= is_process_gone;
        }
        self.interludes.clear();
    }

    /// Time passes for the ear.
    pub fn tick(&mut self, plan: &mut Plan, utterance: UtteranceId) {
        let now = plan.now;
        let waits = self.interludes.front().is_some_and(|front| *front != utterance);
        let Some(line) = self.lines.get_mut(&utterance).filter(|line| !line.is_over && !line.is_held) else { return };
        if waits {
            line.last_tick = now;
            line.is_dry = true;
            plan.after(DRY_MS, Event::Tick(utterance));
            return;
        }
        let began = line.last_tick;
        let passed_ms = now.since(line.last_tick).0;
        line.last_tick = now;
        let mut until = line.available_ms(now).min(line.played_ms + passed_ms);
        if let Some(stall) = line.stalls_at_ms {
            until = until.min(stall.max(line.played_ms));
        }
        let moved_ms = until.saturating_sub(line.played_ms);
        let moved = moved_ms > 0;
        line.played_ms = line.played_ms.max(until);
        let from = if std::mem::replace(&mut line.is_dry, !moved) { now - Millis(moved_ms) } else { began };
        let total_ms = line.segments.last().map_or(0, |segment| segment.end_ms);
        let is_whole =
            line.segments.last().is_some_and(|segment| segment.audio_whole <= now) && line.fails_at.is_none();
        let finished = line.has_end && is_whole && line.played_ms >= total_ms;
        if moved {
            self.sounded_at = now;
            self.spans.push((utterance, from, from + Millis(moved_ms)));
        }
        if finished {
            line.is_over = true;
            if line.is_interlude {
                self.interludes.retain(|interlude| *interlude != utterance);
            } else {
                self.just_heard = line.segments.last().map(|segment| segment.text.clone());
            }
        } else {
            plan.after(if moved { line.tick_ms } else { DRY_MS }, Event::Tick(utterance));
        }
        if moved || finished {
            plan.tell(line.mark_ms, Input::Playout { utterance, played_ms: line.played_ms, finished });
        }
    }

    /// The machine is told something about an utterance. Call before it is.
    pub fn told(&mut self, input: &Input) {
        match input {
            Input::Playout { utterance, played_ms, finished } => {
                if let Some(line) = self.lines.get_mut(utterance).filter(|line| !line.is_written && !line.is_stopped) {
                    line.told_ms = line.told_ms.max((*played_ms).min(line.played_ms));
                    line.told_finished |= *finished;
                }
            }
            Input::Synthesis { utterance, event } => {
                let Some(line) = self.lines.get_mut(utterance) else { return };
                match event {
                    SynthesisInput::SegmentDone { segment, .. } => {
                        line.segments.get_mut(*segment as usize).into_iter().for_each(|segment| segment.is_told = true);
                    }
                    SynthesisInput::Words { segment, words } => {
                        let segment = line.segments.get_mut(*segment as usize);
                        segment.into_iter().for_each(|segment| segment.words_told += words.len());
                    }
                    SynthesisInput::FirstAudio
                    | SynthesisInput::Wordless { .. }
                    | SynthesisInput::CutOff { .. }
                    | SynthesisInput::Failed { .. } => {}
                }
            }
            _ => {}
        }
    }

    /// The journal claims that this was heard: it must be what the ear heard, word for word.
    pub fn written(&mut self, utterance: UtteranceId, heard: &str) -> Option<String> {
        let line = self.lines.get_mut(&utterance)?;
        line.is_written = true;
        let really: Vec<&str> = line.heard(line.played_ms, false);
        let claimed: Vec<&str> = heard.split_whitespace().collect();
        if !really.starts_with(&claimed) {
            return Some(format!("utterance {utterance}: claimed {heard:?}, the ear heard {:?}", really.join(" ")));
        }
        let reported = line.heard(line.told_ms, true);
        (claimed.len() < reported.len()).then(|| {
            format!("utterance {utterance}: claimed {heard:?}, reported as heard was {:?}", reported.join(" "))
        })
    }

    /// Utterances that were reported as heard and never written down.
    pub fn unwritten(&self) -> Option<UtteranceId> {
        self.lines
            .iter()
            .find(|(_, line)| {
                let is_listening_sound = line.is_interlude
                    && line.segments.iter().all(|segment| self.listening_sounds.contains(&segment.text));
                !line.is_written && !is_listening_sound && !line.heard(line.told_ms, true).is_empty()
            })
            .map(|(id, _)| *id)
    }

    /// The words of an utterance so far, for the caller who answers them.
    pub fn present_words(&self) -> String {
        let line = self.lines.values().rfind(|line| !line.is_interlude && line.played_ms > 0);
        line.map_or_else(String::new, |line| line.heard(line.played_ms, false).join(" "))
    }
}

impl Line {
    fn draw(plan: &mut Plan) -> Self {
        let times = *plan.chance.one_of(&[WordTimes::Never, WordTimes::AtTheEnd, WordTimes::AsTheyCome]);
        let fails_at = if plan.strikes(Trouble::VoiceFails) {
            Some((plan.chance.below(2) as usize, false))
        } else if plan.strikes(Trouble::VoiceSilent) {
            Some((plan.chance.below(2) as usize, true))
        } else {
            None
        };
        let stalls = plan.strikes(Trouble::PlayoutStalls);
        let stalls_at_ms = if stalls { Some(plan.ms(0, 2_000)) } else { None };
        let mark_ms = if plan.strikes(Trouble::MarksLate) { plan.ms(100, 900) } else { plan.ms(0, 40) };
        Self {
            segments: Vec::new(),
            times,
            ms_per_char: plan.ms(45, 75),
            fails_at,
            stalls_at_ms,
            has_end: false,
            tick_ms: plan.ms(60, 120),
            last_tick: plan.now,
            mark_ms,
            played_ms: 0,
            told_ms: 0,
            told_finished: false,
            is_over: false,
            is_stopped: false,
            is_written: false,
            is_held: false,
            is_interlude: false,
            is_dry: true,
        }
    }

    /// Playout begins once the first audio is there.
    fn begin(&mut self, plan: &mut Plan, utterance: UtteranceId) {
        let audio_from = self.segments.first().map_or(plan.now, |first| first.audio_from).max(plan.now);
        self.last_tick = audio_from;
        let wait_ms = audio_from.since(plan.now).0 + plan.ms(20, 60);
        plan.after(wait_ms, Event::Tick(utterance));
    }

    /// When each word of a text begins and ends. Without word times people speak evenly, as far as anybody can tell.
    fn lay_out(&self, plan: &mut Plan, text: &str, start_ms: u64) -> (Vec<Word>, u64) {
        let chars = text.chars().count() as u64;
        let end_ms = start_ms + (chars * self.ms_per_char).max(60);
        let total_ms = end_ms - start_ms;
        let mut words: Vec<Word> = Vec::new();
        let mut at = 0;
        for word in text.split_inclusive(char::is_whitespace) {
            let trimmed = word.trim_end();
            if !trimmed.is_empty() {
                let before = text[..at].chars().count() as u64;
                let behind = before + trimmed.chars().count() as u64;
                let begin_ms = start_ms + before * total_ms / chars;
                let silent_ms = start_ms + (behind * total_ms).div_ceil(chars);
                words.push(Word { from: at, to: at + trimmed.len(), begin_ms, silent_ms, end_ms: silent_ms });
            }
            at += word.len();
        }
        if self.times != WordTimes::Never {
            for i in 1..words.len() {
                words[i].begin_ms -= plan.ms(0, 30).min(words[i].begin_ms.saturating_sub(words[i - 1].silent_ms));
                words[i - 1].end_ms = words[i].begin_ms;
            }
        }
        if let Some(last) = words.last_mut() {
            last.end_ms = end_ms;
        }
        (words, end_ms)
    }

    fn tell_synthesis(&self, plan: &mut Plan, utterance: UtteranceId, index: u32) {
        let Some(segment) = self.segments.last() else { return };
        let from_ms = segment.audio_from.since(plan.now).0;
        let whole_ms = segment.audio_whole.since(plan.now).0;
        if let Some((at, is_silent)) = self.fails_at.filter(|(at, _)| index as usize >= *at) {
            if !is_silent && index as usize == at {
                let class = *plan.chance.one_of(&[ErrorClass::Unavailable, ErrorClass::Timeout, ErrorClass::Auth]);
                plan.tell(from_ms, Input::Synthesis { utterance, event: SynthesisInput::Failed { class } });
            }
            return;
        }
        if index == 0 {
            plan.tell(from_ms, Input::Synthesis { utterance, event: SynthesisInput::FirstAudio });
        }
        let words: Vec<(u32, u64)> = segment.words.iter().map(|word| (word.from as u32, word.begin_ms)).collect();
        if self.times == WordTimes::AsTheyCome {
            let half = words.len() / 2;
            let spans = [(from_ms, &words[..half]), ((from_ms + whole_ms) / 2, &words[half..])];
            for (ms, words) in spans.into_iter().filter(|(_, words)| !words.is_empty()) {
                let event = SynthesisInput::Words { segment: index, words: words.to_vec() };
                plan.tell(ms, Input::Synthesis { utterance, event });
            }
        }
        let words = if self.times == WordTimes::AtTheEnd { words } else { Vec::new() };
        let event = SynthesisInput::SegmentDone { segment: index, end_ms: segment.end_ms, words };
        plan.tell(whole_ms, Input::Synthesis { utterance, event });
    }

    /// How much audio there is by now.
    fn available_ms(&self, now: CallTime) -> u64 {
        let mut until = 0;
        for (index, segment) in self.segments.iter().enumerate() {
            if self.fails_at.is_some_and(|(at, _)| index >= at) || now < segment.audio_from {
                break;
            }
            if now >= segment.audio_whole {
                until = segment.end_ms;
                continue;
            }
            // Audio and word times of a part come together: in the first half none of the second half is there.
            let (length, took) = (segment.end_ms - segment.start_ms, segment.audio_whole.since(segment.audio_from).0);
            let there = length * now.since(segment.audio_from).0 / took.max(1);
            let half = segment.words.get(segment.words.len() / 2).map_or(segment.start_ms, |word| word.begin_ms);
            let is_second = there * 2 > length;
            until =
                (segment.start_ms + there.min(AUDIO_OUT_BUFFER_MS_MAX)).min(if is_second { u64::MAX } else { half });
            break;
        }
        until
    }

    /// The words whose end was played after `played_ms`. With `is_known` only those whose end the machine can know.
    fn heard(&self, played_ms: u64, is_known: bool) -> Vec<&str> {
        let mut heard = Vec::new();
        for segment in &self.segments {
            for (index, word) in segment.words.iter().enumerate() {
                let is_told = segment.is_told || index + 1 < segment.words_told;
                let end_ms = if is_known { word.end_ms } else { word.silent_ms };
                if played_ms == 0 || end_ms > played_ms || (is_known && !is_told) {
                    return heard;
                }
                heard.push(&segment.text[word.from..word.to]);
            }
        }
        heard
    }
}
