//! What a call was like, from what was said and heard alone.

use super::agent_voice::{self, AgentVoice, Code, HeardWord, words};
use super::audio::SAMPLES_PER_MS;
use super::caller::{CallLog, FRAME_MS, PATIENCE_MS, Role, Uttered, is_voiced};
use super::script::EventKind;
use serde::Serialize;

/// Pauses between words and sentences are shorter.
const STOPPED_MS: u64 = 300;
/// Quiet that separates two stretches of agent speech.
const SPLIT_MS: u64 = 200;
/// Nobody notices less.
const OVERLAP_MS: u64 = 100;
/// Longest acceptable gap in an answer that goes on.
const GAP_MS_MAX: u64 = 1_000;
/// An interruption is to be obeyed within this.
pub const YIELD_MS_MAX: u64 = 500;
/// Silence that shows that an answer was cut; sentences are nearer to each other.
const CUT_MS_MIN: u64 = 300;
/// Words by which an answer is recognised.
const ANSWER_WORDS: usize = 3;

/// One turn of the caller.
#[derive(Clone, Debug, Serialize)]
pub struct Turn {
    pub call: usize,
    pub category: String,
    pub text: String,
    pub at_ms: u64,
    pub to_ms: u64,
    pub line: String,
    /// From the end of the turn to the first sound of the agent, fillers included.
    pub first_sound_ms: Option<u64>,
    /// From the end of the turn to the first word of the answer.
    pub answer_ms: Option<u64>,
    pub answered: bool,
    /// The agent began to speak while the turn was going on; how far into it.
    pub interrupted_at_ms: Option<u64>,
    /// For an interruption: from its onset to the agent's silence.
    pub yield_ms: Option<u64>,
    pub dead_air_ms: u64,
    pub note: String,
}

/// One sound that should not disturb the agent.
#[derive(Clone, Debug, Serialize)]
pub struct Disturbance {
    pub call: usize,
    pub kind: String,
    pub text: String,
    pub at_ms: u64,
    pub line: String,
    pub went_on: bool,
    pub gap_ms: u64,
    /// The agent stopped; whether every word of the answer came all the same.
    pub resumed: Option<bool>,
    pub note: String,
}

/// What the model was told that was heard.
#[derive(Clone, Debug, Default, Serialize)]
pub struct HeardText {
    pub messages: usize,
    pub exact: usize,
    pub cut: usize,
    pub cut_exact: usize,
    pub notes: Vec<String>,
}

/// Everything about a call.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    pub turns: Vec<Turn>,
    pub disturbances: Vec<Disturbance>,
    pub heard_text: HeardText,
    pub skipped: Vec<String>,
    pub requests: usize,
    pub streams: usize,
    pub problem: Option<String>,
}

/// What there is to look at.
struct Line<'a> {
    log: &'a CallLog,
    voiced: Vec<bool>,
    /// Agent speech without pauses, in milliseconds.
    segments: Vec<(u64, u64)>,
    words: Vec<HeardWord>,
    fillers: &'a [Vec<Code>],
    voice: &'a AgentVoice,
}

pub fn judge(log: &CallLog, voice: &AgentVoice, fillers: &[String]) -> Verdict {
    let frame = FRAME_MS as usize * SAMPLES_PER_MS;
    let voiced: Vec<bool> = log.heard.chunks_exact(frame).map(is_voiced).collect();
    let fillers: Vec<Vec<Code>> = fillers.iter().map(|line| voice.codes(line)).collect();
    let segments = segments(&voiced);
    let line = Line { log, voiced, segments, words: voice.read(&log.heard), fillers: &fillers, voice };
    let mut verdict = Verdict {
        skipped: log.skipped.iter().map(|kind| kind.name().to_owned()).collect(),
        requests: log.requests,
        streams: log.streams,
        problem: log.problem.clone(),
        ..Verdict::default()
    };
    for (n, uttered) in log.uttered.iter().enumerate() {
        match uttered.role {
            Role::Turn | Role::Interruption => verdict.turns.push(line.turn(n, uttered)),
            Role::Event(kind) => verdict.disturbances.push(line.disturbance(n, uttered, kind)),
            Role::Again => {}
        }
    }
    verdict.heard_text = line.heard_text(voice);
    verdict
}

