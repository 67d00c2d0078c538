//! Flows: what an agent goes through with a caller, step by step, as data. A flow is stored with its agent and versioned with it.
//!
//! [`Flow::problems`] is the whole contract with the engine: a flow without problems never gets stuck, and every walk through
//! it ends or waits for the caller.

use crate::tool::{ParameterKind, ToolSpec};
use base::{PhoneNumber, limits};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// The node at which a call begins, after the greeting.
    pub start: String,
    /// The nodes.
    pub nodes: Vec<FlowNode>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowNode {
    /// Name within the flow, as other nodes call it.
    pub id: String,
    /// What it does.
    #[serde(flatten)]
    pub step: FlowStep,
    /// Where an editor shows it. Means nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// A place on the canvas of an editor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// To the right.
    pub x: f32,
    /// Downwards.
    pub y: f32,
}

/// What a node does. Texts may hold variables, as `{name}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FlowStep {
    /// Says something.
    Say {
        /// What.
        text: String,
        /// The node after it.
        next: String,
    },
    /// Asks for something and keeps the answer. What is no answer is talked about freely, and then it is asked again.
    Ask {
        /// The question.
        text: String,
        /// Where the answer is kept.
        variable: String,
        /// What an answer looks like.
        #[serde(default)]
        answer: FlowAnswer,
        /// How often it is asked before it is given up.
        #[serde(default = "tries")]
        tries_max: u32,
        /// The node after an answer.
        next: String,
        /// The node when it is given up; without one the flow is over and the conversation goes on freely.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        otherwise: Option<String>,
    },
    /// Offers ways to go on, each with a key of the telephone, with words, or with both. Nothing else is talked about here:
    /// what is no choice, and silence, is followed by the offer anew.
    Menu {
        /// The offer.
        text: String,
        /// The choices.
        choices: Vec<MenuChoice>,
        /// What is said before the offer is made anew; without it, the offer alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<String>,
        /// How often it is offered before it is given up.
        #[serde(default = "tries")]
        tries_max: u32,
        /// For how long nobody may say or press anything after the offer.
        #[serde(default = "silence")]
        silence_ms: u64,
        /// The node when it is given up.
        otherwise: String,
    },
    /// Goes on at the first case that holds.
    Branch {
        /// The cases, in order.
        cases: Vec<FlowCase>,
        /// The node when none holds.
        otherwise: String,
    },
    /// Uses a tool of the agent. A change is asked about first, as always.
    Tool {
        /// Name of the tool.
        tool: String,
        /// Its arguments.
        #[serde(default)]
        arguments: BTreeMap<String, String>,
        /// Where what it answers is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        variable: Option<String>,
        /// The node after it.
        next: String,
        /// The node when it failed, was refused or was not wanted; without one, `next`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<String>,
    },
    /// Sets a variable.
    Set {
        /// Which.
        variable: String,
        /// To what.
        value: String,
        /// The node after it.
        next: String,
    },
    /// Hands the caller to a person.
    Transfer {
        /// Where to; without a number, where the agent hands calls to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<PhoneNumber>,
    },
    /// The flow is over.
    End {
        /// Last words; without them, the agent's goodbye.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Hang up; otherwise the conversation goes on freely.
        #[serde(default = "yes")]
        hang_up: bool,
    },
}

fn tries() -> u32 {
    3
}

fn silence() -> u64 {
    5_000
}

fn yes() -> bool {
    true
}

/// What an answer looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FlowAnswer {
    /// Whatever is said, unless it is a question.
    #[default]
    Text,
    /// `yes` or `no`.
    YesNo,
    /// A weekday, today or tomorrow.
    Day,
    /// What a regular expression describes, such as an order number.
    Pattern {
        /// The expression; matched without regard to case.
        regex: String,
    },
    /// One of these values.
    Choice {
        /// The values, and the words by which callers mean them.
        options: Vec<crate::tool::ChoiceOption>,
    },
}

impl FlowAnswer {
    /// The same as an argument of a tool; `None` for what is no value.
    pub fn parameter_kind(&self) -> ParameterKind {
        match self {
            Self::Text | Self::YesNo => ParameterKind::Text,
            Self::Day => ParameterKind::Day,
            Self::Pattern { regex } => ParameterKind::Pattern { regex: regex.clone() },
            Self::Choice { options } => ParameterKind::Choice { options: options.clone() },
        }
    }
}

/// One choice of a menu.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MenuChoice {
    /// The key: `0-9`, `*`, `#`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<char>,
    /// The words by which callers mean it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<String>,
    /// The node after it.
    pub next: String,
}

/// One case of a branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowCase {
    /// Whose value is looked at.
    pub variable: String,
    /// What must hold of it.
    #[serde(flatten)]
    pub test: FlowTest,
    /// The node when it holds.
    pub next: String,
}

