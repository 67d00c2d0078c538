//! The default brain: deterministic, on this machine, and it never invents.
//!
//! What a turn is, in this order: about the conversation itself ([`super::phrases`]; a wish for a person always wins), the
//! argument just asked for ([`super::slots`]), a request for a tool ([`super::router`]), a question to the documents
//! ([`super::knowledge`]). Every sentence of fact is verbatim from a document or from a tool's answer.

use super::document::Passage;
use super::gate::Verdict;
use super::knowledge::{Made, SearchOutcome};
use super::phrases::{self, Talk, lines, recognise, without_lead_in};
use super::router::{Router, Utterance, arguments};
use super::slots;
use super::words::{is_stop_word, sentences, words};
use super::{Knowledge, LanguageError, LanguageModels};
use base::{ErrorClass, Failure};
use model::generation::{AwaitedSlot, ChatMessage, Citation, Finish, GenerationEvent, GenerationRequest};
use model::tool::{ParameterKind, ToolAction, ToolSpec};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::sync::Arc;

/// Parts of one turn that are answered one after the other.
const CLAUSES_MAX: usize = 3;
/// Words of a turn that is too short to stand alone.
const ELLIPSIS_WORDS_MAX: usize = 4;

/// The brain. Shared by all calls of a business; `answer` takes `&self` and blocks for about 50 ms.
#[derive(Debug)]
pub struct Brain {
    models: Arc<LanguageModels>,
    knowledge: Arc<Knowledge>,
    router: Router,
}

/// What one turn leads to.
#[derive(Default)]
struct Reply {
    events: Vec<GenerationEvent>,
    citations: Vec<Citation>,
    finish: Option<Finish>,
}

impl Reply {
    fn say(mut self, text: &str) -> Self {
        for sentence in sentences(text) {
            self.events.push(GenerationEvent::Text { delta: format!("{sentence} ") });
        }
        self
    }

    fn finish(mut self, finish: Finish) -> Self {
        self.finish = Some(finish);
        self
    }

    fn call(mut self, id: String, tool: &ToolSpec, args: Map<String, Value>) -> Self {
        self.events.push(GenerationEvent::ToolCall { id, name: tool.name.clone(), args: Value::Object(args) });
        self.finish(Finish::ToolCalls)
    }

    fn need(mut self, slot: AwaitedSlot) -> Self {
        self.events.push(GenerationEvent::NeedSlot(slot));
        self
    }

    fn cite(mut self, passage: Citation) -> Self {
        let mut reply = std::mem::take(&mut self).say(&passage.quote);
        reply.citations.push(passage);
        reply
    }

    fn into_events(self) -> Vec<GenerationEvent> {
        let mut events = vec![GenerationEvent::Started];
        events.extend(self.events);
        if !self.citations.is_empty() {
            events.push(GenerationEvent::Cited { citations: self.citations });
        }
        events.push(GenerationEvent::Done { finish: self.finish.unwrap_or(Finish::Stop) });
        events
    }
}

/// The conversation as this brain sees it.
struct Turn<'a> {
    request: &'a GenerationRequest,
    /// Vectors that the service of the documents made of what is looked up.
    made: &'a Made,
    /// What the customer said now.
    text: &'a str,
    /// What the customer said before, newest first.
    earlier: Vec<&'a str>,
    /// What the agent said last.
    said_last: Option<&'a str>,
    /// The tool used last.
    last_tool: Option<&'a str>,
}

impl<'a> Turn<'a> {
    fn of(request: &'a GenerationRequest, made: &'a Made, text: &'a str) -> Self {
        let mut turn = Self { request, made, text, earlier: Vec::new(), said_last: None, last_tool: None };
        for message in request.messages.iter().rev().skip(1) {
            match message {
                ChatMessage::Customer { text } => turn.earlier.push(text.expose()),
                ChatMessage::Agent { text } => turn.said_last = turn.said_last.or(Some(text)),
                ChatMessage::ToolCall { name, .. } => turn.last_tool = turn.last_tool.or(Some(name)),
                ChatMessage::System { .. } | ChatMessage::ToolResult { .. } => {}
            }
        }
        turn
    }

