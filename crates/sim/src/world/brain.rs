//! The brain: answers in pieces, asks for tools honestly or not, stalls, fails, and goes on after it was called off.

use super::plan::Plan;
use super::swarm::Trouble;
use base::{ErrorClass, Failure, GenerationId};
use engine::Input;
use model::generation::{AwaitedSlot, ChatMessage, Finish, GenerationEvent, GenerationRequest};
use serde_json::{Value, json};

/// What only a brain could have made up: nobody ever says it.
pub const INVENTED: &str = "ZZ";

/// The brain's own state.
#[derive(Clone, Debug, Default)]
pub struct Brain {
    /// Counts sentences, so that each is unique and can be recognised wherever it turns up.
    sentences: u64,
    calls: u64,
}

impl Brain {
    /// A request comes in; the whole answer is planned at once.
    pub fn asked(&mut self, plan: &mut Plan, id: GenerationId, request: &GenerationRequest) {
        let slow = plan.strikes(Trouble::BrainSlow);
        let mut at_ms = if slow { plan.ms(700, 4_000) } else { plan.ms(80, 500) };
        let mut events = self.answer(plan, request);
        if plan.strikes(Trouble::BrainGarbled) {
            for _ in 0..events.len() {
                let (a, b) = (plan.chance.below(events.len() as u64), plan.chance.below(events.len() as u64));
                events.swap(a as usize, b as usize);
            }
            events.push(GenerationEvent::Done { finish: Finish::Stop });
            events.push(GenerationEvent::Text { delta: "Behind the end. ".into() });
        }
        let stalls = plan.strikes(Trouble::BrainStalls).then(|| plan.chance.below(events.len() as u64) as usize);
        for (index, event) in events.into_iter().enumerate() {
            if stalls.is_some_and(|at| index >= at) {
                break;
            }
            plan.tell(at_ms, Input::Generation { id, event });
            at_ms += plan.ms(5, 120);
        }
    }

    /// The request is called off; a piece may still be on its way.
    pub fn cancelled(&mut self, plan: &mut Plan, id: GenerationId) {
        if plan.strikes(Trouble::BrainLate) {
            let delta = self.sentence("still arrives although nobody waits for it");
            for delta in [delta, " ".to_owned()] {
                let ms = plan.ms(1, 400);
                plan.tell(ms, Input::Generation { id, event: GenerationEvent::Text { delta } });
            }
        }
    }

    fn sentence(&mut self, what: &str) -> String {
        self.sentences += 1;
        // Every piece of it says which sentence it belongs to.
        format!("Sentence {} {}. ", self.sentences, what.replace('#', &self.sentences.to_string()))
    }

    fn answer(&mut self, plan: &mut Plan, request: &GenerationRequest) -> Vec<GenerationEvent> {
        let mut events = vec![GenerationEvent::Started];
        if plan.strikes(Trouble::BrainEmpty) {
            let finish = *plan.chance.one_of(&[Finish::Stop, Finish::Length, Finish::Filtered, Finish::Declined]);
            events.push(GenerationEvent::Done { finish });
            return events;
        }
        if plan.strikes(Trouble::BrainFails) {
            if plan.chance.happens(0.5) {
                self.text(plan, &mut events);
            }
            let class = *plan.chance.one_of(&[
                ErrorClass::Unavailable,
                ErrorClass::RateLimited,
                ErrorClass::Quota,
                ErrorClass::Refused,
            ]);
            events.push(GenerationEvent::Failed(Failure::new(class, "simulated")));
            return events;
        }
        let said = said(request);
        let has_result = matches!(request.messages.last(), Some(ChatMessage::ToolResult { .. }));
        let wants_tool = plan.chance.happens(if has_result { 0.15 } else { 0.75 });
        let tools = if wants_tool { self.tools(plan, &said) } else { Vec::new() };
        if tools.is_empty() || plan.chance.happens(0.2) {
            self.text(plan, &mut events);
        }
        let finish = if tools.is_empty() { Finish::Stop } else { Finish::ToolCalls };
        events.extend(tools);
        if plan.chance.happens(0.03) {
            let slot = AwaitedSlot { tool: "order_status".into(), args: serde_json::Map::new(), slot: "order".into() };
            events.push(GenerationEvent::NeedSlot(slot));
        }
        events.push(GenerationEvent::Done { finish });
        events
    }

