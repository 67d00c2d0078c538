//! What is said: the conversation as heard, the context a brain gets, and whether its tools may run. Shared by voice and
//! chat; knows nothing of audio, timers or carriers.
//!
//! A model proposes; [`policy`] disposes. A change needs a spoken yes, and the yes runs exactly what was asked about.

mod answer;
pub(crate) mod brief;
pub(crate) mod call_back;
mod evidence;
pub mod flow;
pub mod policy;
pub mod prompt;
pub mod template;
pub mod try_out;
pub mod yes_no;

pub use answer::{Answer, AskedTool, Step};
pub use evidence::Evidence;
pub use policy::Refusal;

use base::limits::{ANSWER_TOKENS_MAX, CONTEXT_TOKENS_MAX, DIALOG_LINES_MAX, TOOL_RESULT_CHARS_MAX, WHISPERS_MAX};
use base::{Failure, Pii, ToolCallId};
use flow::{FlowLeg, FlowRun, ToolOutcome};
use model::agent::{Agent, BrainChoice, HandoffMode};
use model::flow::FlowAnswer;
use model::generation::{AwaitedSlot, ChatMessage, GenerationRequest};
use model::tool::{Parameter, ParameterKind, ToolAction, ToolSpec};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use yes_no::{YesNo, yes_or_no};

/// One line of the conversation.
#[derive(Clone, Debug, PartialEq)]
enum Line {
    Customer(Pii<String>),
    Agent(String),
    /// A tool with its answer; kept together so that no context shows one without the other.
    Tool {
        id: String,
        name: String,
        args: Value,
        result: String,
    },
}

/// A change that waits for a yes.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Which call of a tool.
    pub id: ToolCallId,
    /// Name of the tool.
    pub name: String,
    /// Exactly what runs on a yes.
    pub args: Value,
    question: String,
    asked_again: bool,
    /// The customer has heard enough of the question to answer it.
    is_heard: bool,
}

/// A tool that may run now.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolRun {
    /// Name of the tool.
    pub name: String,
    /// Its arguments.
    pub args: Value,
    /// Whether it changes anything.
    pub changes_state: bool,
}

/// What a customer's words call for.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A brain must answer.
    Generate,
    /// Say this.
    Say(String),
    /// The customer said yes: run exactly this.
    Run(ToolCallId, ToolRun),
    /// They named a subject that the agent does not talk about.
    Refuse {
        /// Which.
        topic: String,
    },
    /// It was what the flow had asked for: it goes on.
    Flow,
}

/// What a customer's words did.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomerTurn {
    /// A change that was decided by them.
    pub decided: Option<(ToolCallId, bool)>,
    /// What follows.
    pub reply: Reply,
}

/// What the policy says about a tool that a brain asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It may run.
    Run(ToolRun),
    /// Ask this first.
    Confirm {
        /// What to ask.
        question: String,
        /// What runs on a yes.
        run: ToolRun,
    },
    /// It may not run. The brain is told why.
    Refuse(Refusal),
    /// It wants keys of the phone, so many at most. The brain is told to ask for them.
    TakeKeys {
        /// What the brain is told.
        refusal: Refusal,
        /// So many keys are the whole of it.
        digits_max: usize,
    },
    /// The customer wants a person.
    Handoff,
    /// The customer wants to end the call.
    EndCall,
}

/// A conversation.
#[derive(Clone, Debug)]
pub struct Dialog {
    agent: Arc<Agent>,
    system: String,
    facts: Vec<String>,
    /// Hints of supervisors.
    whispers: Vec<String>,
    line_facts: BTreeMap<String, String>,
    /// A person has spoken with the customer.
    had_person: bool,
    /// It is outside the hours of the agent.
    is_after_hours: bool,
    lines: Vec<Line>,
    evidence: Evidence,
    /// The argument that was asked for last.
    awaiting: Option<AwaitedSlot>,
    /// The argument that the present turn may answer.
    answering: Option<AwaitedSlot>,
    pending: Option<Pending>,
    calls_in_turn: u32,
    /// Where the present turn's tools begin, and what the agent said before them.
    turn_start: usize,
    said: String,
    /// What was heard beside the answer, such as "one moment": it stands before what is heard next.
    asides: Vec<String>,
    /// Where it stands in the agent's flow.
    flow: Option<FlowRun>,
}

