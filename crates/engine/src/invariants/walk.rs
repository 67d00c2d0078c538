//! The walk through an agent's flow: no step is doubled, none is skipped, what is over stays over, and what was asked is
//! either answered or asked again.

use super::solid;
use crate::dialog::template::fill;
use base::Pii;
use model::agent::Agent;
use model::flow::{Flow, FlowAnswer, FlowNode, FlowStep};
use model::journal::{Entry, Record};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A law that does not hold, and what was seen.
type Broken = Option<(&'static str, String)>;

/// Where the walk stands, as the journal has it.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    flow: Option<Flow>,
    /// The agent's own lines after which the caller has to begin again.
    excuses: Vec<String>,
    /// The last node; `None` before the first.
    at: Option<String>,
    is_over: bool,
    /// The question of the last node, and the half of it that must be heard before it can be answered; without white space.
    question: (String, String),
    /// That half was heard since it was asked.
    is_heard: bool,
    /// A yes is waited for.
    is_confirming: bool,
    /// What was said to the caller's last turn, without white space; `None` when it was cut off or asks for something itself.
    reply: Option<String>,
}

impl Walk {
    pub fn new(agent: &Agent) -> Self {
        let lines = &agent.lines;
        let excuses = [&lines.apology, &lines.lost_thread, &lines.go_on, &lines.not_heard, &lines.give_up];
        Self {
            flow: agent.flow.clone(),
            excuses: excuses.into_iter().map(|line| solid(line).collect()).collect(),
            at: None,
            is_over: false,
            question: Default::default(),
            is_heard: false,
            is_confirming: false,
            reply: None,
        }
    }

    /// The process died; this was durable.
    pub fn killed(&mut self, journal: &[Record]) {
        (self.at, self.is_over, self.is_confirming) = (None, false, false);
        for record in journal {
            self.entry(&record.entry);
        }
        (self.is_heard, self.reply) = (false, None);
    }

    /// What is wrong with this entry.
    pub fn entry(&mut self, entry: &Entry) -> Broken {
        match entry {
            Entry::FlowMoved { node, path, values } => {
                let problem = self.problem(path);
                self.is_over |= node.is_none();
                self.at = path.last().cloned().or(self.at.take());
                self.question = match self.node().map(|node| &node.step) {
                    Some(FlowStep::Ask { text, .. } | FlowStep::Menu { text, .. }) => {
                        let text = fill(text, values.expose().as_object().unwrap_or(&Map::new()), None);
                        let words: Vec<&str> = text.split_whitespace().collect();
                        (words.concat(), words[..words.len().div_ceil(2)].concat())
                    }
                    _ => Default::default(),
                };
                self.is_heard = false;
                return problem;
            }
            Entry::CallerTurn { .. } => self.reply = Some(String::new()),
            Entry::AgentTurn { heard, .. } => {
                self.is_heard |= solid(heard.expose()).collect::<String>().contains(&self.question.1);
            }
            Entry::PersonTurn { .. } | Entry::TakenOver { .. } => (self.is_heard, self.reply) = (false, None),
            Entry::SlotAsked(_) => self.reply = None,
            Entry::ConfirmationAsked { .. } => (self.is_confirming, self.reply) = (true, None),
            Entry::ConfirmationAnswered { .. } => self.is_confirming = false,
            _ => {}
        }
        None
    }

    /// The machine has this said.
    pub fn spoken(&mut self, text: &str) {
        let text: String = solid(text).collect();
        if self.excuses.contains(&text) {
            self.reply = None;
        } else if let Some(reply) = &mut self.reply {
            reply.push_str(&text);
        }
    }

    /// Nobody knows whether the rest is said.
    pub fn cut_off(&mut self) {
        self.reply = None;
    }

    /// What is wrong with waiting for what the next deadline is about.
    pub fn waits(&mut self, why: &str) -> Broken {
        if why != "idle" || self.is_over || self.is_confirming {
            return None;
        }
        let node = self.node()?;
        if !node.waits_for_caller() {
            return Some(("a_flow_waits_at_questions_alone", format!("the caller must speak at {}", node.id)));
        }
        let reply = self.reply.take().filter(|reply| !reply.is_empty())?;
        let is_back = reply.contains(&self.question.0);
        (!is_back).then(|| ("free_talk_comes_back_to_its_question", format!("{reply:?}")))
    }

    /// The tool of the node at which it stands, with its arguments.
    pub fn tool(&self, values: &Pii<Value>) -> Option<(String, String)> {
        let Some(FlowStep::Tool { tool, arguments, .. }) = self.node().map(|node| &node.step) else { return None };
        let values = values.expose().as_object()?;
        let argument = |(name, text): (&String, &String)| (name.clone(), Value::String(fill(text, values, None)));
        let args: Map<String, Value> = arguments.iter().map(argument).filter(|(_, value)| value != "").collect();
        Some((tool.clone(), Value::Object(args).to_string()))
    }

    fn node(&self) -> Option<&FlowNode> {
        self.flow.as_ref()?.node(self.at.as_deref()?)
    }

    fn problem(&self, path: &[String]) -> Broken {
        let flow = self.flow.as_ref()?;
        if self.is_over {
            return Some(("a_flow_ends_once", path.join(" ")));
        }
        let once: BTreeSet<&String> = path.iter().collect();
        if once.len() != path.len() {
            return Some(("no_step_of_a_flow_is_doubled", path.join(" ")));
        }
        let follows = |before: Option<&str>, next: &str| match before.map(|id| flow.node(id)) {
            None => next == flow.start,
            // A look-up that was called off is used again, and a menu is offered anew.
            Some(Some(node)) => {
                let is_repeated = matches!(node.step, FlowStep::Tool { .. } | FlowStep::Menu { .. });
                node.targets().contains(&next) || node.id == next && is_repeated
            }
            Some(None) => false,
        };
        let mut before = self.at.as_deref();
        for next in path {
            if !follows(before, next) {
                return Some(("a_flow_goes_on_where_it_stood", format!("{next} after {before:?}")));
            }
            before = Some(next);
        }
        self.unheard_answer(path.first()?)
    }

    /// A free text answers only a question that was heard.
    fn unheard_answer(&self, to: &str) -> Broken {
        let FlowStep::Ask { answer: FlowAnswer::Text, next, otherwise, .. } = &self.node()?.step else { return None };
        let is_answer = next == to && otherwise.as_deref() != Some(to);
        (is_answer && !self.is_heard).then(|| ("what_was_not_asked_is_not_answered", format!("{to} after {next}")))
    }
}