/// What was heard, stretch by stretch, for people: in the words of the known text that fits best.
pub fn heard_lines(log: &CallLog, voice: &AgentVoice, texts: &[&str]) -> Vec<(u64, String)> {
    let frame = FRAME_MS as usize * SAMPLES_PER_MS;
    let voiced: Vec<bool> = log.heard.chunks_exact(frame).map(is_voiced).collect();
    let heard = voice.read(&log.heard);
    let line = |(from, to): (u64, u64)| {
        let inside = heard.iter().filter(|word| word.from_ms + 40 >= from && word.from_ms < to);
        let said: Vec<Code> = inside.map(|word| word.code).collect();
        (from, format!("agent to {to}: {}", spelled(&said, texts, voice)))
    };
    segments(&voiced).into_iter().map(line).collect()
}

fn spelled(said: &[Code], texts: &[&str], voice: &AgentVoice) -> String {
    let mut best: Vec<String> = vec!["?".to_owned(); said.len()];
    let mut best_length = 0;
    for text in texts {
        let words = words(text);
        for from in 0..words.len() {
            let fits = words[from..].iter().zip(said).take_while(|(word, heard)| voice.code(word) == **heard).count();
            if fits > best_length {
                best_length = fits;
                best = words[from..from + fits].to_vec();
            }
        }
    }
    let rest = &said[best_length.min(said.len())..];
    if best_length > 0 && !rest.is_empty() {
        best.push(spelled(rest, texts, voice));
    }
    best.join(" ")
}

fn segments(voiced: &[bool]) -> Vec<(u64, u64)> {
    let mut found: Vec<(u64, u64)> = Vec::new();
    for (n, _) in voiced.iter().enumerate().filter(|(_, voiced)| **voiced) {
        let (from, to) = (n as u64 * FRAME_MS, (n as u64 + 1) * FRAME_MS);
        match found.last_mut() {
            Some(last) if from < last.1 + SPLIT_MS => last.1 = to,
            _ => found.push((from, to)),
        }
    }
    found
}

