//! What a recorded call teaches: when somebody speaks, what was asked, and what was answered. Pure.
//!
//! What is found is proposed to people and nothing more. So it is better to leave a question out than to propose half of one:
//! what belongs to this caller alone, and what is only about the call itself, is left out.

use base::limits;
use std::ops::Range;
use store::heard::{Speaker, Utterance};

/// From this probability on a frame begins speech.
const BEGIN_FROM: f32 = 0.5;
/// Below this it may end it.
const END_BELOW: f32 = 0.35;
/// A pause within a sentence is shorter.
const PAUSE_MS: u32 = 480;
/// Shorter sounds are coughs and clicks.
const SPEECH_MS_MIN: u32 = 200;
/// Kept around speech, so that no sound of it is lost.
const MARGIN_MS: u32 = 200;
/// Where speech without a pause is cut, the quietest frame of this long a stretch is looked for.
const CUT_WITHIN_MS: u32 = 4_000;
/// The same person goes on after a pause that is shorter.
const SAME_TURN_MS: u32 = 1_500;
/// Somebody who speaks after so short a pause may still be the same one, where voices are not told apart.
const SAME_VOICE_MS: u32 = 700;
/// An answer that begins later answers something else.
const ANSWER_WITHIN_MS: u32 = 8_000;
const QUESTION_WORDS: Range<usize> = 3..40;
const ANSWER_WORDS_MIN: usize = 3;
const ANSWER_SENTENCES_MAX: usize = 6;

/// When somebody speaks, in milliseconds, by how probable speech is in each frame of so many milliseconds. No piece is longer
/// than [`limits::KNOWLEDGE_RECORDING_PIECE_MS_MAX`] and its margins.
pub fn speech(frames: &[f32], frame_ms: u32) -> Vec<Range<u32>> {
    let frame_ms = frame_ms.max(1);
    let (mut found, mut from, mut last) = (Vec::new(), None::<usize>, 0);
    let pause = (PAUSE_MS / frame_ms) as usize;
    for (at, &probability) in frames.iter().enumerate() {
        if probability >= BEGIN_FROM || (from.is_some() && probability >= END_BELOW) {
            from.get_or_insert(at);
            last = at;
        }
        if let Some(begun) = from
            && at - last > pause
        {
            found.push(begun..last + 1);
            from = None;
        }
    }
    found.extend(from.map(|begun| begun..last + 1));
    let end_ms = u32::try_from(frames.len()).unwrap_or(u32::MAX).saturating_mul(frame_ms);
    let ms = |at: usize| u32::try_from(at).unwrap_or(u32::MAX).saturating_mul(frame_ms);
    found
        .into_iter()
        .filter(|one| ms(one.len()) >= SPEECH_MS_MIN)
        .flat_map(|one| pieces(frames, one, frame_ms))
        .map(|one| ms(one.start).saturating_sub(MARGIN_MS)..(ms(one.end) + MARGIN_MS).min(end_ms))
        .collect()
}

/// Speech without a pause, cut where it is least like speech.
fn pieces(frames: &[f32], whole: Range<usize>, frame_ms: u32) -> Vec<Range<usize>> {
    let most = (limits::KNOWLEDGE_RECORDING_PIECE_MS_MAX / frame_ms) as usize;
    let within = (CUT_WITHIN_MS / frame_ms) as usize;
    let (mut found, mut from) = (Vec::new(), whole.start);
    while whole.end - from > most {
        let late = from + most;
        let quiet = (late - within..late).min_by(|a, b| frames[*a].total_cmp(&frames[*b])).unwrap_or(late);
        found.push(from..quiet);
        from = quiet;
    }
    found.push(from..whole.end);
    found
}

/// A question with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The question, without what leads to it.
    pub question: String,
    /// The answer, without what is only about the call.
    pub answer: String,
    /// Milliseconds of the recording at which it was asked.
    pub from_ms: u32,
}

/// Everything that one person said until another one did.
struct Turn {
    speaker: Speaker,
    from_ms: u32,
    to_ms: u32,
    sentences: Vec<String>,
}

/// Questions of callers with what they were answered, in order, at most [`limits::PROPOSALS_PER_CALL_MAX`].
pub fn exchanges(utterances: &[Utterance]) -> Vec<Exchange> {
    let turns = turns(utterances);
    let mut found: Vec<Exchange> = Vec::new();
    for (at, turn) in turns.iter().enumerate() {
        if found.len() == limits::PROPOSALS_PER_CALL_MAX {
            break;
        }
        if turn.speaker == Speaker::Agent {
            continue;
        }
        let Some((question, from_ms)) = question_of(turn) else { continue };
        let Some(answer) = answer_of(&turns[at + 1..], turn) else { continue };
        let plain = plain(&question);
        if !found.iter().any(|one| self::plain(&one.question) == plain) {
            found.push(Exchange { question, answer, from_ms });
        }
    }
    found
}

