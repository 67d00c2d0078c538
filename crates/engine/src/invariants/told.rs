//! What a brain is told that the agent said: what the caller heard, neither more nor less.

use super::solid;
use model::generation::{ChatMessage, GenerationRequest};

/// What was heard so far, as the journal has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// Without white space; whether the brain may do without it.
    heard: Vec<(String, bool)>,
    /// How much of it came before the caller's last turn.
    before_turn: usize,
}

impl Told {
    /// The journal says that this was heard. Fillers and listening sounds may be kept from a brain.
    pub fn heard(&mut self, text: &str, is_optional: bool) {
        let text: String = solid(text).collect();
        if !text.is_empty() {
            self.heard.push((text, is_optional));
        }
    }

    /// The caller's turn is over.
    pub fn turn(&mut self) {
        self.before_turn = self.heard.len();
    }

    /// Only the journal is left.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// What is wrong with what a brain is told. What the agent says in the turn that is being answered is its own affair.
    pub fn check(&self, request: &GenerationRequest) -> Option<String> {
        let turn_at = request.messages.iter().rposition(|message| matches!(message, ChatMessage::Customer { .. }))?;
        let mut claimed = String::new();
        for message in &request.messages[..turn_at] {
            if let ChatMessage::Agent { text } = message {
                claimed.extend(solid(text));
            }
        }
        // What the last customer message is made of may be a turn, or the guess that follows it.
        Self::holds(&self.heard[..self.before_turn], &claimed).and_then(|_| Self::holds(&self.heard, &claimed))
    }

    /// Old lines may be missing, from the front; of what is claimed everything was heard.
    fn holds(all: &[(String, bool)], claimed: &str) -> Option<String> {
        if claimed.is_empty() {
            return None;
        }
        let Some(((heard, is_optional), before)) = all.split_last() else {
            return Some(format!("told {}, which was never heard", tail(claimed)));
        };
        if heard.ends_with(claimed) {
            return None;
        }
        let told = claimed.strip_suffix(heard.as_str()).map(|rest| Self::holds(before, rest));
        match told {
            Some(None) => None,
            _ if *is_optional => Self::holds(before, claimed),
            Some(problem) => problem,
            None => Some(format!("told {}, heard {heard:?}", tail(claimed))),
        }
    }
}

fn tail(text: &str) -> String {
    let from = text.char_indices().rev().nth(80).map_or(0, |(at, _)| at);
    format!("{:?}", &text[from..])
}
