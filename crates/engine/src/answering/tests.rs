use super::*;
use std::collections::BTreeMap;
use std::fmt::Write;

/// How fast people and machines speak in the written openings.
const MS_PER_CHAR: u64 = 62;
/// Between two sentences that are written without a pause.
const SENTENCE_PAUSE_MS: u64 = 250;
/// How late a recogniser gives a word, how late a detector tells speech and silence.
const WORD_LATE_MS: u64 = 400;
const STARTED_LATE_MS: u64 = 80;
const SILENCE_MS: u64 = 200;

/// What happens at one moment of a written opening.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    Started,
    Stopped,
    Partial(String),
    Final(String),
    Tone(LineTone),
}

/// One opening of the test set.
struct Opening {
    id: String,
    party: Party,
    events: Vec<(u64, Event)>,
    /// When speech ends, run by run.
    runs: Vec<(u64, u64)>,
}

fn tone_named(name: &str) -> LineTone {
    use LineTone::{Beep, CallProgress, FaxAnswering, FaxCalling, SpecialInformation};
    let all = [Beep, FaxCalling, FaxAnswering, SpecialInformation, CallProgress];
    all.into_iter().find(|tone| tone.name() == name).unwrap_or_else(|| panic!("no tone {name}"))
}

fn millis(text: &str) -> u64 {
    (text.parse::<f64>().unwrap_or_else(|_| panic!("{text} is no time")) * 1_000.0).round() as u64
}

impl Opening {
    /// Reads `id party what-is-heard`, tab-separated. What is heard: `0.4 words | +0.5 words after a pause | ~2 sound without
    /// words | +0.8 [beep]`.
    fn read(line: &str) -> Self {
        let fields: Vec<&str> = line.split('\t').collect();
        let [id, party, heard] = fields[..] else { panic!("three fields: {line}") };
        let party = serde_json::from_value(party.into()).unwrap_or_else(|_| panic!("no party {party}"));
        let mut opening = Self { id: id.to_owned(), party, events: Vec::new(), runs: Vec::new() };
        let (mut at, mut words): (u64, Vec<(u64, usize, String)>) = (0, Vec::new());
        for (item, part) in heard.split('|').map(str::trim).enumerate() {
            let (time, what) = part.split_once(' ').unwrap_or((part, ""));
            if let Some(secs) = time.strip_prefix('~') {
                opening.runs.push((at, at + millis(secs)));
                at += millis(secs);
                continue;
            }
            at = time.strip_prefix('+').map_or_else(|| millis(time), |gap| at + millis(gap));
            if let Some(tone) = what.strip_prefix('[').and_then(|what| what.strip_suffix(']')) {
                opening.events.push((at, Event::Tone(tone_named(tone))));
                continue;
            }
            let (from, mut spoken) = (at, 0);
            let mut begun = from;
            let mut rest = what.split_whitespace().peekable();
            while let Some(word) = rest.next() {
                spoken += (word.chars().count() as u64 + 1) * MS_PER_CHAR;
                words.push((from + spoken, item, word.to_owned()));
                if word.ends_with(['.', '?', '!', '।']) && rest.peek().is_some() {
                    opening.runs.push((begun, from + spoken));
                    spoken += SENTENCE_PAUSE_MS;
                    begun = from + spoken;
                }
            }
            at = (from + spoken).max(begun + 250);
            opening.runs.push((begun, at));
        }
        opening.join_runs();
        opening.recognise(&words);
        opening.events.sort_by_key(|(at, _)| *at);
        opening
    }

    /// A detector does not see the shortest pauses.
    fn join_runs(&mut self) {
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for &(from, to) in &self.runs {
            match joined.last_mut().filter(|last| from <= last.1 + SILENCE_MS) {
                Some(last) => last.1 = to,
                None => joined.push((from, to)),
            }
        }
        for &(from, to) in &joined {
            self.events.push((from + STARTED_LATE_MS, Event::Started));
            self.events.push((to + SILENCE_MS, Event::Stopped));
        }
        self.runs = joined;
    }

