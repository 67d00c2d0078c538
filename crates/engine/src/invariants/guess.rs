//! Answers that were prepared on a guess: they leave no trace unless the guess was right.

use super::Violation;
use base::GenerationId;
use base::limits::{SPECULATION_CHARS_WASTED_MAX, SPECULATIONS_PER_TURN_MAX};
use model::generation::{ChatMessage, GenerationEvent, GenerationRequest};
use std::collections::{BTreeMap, BTreeSet};

/// Text by which an answer is recognised.
const PIECE_LEN_MIN: usize = 12;

/// A request that was made before the caller's turn was over.
#[derive(Clone, Debug, Default)]
struct Guess {
    /// What the caller was taken to have said, as words.
    words: Vec<String>,
    text: String,
    tools: BTreeSet<(String, String)>,
    is_live: bool,
}

/// Watches what is done on a guess.
#[derive(Clone, Debug, Default)]
pub(super) struct Guesses {
    guesses: BTreeMap<GenerationId, Guess>,
    /// Tools that were asked for by answers to what the caller has really said.
    asked: BTreeSet<(String, String)>,
    guessed: BTreeSet<(String, String)>,
    /// Text of guesses that were wrong.
    dead: String,
    /// Requests whose guess was wrong: what still comes from them is nobody's.
    dropped: BTreeSet<GenerationId>,
    /// Text of guesses that were right, and of answers that were no guess.
    kept: String,
    last_turn: Vec<String>,
    in_turn: u32,
    wasted_chars: u64,
}

impl Guesses {
    /// A brain is asked. Says whether it is a guess, and what is wrong with it.
    pub fn asked(&mut self, id: GenerationId, request: &GenerationRequest, wanted: bool) -> Option<Violation> {
        let words = last_customer(request);
        let is_answer = !self.last_turn.is_empty() && words.ends_with(&self.last_turn);
        if words.is_empty() || is_answer {
            return None;
        }
        self.in_turn += 1;
        self.guesses.insert(id, Guess { words, is_live: true, ..Guess::default() });
        let broken = |name, detail| Some(Violation { name, detail });
        if !wanted {
            return broken("guesses_only_where_wanted", format!("request {id}"));
        }
        if self.in_turn > SPECULATIONS_PER_TURN_MAX {
            return broken("guesses_have_a_limit", format!("{} within one turn", self.in_turn));
        }
        if self.wasted_chars > SPECULATION_CHARS_WASTED_MAX {
            return broken("guesses_have_a_limit", format!("{} characters wasted", self.wasted_chars));
        }
        None
    }

    /// A brain answers.
    pub fn told(&mut self, id: GenerationId, event: &GenerationEvent) {
        match (self.guesses.get_mut(&id), event) {
            (Some(guess), GenerationEvent::Text { delta }) => guess.text.extend(solid(delta)),
            (Some(guess), GenerationEvent::ToolCall { name, args, .. }) => {
                guess.tools.insert((name.clone(), args.to_string()));
                self.guessed.insert((name.clone(), args.to_string()));
            }
            (None, GenerationEvent::Text { delta }) if !self.dropped.contains(&id) => self.kept.extend(solid(delta)),
            (None, GenerationEvent::ToolCall { name, args, .. }) => {
                self.asked.insert((name.clone(), args.to_string()));
            }
            _ => {}
        }
    }

    /// A flow asks for this tool, whatever was guessed.
    pub fn asked_for(&mut self, tool: Option<(String, String)>) {
        self.asked.extend(tool);
    }

    /// A request is called off.
    pub fn cancelled(&mut self, id: GenerationId) {
        if let Some(guess) = self.guesses.get_mut(&id) {
            guess.is_live = false;
        }
    }

    /// The caller's turn is over: a guess that was right is none any more, the others are dead.
    pub fn turn(&mut self, text: &str) {
        self.last_turn = words(text);
        self.in_turn = 0;
        for (id, guess) in std::mem::take(&mut self.guesses) {
            if guess.is_live && guess.words.ends_with(&self.last_turn) {
                self.asked.extend(guess.tools);
                self.kept.push_str(&guess.text);
            } else {
                self.dropped.insert(id);
                self.wasted_chars += guess.text.chars().count() as u64;
                self.dead.push('\n');
                self.dead.push_str(&guess.text);
            }
        }
    }

    /// A held utterance is released: it must not answer what the caller did not say.
    pub fn released(&self, text: &str) -> Option<Violation> {
        let text: String = solid(text).collect();
        // Short pieces are in many sentences.
        let is_dead = text.len() >= PIECE_LEN_MIN && self.dead.contains(&text) && !self.kept.contains(&text);
        let is_early = self.guesses.values().any(|guess| guess.text.contains(&text) && !text.is_empty());
        let detail = format!("{text:?}");
        if is_early {
            return Some(Violation { name: "a_guess_waits_for_the_end_of_the_turn", detail });
        }
        is_dead.then_some(Violation { name: "a_guess_answers_what_was_said", detail })
    }

    /// Something that is not held is said: it must not come from a guess that nothing has confirmed.
    pub fn said(&self, text: &str) -> Option<Violation> {
        let text: String = solid(text).collect();
        let is_early = text.len() > 8 && self.guesses.values().any(|guess| guess.text.contains(&text));
        is_early.then(|| Violation { name: "a_guess_waits_for_the_end_of_the_turn", detail: format!("{text:?}") })
    }

    /// A tool is used in any way: asked about, refused, started.
    pub fn tool(&self, name: &str, args: Option<&str>) -> Option<Violation> {
        let is_it = |tool: &(String, String)| tool.0 == name && args.is_none_or(|args| tool.1 == args);
        let is_guess = self.guessed.iter().any(is_it) && !self.asked.iter().any(is_it);
        is_guess.then(|| Violation { name: "a_guess_runs_nothing", detail: format!("{name} {}", args.unwrap_or("")) })
    }

    /// The process is gone; the last turn is what its journal says.
    pub fn killed(&mut self, last_turn: &str) {
        self.turn("");
        self.last_turn = words(last_turn);
    }
}

/// What the customer is taken to have said last.
fn last_customer(request: &GenerationRequest) -> Vec<String> {
    let last = request.messages.iter().rev().find_map(|message| match message {
        ChatMessage::Customer { text } => Some(text.expose().as_str()),
        _ => None,
    });
    words(last.unwrap_or_default())
}

fn words(text: &str) -> Vec<String> {
    let plain = |word: &str| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    text.split_whitespace().map(plain).filter(|word: &String| !word.is_empty()).collect()
}

fn solid(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|c| !c.is_whitespace())
}
