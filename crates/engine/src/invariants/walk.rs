//! The walk through an agent's flow: no step is doubled, none is skipped, and what is over stays over.

use model::flow::{Flow, FlowStep};
use model::journal::{Entry, Record};
use std::collections::BTreeSet;

/// Where the walk stands, as the journal has it.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    flow: Option<Flow>,
    /// The last node; `None` before the first.
    at: Option<String>,
    is_over: bool,
}

impl Walk {
    pub fn new(flow: Option<Flow>) -> Self {
        Self { flow, at: None, is_over: false }
    }

    /// The process died; this was durable.
    pub fn killed(&mut self, journal: &[Record]) {
        (self.at, self.is_over) = (None, false);
        for record in journal {
            self.entry(&record.entry);
        }
    }

    /// What is wrong with this entry.
    pub fn entry(&mut self, entry: &Entry) -> Option<(&'static str, String)> {
        let Entry::FlowMoved { node, path, .. } = entry else { return None };
        let problem = self.problem(path);
        self.is_over |= node.is_none();
        self.at = path.last().cloned().or(self.at.take());
        problem
    }

    fn problem(&self, path: &[String]) -> Option<(&'static str, String)> {
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
            // A look-up that was called off is used again.
            Some(Some(node)) => {
                node.targets().contains(&next) || node.id == next && matches!(node.step, FlowStep::Tool { .. })
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
        None
    }
}