impl Dialog {
    /// A conversation of this agent, with nothing said yet.
    pub fn new(agent: Arc<Agent>) -> Self {
        Self {
            system: prompt::system(&agent, &[]),
            flow: agent.flow.clone().map(|flow| FlowRun::new(Arc::new(flow))),
            agent,
            facts: Vec::new(),
            whispers: Vec::new(),
            line_facts: BTreeMap::new(),
            had_person: false,
            is_after_hours: false,
            lines: Vec::new(),
            evidence: Evidence::default(),
            awaiting: None,
            answering: None,
            pending: None,
            calls_in_turn: 0,
            turn_start: 0,
            said: String::new(),
            asides: Vec::new(),
        }
    }

    /// Adds something known about the customer. Facts stay in the context when old lines are dropped, and count as looked up.
    pub fn add_fact(&mut self, fact: impl Into<String>) {
        let fact = fact.into();
        self.evidence.add(&fact);
        self.facts.push(fact);
        self.prompt_again();
    }

    /// It is outside the hours of the agent: nobody else is there.
    pub fn nobody_is_there(&mut self) {
        self.is_after_hours = true;
        self.prompt_again();
    }

    /// What the agent is saying in the present turn.
    pub fn said(&self) -> &str {
        &self.said
    }

    fn prompt_again(&mut self) {
        self.system = prompt::system(&self.agent, &self.facts);
        if self.is_after_hours {
            prompt::add_after_hours(&mut self.system);
        }
        prompt::add_line(&mut self.system, &self.line_facts);
        prompt::add_desk(&mut self.system, &self.whispers, self.had_person);
    }

    /// What the phone line says about the call. Whoever configured the line believes it, so it counts as looked up.
    pub fn line_said(&mut self, facts: &BTreeMap<String, String>) {
        facts.values().for_each(|value| self.evidence.add(value));
        self.line_facts.clone_from(facts);
        self.prompt_again();
    }

    /// A supervisor gave a hint that the customer does not hear. What a supervisor says counts as looked up.
    pub fn whispered(&mut self, text: &str) {
        self.evidence.add(text);
        if self.whispers.len() >= WHISPERS_MAX {
            self.whispers.remove(0);
        }
        self.whispers.push(text.to_owned());
        self.prompt_again();
    }

    /// The customer heard this from a person who has the conversation.
    pub fn person_heard(&mut self, text: &str) {
        self.person_heard_late(text);
        let line = std::mem::take(&mut self.asides).join(" ");
        self.said.clear();
        self.push(Line::Agent(line));
        self.turn_start = self.lines.len();
    }

    /// The same, known when the agent has the conversation again: it stands before what is heard next.
    pub fn person_heard_late(&mut self, text: &str) {
        self.evidence.add(text);
        self.agent_aside(text);
        if let Some(flow) = &mut self.flow {
            flow.unheard();
        }
        if !self.had_person {
            self.had_person = true;
            self.prompt_again();
        }
    }

    /// The customer said this. Whether it is about the argument that was asked for.
    fn take_in(&mut self, text: &str) -> bool {
        let continues = matches!(self.lines.last(), Some(Line::Customer(_)));
        let is_about_slot = self.awaiting.is_some();
        self.hear_customer(text);
        if !continues || is_about_slot {
            self.answering = self.awaiting.take();
        }
        is_about_slot
    }

    /// The customer said this in an earlier process, which has acted on it; what it decided about a change is told besides.
    pub fn customer_before(&mut self, text: &str) {
        if self.pending.is_some() {
            self.take_in(text); // A yes or a no, and no answer to the flow.
        } else {
            self.customer(text);
        }
    }

    /// The customer said this.
    pub fn customer(&mut self, text: &str) -> CustomerTurn {
        let is_about_slot = self.take_in(text);
        let Some(pending) = self.pending.take() else {
            // What the brain asked for in between is the brain's.
            let is_answer = !is_about_slot && self.flow.as_mut().is_some_and(|flow| flow.answered(text));
            let topic = self.agent.guardrails.topic_in(text).filter(|_| !is_answer && !is_about_slot);
            let reply = match topic {
                Some(topic) => Reply::Refuse { topic: topic.to_owned() },
                None if is_answer => Reply::Flow,
                None => Reply::Generate,
            };
            return CustomerTurn { decided: None, reply };
        };
        let name = pending.name.clone();
        let turn = self.decide(pending, text);
        if let Some((_, false)) = turn.decided {
            self.flow_tool_done(&name, Err(ToolOutcome::Failed));
        }
        turn
    }

