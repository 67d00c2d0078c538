//! What the service's conversation holds, against what the journal says was heard and said: pure bookkeeping.
//!
//! The engine gives the whole conversation with every question. Most of it went through the model's own ears and mouth and is
//! there already; the rest must be told, and what of the last answer was not heard must be taken back.

use model::generation::ChatMessage;
use providers::realtime::RealtimeItem;
use std::collections::BTreeSet;

/// Something the service must be told before it answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Of the last answer only this was heard.
    Trim { heard_ms: u64, heard_text: String },
    /// Nobody told the model this yet.
    Add(RealtimeItem),
}

/// The last answer of the service.
#[derive(Clone, Debug, Default)]
struct Said {
    transcript: String,
    ms: u64,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What the customer said, as the engine gave it with earlier questions.
    customers: Vec<String>,
    /// What came after the customer's last line, at the last question.
    tail: Vec<ChatMessage>,
    /// What the model heard and no question that stands has covered yet.
    heard: Vec<String>,
    /// How much of `heard` the last question covered.
    covered: usize,
    /// The last answer, until it is known how much of it was heard.
    said: Option<Said>,
    /// A whole answer to a question that nobody has asked yet: the service began by itself and was done first.
    early: Option<Said>,
    /// Tools that the model asked for.
    calls: BTreeSet<String>,
}

impl Ledger {
    /// The model heard this.
    pub(super) fn heard(&mut self, text: &str) {
        if !plain(text).is_empty() {
            self.heard.push(text.to_owned());
        }
    }

    /// The model said this, with so much audio; more of the same answer replaces it.
    pub(super) fn said(&mut self, transcript: &str, ms: u64) {
        self.said = Some(Said { transcript: transcript.to_owned(), ms });
    }

    /// The same, of an answer that was there before its question: nobody can have heard it yet.
    pub(super) fn said_early(&mut self, transcript: &str, ms: u64) {
        self.early = Some(Said { transcript: transcript.to_owned(), ms });
    }

    /// Nobody will ask for that answer: the model said it to nobody.
    pub(super) fn drop_early(&mut self) {
        self.said = self.early.take().or_else(|| self.said.take());
    }

    /// The model asked for a tool.
    pub(super) fn called(&mut self, id: &str) {
        self.calls.insert(id.to_owned());
    }

    /// What the service must be told so that its conversation is this one.
    pub(super) fn catch_up(&mut self, messages: &[ChatMessage]) -> Vec<Step> {
        let known = self.known(messages);
        let mut new = after_customer(messages, known);
        if known > 0 || self.customers.is_empty() {
            // The question before this one stands: what it covered is part of the conversation.
            self.heard.drain(..self.covered.min(self.heard.len()));
            let told = new.iter().zip(&self.tail).take_while(|(now, then)| is_same(now, then)).count();
            new = &new[told..];
        }
        let mut steps = Vec::new();
        let mut settled = false;
        let spoken = plain(&self.heard.concat());
        for message in new {
            match message {
                ChatMessage::System { .. } => {}
                ChatMessage::Agent { text } => match self.match_said(text) {
                    Some(step) => {
                        settled = true;
                        steps.extend(step);
                    }
                    None => steps.push(Step::Add(RealtimeItem::Agent { text: text.clone() })),
                },
                ChatMessage::Customer { text } => {
                    if !covers(&spoken, text.expose()) {
                        steps.push(Step::Add(RealtimeItem::Customer { text: text.clone() }));
                    }
                }
                ChatMessage::ToolCall { .. } => {}
                ChatMessage::ToolResult { id, name, text } => steps.push(Step::Add(self.result(id, name, text))),
            }
        }
        let said = std::mem::replace(&mut self.said, self.early.take());
        let unheard = said.is_some_and(|said| !plain(&said.transcript).is_empty());
        if unheard && !settled {
            steps.insert(0, Step::Trim { heard_ms: 0, heard_text: String::new() });
        }
        self.covered = self.heard.len();
        self.customers = customers_of(messages);
        self.tail = after_customer(messages, self.customers.len()).to_vec();
        steps
    }

