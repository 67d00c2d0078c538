//! Random flows: every fifth call has one.

use super::chance::Chance;
use model::agent::Agent;
use model::flow::Flow;
use serde_json::{Value, json};

/// Nodes of a random flow.
const NODES_MAX: u64 = 7;

/// A sound flow for this seed, if its call has one. The rest of the seed's world is the same with and without.
pub fn draw(seed: u64, agent: &Agent) -> Option<Flow> {
    if !seed.is_multiple_of(5) {
        return None;
    }
    let mut chance = Chance::new(seed ^ 0x5eed_f10e);
    (0..20).map(|_| any(&mut chance)).find(|flow| flow.problems(&agent.tools).is_empty())
}

fn any(chance: &mut Chance) -> Flow {
    let count = chance.between(2, NODES_MAX);
    let mut nodes = Vec::new();
    for at in 0..count {
        // Mostly onwards, so that most nodes are reached; sometimes back to an earlier one.
        let target = |chance: &mut Chance| {
            let to = if chance.happens(0.8) { (at + 1).min(count - 1) } else { chance.below(count) };
            format!("n{to}")
        };
        let (next, other) = (target(chance), target(chance));
        let kind = if at + 1 == count { 6 } else { chance.below(8) };
        let mut node = node(kind, &next, &other, chance);
        node["id"] = json!(format!("n{at}"));
        nodes.push(node);
    }
    serde_json::from_value(json!({"start": "n0", "nodes": nodes})).expect("a flow as it is stored")
}

fn node(kind: u64, next: &str, other: &str, chance: &mut Chance) -> Value {
    let day = json!({"kind": "day"});
    let yes_no = json!({"kind": "yes_no"});
    match kind {
        0 => json!({"kind": "say", "text": "Let us go through it step by step.", "next": next}),
        1 => {
            json!({"kind": "ask", "text": "What is it about, please?", "variable": "topic", "next": next, "tries_max": 2,
            "otherwise": other})
        }
        2 => {
            json!({"kind": "ask", "text": "On which day would you come?", "variable": "topic", "answer": day, "next": next,
            "otherwise": other})
        }
        3 => json!({"kind": "ask", "text": "Is that right?", "variable": "topic", "answer": yes_no, "next": next}),
        4 => json!({"kind": "set", "variable": "topic", "value": "tyre", "next": next}),
        5 => json!({"kind": "tool", "tool": "book_repair", "variable": "topic", "next": next, "failed": other,
            "arguments": {"service": "puncture", "day": "Wednesday"}}),
        7 => json!({"kind": "menu", "text": "For a booking press one.", "again": "I did not get that.", "tries_max": 2,
            "choices": [{"key": "1", "said": ["booking"], "next": next}], "otherwise": other}),
        _ => match chance.below(3) {
            0 => json!({"kind": "end", "hang_up": false, "text": "That is all I need."}),
            1 => json!({"kind": "end"}),
            _ => json!({"kind": "transfer"}),
        },
    }
}