    fn recognise(&mut self, words: &[(u64, usize, String)]) {
        for &(from, to) in &self.runs {
            let mut so_far = String::new();
            for (at, _, word) in words.iter().filter(|(at, ..)| (from..=to).contains(at)) {
                if !so_far.is_empty() {
                    so_far.push(' ');
                }
                so_far.push_str(word);
                if at + WORD_LATE_MS < to + SILENCE_MS + 150 {
                    self.events.push((at + WORD_LATE_MS, Event::Partial(so_far.clone())));
                }
            }
            self.events.push((to + SILENCE_MS + 150, Event::Final(so_far)));
        }
    }

    /// What was decided, when, and when a person would be greeted.
    fn run(&self) -> Outcome {
        let mut answering = Answering::new(CallTime(0));
        let mut outcome = Outcome::default();
        let mut events = self.events.iter().peekable();
        let end_ms = self.events.last().map_or(0, |(at, _)| *at) + 3_000;
        loop {
            let event_at = events.peek().map(|(at, _)| *at);
            let look_at = answering.next_deadline().map(|(at, _)| at.0);
            let Some(at) = event_at.into_iter().chain(look_at).min().filter(|at| *at <= end_ms) else { break };
            if event_at == Some(at) {
                let (_, event) = events.next().unwrap();
                answering.hear(
                    CallTime(at),
                    match event {
                        Event::Started => Heard::SpeechStarted,
                        Event::Stopped => Heard::SpeechStopped { silence_ms: SILENCE_MS },
                        Event::Partial(text) => Heard::Partial(text),
                        Event::Final(text) => Heard::Final(text),
                        Event::Tone(tone) => Heard::Tone(*tone),
                    },
                );
            } else {
                answering.handle_timeout(CallTime(at));
            }
            match answering.poll() {
                Some(Finding::Answered(decision)) => outcome.decided.push((at, decision)),
                Some(Finding::NobodySpeaks) => outcome.greeted_silence_at = Some(at),
                None => {}
            }
            let is_person = answering.decision().is_some_and(|decision| decision.party == Party::Human);
            if is_person && answering.waits_at().is_some_and(|waits| waits.0 <= at) {
                outcome.greeted_at.get_or_insert(at);
            }
        }
        outcome
    }

    fn ends_at(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.1)
    }
}

#[derive(Debug, Default)]
struct Outcome {
    decided: Vec<(u64, Decision)>,
    greeted_silence_at: Option<u64>,
    /// When the one who spoke had paused long enough after a person was found.
    greeted_at: Option<u64>,
}

impl Outcome {
    fn greets_at(&self) -> Option<u64> {
        self.greeted_silence_at.or(self.greeted_at)
    }
}

fn openings(text: &str) -> Vec<Opening> {
    text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).map(Opening::read).collect()
}

const FILES: [(&str, &str); 4] = [
    ("english", include_str!("../../../../fixtures/answering/english.tsv")),
    ("german", include_str!("../../../../fixtures/answering/german.tsv")),
    ("hindi", include_str!("../../../../fixtures/answering/hindi.tsv")),
    ("held out", include_str!("../../../../fixtures/answering/held_out.tsv")),
];

/// Silence after which something is done about a party; `None` at once.
fn acts_after_silence_ms(decision: &Decision) -> Option<u64> {
    match decision.party {
        Party::Announcement | Party::Fax => None,
        Party::Menu => Some(400),
        _ => Some(1_200),
    }
}

impl Opening {
    /// Whether a person is still with us when something is done that only suits a machine.
    fn loses_a_person(&self, outcome: &Outcome) -> bool {
        outcome.decided.iter().enumerate().any(|(n, (at, decision))| {
            if matches!(decision.party, Party::Human | Party::Screening | Party::Silence) || !decision.is_sure {
                return false;
            }
            let Some(silence_ms) = acts_after_silence_ms(decision) else { return true };
            let corrected_at = outcome.decided.get(n + 1).map_or(u64::MAX, |(at, _)| *at);
            // It acts in the first pause that is long enough.
            let pauses = self.runs.iter().zip(self.runs[1..].iter().map(|run| run.0).chain([u64::MAX]));
            pauses
                .filter(|((_, to), next)| next.saturating_sub(*to) >= silence_ms)
                .any(|((_, to), _)| (to + silence_ms).max(*at) < corrected_at)
        })
    }
}

#[derive(Default)]
struct Row {
    openings: u32,
    first: u32,
    first_kind: u32,
    settled: u32,
    longest_ms: u64,
}