    /// Where it stands in the agent's flow, if the agent has one.
    pub fn flow(&self) -> Option<&FlowRun> {
        self.flow.as_ref()
    }

    /// Goes on in the flow to where something must happen first.
    pub fn flow_go(&mut self) -> Option<FlowLeg> {
        self.flow.as_mut()?.go()
    }

    /// Goes on in the flow where an earlier process stood.
    pub fn flow_restore(&mut self, node: Option<&str>, values: &Value) {
        if let Some(flow) = &mut self.flow {
            flow.restore(node, values.as_object().unwrap_or(&Map::new()));
        }
    }

    /// A tool has answered. Says whether the flow waited for it.
    pub fn flow_tool_done(&mut self, name: &str, result: Result<&str, ToolOutcome>) -> bool {
        let Some(flow) = self.flow.as_mut().filter(|flow| flow.awaited_tool() == Some(name)) else { return false };
        flow.tool_done(name, result);
        true
    }

    /// For how long nobody may say or press anything, where the flow waits for a choice and nothing else is asked.
    pub fn menu_silence_ms(&self) -> Option<u64> {
        self.flow.as_ref().filter(|_| !self.has_asked()).and_then(FlowRun::menu_silence_ms)
    }

    /// Nobody has said or pressed anything for that long. `true` when the flow goes on then.
    pub fn flow_unanswered(&mut self) -> bool {
        !self.has_asked() && self.flow.as_mut().is_some_and(FlowRun::unanswered)
    }

    /// A person has the conversation: an answer is theirs.
    pub fn flow_unheard(&mut self) {
        if let Some(flow) = &mut self.flow {
            flow.unheard();
        }
    }

    /// Whether the talk has asked for something itself: for a yes, or for what a tool needs.
    pub fn has_asked(&self) -> bool {
        self.pending.is_some() || self.awaiting.is_some()
    }

    /// A tool that the flow waits for and nobody runs or asks about is used anew.
    pub fn flow_recovered(&mut self) {
        let awaited = self.flow.as_ref().and_then(FlowRun::awaited_tool).map(str::to_owned);
        if let Some(name) = awaited.filter(|_| self.pending.is_none()) {
            self.flow_tool_done(&name, Err(ToolOutcome::CalledOff));
        }
    }

    /// Takes the customer's words in without answering them, as while a person has the conversation.
    pub fn hear_customer(&mut self, text: &str) {
        self.evidence.add(text);
        if !self.asides.is_empty() {
            let asides = std::mem::take(&mut self.asides).join(" ");
            self.push(Line::Agent(asides));
        }
        self.push(Line::Customer(Pii::new(text.to_owned())));
        self.begin_turn();
    }

    fn begin_turn(&mut self) {
        self.calls_in_turn = 0;
        self.turn_start = self.lines.len();
        self.said.clear();
    }

    fn decide(&mut self, mut pending: Pending, text: &str) -> CustomerTurn {
        let id = pending.id;
        let decided = |yes| Some((id, yes));
        match yes_or_no(text) {
            // A yes to something else: what was not heard was not asked.
            YesNo::Yes if !pending.is_heard => {
                let question = pending.question.clone();
                self.pending = Some(pending);
                CustomerTurn { decided: None, reply: Reply::Say(question) }
            }
            YesNo::Unclear if !pending.is_heard => CustomerTurn { decided: decided(false), reply: Reply::Generate },
            YesNo::Yes => {
                let run = ToolRun { name: pending.name, args: pending.args, changes_state: true };
                CustomerTurn { decided: decided(true), reply: Reply::Run(id, run) }
            }
            YesNo::No { more } => {
                let reply = if more { Reply::Generate } else { Reply::Say(self.agent.lines.not_done.clone()) };
                CustomerTurn { decided: decided(false), reply }
            }
            YesNo::Unclear if pending.asked_again => CustomerTurn { decided: decided(false), reply: Reply::Generate },
            YesNo::Unclear => {
                pending.asked_again = true;
                let question = pending.question.clone();
                self.pending = Some(pending);
                CustomerTurn { decided: None, reply: Reply::Say(question) }
            }
        }
    }