/// What may hold of a value. Texts are compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "test", rename_all = "snake_case")]
pub enum FlowTest {
    /// It is this.
    Is {
        /// What.
        value: String,
    },
    /// It holds this.
    Contains {
        /// What.
        value: String,
    },
    /// There is a value.
    Known,
    /// It is a number above this.
    Above {
        /// The number.
        value: i64,
    },
}

/// What is wrong with a flow, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowProblem {
    /// The node; `None` for the flow itself.
    pub node: Option<String>,
    /// In one word: `empty`, `too_many`, `bad_id`, `duplicate`, `missing_target`, `unreachable`, `unknown_variable`,
    /// `unknown_tool`, `unknown_argument`, `too_long`, `no_words`, `no_options`, `bad_key`, `bad_time`, `endless`.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

impl FlowNode {
    /// The nodes that may follow.
    pub fn targets(&self) -> Vec<&str> {
        match &self.step {
            FlowStep::Say { next, .. } | FlowStep::Set { next, .. } => vec![next],
            FlowStep::Ask { next, otherwise, .. } => [next].into_iter().chain(otherwise).map(String::as_str).collect(),
            FlowStep::Menu { choices, otherwise, .. } => {
                choices.iter().map(|choice| choice.next.as_str()).chain([otherwise.as_str()]).collect()
            }
            FlowStep::Branch { cases, otherwise } => {
                cases.iter().map(|case| case.next.as_str()).chain([otherwise.as_str()]).collect()
            }
            FlowStep::Tool { next, failed, .. } => [next].into_iter().chain(failed).map(String::as_str).collect(),
            FlowStep::Transfer { .. } | FlowStep::End { .. } => Vec::new(),
        }
    }

    /// The variable that it gives a value.
    pub fn sets(&self) -> Option<&str> {
        match &self.step {
            FlowStep::Ask { variable, .. } | FlowStep::Set { variable, .. } => Some(variable),
            FlowStep::Tool { variable, .. } => variable.as_deref(),
            _ => None,
        }
    }

    /// Whether the caller has a say at it.
    pub const fn waits_for_caller(&self) -> bool {
        matches!(self.step, FlowStep::Ask { .. } | FlowStep::Menu { .. })
    }

    /// Its name for people who read a journal: what it does, in one word.
    pub const fn kind(&self) -> &'static str {
        match &self.step {
            FlowStep::Say { .. } => "say",
            FlowStep::Ask { .. } => "ask",
            FlowStep::Menu { .. } => "menu",
            FlowStep::Branch { .. } => "branch",
            FlowStep::Tool { .. } => "tool",
            FlowStep::Set { .. } => "set",
            FlowStep::Transfer { .. } => "transfer",
            FlowStep::End { .. } => "end",
        }
    }

    /// Texts in which variables may stand.
    fn texts(&self) -> Vec<&str> {
        match &self.step {
            FlowStep::Say { text, .. } | FlowStep::Ask { text, .. } => vec![text],
            FlowStep::Menu { text, again, .. } => [text].into_iter().chain(again).map(String::as_str).collect(),
            FlowStep::Tool { arguments, .. } => arguments.values().map(String::as_str).collect(),
            FlowStep::Set { value, .. } => vec![value],
            FlowStep::End { text, .. } => text.iter().map(String::as_str).collect(),
            FlowStep::Branch { .. } | FlowStep::Transfer { .. } => Vec::new(),
        }
    }

    /// Variables that it reads.
    fn reads(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.texts().into_iter().flat_map(variables).collect();
        if let FlowStep::Branch { cases, .. } = &self.step {
            names.extend(cases.iter().map(|case| case.variable.as_str()));
        }
        // A field of a tool's result: `order.status`.
        for name in &mut names {
            *name = name.split('.').next().unwrap_or(name);
        }
        names
    }
}

/// The names in braces.
fn variables(text: &str) -> Vec<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

