//! Where a conversation stands in its flow. Moves by two things alone: it is told to go on, or the customer's words or a
//! tool's answer are given to it. It says what is to be done and never does the same step twice.

use super::policy;
use super::template::fill;
use super::yes_no::{YesNo, yes_or_no};
use super::{Evidence, evidence};
use base::limits::{FLOW_STEPS_MAX, FLOW_VALUE_CHARS_MAX};
use base::{PhoneNumber, Pii};
use model::flow::{Flow, FlowAnswer, FlowCase, FlowNode, FlowStep, FlowTest, MenuChoice, is_key};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What a flow waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// To be told to go on.
    Nothing,
    /// For an answer to the question of its node.
    Answer,
    /// For the tool of its node.
    Tool,
    /// It is over.
    Over,
}

/// What is to be done next, behind what is to be said.
#[derive(Clone, Debug, PartialEq)]
pub enum FlowThen {
    /// The customer must answer; the question is the last thing said.
    Ask,
    /// This tool is to be used, as far as the policy allows.
    Tool {
        /// Name of the tool.
        name: String,
        /// Its arguments.
        args: Value,
    },
    /// The customer is to be handed to a person.
    Transfer(Option<PhoneNumber>),
    /// The conversation is to be ended; `None`: with the agent's goodbye.
    End(Option<String>),
    /// The flow is over, and the conversation goes on without it.
    Free,
}

/// One way from a place to the next at which something must happen first.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowLeg {
    /// What is to be said, in order; the last one is the question, where there is one.
    pub says: Vec<String>,
    /// What is to be done then.
    pub then: FlowThen,
    /// The nodes that were gone through, in order; the last one is where it stands.
    pub path: Vec<String>,
}

/// A conversation's place in a flow.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowRun {
    flow: Arc<Flow>,
    at: String,
    waits: Waits,
    values: Map<String, Value>,
    /// How often the question was asked in vain.
    tries: u32,
    steps: u32,
    /// The customer has heard the question.
    is_heard: bool,
    /// The menu at which it stands is to be offered anew, and whether its `again` is said first.
    anew: Option<bool>,
}

impl FlowRun {
    /// At the beginning.
    pub fn new(flow: Arc<Flow>) -> Self {
        let at = flow.start.clone();
        Self { flow, at, waits: Waits::Nothing, values: Map::new(), tries: 0, steps: 0, is_heard: false, anew: None }
    }

    /// At a place of an earlier process. A tool that was begun there is told about by [`FlowRun::tool_done`].
    pub fn restore(&mut self, node: Option<&str>, values: &Map<String, Value>) {
        self.values = values.clone();
        (self.tries, self.is_heard, self.steps, self.anew) = (0, false, self.steps.max(1), None);
        let Some(node) = node else {
            self.waits = Waits::Over;
            return;
        };
        if mutant!(FlowForgottenByNextProcess) {
            return;
        }
        node.clone_into(&mut self.at);
        self.waits = match self.node().map(|node| &node.step) {
            Some(FlowStep::Ask { .. } | FlowStep::Menu { .. }) => Waits::Answer,
            Some(FlowStep::Tool { .. }) => Waits::Tool,
            Some(_) => Waits::Nothing,
            None => Waits::Over,
        };
    }

    /// The node at which it stands; `None` when it is over.
    pub fn place(&self) -> Option<&str> {
        (self.waits != Waits::Over).then_some(self.at.as_str())
    }

    /// The variables.
    pub fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    fn node(&self) -> Option<&FlowNode> {
        self.flow.node(&self.at)
    }

    /// Whether any of it was done.
    pub fn has_begun(&self) -> bool {
        self.steps > 0
    }

    /// Whether it can go on.
    pub fn is_ready(&self) -> bool {
        self.waits == Waits::Nothing
    }

    /// The question that it waits for an answer to.
    pub fn question(&self) -> Option<String> {
        match (&self.node()?.step, self.waits) {
            (FlowStep::Ask { text, .. } | FlowStep::Menu { text, .. }, Waits::Answer) => {
                Some(fill(text, &self.values, None))
            }
            _ => None,
        }
    }

    /// What the answer to it looks like.
    pub fn awaited(&self) -> Option<&FlowAnswer> {
        match (&self.node()?.step, self.waits) {
            (FlowStep::Ask { answer, .. }, Waits::Answer) => Some(answer),
            _ => None,
        }
    }

    /// For how long nobody may say or press anything, where it waits for a choice.
    pub fn menu_silence_ms(&self) -> Option<u64> {
        match (&self.node()?.step, self.waits) {
            (FlowStep::Menu { silence_ms, .. }, Waits::Answer) => Some(*silence_ms),
            _ => None,
        }
    }

    /// The tool that it waits for.
    pub fn awaited_tool(&self) -> Option<&str> {
        match (&self.node()?.step, self.waits) {
            (FlowStep::Tool { tool, .. }, Waits::Tool) => Some(tool),
            _ => None,
        }
    }