    fn tool(&self, action: fn(&ToolAction) -> bool) -> Option<&'a ToolSpec> {
        self.request.tools.iter().find(|tool| action(&tool.action))
    }

    /// A question with the topic of the conversation in front, when it does not stand alone and there is one.
    fn with_topic(&self, question: &str) -> Option<String> {
        let topic = self.earlier.iter().find(|line| {
            let line = without_lead_in(line);
            recognise(line).is_none() && !is_elliptic(line)
        });
        let topic = topic.filter(|_| is_elliptic(question))?;
        Some(format!("{} {question}", without_lead_in(topic).trim_end_matches(['?', '.', '!'])))
    }

    fn can_hand_off(&self) -> Option<&'a ToolSpec> {
        self.tool(|action| matches!(action, ToolAction::Handoff))
    }

    /// Ids of tool calls are unique within a conversation and the same when it is replayed.
    fn call_id(&self) -> String {
        let calls = self.request.messages.iter().filter(|m| matches!(m, ChatMessage::ToolCall { .. })).count();
        format!("local-{}", calls + 1)
    }
}

impl Brain {
    /// A brain over a business's documents.
    pub fn new(models: Arc<LanguageModels>, knowledge: Arc<Knowledge>) -> Self {
        Self { models, knowledge, router: Router::default() }
    }

    /// Prepares for these tools, so that the first turn is as quick as the others.
    pub fn warm(&self, tools: &[ToolSpec]) -> Result<(), LanguageError> {
        self.router.warm(&self.models, tools)
    }

    /// Searches the documents for a question, as [`Brain::answer`] does.
    pub fn search(&self, question: &str) -> Result<SearchOutcome, LanguageError> {
        self.search_with(question, &Made::default())
    }

    /// The same, with vectors that the service of the documents made.
    pub fn search_with(&self, question: &str, made: &Made) -> Result<SearchOutcome, LanguageError> {
        self.knowledge.search(&self.models, question, made)
    }

    /// What answering a request may look up in documents whose vectors another service made: whoever has vectors of these
    /// texts made first gives them to [`Brain::answer_with`].
    pub fn lookups(&self, request: &GenerationRequest) -> Vec<String> {
        let Some(ChatMessage::Customer { text }) = request.messages.last() else { return Vec::new() };
        let text = text.expose();
        if self.knowledge.further_space().is_none() || recognise(text).is_some() {
            return Vec::new();
        }
        let made = Made::default();
        let turn = Turn::of(request, &made, text);
        let whole = without_lead_in(text);
        let mut wanted: Vec<String> = Vec::new();
        for question in std::iter::once(whole).chain(clauses(whole)) {
            let both = std::iter::once(question.to_owned()).chain(turn.with_topic(question));
            wanted.extend(both.filter(|one| !one.trim().is_empty()));
        }
        let mut seen = HashSet::new();
        wanted.retain(|one| seen.insert(one.clone()));
        wanted
    }

    /// Answers the last message of a conversation. The same request always gets the same answer.
    pub fn answer(&self, request: &GenerationRequest) -> Vec<GenerationEvent> {
        self.answer_with(request, &Made::default())
    }

    /// The same, with vectors that the service of the documents made of what is looked up.
    pub fn answer_with(&self, request: &GenerationRequest, made: &Made) -> Vec<GenerationEvent> {
        let reply = match request.messages.last() {
            Some(ChatMessage::Customer { text }) => self.turn(&Turn::of(request, made, text.expose())),
            Some(ChatMessage::ToolResult { id, name, text }) => Ok(tool_result(request, id, name, text)),
            Some(ChatMessage::System { .. } | ChatMessage::Agent { .. } | ChatMessage::ToolCall { .. }) | None => {
                Ok(Reply::default().say(lines::NOT_HEARD))
            }
        };
        match reply {
            Ok(reply) => reply.into_events(),
            Err(error) => {
                vec![GenerationEvent::Failed(Failure::new(ErrorClass::Internal, error.to_string()))]
            }
        }
    }

    fn turn(&self, turn: &Turn<'_>) -> Result<Reply, LanguageError> {
        if words(turn.text).is_empty() {
            return Ok(Reply::default().say(lines::NOT_HEARD));
        }
        let offered = turn.said_last.is_some_and(|said| said.contains(lines::OFFER));
        if offered && phrases::is_yes(turn.text) {
            return Ok(hand_off(turn));
        }
        let talk = recognise(turn.text);
        if let Some(talk @ (Talk::Human | Talk::Robot | Talk::Repeat | Talk::NeverMind | Talk::Goodbye)) = talk {
            return Ok(say_talk(talk, turn));
        }
        if let Some(awaited) = &turn.request.awaiting
            && let Some(reply) = self.fill(turn, awaited)?
        {
            return Ok(reply);
        }
        if let Some(talk) = talk {
            return Ok(say_talk(talk, turn));
        }
        if offered && phrases::is_no(turn.text) {
            return Ok(Reply::default().say(lines::NEVER_MIND));
        }
        match self.use_tool(turn)? {
            Some(reply) => Ok(reply),
            None => self.ask_documents(turn),
        }
    }