impl Flow {
    /// The node of this id.
    pub fn node(&self, id: &str) -> Option<&FlowNode> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// All that is wrong with it, for an agent with these tools. Empty: it can be published.
    pub fn problems(&self, tools: &[ToolSpec]) -> Vec<FlowProblem> {
        let mut found = Vec::new();
        let of = |node: Option<&str>, code, detail: String| FlowProblem { node: node.map(str::to_owned), code, detail };
        if self.nodes.is_empty() {
            return vec![of(None, "empty", "a flow has at least one node".into())];
        }
        if self.nodes.len() > limits::FLOW_NODES_MAX {
            return vec![of(None, "too_many", format!("a flow has at most {} nodes", limits::FLOW_NODES_MAX))];
        }
        if self.node(&self.start).is_none() {
            found.push(of(None, "missing_target", format!("start: there is no node {}", self.start)));
        }
        let set: BTreeSet<&str> = self.nodes.iter().filter_map(FlowNode::sets).collect();
        let mut ids = BTreeSet::new();
        for node in &self.nodes {
            let mut wrong = |code, detail| found.push(of(Some(&node.id), code, detail));
            if !is_name(&node.id) {
                wrong("bad_id", "an id has 1 to 64 letters, digits, - and _".into());
            }
            if !ids.insert(&node.id) {
                wrong("duplicate", "another node has the same id".into());
            }
            for target in node.targets() {
                if self.node(target).is_none() {
                    wrong("missing_target", format!("there is no node {target}"));
                }
            }
            for name in node.reads().into_iter().filter(|name| !set.contains(name)) {
                wrong("unknown_variable", format!("no node sets {name}"));
            }
            if let Some(name) = node.sets().filter(|name| !is_name(name)) {
                wrong("bad_id", format!("{name:?} is no name of a variable: letters, digits, - and _"));
            }
            check_words(node, &mut wrong);
            check_tool(node, tools, &mut wrong);
        }
        found.extend(self.unreachable());
        found.extend(self.endless());
        found
    }

    fn unreachable(&self) -> Vec<FlowProblem> {
        let mut seen = BTreeSet::new();
        let mut next = vec![self.start.as_str()];
        while let Some(id) = next.pop() {
            if seen.insert(id) {
                next.extend(self.node(id).into_iter().flat_map(FlowNode::targets));
            }
        }
        let lost = self.nodes.iter().filter(|node| !seen.contains(node.id.as_str()));
        let problem = |node: &FlowNode| FlowProblem {
            node: Some(node.id.clone()),
            code: "unreachable",
            detail: "no way leads to this node".into(),
        };
        lost.map(problem).collect()
    }

    /// Nodes that lead back to themselves without the caller having a say.
    fn endless(&self) -> Vec<FlowProblem> {
        let goes_on = |id: &str| {
            self.node(id).and_then(|node| match &node.step {
                FlowStep::Ask { .. } => None,
                // Who stays silent has no say.
                FlowStep::Menu { otherwise, .. } => Some(vec![otherwise.as_str()]),
                _ => Some(node.targets()),
            })
        };
        let is_endless = |node: &&FlowNode| {
            let mut seen = BTreeSet::new();
            let mut next = goes_on(&node.id).unwrap_or_default();
            while let Some(id) = next.pop() {
                if id == node.id {
                    return true;
                }
                if seen.insert(id) {
                    next.extend(goes_on(id).unwrap_or_default());
                }
            }
            false
        };
        let problem = |node: &FlowNode| FlowProblem {
            node: Some(node.id.clone()),
            code: "endless",
            detail: "this node leads back to itself and nobody is asked on the way".into(),
        };
        self.nodes.iter().filter(is_endless).map(problem).collect()
    }
}

