//! The agent that scenarios and simulated calls talk to: a small bicycle shop.

use base::{AgentId, BusinessId};
use model::agent::{Agent, BrainChoice, Lines, Outbound, Sound, Timing, TurnTaking};
use model::tool::{ChoiceOption, Parameter, ParameterKind, ToolAction, ToolSpec};

/// An agent of a bicycle shop with one look-up, one change, a way to a person and a way out. Its brain is a language
/// model; it has nobody to hand over to unless one is set.
pub fn demo_agent() -> Agent {
    Agent {
        id: AgentId(Default::default()),
        business: BusinessId(Default::default()),
        slug: "bicycles".into(),
        name: "Robin".into(),
        business_name: "the bicycle shop".into(),
        persona: "You answer the phone of a small bicycle shop.".into(),
        language: "en".into(),
        brain: BrainChoice::Llm { provider: None, model: None },
        voice: None,
        providers: Default::default(),
        lines: Lines::default(),
        timing: Timing::default(),
        turns: TurnTaking { speculate: false, ..TurnTaking::default() },
        sound: Sound::default(),
        outbound: Outbound { screen: false, ..Outbound::default() },
        tools: tools(),
        flow: None,
        handoff_to: None,
        handoff: Default::default(),
        is_briefing: false,
        hours: None,
        guardrails: Default::default(),
        record: false,
    }
}

fn tools() -> Vec<ToolSpec> {
    vec![
        ToolSpec {
            parameters: vec![parameter("order", ParameterKind::Pattern { regex: r"[A-Z]{2}\d{6}".into() })],
            say_done: Some("Your order {order} is {result}.".into()),
            ..tool("order_status", "Looks up where an order is.", ToolAction::Lookup { table: "orders".into() })
        },
        ToolSpec {
            parameters: vec![
                parameter("day", ParameterKind::Day),
                parameter("service", ParameterKind::Choice { options: services() }),
            ],
            changes_state: true,
            confirm: Some("Shall I book the {service} repair for {day}?".into()),
            say_done: Some("Done, your {service} repair is booked for {day}.".into()),
            ..tool("book_repair", "Books a repair.", ToolAction::Record { table: "repairs".into() })
        },
        tool("person", "Connects the customer with a person.", ToolAction::Handoff),
        tool("end_call", "Ends the call.", ToolAction::EndCall),
    ]
}

fn services() -> Vec<ChoiceOption> {
    let option = |value: &str, said: &[&str]| ChoiceOption {
        value: value.into(),
        said: said.iter().map(|words| (*words).to_owned()).collect(),
    };
    vec![option("puncture", &["flat tyre", "flat tire"]), option("full", &["full service"])]
}

fn parameter(name: &str, kind: ParameterKind) -> Parameter {
    Parameter {
        name: name.into(),
        description: format!("The {name} as the customer said it."),
        kind,
        required: true,
        ask: Some(format!("What is the {name}?")),
    }
}

fn tool(name: &str, description: &str, action: ToolAction) -> ToolSpec {
    ToolSpec {
        name: name.into(),
        description: description.into(),
        parameters: vec![],
        action,
        changes_state: false,
        confirm: None,
        say_done: None,
        examples: vec![],
        must_hold: vec![],
    }
}