    fn use_tool(&self, turn: &Turn<'_>) -> Result<Option<Reply>, LanguageError> {
        let text = without_lead_in(turn.text);
        let utterance = Utterance { text, earlier: &turn.earlier, last_tool: turn.last_tool };
        let routed = self.router.route(&self.models, &self.knowledge, &turn.request.tools, &utterance)?;
        Ok(routed.map(|routed| {
            let tool = &turn.request.tools[routed.tool];
            if matches!(tool.action, ToolAction::Handoff) {
                hand_off(turn)
            } else {
                call_or_ask(turn, tool, routed.args, None)
            }
        }))
    }

    /// Fills the argument that was asked for. `None` when the customer said something else, which is then answered.
    fn fill(&self, turn: &Turn<'_>, awaited: &AwaitedSlot) -> Result<Option<Reply>, LanguageError> {
        let Some(tool) = turn.request.tools.iter().find(|tool| tool.name == awaited.tool) else { return Ok(None) };
        let Some(parameter) = tool.parameters.iter().find(|p| p.name == awaited.slot) else { return Ok(None) };
        let mut args = awaited.args.clone();
        let mut heard = arguments(tool, turn.text);
        if matches!(parameter.kind, ParameterKind::Text) {
            heard.insert(awaited.slot.clone(), Value::String(turn.text.trim().to_owned()));
        }
        if let Some(value) = slots::answered(parameter, turn.text) {
            heard.insert(awaited.slot.clone(), value);
        }
        let filled = heard.contains_key(&awaited.slot);
        args.extend(heard);
        if filled {
            return Ok(Some(call_or_ask(turn, tool, args, None)));
        }
        if phrases::is_no(turn.text) {
            return Ok(Some(Reply::default().say(lines::NEVER_MIND)));
        }
        let is_id = matches!(parameter.kind, ParameterKind::Pattern { .. });
        let tried = is_id && slots::looks_like_id(turn.text);
        if !tried {
            if let Some(reply) = self.use_tool(turn)? {
                return Ok(Some(reply));
            }
            let (outcome, _) = self.look_up(turn, without_lead_in(turn.text))?;
            if let (Verdict::Answer, Some(passage)) = (outcome.verdict, outcome.passage) {
                return Ok(Some(call_or_ask(turn, tool, args, Some(Reply::default().cite(passage)))));
            }
        }
        Ok(Some(call_or_ask(turn, tool, args, Some(Reply::default().say(lines::ASK_AGAIN)))))
    }

    fn ask_documents(&self, turn: &Turn<'_>) -> Result<Reply, LanguageError> {
        let text = without_lead_in(turn.text);
        let clauses = clauses(text);
        if clauses.len() > 1
            && let Some(reply) = self.ask_each(turn, &clauses)?
        {
            return Ok(reply);
        }
        let (outcome, _) = self.look_up(turn, text)?;
        Ok(match (outcome.verdict, outcome.passage) {
            (Verdict::Answer, Some(passage)) => Reply::default().cite(passage),
            (Verdict::Closest, Some(passage)) => Reply::default().say(lines::CLOSEST).cite(passage),
            _ => decline(turn),
        })
    }

    /// Answers a double question part by part; `None` when no part has an answer of its own.
    fn ask_each(&self, turn: &Turn<'_>, clauses: &[&str]) -> Result<Option<Reply>, LanguageError> {
        let mut passages: Vec<Citation> = Vec::new();
        let mut unanswered = false;
        for clause in clauses {
            let (outcome, _) = self.look_up(turn, clause)?;
            match (outcome.verdict, outcome.passage) {
                (Verdict::Answer, Some(passage)) if !passages.iter().any(|p| p.section == passage.section) => {
                    passages.push(passage);
                }
                (Verdict::Answer, _) => {}
                _ => unanswered = true,
            }
        }
        if passages.is_empty() {
            return Ok(None);
        }
        let reply = passages.into_iter().fold(Reply::default(), Reply::cite);
        Ok(Some(match (unanswered, turn.can_hand_off()) {
            (true, Some(_)) => reply.say(lines::DECLINE_REST_OFFER),
            (true, None) => reply.say(lines::DECLINE_REST),
            (false, _) => reply,
        }))
    }