fn check_words(node: &FlowNode, wrong: &mut impl FnMut(&'static str, String)) {
    if node.texts().iter().any(|text| text.chars().count() > limits::FLOW_TEXT_CHARS_MAX) {
        wrong("too_long", format!("a text has at most {} characters", limits::FLOW_TEXT_CHARS_MAX));
    }
    match &node.step {
        FlowStep::Say { text, .. } | FlowStep::Ask { text, .. } if text.trim().is_empty() => {
            wrong("no_words", "text: there is nothing to say".into());
        }
        FlowStep::Menu { text, choices, silence_ms, .. } => check_menu(text, choices, *silence_ms, wrong),
        FlowStep::Ask { answer: FlowAnswer::Choice { options }, .. }
            if options.is_empty() || options.iter().any(|one| one.value.trim().is_empty()) =>
        {
            wrong("no_options", "a choice has at least one value, and none that is empty".into());
        }
        _ => {}
    }
}

fn check_menu(text: &str, choices: &[MenuChoice], silence_ms: u64, wrong: &mut impl FnMut(&'static str, String)) {
    if text.trim().is_empty() {
        wrong("no_words", "text: there is nothing to say".into());
    }
    let is_nothing = |one: &MenuChoice| one.key.is_none() && one.said.iter().all(|words| words.trim().is_empty());
    if choices.is_empty() || choices.iter().any(is_nothing) {
        wrong("no_options", "a menu has at least one choice, and each has a key or words".into());
    }
    let mut keys = BTreeSet::new();
    for key in choices.iter().filter_map(|choice| choice.key) {
        if !is_key(key) {
            wrong("bad_key", format!("{key:?} is no key: 0 to 9, * and # are"));
        } else if !keys.insert(key) {
            wrong("bad_key", format!("two choices have the key {key}"));
        }
    }
    if !(limits::MENU_SILENCE_MS_MIN..=limits::MENU_SILENCE_MS_MAX).contains(&silence_ms) {
        let (min, max) = (limits::MENU_SILENCE_MS_MIN, limits::MENU_SILENCE_MS_MAX);
        wrong("bad_time", format!("silence_ms: {min} to {max}"));
    }
}

/// A key that a menu may offer.
pub fn is_key(sign: char) -> bool {
    sign.is_ascii_digit() || matches!(sign, '*' | '#')
}

fn check_tool(node: &FlowNode, tools: &[ToolSpec], wrong: &mut impl FnMut(&'static str, String)) {
    let FlowStep::Tool { tool, arguments, .. } = &node.step else { return };
    let Some(spec) = tools.iter().find(|spec| spec.name == *tool) else {
        return wrong("unknown_tool", format!("the agent has no tool {tool}"));
    };
    for name in arguments.keys().filter(|name| !spec.parameters.iter().any(|parameter| parameter.name == **name)) {
        wrong("unknown_argument", format!("{tool} has no argument {name}"));
    }
    let lacking = spec.parameters.iter().filter(|parameter| parameter.required);
    for parameter in lacking.filter(|parameter| !arguments.contains_key(&parameter.name)) {
        wrong("unknown_argument", format!("{tool} needs {}", parameter.name));
    }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn flow(nodes: Value) -> Flow {
        serde_json::from_value(json!({"start": "a", "nodes": nodes})).expect("a flow")
    }

    fn codes(nodes: Value) -> Vec<(&'static str, Option<String>)> {
        flow(nodes).problems(&[]).into_iter().map(|problem| (problem.code, problem.node)).collect()
    }

    #[test]
    fn a_flow_without_problems_says_so() {
        let nodes = json!([
            {"id": "a", "kind": "ask", "text": "What is it about?", "variable": "topic", "next": "b",
             "answer": {"kind": "choice", "options": [{"value": "repair", "said": ["broken"]}, {"value": "order"}]}},
            {"id": "b", "kind": "branch", "cases": [{"variable": "topic", "test": "is", "value": "repair", "next": "c"}],
             "otherwise": "a"},
            {"id": "c", "kind": "say", "text": "A {topic}, good.", "next": "d"},
            {"id": "d", "kind": "end", "position": {"x": 1.5, "y": 2.0}},
        ]);
        assert_eq!(codes(nodes.clone()), []);
        let again: Flow =
            serde_json::from_value(serde_json::to_value(flow(nodes.clone())).expect("JSON")).expect("a flow");
        assert_eq!(again, flow(nodes));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_node() {
        let a = || Some("a".to_owned());
        let say = |next: &str| json!({"id": "a", "kind": "say", "text": "Hello {name}.", "next": next});
        assert_eq!(codes(json!([])), [("empty", None)]);
        assert_eq!(codes(json!([say("b")])), [("missing_target", a()), ("unknown_variable", a())]);
        assert_eq!(codes(json!([say("a")])), [("unknown_variable", a()), ("endless", a())]);
        let end = json!({"id": "a", "kind": "end"});
        let lost = json!({"id": "z", "kind": "end"});
        assert_eq!(codes(json!([end.clone(), lost])), [("unreachable", Some("z".into()))]);
        assert_eq!(codes(json!([end.clone(), end])), [("duplicate", a())]);
        let tool = json!({"id": "a", "kind": "tool", "tool": "book", "next": "b"});
        let b = json!({"id": "b", "kind": "end"});
        assert_eq!(codes(json!([tool, b.clone()])), [("unknown_tool", a())]);
        let menu = |choices: Value| json!({"id": "a", "kind": "menu", "text": "Press one.", "choices": choices, "otherwise": "b"});
        assert_eq!(codes(json!([menu(json!([{"key": "1", "next": "b"}, {"said": ["orders"], "next": "a"}])), b])), []);
        assert_eq!(codes(json!([menu(json!([{"next": "b"}])), b])), [("no_options", a())]);
        let again = json!({"id": "a", "kind": "menu", "text": "Press one.", "choices": [{"key": "1", "next": "b"}], "otherwise": "a"});
        assert_eq!(codes(json!([again, b])), [("endless", a())], "a silent caller would hear it for ever");
        let keys = json!([{"key": "1", "next": "b"}, {"key": "1", "next": "b"}, {"key": "A", "next": "b"}]);
        assert_eq!(codes(json!([menu(keys), b])), [("bad_key", a()), ("bad_key", a())]);
        let ask = json!({"id": "a", "kind": "ask", "text": " ", "variable": "x y", "next": "b"});
        assert_eq!(codes(json!([ask, b])), [("bad_id", a()), ("no_words", a())]);
    }
}