impl Row {
    fn add(&mut self, party: Party, outcome: &Outcome) {
        let first = outcome.decided.first().map(|(_, decision)| decision);
        self.openings += 1;
        self.first += u32::from(first.is_some_and(|first| first.party == party));
        let is_kind = |first: &Decision| (first.party == Party::Human) == (party == Party::Human);
        self.first_kind += u32::from(first.is_some_and(is_kind));
        self.settled += u32::from(outcome.decided.last().is_some_and(|(_, settled)| settled.party == party));
        self.longest_ms = self.longest_ms.max(first.map_or(u64::MAX, |first| first.after_ms));
    }

    fn sum(&mut self, other: &Self) {
        self.openings += other.openings;
        self.first += other.first;
        self.first_kind += other.first_kind;
        self.settled += other.settled;
        self.longest_ms = self.longest_ms.max(other.longest_ms);
    }

    fn line(&self, name: &str) -> String {
        let Self { openings, first, first_kind, settled, longest_ms } = self;
        format!("{name:24} {openings:8} {first_kind:14} {first:12} {settled:14} {longest_ms:12}")
    }
}

#[test]
fn openings_are_told_apart_within_three_seconds_of_speech() {
    let mut table: BTreeMap<String, Row> = BTreeMap::new();
    let (mut wrong, mut lost, mut slow) = (String::new(), String::new(), String::new());
    for (language, file) in FILES {
        for opening in openings(file) {
            let outcome = opening.run();
            table.entry(format!("{} {language}", opening.party.name())).or_default().add(opening.party, &outcome);
            let seen: Vec<String> = outcome
                .decided
                .iter()
                .map(|(at, d)| format!("{} ({}) at {at} after {}", d.party.name(), d.reason.name(), d.after_ms))
                .collect();
            let seen = format!("  {}: {}\n", opening.id, seen.join(", then "));
            let is_right = |seen: Option<&(u64, Decision)>| seen.is_some_and(|(_, seen)| seen.party == opening.party);
            if !is_right(outcome.decided.first()) || !is_right(outcome.decided.last()) {
                wrong.push_str(&seen);
            }
            if opening.party == Party::Human {
                let is_waiting = outcome.greets_at().is_none_or(|at| at > opening.ends_at() + 1_000);
                let said_one_thing = opening.runs.len() == 1;
                if opening.loses_a_person(&outcome) {
                    lost.push_str(&seen);
                } else if is_waiting && said_one_thing {
                    let _ = write!(
                        slow,
                        "greeted at {:?}, speech ended at {} {seen}",
                        outcome.greets_at(),
                        opening.ends_at()
                    );
                }
            }
        }
    }
    println!("{:24} openings  person/machine  right party  before acting  longest (ms)", "");
    let mut all = Row::default();
    for (name, row) in &table {
        println!("{}", row.line(name));
        all.sum(row);
    }
    println!("{}\nnot the right party at first:\n{wrong}", all.line("all"));
    assert!(lost.is_empty(), "people were taken for machines:\n{lost}");
    assert!(slow.is_empty(), "people waited for more than a second:\n{slow}");
    assert!(all.openings >= 60, "{} openings", all.openings);
    assert!(all.longest_ms <= 3_000, "{} ms", all.longest_ms);
    let share = |count: u32| f64::from(count) / f64::from(all.openings);
    assert!(share(all.first) >= 0.9, "the party at first:\n{wrong}");
    assert!(share(all.first_kind) >= 0.95, "a person or not:\n{wrong}");
    assert!(share(all.settled) >= 0.95, "the party before acting:\n{wrong}");
    for (name, row) in &table {
        assert!(row.settled + 1 >= row.openings, "{name}: {} of {}", row.settled, row.openings);
    }
}