    /// How many of the customer's lines, from the first that is given, were given before. Lines at the front may be gone.
    fn known(&self, messages: &[ChatMessage]) -> usize {
        let given = customers_of(messages);
        let most = given.len().min(self.customers.len());
        (0..=most).rev().find(|count| self.customers.ends_with(&given[..*count])).unwrap_or(0)
    }

    /// Whether a line of the agent is what the model said, and what of it must be taken back.
    fn match_said(&mut self, text: &str) -> Option<Option<Step>> {
        let said = self.said.as_ref()?;
        let (whole, heard) = (plain(&said.transcript), plain(text));
        if heard.is_empty() || !whole.starts_with(&heard) {
            return None;
        }
        let (said_ms, heard_len, whole_len) = (said.ms, heard.len() as u64, whole.len() as u64);
        self.said = None;
        let all = heard_len == whole_len;
        let heard_ms = said_ms * heard_len / whole_len.max(1);
        Some((!all).then(|| Step::Trim { heard_ms: heard_ms.max(1), heard_text: text.to_owned() }))
    }

    fn result(&self, id: &str, name: &str, text: &str) -> RealtimeItem {
        if self.calls.contains(id) {
            return RealtimeItem::ToolResult { id: id.to_owned(), name: name.to_owned(), text: text.to_owned() };
        }
        // Another model asked for it.
        RealtimeItem::Customer { text: format!("({name} has answered: {text})").into() }
    }
}

fn customers_of(messages: &[ChatMessage]) -> Vec<String> {
    let text = |message: &ChatMessage| match message {
        ChatMessage::Customer { text } => Some(text.expose().clone()),
        _ => None,
    };
    messages.iter().filter_map(text).collect()
}

/// What follows so many lines of the customer.
fn after_customer(messages: &[ChatMessage], count: usize) -> &[ChatMessage] {
    let is_customer = |(_, message): &(usize, &ChatMessage)| matches!(message, ChatMessage::Customer { .. });
    let last = count.checked_sub(1).and_then(|last| messages.iter().enumerate().filter(is_customer).nth(last));
    last.map_or(messages, |(at, _)| &messages[at + 1..])
}

/// Whether a message was told already. A line of the agent may have become shorter since: not all of it was heard.
fn is_same(now: &ChatMessage, then: &ChatMessage) -> bool {
    match (now, then) {
        (ChatMessage::Agent { text: now }, ChatMessage::Agent { text: then }) => plain(then).starts_with(&plain(now)),
        (now, then) => now == then,
    }
}