    /// The customer heard this from the agent.
    pub fn agent_heard(&mut self, heard: &str) {
        self.said.clear();
        if let Some(pending) = &mut self.pending {
            pending.is_heard |= is_mostly(&pending.question, heard);
        }
        if let Some(flow) = &mut self.flow {
            flow.heard(heard);
        }
        if !heard.is_empty() {
            let mut line = std::mem::take(&mut self.asides);
            line.push(heard.to_owned());
            self.push(Line::Agent(line.join(" ")));
        }
        self.turn_start = self.lines.len();
    }

    /// The customer heard this beside the answer: that it takes a moment, for example.
    pub fn agent_aside(&mut self, heard: &str) {
        if !heard.is_empty() {
            self.asides.push(heard.to_owned());
        }
    }

    /// The agent is about to say this in the present turn; a follow-up request must know it.
    pub fn agent_says(&mut self, text: &str) {
        if !self.said.is_empty() {
            self.said.push(' ');
        }
        self.said.push_str(text);
    }

    /// The agent asks for an argument; gives the configured question for it.
    pub fn slot_asked(&mut self, slot: AwaitedSlot) -> Option<String> {
        let ask = self.parameter(&slot).and_then(|parameter| parameter.ask.clone());
        self.awaiting = Some(slot);
        ask
    }

    fn parameter(&self, slot: &AwaitedSlot) -> Option<&Parameter> {
        let tool = self.agent.tools.iter().find(|tool| tool.name == slot.tool)?;
        tool.parameters.iter().find(|parameter| parameter.name == slot.slot)
    }

    /// Whether the customer's next words answer a question of ours, so that even "yeah" is an answer.
    pub fn awaits_answer(&self) -> bool {
        let is_menu = self.flow.as_ref().is_some_and(|flow| flow.menu_silence_ms().is_some());
        self.pending.is_some() || self.awaiting.is_some() || self.flow_awaits().is_some() || is_menu
    }

    /// What the flow's question wants.
    fn flow_awaits(&self) -> Option<&FlowAnswer> {
        self.flow.as_ref().and_then(FlowRun::awaited)
    }

    /// Whether these words are all that was asked for: a yes or no to a question that wants one, or a whole value.
    pub fn is_answered_by(&self, words: &str, has_asked: bool) -> bool {
        if let Some(parameter) = self.awaiting.as_ref().and_then(|slot| self.parameter(slot)) {
            return match &parameter.kind {
                ParameterKind::Pattern { regex } => policy::is_whole(regex, words),
                ParameterKind::YesNo { .. } => yes_or_no(words) != YesNo::Unclear,
                ParameterKind::Text
                | ParameterKind::Choice { .. }
                | ParameterKind::Day
                | ParameterKind::Number { .. } => false,
            };
        }
        if let Some(FlowAnswer::Pattern { regex }) = self.flow_awaits() {
            return policy::is_whole(regex, words);
        }
        let is_asked = self.pending.is_some() || has_asked;
        is_asked && words.split_whitespace().count() <= PLAIN_ANSWER_WORDS_MAX && yes_or_no(words) != YesNo::Unclear
    }

    /// Whether the customer was asked for something that is given in digits or letters.
    pub fn expects_digits(&self) -> bool {
        let parameter = self.awaiting.as_ref().and_then(|slot| self.parameter(slot));
        if let (None, Some(FlowAnswer::Pattern { regex })) = (parameter, self.flow_awaits()) {
            return regex.contains("\\d") || regex.contains("0-9");
        }
        parameter.is_some_and(|parameter| match &parameter.kind {
            ParameterKind::Pattern { regex } => regex.contains("\\d") || regex.contains("0-9"),
            ParameterKind::Number { .. } => true,
            ParameterKind::Text | ParameterKind::Choice { .. } | ParameterKind::Day | ParameterKind::YesNo { .. } => {
                false
            }
        })
    }