fn turns(utterances: &[Utterance]) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for one in utterances {
        let text = one.text.expose();
        // "Mhm" while the other one speaks takes no turn.
        if one.speaker != Speaker::Unknown && is_back_channel(text) {
            continue;
        }
        let pause = if one.speaker == Speaker::Unknown { SAME_VOICE_MS } else { u32::MAX };
        match turns.last_mut() {
            Some(last) if last.speaker == one.speaker && one.from_ms.saturating_sub(last.to_ms) < pause => {
                // A sentence that was cut by a pause goes on.
                let is_open = last.sentences.last().is_some_and(|text| !text.ends_with(['.', '?', '!']));
                let mut more = sentences(text);
                if is_open && one.from_ms.saturating_sub(last.to_ms) < SAME_TURN_MS && !more.is_empty() {
                    let first = more.remove(0);
                    if let Some(open) = last.sentences.last_mut() {
                        *open = format!("{open} {first}");
                    }
                }
                last.sentences.extend(more);
                last.to_ms = one.to_ms.max(last.to_ms);
            }
            _ => {
                let (speaker, from_ms, to_ms) = (one.speaker, one.from_ms, one.to_ms);
                turns.push(Turn { speaker, from_ms, to_ms, sentences: sentences(text) });
            }
        }
    }
    turns
}

/// The question with which a turn ends, or that it holds. Where voices are not told apart, only what a turn ends with was left to
/// somebody else to answer.
fn question_of(turn: &Turn) -> Option<(String, u32)> {
    let last = turn.sentences.last()?;
    let candidates = turn.sentences.iter().rev();
    let asked = match turn.speaker {
        Speaker::Unknown => is_question(last).then_some(last),
        _ => candidates.take(2).find(|sentence| is_question(sentence)),
    }?;
    let question = format!("{}?", without_lead(asked).trim_end_matches(['.', '?', '!', ',']));
    let words = question.split_whitespace().count();
    let is_worth = QUESTION_WORDS.contains(&words) && !is_about_the_call(&question) && !is_about_this_caller(&question);
    is_worth.then_some((question, turn.from_ms))
}

fn answer_of(rest: &[Turn], asked: &Turn) -> Option<String> {
    let reply = rest.first()?;
    let is_other = reply.speaker != asked.speaker || reply.speaker == Speaker::Unknown;
    if !is_other || reply.from_ms.saturating_sub(asked.to_ms) > ANSWER_WITHIN_MS {
        return None;
    }
    let mut said = Vec::new();
    for sentence in &reply.sentences {
        // A question in return, "anything else?", or one about what was asked: what follows it answers something else.
        if is_question(sentence) {
            break;
        }
        let sentence = without_lead(sentence);
        if !is_filler(&sentence) {
            said.push(sentence);
        }
        if said.len() == ANSWER_SENTENCES_MAX {
            break;
        }
    }
    let answer = said.join(" ");
    let is_enough = answer.split_whitespace().count() >= ANSWER_WORDS_MIN;
    (is_enough && !is_about_this_caller(&answer)).then_some(answer)
}

/// Whether a sentence asks something.
pub fn is_question(sentence: &str) -> bool {
    let sentence = sentence.trim();
    if sentence.ends_with('?') {
        return true;
    }
    // A recogniser that hears a falling voice writes a full stop.
    let said = plain(&without_lead(sentence));
    if ASKED_POLITELY.iter().any(|phrase| said.starts_with(phrase)) {
        return true;
    }
    let words: Vec<&str> = said.split(' ').collect();
    let [first, second, ..] = words.as_slice() else { return false };
    let verb = |word: &str| VERBS.contains(&word);
    // "Do it.", "Have it ready."
    let is_order = matches!(*first, "do" | "have") && !matches!(*second, "i" | "you" | "we" | "they");
    (ASKING.contains(first) && verb(second)) || (verb(first) && SUBJECTS.contains(second) && !is_order)
}

const ASKING: &[&str] = &["what", "when", "where", "which", "how", "who", "why"];
const VERBS: &[&str] =
    &["do", "does", "did", "is", "are", "can", "could", "will", "would", "may", "should", "have", "has"];