fn said(events: &[(u64, Heard<'_>)]) -> Answering {
    let mut answering = Answering::new(CallTime(0));
    for (at, heard) in events {
        while let Some((by, _)) = answering.next_deadline().filter(|(by, _)| by.0 < *at) {
            answering.handle_timeout(by);
        }
        answering.hear(CallTime(*at), *heard);
    }
    answering
}

fn party(answering: &Answering) -> Option<Party> {
    answering.decision().map(|decision| decision.party)
}

#[test]
fn nobody_speaks_and_then_nobody_is_there() {
    let mut answering = Answering::new(CallTime(500));
    let (at, _) = answering.next_deadline().unwrap();
    assert_eq!(at, CallTime(2_500));
    answering.handle_timeout(at);
    assert_eq!(answering.poll(), Some(Finding::NobodySpeaks));
    assert_eq!(answering.next_deadline(), None);
    answering.nobody_is_there(CallTime(9_000));
    assert!(matches!(answering.poll(), Some(Finding::Answered(found)) if found.party == Party::Silence));
    answering.hear(CallTime(9_500), Heard::SpeechStarted);
    answering.hear(CallTime(10_100), Heard::SpeechStopped { silence_ms: 200 });
    answering.hear(CallTime(10_200), Heard::Final("Hello?"));
    answering.handle_timeout(CallTime(11_000));
    assert_eq!(party(&answering), Some(Party::Human));
}

#[test]
fn after_an_introduction_a_person_is_told_from_the_assistant_and_its_music() {
    let mut answering = said(&[(400, Heard::SpeechStarted), (1_500, Heard::Partial("Please say your name and why"))]);
    assert_eq!(party(&answering), Some(Party::Screening));
    answering.hear(CallTime(3_000), Heard::SpeechStopped { silence_ms: 200 });
    answering.listen_again(CallTime(3_400));
    // The recogniser is late with what was said before.
    answering.hear(CallTime(3_500), Heard::Final("Please say your name and why."));
    assert_eq!(party(&answering), None);
    answering.hear(CallTime(6_000), Heard::SpeechStarted);
    answering.hear(CallTime(7_700), Heard::SpeechStopped { silence_ms: 200 });
    answering.hear(CallTime(7_800), Heard::Final("Thanks, please stay on the line."));
    answering.handle_timeout(CallTime(9_500));
    assert_eq!(party(&answering), None, "asked to wait");
    answering.hear(CallTime(10_000), Heard::SpeechStarted);
    answering.handle_timeout(CallTime(14_000));
    assert_eq!(party(&answering), None, "music");
    answering.hear(CallTime(16_000), Heard::SpeechStopped { silence_ms: 200 });
    answering.hear(CallTime(17_000), Heard::SpeechStarted);
    answering.hear(CallTime(17_700), Heard::SpeechStopped { silence_ms: 200 });
    answering.hear(CallTime(17_800), Heard::Final("Hello, Tom here."));
    answering.handle_timeout(CallTime(18_500));
    assert_eq!(party(&answering), Some(Party::Human));
}

#[test]
fn a_click_is_nobody() {
    let mut answering = said(&[(300, Heard::SpeechStarted), (600, Heard::SpeechStopped { silence_ms: 200 })]);
    answering.handle_timeout(CallTime(1_700));
    assert_eq!(party(&answering), None);
    assert_eq!(answering.next_deadline().map(|(at, _)| at), Some(CallTime(2_000)));
}

#[test]
fn ringing_inside_the_audio_is_nobody() {
    let ring = [(300, Heard::SpeechStarted), (1_100, Heard::Tone(LineTone::CallProgress))];
    let mut answering = said(&ring);
    answering.hear(CallTime(2_400), Heard::SpeechStopped { silence_ms: 200 });
    assert_eq!(party(&answering), None);
    assert_eq!(answering.next_deadline().map(|(at, _)| at), Some(CallTime(3_100)));
}

#[test]
fn a_beep_makes_a_voicemail_of_a_person_but_not_of_a_menu() {
    let hello = [(300, Heard::SpeechStarted), (1_200, Heard::SpeechStopped { silence_ms: 200 })];
    let mut answering = said(&hello);
    answering.handle_timeout(CallTime(1_800));
    assert_eq!(party(&answering), Some(Party::Human));
    answering.hear(CallTime(2_600), Heard::Tone(LineTone::Beep));
    assert_eq!(party(&answering), Some(Party::Voicemail));
    let mut answering = said(&[(300, Heard::SpeechStarted), (1_500, Heard::Partial("for sales press one"))]);
    answering.hear(CallTime(2_000), Heard::Tone(LineTone::Beep));
    assert_eq!(party(&answering), Some(Party::Menu));
}