    fn text(&mut self, plan: &mut Plan, events: &mut Vec<GenerationEvent>) {
        let count = plan.ms(1, 4);
        let mut text = String::new();
        for _ in 0..count {
            let what = *plan.chance.one_of(&[
                "says that door # opens at nine",
                "is about bicycles and what number # costs",
                "takes a little longer because # has many words in it, more than # callers like to hear",
                "fängt für # mit Umlauten von # an",
            ]);
            text.push_str(&self.sentence(what));
        }
        if plan.chance.happens(0.3) {
            text.push_str(&format!("Does sentence {} help you?", self.sentences));
        }
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        while at < chars.len() {
            let len = plan.ms(1, 30) as usize;
            let end = (at + len).min(chars.len());
            events.push(GenerationEvent::Text { delta: chars[at..end].iter().collect() });
            at = end;
        }
    }

    fn tools(&mut self, plan: &mut Plan, said: &str) -> Vec<GenerationEvent> {
        let mut calls = Vec::new();
        if plan.strikes(Trouble::ToolHostile) {
            calls.push(hostile(plan));
        }
        if plan.strikes(Trouble::ToolInvented) {
            calls.push(if plan.chance.happens(0.5) {
                ("order_status", json!({ "order": format!("{INVENTED}{:06}", plan.chance.below(1_000_000)) }))
            } else {
                ("book_repair", json!({ "day": "Sunday", "service": "full" }))
            });
        }
        let order = said.split(|c: char| !c.is_alphanumeric()).rfind(|word| word.len() == 8 && word.starts_with("BL"));
        if let Some(order) = order.filter(|_| plan.chance.happens(0.4)) {
            calls.push(("order_status", json!({ "order": order })));
        }
        let day = ["Monday", "Tuesday", "Wednesday"].into_iter().find(|day| said.contains(day));
        if let Some(day) = day.filter(|_| said.contains("flat tyre") && plan.chance.happens(0.6)) {
            calls.push(("book_repair", json!({ "day": day, "service": "puncture" })));
        }
        if said.ends_with("a person please") || plan.chance.happens(0.02) {
            calls.push(("person", json!({})));
        }
        if said.ends_with("that was all") || plan.chance.happens(0.01) {
            calls.push(("end_call", json!({})));
        }
        let event = |(name, args): (&str, Value)| {
            self.calls += 1;
            GenerationEvent::ToolCall { id: format!("call_{}", self.calls), name: name.to_owned(), args }
        };
        calls.into_iter().map(event).collect()
    }
}

fn hostile(plan: &mut Plan) -> (&'static str, Value) {
    let choices = [
        ("drop_all_tables", json!({ "sure": true })),
        ("order_status", json!([1, 2, 3])),
        ("order_status", json!({ "order": { "nested": ["deep"] } })),
        ("order_status", json!({ "order": "BL' OR 1=1 --" })),
        ("order_status", Value::Null),
        ("book_repair", json!({ "day": 7, "service": true, "price": -1 })),
        ("book_repair", json!({ "day": "Monday", "service": "puncture", "confirmed": "yes" })),
        ("", json!("book_repair")),
    ];
    plan.chance.one_of(&choices).clone()
}

/// What the customer has said, as the brain was told.
fn said(request: &GenerationRequest) -> String {
    let mut said = String::new();
    for message in &request.messages {
        if let ChatMessage::Customer { text } = message {
            said.push(' ');
            said.push_str(text.expose());
        }
    }
    said
}