    /// Searches, with the topic of the conversation in front when the question does not stand alone. Gives the question
    /// that was asked as well.
    fn look_up(&self, turn: &Turn<'_>, question: &str) -> Result<(SearchOutcome, String), LanguageError> {
        let own = self.search_with(question, turn.made)?;
        let Some(asked) = turn.with_topic(question) else { return Ok((own, question.to_owned())) };
        let with_topic = self.search_with(&asked, turn.made)?;
        // What the question says itself outweighs the topic when it is clearer.
        Ok(if own.verdict == Verdict::Answer && own.probability > with_topic.probability {
            (own, question.to_owned())
        } else {
            (with_topic, asked)
        })
    }

    /// What the brain answers from.
    pub fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }

    /// The sections the brain answers from.
    pub fn sections(&self) -> &[Passage] {
        self.knowledge.sections()
    }
}

/// Calls the tool, or asks for the first required argument that is missing; `before` is said first.
fn call_or_ask(turn: &Turn<'_>, tool: &ToolSpec, args: Map<String, Value>, before: Option<Reply>) -> Reply {
    let missing = tool.parameters.iter().find(|p| p.required && !args.contains_key(&p.name));
    let before = before.unwrap_or_default();
    let Some(parameter) = missing else { return before.call(turn.call_id(), tool, args) };
    let ask = match &parameter.ask {
        Some(ask) => ask.clone(),
        None => format!("What is the {}?", parameter.name.replace('_', " ")),
    };
    before.say(&ask).need(AwaitedSlot { tool: tool.name.clone(), args, slot: parameter.name.clone() })
}

fn say_talk(talk: Talk, turn: &Turn<'_>) -> Reply {
    let reply = Reply::default();
    match talk {
        Talk::Greeting => reply.say(lines::GREETING),
        Talk::Thanks => reply.say(lines::THANKS),
        Talk::Acknowledge => reply.say(lines::ACKNOWLEDGE),
        Talk::Robot => reply.say(lines::ROBOT),
        Talk::Abilities => reply.say(lines::ABILITIES),
        Talk::NeverMind => reply.say(lines::NEVER_MIND),
        Talk::Repeat => reply.say(turn.said_last.unwrap_or(lines::NOTHING_TO_REPEAT)),
        Talk::Human => hand_off(turn),
        Talk::Goodbye => match turn.tool(|action| matches!(action, ToolAction::EndCall)) {
            Some(tool) => reply.call(turn.call_id(), tool, Map::new()),
            None => reply.say(lines::GOODBYE),
        },
    }
}

fn hand_off(turn: &Turn<'_>) -> Reply {
    match turn.can_hand_off() {
        Some(tool) => Reply::default().call(turn.call_id(), tool, Map::new()),
        None => Reply::default().say(lines::NO_HANDOFF).finish(Finish::Declined),
    }
}

fn decline(turn: &Turn<'_>) -> Reply {
    let line = if turn.can_hand_off().is_some() { lines::DECLINE_OFFER } else { lines::DECLINE };
    Reply::default().say(line).finish(Finish::Declined)
}

/// Says what a tool answered: its `say_done` with the placeholders filled from its arguments and from the answer's fields,
/// or the answer itself where that leaves a gap.
fn tool_result(request: &GenerationRequest, id: &str, name: &str, text: &str) -> Reply {
    let args = request.messages.iter().rev().find_map(|message| match message {
        ChatMessage::ToolCall { id: called, args, .. } if called == id => args.as_object().cloned(),
        _ => None,
    });
    let fields = serde_json::from_str::<Value>(text).ok();
    let template = request.tools.iter().find(|tool| tool.name == name).and_then(|tool| tool.say_done.as_deref());
    let filled = template.and_then(|template| {
        fill_template(template, &args.unwrap_or_default(), fields.as_ref().and_then(Value::as_object), text)
    });
    let said = match filled {
        Some(said) => said,
        None => plain_result(fields.as_ref(), text),
    };
    Reply::default().say(if said.trim().is_empty() { lines::TOOL_EMPTY } else { &said })
}

fn fill_template(
    template: &str,
    args: &Map<String, Value>,
    row: Option<&Map<String, Value>>,
    text: &str,
) -> Option<String> {
    let mut said = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}')?;
        said.push_str(before);
        let value = row.and_then(|row| row.get(name)).or_else(|| args.get(name)).map(spoken);
        match value {
            Some(value) => said.push_str(&value),
            None if name == "result" && row.is_none() && !text.trim().is_empty() => said.push_str(text.trim()),
            None => return None,
        }
        rest = tail;
    }
    said.push_str(rest);
    Some(said)
}