    /// A brain asks for a tool. The brain's arguments are used for nothing else than what this returns.
    pub fn ask_tool(&mut self, name: &str, args: &Value) -> Verdict {
        self.calls_in_turn += 1;
        let allowed = match policy::judge(&self.agent.tools, name, args, &self.evidence, self.calls_in_turn) {
            Ok(allowed) => allowed,
            Err(refusal) if refusal.reason == policy::KEYS_WANTED => {
                let spec = self.agent.tools.iter().find(|tool| tool.name == name);
                let digits_max = spec.map_or(0, |spec| match spec.action {
                    ToolAction::CollectDigits { digits_max } => digits_max,
                    _ => 0,
                });
                return Verdict::TakeKeys { refusal, digits_max: digits_max as usize };
            }
            Err(refusal) => return Verdict::Refuse(refusal),
        };
        match allowed.spec.action {
            ToolAction::Handoff => return Verdict::Handoff,
            ToolAction::EndCall => return Verdict::EndCall,
            ToolAction::Lookup { .. }
            | ToolAction::Record { .. }
            | ToolAction::Http { .. }
            | ToolAction::LookUpCustomer
            | ToolAction::CreateTicket { .. }
            | ToolAction::SendMessage { .. }
            | ToolAction::CollectDigits { .. }
            | ToolAction::Mcp { .. }
            | ToolAction::SearchKnowledge => {}
        }
        let changes_state = allowed.spec.changes_state;
        let question = changes_state.then(|| self.question(allowed.spec, &allowed.args));
        let run = ToolRun { name: name.to_owned(), args: Value::Object(allowed.args), changes_state };
        match question {
            Some(question) if !mutant!(ConfirmationSkipped) => Verdict::Confirm { question, run },
            _ => Verdict::Run(run),
        }
    }

    fn question(&self, spec: &ToolSpec, args: &Map<String, Value>) -> String {
        match &spec.confirm {
            Some(confirm) => template::fill(confirm, args, None),
            None => {
                let mut known = Map::new();
                known.insert("tool".into(), Value::String(spec.name.replace('_', " ")));
                known.insert("args".into(), Value::String(template::spoken_args(args)));
                template::fill(&self.agent.lines.confirm, &known, None)
            }
        }
    }

    /// The customer is being asked about this change. `question` is `None` after a recovery: it is built again.
    pub fn confirmation_asked(&mut self, id: ToolCallId, name: &str, args: Value, question: Option<String>) {
        let question = question.unwrap_or_else(|| {
            let spec = self.agent.tools.iter().find(|tool| tool.name == name);
            let known = args.as_object().cloned().unwrap_or_default();
            spec.map(|spec| self.question(spec, &known)).unwrap_or_default()
        });
        self.pending = Some(Pending { id, name: name.to_owned(), args, question, asked_again: false, is_heard: false });
    }

    /// The change was decided, or is asked about no more.
    pub fn confirmation_closed(&mut self) -> Option<Pending> {
        self.pending.take()
    }

    /// The change that waits for a yes, and the question about it.
    pub fn pending_question(&self) -> Option<&str> {
        self.pending.as_ref().map(|pending| pending.question.as_str())
    }

    /// A tool answered, or failed, or was refused: the brain sees it in its next request.
    pub fn tool_answered(&mut self, brain_id: &str, name: &str, args: Value, result: &str, is_data: bool) {
        let result = cut(result, TOOL_RESULT_CHARS_MAX);
        if is_data {
            self.evidence.add(result);
        }
        self.push(Line::Tool { id: brain_id.to_owned(), name: name.to_owned(), args, result: result.to_owned() });
    }

    /// What is said about a tool without asking a brain again. `None` when a brain shall put it into words.
    pub fn say_done(&self, name: &str, args: &Value, result: &Result<String, Failure>) -> Option<String> {
        if matches!(self.agent.brain, BrainChoice::Llm { .. }) {
            return None;
        }
        let spec = self.agent.tools.iter().find(|tool| tool.name == name)?;
        let Ok(result) = result else { return Some(self.agent.lines.give_up.clone()) };
        let result = cut(result, TOOL_RESULT_CHARS_MAX);
        let none = Map::new();
        let args = args.as_object().unwrap_or(&none);
        let said =
            spec.say_done.as_ref().map_or_else(|| result.to_owned(), |say| template::fill_result(say, args, result));
        (!said.trim().is_empty()).then_some(said)
    }