/// Letters and digits, which is what texts have in common that were written down by different hands.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether the model has heard a line of the customer, or a good part of it: the rest was polished afterwards.
fn covers(spoken: &str, line: &str) -> bool {
    let line = plain(line);
    !spoken.is_empty() && (line.is_empty() || spoken.contains(&line) || line.contains(spoken))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(text: &str) -> ChatMessage {
        ChatMessage::Customer { text: text.into() }
    }

    fn agent(text: &str) -> ChatMessage {
        ChatMessage::Agent { text: text.to_owned() }
    }

    fn system() -> ChatMessage {
        ChatMessage::System { text: "You answer.".to_owned() }
    }

    #[test]
    fn what_went_through_the_model_is_not_told_again() {
        let mut ledger = Ledger::default();
        ledger.heard("Where is my order?");
        let mut messages = vec![system(), agent("Hello!"), customer("Where is my order?")];
        let steps = ledger.catch_up(&messages);
        assert_eq!(steps, [Step::Add(RealtimeItem::Agent { text: "Hello!".to_owned() })], "another voice greeted");
        ledger.said("Which order do you mean?", 2_000);
        ledger.heard("A1.");
        messages.extend([agent("Which order do you mean?"), customer("A1.")]);
        assert_eq!(ledger.catch_up(&messages), []);
    }

    #[test]
    fn what_was_not_heard_is_taken_back() {
        let mut ledger = Ledger::default();
        ledger.heard("Hi");
        let mut messages = vec![customer("Hi")];
        ledger.catch_up(&messages);
        ledger.said("We are open from nine to five.", 2_400);
        ledger.heard("Wait");
        messages.extend([agent("We are open"), customer("Wait")]);
        let trim = Step::Trim { heard_ms: 2_400 * 9 / 23, heard_text: "We are open".to_owned() };
        assert_eq!(ledger.catch_up(&messages), [trim]);
        ledger.said("Yes?", 500);
        ledger.heard("Never mind");
        messages.push(customer("Never mind"));
        let nothing = Step::Trim { heard_ms: 0, heard_text: String::new() };
        assert_eq!(ledger.catch_up(&messages), [nothing], "no word of it was heard");
    }

    #[test]
    fn a_guess_that_went_on_is_heard_whole() {
        let mut ledger = Ledger::default();
        ledger.heard("I want");
        assert_eq!(ledger.catch_up(&[customer("I want")]), []);
        ledger.said("What do", 200);
        ledger.heard("to cancel.");
        let steps = ledger.catch_up(&[customer("I want to cancel.")]);
        assert_eq!(steps, [Step::Trim { heard_ms: 0, heard_text: String::new() }]);
    }

    #[test]
    fn an_answer_that_is_there_before_its_question_is_still_to_be_heard() {
        let mut ledger = Ledger::default();
        ledger.heard("Hi");
        ledger.said_early("Hello. What is it about?", 900);
        let mut messages = vec![customer("Hi")];
        assert_eq!(ledger.catch_up(&messages), []);
        ledger.heard("An order");
        messages.extend([agent("Hello. What is it about?"), customer("An order")]);
        assert_eq!(ledger.catch_up(&messages), [], "it was heard whole");
        ledger.said_early("Which one?", 500);
        ledger.drop_early();
        ledger.heard("and a bill");
        messages.push(customer("and a bill"));
        let nothing = Step::Trim { heard_ms: 0, heard_text: String::new() };
        assert_eq!(ledger.catch_up(&messages), [nothing], "the caller went on");
    }

    #[test]
    fn what_was_typed_and_what_tools_said_is_told() {
        let mut ledger = Ledger::default();
        ledger.called("call_1");
        let call = |id: &str| ChatMessage::ToolCall { id: id.to_owned(), name: "look".to_owned(), args: "".into() };
        let result =
            |id: &str| ChatMessage::ToolResult { id: id.to_owned(), name: "look".to_owned(), text: "found".to_owned() };
        let messages = [customer("yes"), call("call_1"), result("call_1"), call("x"), result("x")];
        let steps = ledger.catch_up(&messages);
        let own = RealtimeItem::ToolResult { id: "call_1".into(), name: "look".into(), text: "found".into() };
        let others = RealtimeItem::Customer { text: "(look has answered: found)".into() };
        let typed = RealtimeItem::Customer { text: "yes".into() };
        assert_eq!(steps, [Step::Add(typed), Step::Add(own), Step::Add(others)]);
        let mut more = messages.to_vec();
        ledger.said("I see. Anything else?", 900);
        more.extend([agent("I see."), customer("yes")]);
        let steps = ledger.catch_up(&more);
        let trim = Step::Trim { heard_ms: 900 * 4 / 16, heard_text: "I see.".to_owned() };
        let again = RealtimeItem::Customer { text: "yes".into() };
        assert_eq!(steps, [trim, Step::Add(again)], "the same words a second time are new, results are not");
    }

    #[test]
    fn a_conversation_that_begins_anew_is_told_whole() {
        let messages = [system(), customer("Hi"), agent("Hello."), customer("A1")];
        assert_eq!(Ledger::default().catch_up(&messages).len(), 3);
    }
}