/// A tool's answer without a template: text as it is, fields one after the other.
fn plain_result(fields: Option<&Value>, text: &str) -> String {
    match fields {
        Some(Value::Object(row)) => row
            .iter()
            .map(|(name, value)| format!("{}: {}.", name.replace('_', " "), spoken(value)))
            .collect::<Vec<_>>()
            .join(" "),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) => String::new(),
        Some(Value::Array(rows)) if rows.is_empty() => String::new(),
        Some(Value::Array(rows)) => rows.iter().map(|row| plain_result(Some(row), "")).collect::<Vec<_>>().join(" "),
        Some(Value::Bool(_) | Value::Number(_)) | None => text.to_owned(),
    }
}

fn spoken(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether a question needs the one before it ("and for e-bikes?", "how much is that?").
fn is_elliptic(question: &str) -> bool {
    const POINTERS: &[&str] = &["it", "that", "this", "they", "them", "those", "these", "one", "ones", "there", "its"];
    let said = words(question);
    let first: Vec<&str> = said.iter().take(2).map(String::as_str).collect();
    let continues = matches!(first.as_slice(), ["and" | "or" | "also", ..] | ["what" | "how", "about"]);
    let topic_words = said
        .iter()
        .filter(|w| {
            !is_stop_word(w)
                && !POINTERS.contains(&w.as_str())
                && !matches!(w.as_str(), "much" | "many" | "long" | "cost" | "costs" | "about" | "else")
        })
        .count();
    continues
        || topic_words == 0
        || (said.len() <= ELLIPSIS_WORDS_MAX + 2
            && topic_words <= 1
            && said.iter().any(|w| POINTERS.contains(&w.as_str())))
}

/// The questions of one turn: split at question marks and where "and" begins a new question.
fn clauses(text: &str) -> Vec<&str> {
    const OPENERS: &[&str] = &[
        "what", "whats", "how", "when", "where", "which", "who", "do", "does", "can", "could", "may", "is", "are",
        "will", "would", "did",
    ];
    let mut starts = vec![0];
    let mut before = String::new();
    let mut offset = 0;
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = words(piece).into_iter().next().unwrap_or_default();
        let ends_question = before.contains('?');
        if offset > 0
            && (ends_question
                || (matches!(words(&before).last().map(String::as_str), Some("and" | "also" | "plus"))
                    && OPENERS.contains(&word.as_str())))
        {
            starts.push(offset);
        }
        before = piece.to_owned();
        offset += piece.len();
    }
    starts.push(text.len());
    let trimmed = |piece: &&str| words(piece).len() >= 2;
    let parts: Vec<&str> = starts
        .windows(2)
        .map(|pair| text[pair[0]..pair[1]].trim())
        .map(|part| {
            let lower = part.to_lowercase();
            ["and", "also", "plus"]
                .iter()
                .find(|w| lower.ends_with(&format!(" {w}")))
                .map_or(part, |w| part[..part.len() - w.len()].trim())
        })
        .filter(trimmed)
        .collect();
    if parts.len() > CLAUSES_MAX { vec![text] } else { parts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn double_questions_are_told_from_single_ones() {
        assert_eq!(
            clauses("what are your hours and do you deliver to Austria"),
            ["what are your hours", "do you deliver to Austria"]
        );
        assert_eq!(
            clauses("When do you open? And how much is a service?"),
            ["When do you open?", "how much is a service?"]
        );
        assert_eq!(clauses("do you take cash and cards"), ["do you take cash and cards"]);
    }

    #[test]
    fn questions_that_lean_on_the_last_one_are_known() {
        for said in ["and for e-bikes?", "how much is that?", "what about Saturday", "how long does it take", "why"] {
            assert!(is_elliptic(said), "{said}");
        }
        for said in ["do you deliver to Austria", "is there a fee for returning a bike", "what is your phone number"] {
            assert!(!is_elliptic(said), "{said}");
        }
    }

    #[test]
    fn a_tool_is_quoted_and_a_gap_is_never_filled_by_guessing() {
        let args: Map<String, Value> = serde_json::from_str(r#"{"order_id":"48213"}"#).expect("json");
        let row: Map<String, Value> = serde_json::from_str(r#"{"status":"packed"}"#).expect("json");
        let fill =
            |template: &str, row: Option<&Map<String, Value>>, text: &str| fill_template(template, &args, row, text);
        assert_eq!(fill("Order {order_id} is {status}.", Some(&row), ""), Some("Order 48213 is packed.".into()));
        assert_eq!(fill("Order {order_id} is {status}.", None, "not found"), None);
        assert_eq!(fill("{result}", None, "It is packed."), Some("It is packed.".into()));
    }
}