const SUBJECTS: &[&str] = &["you", "i", "we", "it", "there", "they"];
/// What leads to a question or an answer and is none of it.
const LEADS: &[&str] = &[
    "um", "uh", "uhm", "er", "hm", "hi", "hello", "hey", "okay", "ok", "so", "well", "and", "but", "oh", "ah", "right",
    "alright", "sure", "please", "thanks", "great", "good", "perfect", "actually", "sorry", "also", "then", "now",
];
/// The same, of several words.
const LEAD_PHRASES: &[&str] = &[
    "thank you",
    "of course",
    "no problem",
    "one more question",
    "one question",
    "quick question",
    "good morning",
    "good afternoon",
    "good evening",
];
/// How a question begins that is put as a statement.
const ASKED_POLITELY: &[&str] = &["i was wondering ", "i wanted to ask ", "i would like to know ", "i'd like to know "];
/// Sentences about the call itself.
const ABOUT_THE_CALL: &[&str] = &[
    "how are you",
    "hear me",
    "you there",
    "say that again",
    "repeat that",
    "repeat it",
    "did you say",
    "do you mean",
    "hold on",
    "speak to",
    "talk to",
    "transfer me",
    "connect me",
    "call me back",
    "help me",
    "help you",
    "your name",
    "anything else",
    "something else",
    "is that correct",
    "is that right",
    "is that okay",
];
/// Sentences about what belongs to one caller.
const ABOUT_THIS_CALLER: &[&str] = &[
    " my order",
    " my booking",
    " my account",
    " my package",
    " my parcel",
    " my appointment",
    " my reservation",
    " my invoice",
    " your order",
    " your booking",
    " your account",
    " your package",
    " your parcel",
    " your appointment",
    " your reservation",
    " your invoice",
    " my name is",
];
/// What is said while something else is done.
const FILLERS: &[&str] = &[
    "one moment",
    "just a moment",
    "one second",
    "just a second",
    "let me check",
    "let me see",
    "let me look",
    "bear with me",
    "i will check",
    "i'll check",
    "thank you",
    "thanks",
    "good question",
    "you're welcome",
    "have a nice day",
    "have a good day",
    "goodbye",
    "bye",
];

fn is_about_the_call(text: &str) -> bool {
    let said = plain(text);
    ABOUT_THE_CALL.iter().any(|one| said.contains(one))
}

fn is_about_this_caller(text: &str) -> bool {
    let said = format!(" {}", plain(text));
    ABOUT_THIS_CALLER.iter().any(|one| said.contains(one))
}

fn is_filler(sentence: &str) -> bool {
    let said = plain(sentence);
    said.is_empty() || (said.split(' ').count() <= 8 && FILLERS.iter().any(|one| said.starts_with(one)))
}

fn is_back_channel(text: &str) -> bool {
    let said = plain(text);
    let words: Vec<&str> = said.split(' ').filter(|word| !word.is_empty()).collect();
    words.len() <= 2
        && words.iter().all(|word| LEADS.contains(word) || matches!(*word, "mhm" | "yeah" | "yes" | "aha" | "huh"))
}