    /// Whether the last line is the customer's and nobody has answered it.
    pub fn is_unanswered(&self) -> bool {
        let last_spoken = self.lines.iter().rev().find(|line| !matches!(line, Line::Tool { .. }));
        matches!(last_spoken, Some(Line::Customer(_)))
    }

    /// What a brain is asked: the instructions, as much of the newest conversation as fits, and the tools.
    pub fn request(&self) -> GenerationRequest {
        let mut budget = CONTEXT_TOKENS_MAX.saturating_sub(tokens(&self.system)).saturating_sub(self.tools_tokens());
        let mut first = self.lines.len();
        for (at, line) in self.lines.iter().enumerate().rev() {
            let cost = line.tokens();
            let must_stay = at + 1 >= self.turn_start && matches!(line, Line::Customer(_));
            if cost > budget && !must_stay {
                break;
            }
            budget = budget.saturating_sub(cost);
            first = at;
        }
        let mut messages = Vec::with_capacity(2 * (self.lines.len() - first) + 2);
        let mut system = self.system.clone();
        if let Some(question) = self.flow.as_ref().and_then(FlowRun::question) {
            prompt::add_question(&mut system, &question);
        }
        messages.push(ChatMessage::System { text: system });
        for (at, line) in self.lines.iter().enumerate().skip(first) {
            if at == self.turn_start {
                self.push_said(&mut messages);
            }
            line.push_messages(&mut messages);
        }
        if self.turn_start >= self.lines.len() {
            self.push_said(&mut messages);
        }
        let mut tools = self.agent.tools.clone();
        if self.agent.handoff.mode != HandoffMode::Cold {
            brief::add_parameter(&mut tools);
        }
        GenerationRequest {
            brain: self.agent.brain.clone(),
            messages,
            tools,
            awaiting: self.answering.clone(),
            language: self.agent.language.clone(),
            tokens_max: ANSWER_TOKENS_MAX,
        }
    }

    fn push_said(&self, messages: &mut Vec<ChatMessage>) {
        if !self.said.is_empty() {
            messages.push(ChatMessage::Agent { text: self.said.clone() });
        }
    }

    fn tools_tokens(&self) -> usize {
        let of = |tool: &ToolSpec| {
            let parameters: usize = tool.parameters.iter().map(|p| p.name.len() + p.description.len() + 40).sum();
            (tool.name.len() + tool.description.len() + parameters + 40) / 4
        };
        self.agent.tools.iter().map(of).sum()
    }

    fn push(&mut self, line: Line) {
        if self.lines.len() >= DIALOG_LINES_MAX {
            self.lines.remove(0);
            self.turn_start = self.turn_start.saturating_sub(1);
        }
        self.lines.push(line);
    }
}

impl Line {
    fn tokens(&self) -> usize {
        let chars = match self {
            Self::Customer(text) => text.expose().len(),
            Self::Agent(text) => text.len(),
            Self::Tool { name, args, result, .. } => 2 * name.len() + args.to_string().len() + result.len(),
        };
        chars / 4 + 4
    }

    fn push_messages(&self, messages: &mut Vec<ChatMessage>) {
        match self {
            Self::Customer(text) => messages.push(ChatMessage::Customer { text: text.clone() }),
            Self::Agent(text) => messages.push(ChatMessage::Agent { text: text.clone() }),
            Self::Tool { id, name, args, result } => {
                let (id, name) = (id.clone(), name.clone());
                messages.push(ChatMessage::ToolCall { id: id.clone(), name: name.clone(), args: args.clone() });
                messages.push(ChatMessage::ToolResult { id, name, text: result.clone() });
            }
        }
    }
}

/// A yes or no in more words than these may go on.
const PLAIN_ANSWER_WORDS_MAX: usize = 3;

/// Whether what was heard ends in the question or in at least half of it: nobody can agree to "Shall I".
fn is_mostly(question: &str, heard: &str) -> bool {
    let heard: Vec<&str> = heard.split_whitespace().collect();
    let question: Vec<&str> = question.split_whitespace().collect();
    (question.len().div_ceil(2).max(1)..=question.len()).any(|count| heard.ends_with(&question[..count]))
}

/// Four characters are about a token.
fn tokens(text: &str) -> usize {
    text.len() / 4 + 1
}

fn cut(text: &str, chars_max: usize) -> &str {
    text.char_indices().nth(chars_max).map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests;