    /// Goes on to where something must happen first. `None` when it waits or is over.
    pub fn go(&mut self) -> Option<FlowLeg> {
        if !self.is_ready() {
            return None;
        }
        let mut leg = FlowLeg { says: Vec::new(), then: FlowThen::Free, path: Vec::new() };
        loop {
            self.steps += 1;
            let Some(node) = self.node().filter(|_| self.steps <= FLOW_STEPS_MAX).cloned() else {
                self.waits = Waits::Over;
                return Some(leg);
            };
            leg.path.push(node.id.clone());
            let filled = |text: &str| fill(text, &self.values, None);
            match node.step {
                FlowStep::Say { text, next } => {
                    leg.says.push(filled(&text));
                    self.at = next;
                }
                FlowStep::Set { variable, value, next } => {
                    let value = filled(&value);
                    self.set(&variable, &value);
                    self.at = next;
                }
                FlowStep::Branch { cases, otherwise } => {
                    let holds = |case: &FlowCase| holds(self.values.get(&case.variable), &case.test);
                    self.at = cases.into_iter().find(holds).map_or(otherwise, |case| case.next);
                }
                FlowStep::Ask { text, .. } => {
                    leg.says.push(filled(&text));
                    (leg.then, self.waits) = (FlowThen::Ask, Waits::Answer);
                    (self.tries, self.is_heard) = (0, false);
                    return Some(leg);
                }
                FlowStep::Menu { text, again, .. } => {
                    match self.anew.take() {
                        Some(is_said) => leg.says.extend(again.filter(|_| is_said).as_deref().map(filled)),
                        None => self.tries = 0,
                    }
                    leg.says.push(filled(&text));
                    (leg.then, self.waits, self.is_heard) = (FlowThen::Ask, Waits::Answer, false);
                    return Some(leg);
                }
                FlowStep::Tool { tool, arguments, .. } => {
                    let argument = |(name, text): (String, String)| (name, Value::String(filled(&text)));
                    let args = arguments.into_iter().map(argument).filter(|(_, value)| value != "").collect();
                    (leg.then, self.waits) = (FlowThen::Tool { name: tool, args: Value::Object(args) }, Waits::Tool);
                    return Some(leg);
                }
                FlowStep::Transfer { to } => {
                    (leg.then, self.waits) = (FlowThen::Transfer(to), Waits::Over);
                    return Some(leg);
                }
                FlowStep::End { text, hang_up } => {
                    let text = text.as_deref().map(filled);
                    self.waits = Waits::Over;
                    if hang_up {
                        leg.then = FlowThen::End(text);
                    } else {
                        leg.says.extend(text);
                    }
                    return Some(leg);
                }
            }
        }
    }

    /// The customer heard this: perhaps the question.
    pub fn heard(&mut self, heard: &str) {
        let question = self.question();
        self.is_heard |= question.is_some_and(|question| super::is_mostly(&question, heard));
    }

    /// Somebody else has spoken with the customer since the question.
    pub fn unheard(&mut self) {
        self.is_heard = false;
    }

    /// The customer said this. `true` when it is the answer; otherwise it is talked about freely, and then asked again.
    pub fn answered(&mut self, words: &str) -> bool {
        if self.menu_silence_ms().is_some() {
            self.choose(words);
            return true;
        }
        let Some(FlowStep::Ask { variable, answer, tries_max, next, otherwise, .. }) =
            self.node().filter(|_| self.waits == Waits::Answer).map(|node| node.step.clone())
        else {
            return false;
        };
        // What was not heard was not asked; but a value of its form is one, whenever it comes.
        let is_asked = self.is_heard || answer != FlowAnswer::Text || mutant!(FlowUnheardAnswerTaken);
        if let Some(value) = value_of(&answer, words).filter(|_| is_asked) {
            self.set(&variable, &value);
            self.waits = Waits::Nothing;
            if !mutant!(FlowStepDoubled) {
                self.at = next;
            }
            return true;
        }
        self.tries += u32::from(self.is_heard);
        if self.tries >= tries_max.max(1) {
            match otherwise {
                Some(otherwise) => (self.at, self.waits) = (otherwise, Waits::Nothing),
                None => self.waits = Waits::Over,
            }
        }
        false
    }

    /// Nobody has said or pressed anything for as long as the menu waits. `true` when there is something to be said then.
    pub fn unanswered(&mut self) -> bool {
        let is_menu = self.menu_silence_ms().is_some();
        if is_menu {
            self.not_chosen(true);
        }
        is_menu
    }

    fn choose(&mut self, words: &str) {
        let Some(FlowStep::Menu { choices, .. }) = self.node().map(|node| &node.step) else { return };
        let words = words.trim();
        let mut signs = words.chars();
        let key = signs.next().filter(|sign| signs.next().is_none() && is_key(*sign));
        match chosen(choices, key, words).map(|choice| choice.next.clone()) {
            Some(next) => (self.at, self.waits) = (next, Waits::Nothing),
            // Who presses a wrong key has heard enough of the offer to press one.
            None => self.not_chosen(self.is_heard || key.is_some()),
        }
    }