impl Line<'_> {
    fn about(&self) -> String {
        let plan = &self.log.plan;
        format!("{} {} dB, voice {}", plan.background, plan.snr_db, plan.voice)
    }

    /// When the caller's side made the next sound that counts, or the call ended.
    fn next_after(&self, n: usize, disturbances: bool) -> u64 {
        let counts = |uttered: &&Uttered| disturbances || !matches!(uttered.role, Role::Event(_));
        let next = self.log.uttered.iter().skip(n + 1).find(counts);
        next.map_or(self.voiced.len() as u64 * FRAME_MS, |uttered| uttered.from_ms)
    }

    /// Where these words begin among those heard in a span: the first place where any stretch of the answer's beginning,
    /// middle or end is heard.
    fn find_answer(&self, answer: &[Code], from_ms: u64, to_ms: u64) -> Option<HeardWord> {
        let heard: Vec<HeardWord> =
            self.words.iter().copied().filter(|word| word.to_ms > from_ms && word.from_ms < to_ms).collect();
        let wanted = ANSWER_WORDS.min(answer.len());
        if wanted == 0 {
            return None;
        }
        heard.windows(wanted).find_map(|window| {
            let window_codes: Vec<Code> = window.iter().map(|word| word.code).collect();
            answer.windows(wanted).any(|piece| piece == window_codes).then(|| window[0])
        })
    }

    fn turn(&self, n: usize, uttered: &Uttered) -> Turn {
        let (from, to) = (uttered.from_ms, uttered.to_ms);
        let until = self.next_after(n, false);
        let answer = self.voice.codes(&uttered.answer);
        let begins = |segment: &&(u64, u64)| segment.0 > from + OVERLAP_MS && segment.0 + OVERLAP_MS < to;
        let interrupted = self.segments.iter().find(begins).map(|segment| segment.0 - from);
        let over_the_end =
            self.segments.iter().any(|segment| segment.0 + OVERLAP_MS < to && segment.1 > to + OVERLAP_MS);
        let first = self
            .segments
            .iter()
            .find(|segment| segment.0 + OVERLAP_MS >= to && segment.0 < until)
            .map(|segment| segment.0);
        let answer_from = self.find_answer(&answer, to.saturating_sub(OVERLAP_MS), until);
        let answer_at = answer_from.map(|word| self.segment_start(word.from_ms).max(to.saturating_sub(OVERLAP_MS)));
        let answered = answer_at.is_some_and(|at| at <= to + PATIENCE_MS);
        let measured = !over_the_end;
        let yield_ms = (uttered.role == Role::Interruption).then(|| self.quiet_from(from) - from);
        let mut note = Vec::new();
        if !answered {
            note.push(match answer_at {
                Some(at) => format!("answered after {} ms", at - to),
                None => "never answered".to_owned(),
            });
        }
        if let Some(at) = interrupted {
            note.push(format!("agent spoke {at} ms into the turn{}", pause_at(uttered, from + at)));
        }
        if over_the_end {
            note.push("agent spoke over its end".to_owned());
        }
        if let Some(ms) = yield_ms.filter(|ms| *ms > YIELD_MS_MAX) {
            note.push(format!("agent went on for {ms} ms"));
        }
        if let (Some(first), Some(at)) = (first, answer_at)
            && at > first + 50
        {
            let filler = if self.is_filler(first, at) { "a filler" } else { "something else" };
            note.push(format!("{filler} at {} ms", first.saturating_sub(to)));
        }
        Turn {
            call: self.log.plan.number,
            category: uttered.category.clone(),
            text: uttered.text.clone(),
            at_ms: from,
            to_ms: to,
            line: self.about(),
            first_sound_ms: first.filter(|_| measured).map(|first| first.saturating_sub(to)),
            answer_ms: answer_at.filter(|_| measured).map(|at| at.saturating_sub(to)),
            answered,
            interrupted_at_ms: interrupted,
            yield_ms,
            dead_air_ms: self.dead_air(to, until, &answer),
            note: note.join("; "),
        }
    }

    /// The first sound of the stretch in which a word was heard, if nothing but silence is before it in the stretch.
    fn segment_start(&self, at_ms: u64) -> u64 {
        let segment = self.segments.iter().rev().find(|segment| segment.0 <= at_ms);
        let others = |from: u64| {
            self.words.iter().any(|word| word.from_ms >= from && word.to_ms <= at_ms && word.from_ms < at_ms)
        };
        match segment {
            Some(segment) if !others(segment.0) => segment.0,
            _ => at_ms,
        }
    }

    fn is_filler(&self, from_ms: u64, to_ms: u64) -> bool {
        let said: Vec<Code> = self
            .words
            .iter()
            .filter(|word| word.from_ms >= from_ms.saturating_sub(40) && word.from_ms + 40 < to_ms)
            .map(|word| word.code)
            .collect();
        self.fillers.iter().any(|filler| said.starts_with(filler))
    }

    /// When the agent was first quiet for a while after a moment.
    fn quiet_from(&self, from_ms: u64) -> u64 {
        let need = (STOPPED_MS / FRAME_MS) as usize;
        let first = (from_ms / FRAME_MS) as usize;
        let mut run = 0;
        for n in first..self.voiced.len() {
            run = if self.voiced[n] { 0 } else { run + 1 };
            if run == need {
                return ((n + 1 - need) as u64 * FRAME_MS).max(from_ms);
            }
        }
        self.voiced.len() as u64 * FRAME_MS
    }

    /// The longest silence from the end of a turn to the end of its answer.
    fn dead_air(&self, to: u64, until: u64, answer: &[Code]) -> u64 {
        let last_word = self
            .words
            .iter()
            .rev()
            .find(|word| word.from_ms >= to && word.from_ms < until && answer.contains(&word.code))
            .map_or(until, |word| word.to_ms);
        let mut quiet_since = to;
        let mut longest = 0;
        for segment in self.segments.iter().filter(|segment| segment.1 > to && segment.0 < last_word) {
            longest = longest.max(segment.0.saturating_sub(quiet_since));
            quiet_since = segment.1;
        }
        longest.max(last_word.saturating_sub(quiet_since.max(to)))
    }

    fn disturbance(&self, n: usize, uttered: &Uttered, kind: EventKind) -> Disturbance {
        let from = uttered.from_ms;
        let next_sound = self.next_after(n, true);
        let until = self.next_after(n, false);
        let answer = self.voice.codes(&uttered.answer);
        let tail: Vec<Code> = answer.iter().rev().take(ANSWER_WORDS).rev().copied().collect();
        let ends_at = self.find_answer(&tail, from, until).map(|word| word.to_ms);
        // Another disturbance follows: it is judged by what happened until then.
        let horizon = if next_sound < until { next_sound } else { ends_at.unwrap_or(until) };
        let gap_ms = self.longest_gap(from, horizon);
        let went_on = gap_ms < GAP_MS_MAX && (next_sound < until || ends_at.is_some());
        let stopped = gap_ms >= STOPPED_MS.max(400);
        let begin = self.log.uttered[..n]
            .iter()
            .rposition(|one| one.role == Role::Turn)
            .map_or(0, |at| self.log.uttered[at].to_ms);
        let heard: Vec<Code> = self
            .words
            .iter()
            .filter(|word| word.from_ms >= begin && word.from_ms < until)
            .map(|word| word.code)
            .collect();
        let resumed = stopped.then(|| is_within(&answer, &heard));
        let mut note = Vec::new();
        if !went_on {
            note.push(if ends_at.is_some() {
                format!("a gap of {gap_ms} ms")
            } else {
                "the answer did not come to its end".to_owned()
            });
        }
        if resumed == Some(false) {
            note.push("words were lost".to_owned());
        }
        Disturbance {
            call: self.log.plan.number,
            kind: kind.name().to_owned(),
            text: uttered.text.clone(),
            at_ms: from,
            line: self.about(),
            went_on,
            gap_ms,
            resumed,
            note: note.join("; "),
        }
    }

    fn longest_gap(&self, from: u64, to: u64) -> u64 {
        let frames = (from / FRAME_MS) as usize..((to / FRAME_MS) as usize).min(self.voiced.len());
        let (mut run, mut longest) = (0, 0);
        for n in frames {
            run = if self.voiced[n] { 0 } else { run + 1 };
            longest = longest.max(run);
        }
        longest * FRAME_MS
    }

    /// Compares what the model was told the agent had said with what was heard.
    fn heard_text(&self, voice: &AgentVoice) -> HeardText {
        let mut result = HeardText::default();
        let Some(messages) = self.log.messages.as_ref().and_then(|messages| messages.as_array()) else { return result };
        let said: Vec<Vec<String>> = messages
            .iter()
            .filter(|message| message["role"] == "assistant")
            .map(|message| words(message["content"].as_str().unwrap_or_default()))
            .filter(|words| !words.is_empty())
            .collect();
        let told: Vec<(usize, &String)> =
            said.iter().enumerate().flat_map(|(n, words)| words.iter().map(move |word| (n, word))).collect();
        let wrong = compare(&told, &self.words, voice, self.fillers);
        for (n, words) in said.iter().enumerate() {
            let full = self.log.uttered.iter().any(|uttered| agent_voice::words(&uttered.answer) == *words);
            let why: Vec<&str> = wrong.iter().filter(|(at, _)| *at == n).map(|(_, why)| why.as_str()).collect();
            result.messages += 1;
            result.cut += usize::from(!full && n > 0);
            if why.is_empty() {
                result.exact += 1;
                result.cut_exact += usize::from(!full && n > 0);
            } else {
                result.notes.push(format!("call {}: {:?}: {}", self.log.plan.number, words.join(" "), why.join(", ")));
            }
        }
        result
    }
}