/// Without "hi" and "okay, and": as somebody would write it down.
fn without_lead(sentence: &str) -> String {
    let mut rest = sentence.trim();
    loop {
        let lower = plain(rest);
        let phrase =
            LEAD_PHRASES.iter().find(|phrase| lower.starts_with(**phrase)).map(|phrase| phrase.split(' ').count());
        let word = lower.split(' ').next().is_some_and(|word| LEADS.contains(&word)).then_some(1);
        let after = phrase.or(word).map(|words| after_words(rest, words));
        // "Right." and "Thank you." alone are all that was said.
        match after.filter(|after| after.split_whitespace().count() >= 2) {
            Some(after) => rest = after,
            None => break,
        }
    }
    let mut chars = rest.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn after_words(text: &str, words: usize) -> &str {
    let mut rest = text;
    for _ in 0..words {
        rest = rest.trim_start();
        rest = &rest[rest.find(char::is_whitespace).unwrap_or(rest.len())..];
    }
    rest.trim_start()
}

/// Lower case, letters and digits and what is within words, one blank between.
fn plain(text: &str) -> String {
    let kept: String =
        text.to_lowercase().chars().map(|c| if c.is_alphanumeric() || c == '\'' { c } else { ' ' }).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sentences(text: &str) -> Vec<String> {
    let (mut found, mut from) = (Vec::new(), 0);
    let ends = text.char_indices().filter(|(_, c)| matches!(c, '.' | '?' | '!')).map(|(at, c)| at + c.len_utf8());
    for end in ends.filter(|end| text[*end..].starts_with(char::is_whitespace)).collect::<Vec<_>>() {
        found.push(text[from..end].trim().to_owned());
        from = end;
    }
    found.push(text[from..].trim().to_owned());
    found.retain(|sentence| !sentence.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(said: &[(Speaker, &str)]) -> Vec<Exchange> {
        let utterance = |(at, (speaker, text)): (usize, &(Speaker, &str))| {
            let from_ms = u32::try_from(at).unwrap() * 3_000;
            Utterance { speaker: *speaker, from_ms, to_ms: from_ms + 2_000, text: (*text).to_owned().into() }
        };
        exchanges(&said.iter().enumerate().map(utterance).collect::<Vec<_>>())
    }

    fn said(found: &[Exchange]) -> Vec<(&str, &str)> {
        found.iter().map(|one| (one.question.as_str(), one.answer.as_str())).collect()
    }

    use Speaker::{Agent, Caller, Unknown};

    #[test]
    fn a_callers_question_goes_with_what_the_agent_says_then() {
        let found = call(&[
            (Agent, "Good morning, Baker Street Bikes. How can I help you?"),
            (Caller, "Hi, um, do you ship to Norway?"),
            (Agent, "One moment please. Yes, we ship to Norway within five days."),
            (Caller, "Mhm."),
            (Agent, "It costs 20 euros. Is there anything else?"),
            (Caller, "Okay, and could you tell me what a tandem costs"),
            (Agent, "A tandem is 45 euros a day."),
            (Caller, "Thank you, bye."),
        ]);
        assert_eq!(
            said(&found),
            [
                ("Do you ship to Norway?", "Yes, we ship to Norway within five days. It costs 20 euros."),
                ("Could you tell me what a tandem costs?", "A tandem is 45 euros a day."),
            ]
        );
        assert_eq!(found[0].from_ms, 3_000);
    }

    #[test]
    fn what_belongs_to_one_caller_or_to_the_call_is_left_out() {
        let found = call(&[
            (Caller, "Can you hear me?"),
            (Agent, "Yes, I can hear you very well."),
            (Caller, "Where is my order?"),
            (Agent, "It left our shop on Monday morning."),
            (Caller, "Do you repair e-bikes?"),
            (Agent, "What brand is it?"),
            (Caller, "Are you open on Sundays?"),
            (Agent, "Yes."),
            (Caller, "Do I get my money back?"),
            (Agent, "Your order was refunded yesterday."),
        ]);
        assert_eq!(said(&found), [] as [(&str, &str); 0]);
    }

    #[test]
    fn an_agents_question_is_never_proposed() {
        let found = call(&[
            (Agent, "What is your date of birth?"),
            (Caller, "The third of May nineteen eighty."),
            (Agent, "Where do you live?"),
            (Caller, "In Hamburg, near the harbour."),
        ]);
        assert_eq!(said(&found), [] as [(&str, &str); 0]);
    }

    #[test]
    fn on_one_channel_a_turn_that_ends_with_a_question_was_left_to_somebody_else() {
        let found = call(&[
            (Unknown, "Do you deliver on Saturdays?"),
            (Unknown, "Yes, we deliver until noon."),
            (Unknown, "Is it free? I hope it is."),
            (Unknown, "From fifty euros on."),
        ]);
        assert_eq!(said(&found), [("Do you deliver on Saturdays?", "Yes, we deliver until noon.")]);
    }

    #[test]
    fn a_question_that_a_recogniser_ends_with_a_full_stop_is_one() {
        assert!(is_question("When do you open."));
        assert!(is_question("so do you rent tandems"));
        assert!(!is_question("When I was young, it was cheap."));
        assert!(!is_question("Do it."));
    }

    #[test]
    fn speech_is_found_with_its_margins_and_cut_at_quiet_places() {
        let mut frames = vec![0.0; 50];
        frames.extend([0.9; 30]);
        frames.extend([0.1; 10]);
        frames.extend([0.9; 20]);
        frames.extend([0.0; 50]);
        frames.extend([0.9; 3]);
        frames.extend([0.0; 20]);
        let heard: Vec<_> = speech(&frames, 32).into_iter().map(|one| (one.start, one.end)).collect();
        assert_eq!(heard, [(1_400, 3_720)], "a short pause is part of it, a click is none");
        let mut long = vec![0.9; 1_000];
        long[300] = 0.4;
        let found = speech(&long, 32);
        assert_eq!(found[0], 0..300 * 32 + 200);
        assert!(found.iter().all(|one| one.len() as u32 <= limits::KNOWLEDGE_RECORDING_PIECE_MS_MAX + 2 * MARGIN_MS));
        assert_eq!(found.last().map(|one| one.end), Some(32_000));
        assert_eq!(speech(&[], 32), []);
    }
}
