//! A flow tried out by text, without a call: what a caller would hear, and which way it goes.

use super::flow::{FlowRun, FlowThen, ToolOutcome};
use model::flow::Flow;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One step of a trial.
#[derive(Clone, Debug, PartialEq)]
pub enum Tried {
    /// It went on.
    Went {
        /// Through these nodes, in order.
        path: Vec<String>,
        /// Saying this.
        says: Vec<String>,
    },
    /// The customer said something at this node.
    Heard {
        /// Where.
        node: String,
        /// What.
        text: String,
        /// Whether it was taken as the answer; otherwise it would be talked about freely.
        is_answer: bool,
    },
    /// A tool was used at this node.
    Used {
        /// Where.
        node: String,
        /// Which.
        tool: String,
        /// With these arguments.
        args: Value,
        /// What it answered; `None`: it failed.
        result: Option<String>,
    },
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrialEnd {
    /// It waits for the customer.
    Waits,
    /// The customer would be handed to a person.
    Transferred,
    /// The agent would hang up.
    Ended,
    /// The flow is over, and the conversation would go on freely.
    Free,
}

/// A trial of a flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// What happened, in order.
    pub steps: Vec<Tried>,
    /// The variables at its end.
    pub values: Map<String, Value>,
    /// How it ended.
    pub end: TrialEnd,
}

/// Walks through a flow with a customer who says these turns, and tools that answer so; `None` fails, and a tool that is not
/// named answers "done". Nothing is carried out.
pub fn try_out(flow: &Flow, turns: &[String], results: &BTreeMap<String, Option<String>>) -> Trial {
    let mut run = FlowRun::new(Arc::new(flow.clone()));
    let mut turns = turns.iter();
    let mut steps = Vec::new();
    let end = loop {
        if let Some(leg) = run.go() {
            let node = leg.path.last().cloned().unwrap_or_default();
            let mut says = leg.says;
            says.extend(if let FlowThen::End(text) = &leg.then { text.clone() } else { None });
            steps.push(Tried::Went { path: leg.path, says });
            match leg.then {
                FlowThen::Ask => {}
                FlowThen::Tool { name, args } => {
                    let result = results.get(&name).cloned().unwrap_or_else(|| Some("done".into()));
                    run.tool_done(&name, result.as_deref().ok_or(ToolOutcome::Failed));
                    steps.push(Tried::Used { node, tool: name, args, result });
                }
                FlowThen::Transfer(_) => break TrialEnd::Transferred,
                FlowThen::End(_) => break TrialEnd::Ended,
                FlowThen::Free => break TrialEnd::Free,
            }
            continue;
        }
        let Some(node) = run.place().map(str::to_owned) else { break TrialEnd::Free };
        let Some(text) = turns.next() else { break TrialEnd::Waits };
        let question = run.question().unwrap_or_default();
        run.heard(&question);
        let is_answer = run.answered(text);
        steps.push(Tried::Heard { node, text: text.clone(), is_answer });
    };
    Trial { steps, values: run.values().clone(), end }
}