fn pause_at(uttered: &Uttered, at_ms: u64) -> String {
    let pause = uttered.stretches.windows(2).find(|pair| at_ms >= pair[0].1 && at_ms < pair[1].0 + 200);
    pause.map_or(String::new(), |pair| format!(" (a pause of {} ms)", pair[1].0 - pair[0].1))
}

/// Whether all of `wanted` is in `heard`, in order.
fn is_within(wanted: &[Code], heard: &[Code]) -> bool {
    let mut heard = heard.iter();
    wanted.iter().all(|code| heard.any(|one| one == code))
}

/// Where what the model was told (words of numbered messages) and what was heard differ.
fn compare(
    told: &[(usize, &String)],
    heard: &[HeardWord],
    voice: &AgentVoice,
    fillers: &[Vec<Code>],
) -> Vec<(usize, String)> {
    let (rows, columns) = (told.len(), heard.len());
    if rows == 0 {
        return Vec::new();
    }
    // Cost of telling the rest from here; what was heard before the first and after the last message costs nothing.
    let mut cost = vec![vec![0_u32; columns + 1]; rows + 1];
    for row in (0..=rows).rev() {
        for column in (0..=columns).rev() {
            if row == rows {
                continue;
            }
            let skip_told = cost[row + 1][column] + 2;
            let skip_heard =
                if column < columns { cost[row][column + 1] + if row == 0 { 0 } else { 1 } } else { u32::MAX };
            let matches = column < columns && voice.code(told[row].1) == heard[column].code;
            let take = if matches { cost[row + 1][column + 1] } else { u32::MAX };
            cost[row][column] = skip_told.min(skip_heard).min(take);
        }
    }
    let (mut row, mut column) = (0, 0);
    let mut wrong = Vec::new();
    let mut extra: Vec<usize> = Vec::new();
    while row < rows {
        let here = cost[row][column];
        let matches = column < columns && voice.code(told[row].1) == heard[column].code;
        if matches && here == cost[row + 1][column + 1] {
            note_extra(&mut extra, told, row, heard, voice, fillers, &mut wrong);
            row += 1;
            column += 1;
        } else if column < columns && here == cost[row][column + 1] + if row == 0 { 0 } else { 1 } {
            if row > 0 {
                extra.push(column);
            }
            column += 1;
        } else {
            wrong.push((told[row].0, format!("{:?} was not heard", told[row].1)));
            row += 1;
        }
    }
    wrong
}

