//! Tools and their effects. The ledger of effects belongs to the world: it survives every process.

use super::brain::INVENTED;
use super::plan::{Event, Plan};
use super::swarm::Trouble;
use base::{ErrorClass, Failure, ToolCallId};
use engine::Input;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What was asked for and what was done.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    asked: BTreeMap<ToolCallId, (String, Value)>,
    done: BTreeSet<ToolCallId>,
    /// Changes that were really made.
    pub changes: u64,
}

impl Tools {
    /// The machine wants a tool to run once its entry is durable, in so many milliseconds.
    pub fn ask(&mut self, plan: &mut Plan, id: ToolCallId, name: &str, args: &Value, durable_ms: u64) {
        self.asked.insert(id, (name.to_owned(), args.clone()));
        plan.after(durable_ms, Event::RunTool(id));
    }

    /// The machine waits no longer. What has not begun does not begin.
    pub fn cancel(&mut self, id: ToolCallId) {
        self.asked.remove(&id);
    }

    /// The process that would have run them is gone.
    pub fn cut(&mut self) {
        self.asked.clear();
    }

    /// It runs now. Gives what must not have happened.
    pub fn run(&mut self, plan: &mut Plan, id: ToolCallId, yeses: u64) -> Option<(&'static str, String)> {
        let (name, args) = self.asked.remove(&id)?;
        if !self.done.insert(id) {
            return Some(("change_made_once", format!("{name} {args} ran twice as {id}")));
        }
        if args.to_string().contains(INVENTED) {
            return Some(("no_invented_arguments", format!("{name} {args}")));
        }
        self.changes += u64::from(name == "book_repair");
        if self.changes > yeses {
            let detail = format!("{} changes for {yeses} times yes", self.changes);
            return Some(("one_change_for_one_yes", detail));
        }
        let result = if plan.strikes(Trouble::ToolFails) {
            let class = *plan.chance.one_of(&[ErrorClass::Unavailable, ErrorClass::Invalid, ErrorClass::Timeout]);
            Err(Failure::new(class, "simulated"))
        } else {
            Ok((*plan.chance.one_of(&["on its way", "ready", "", "wird gerade geprüft"])).to_owned())
        };
        if plan.strikes(Trouble::ToolSilent) {
            return None;
        }
        let late = plan.strikes(Trouble::ToolLate);
        let ms = if late { plan.ms(4_000, 9_000) } else { plan.ms(20, 1_500) };
        plan.tell(ms, Input::Tool { id, result });
        None
    }
}