    fn not_chosen(&mut self, is_try: bool) {
        let Some(FlowStep::Menu { tries_max, otherwise, .. }) = self.node().map(|node| &node.step) else { return };
        let (tries_max, otherwise) = (*tries_max, otherwise.clone());
        self.waits = Waits::Nothing;
        self.tries += u32::from(is_try);
        if self.tries >= tries_max.max(1) {
            self.at = otherwise;
        } else {
            self.anew = Some(is_try);
        }
    }

    /// The tool that it waits for has answered, has failed, or was not wanted. A look-up that was called off is used again.
    pub fn tool_done(&mut self, name: &str, result: Result<&str, ToolOutcome>) {
        if self.awaited_tool() != Some(name) {
            return;
        }
        let Some(FlowStep::Tool { variable, next, failed, .. }) = self.node().map(|node| node.step.clone()) else {
            return;
        };
        if mutant!(FlowStuckAtFailedTool) && result == Err(ToolOutcome::Failed) {
            return;
        }
        self.waits = Waits::Nothing;
        match result {
            Ok(text) => {
                if let Some(variable) = variable {
                    self.set_result(&variable, text);
                }
                self.at = next;
            }
            Err(ToolOutcome::Failed) => self.at = failed.unwrap_or(next),
            Err(ToolOutcome::CalledOff) => {}
        }
    }

    fn set(&mut self, variable: &str, value: &str) {
        let value: String = value.chars().take(FLOW_VALUE_CHARS_MAX).collect();
        self.values.insert(variable.to_owned(), Value::String(value));
    }

    /// A result that is an object can also be read by its fields: `{order.status}`.
    fn set_result(&mut self, variable: &str, text: &str) {
        self.set(variable, text);
        if let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(text) {
            for (name, value) in fields {
                let value = super::template::spoken(&value);
                self.set(&format!("{variable}.{name}"), &value);
            }
        }
    }
}

/// How a tool came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolOutcome {
    /// It failed, was refused, or the customer said no.
    Failed,
    /// It was called off, and had no effect.
    CalledOff,
}

fn holds(value: Option<&Value>, test: &FlowTest) -> bool {
    let Some(value) = value.map(super::template::spoken) else { return false };
    let small = value.trim().to_lowercase();
    match test {
        FlowTest::Is { value } => small == value.trim().to_lowercase(),
        FlowTest::Contains { value } => small.contains(&value.trim().to_lowercase()),
        FlowTest::Known => !small.is_empty(),
        FlowTest::Above { value } => small.parse::<f64>().is_ok_and(|number| number > *value as f64),
    }
}

/// The choice of a menu that is meant. A key is nothing but a key; words may name one, too: "one", "press two".
fn chosen<'a>(choices: &'a [MenuChoice], key: Option<char>, words: &str) -> Option<&'a MenuChoice> {
    if key.is_some() {
        return choices.iter().find(|choice| choice.key == key);
    }
    let mut said = Evidence::default();
    said.add(words);
    let by_words = |choice: &&MenuChoice| said.holds_any(choice.said.iter().map(String::as_str));
    let by_key = |choice: &&MenuChoice| {
        let named = choice.key.filter(char::is_ascii_digit).map(|key| key.to_string());
        said.holds_any(named.iter().map(String::as_str))
    };
    choices.iter().find(by_words).or_else(|| choices.iter().find(by_key))
}

/// The value that these words are an answer with.
fn value_of(answer: &FlowAnswer, words: &str) -> Option<String> {
    let words = words.trim();
    match answer {
        FlowAnswer::Text => {
            let is_question = words.ends_with('?');
            (!words.is_empty() && !is_question).then(|| words.trim_end_matches(['.', '!']).to_owned())
        }
        FlowAnswer::YesNo => match yes_or_no(words) {
            YesNo::Yes => Some("yes".into()),
            YesNo::No { .. } => Some("no".into()),
            YesNo::Unclear => None,
        },
        FlowAnswer::Day => {
            let small = words.to_lowercase();
            let said = |day: &&&str| small.split(|c: char| !c.is_alphanumeric()).any(|word| word == **day);
            DAYS.iter().find(said).map(|day| (*day).to_owned())
        }
        FlowAnswer::Pattern { regex } => policy::value_in(regex, &evidence::spelled_signs(words)),
        FlowAnswer::Choice { options } => {
            let mut said = Evidence::default();
            said.add(words);
            let is_meant = |option: &&model::tool::ChoiceOption| {
                said.holds_any(option.said.iter().map(String::as_str).chain([option.value.as_str()]))
            };
            options.iter().find(is_meant).map(|option| option.value.clone())
        }
    }
}

const DAYS: &[&str] =
    &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "today", "tomorrow"];

/// The variables, for the journal.
pub fn journaled(values: &Map<String, Value>) -> Pii<Value> {
    Pii::new(Value::Object(values.clone()))
}

#[cfg(test)]
mod tests;