/// What was heard between two words the model was told, if that matters.
fn note_extra(
    extra: &mut Vec<usize>,
    told: &[(usize, &String)],
    row: usize,
    heard: &[HeardWord],
    voice: &AgentVoice,
    fillers: &[Vec<Code>],
    wrong: &mut Vec<(usize, String)>,
) {
    let extra = std::mem::take(extra);
    if extra.is_empty() || row == 0 {
        return;
    }
    let message = told[row - 1].0;
    let codes: Vec<Code> = extra.iter().map(|at| heard[*at].code).collect();
    if fillers.contains(&codes) {
        return;
    }
    // The word at which an answer was cut may count as heard or not: whether it was broken off, or over just before the cut.
    // Phone platforms tell how far they have played ten times a second.
    let partial = |at: usize| {
        let word = heard[at];
        let was_broken_off = word.to_ms - word.from_ms + 40 < voice.tone_ms_behind(told[row - 1].1, word.code);
        was_broken_off || heard.get(at + 1).is_none_or(|next| next.from_ms > word.to_ms + CUT_MS_MIN)
    };
    // A word that was broken off is said again when the answer goes on.
    let again = |at: usize| heard[at].code == voice.code(told[row - 1].1);
    // And when it is said again, the next word may be broken off in turn.
    let known = |(n, at): &(usize, usize)| match n {
        0 => partial(*at) || again(*at),
        1 => again(extra[0]) && partial(*at),
        _ => false,
    };
    let rest: Vec<usize> = extra.iter().copied().enumerate().filter(|one| !known(one)).map(|(_, at)| at).collect();
    if !rest.is_empty() && !fillers.contains(&rest.iter().map(|at| heard[*at].code).collect::<Vec<_>>()) {
        let at_ms = heard[rest[0]].from_ms;
        wrong.push((
            message,
            format!("{} words more were heard behind {:?} at {at_ms} ms", rest.len(), told[row - 1].1),
        ));
    }
}
