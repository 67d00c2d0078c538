use super::*;
use proptest::prelude::*;
use serde_json::json;

fn run(nodes: Value) -> FlowRun {
    let flow: Flow = serde_json::from_value(json!({"start": "a", "nodes": nodes})).expect("a flow");
    FlowRun::new(Arc::new(flow))
}

#[test]
fn a_walk_asks_branches_sets_and_uses_tools() {
    let mut run = run(json!([
        {"id": "a", "kind": "say", "text": "Hello.", "next": "b"},
        {"id": "b", "kind": "ask", "text": "Which order?", "variable": "order", "next": "c",
         "answer": {"kind": "pattern", "regex": "\\d{5}"}},
        {"id": "c", "kind": "tool", "tool": "order_status", "arguments": {"order_id": "{order}"}, "variable": "found",
         "next": "d", "failed": "f"},
        {"id": "d", "kind": "branch", "cases": [{"variable": "found.status", "test": "is", "value": "sent", "next": "e"}],
         "otherwise": "f"},
        {"id": "e", "kind": "end", "text": "Order {order} is {found.status}."},
        {"id": "f", "kind": "transfer"},
    ]));
    let leg = run.go().expect("it begins");
    assert_eq!((leg.says, leg.then), (vec!["Hello.".to_owned(), "Which order?".to_owned()], FlowThen::Ask));
    assert_eq!(run.go(), None, "it waits");
    run.heard("Hello. Which order?");
    assert!(!run.answered("What is an order?"), "that is talked about freely");
    assert_eq!(run.question().as_deref(), Some("Which order?"));
    assert!(run.answered("It is four eight two one three."));
    let leg = run.go().expect("it goes on");
    assert_eq!(leg.then, FlowThen::Tool { name: "order_status".into(), args: json!({"order_id": "48213"}) });
    run.tool_done("another", Ok("x"));
    assert_eq!(run.go(), None, "another tool is none of its business");
    run.tool_done("order_status", Err(ToolOutcome::CalledOff));
    assert!(
        matches!(run.go().expect("again").then, FlowThen::Tool { .. }),
        "a look-up that was called off is used again"
    );
    run.tool_done("order_status", Ok(r#"{"status": "sent"}"#));
    let leg = run.go().expect("it goes on");
    assert_eq!(
        (leg.path, leg.then),
        (vec!["d".into(), "e".into()], FlowThen::End(Some("Order 48213 is sent.".into())))
    );
    assert_eq!((run.go(), run.place()), (None, None));
}

#[test]
fn what_was_not_heard_was_not_asked() {
    let mut run = run(json!([
        {"id": "a", "kind": "ask", "text": "What is your name?", "variable": "name", "next": "b", "tries_max": 2,
         "otherwise": "c"},
        {"id": "b", "kind": "end", "text": "Thank you, {name}.", "hang_up": false},
        {"id": "c", "kind": "transfer"},
    ]));
    run.go();
    assert!(!run.answered("Wait a moment."), "the question was not heard");
    run.heard("What is your name?");
    assert!(!run.answered("Why do you ask?"));
    assert!(!run.answered("But why?"), "asked twice in vain");
    assert_eq!(run.go().expect("given up").then, FlowThen::Transfer(None));
}

/// Any flow, sound or not.
fn flows() -> impl Strategy<Value = Flow> {
    let step = (0_u8..7, 0_usize..8, 0_usize..8, any::<bool>());
    prop::collection::vec(step, 1..8).prop_map(|steps| {
        let count = steps.len();
        let nodes: Vec<Value> = steps
            .into_iter()
            .enumerate()
            .map(|(at, (kind, next, other, flag))| {
                let (next, other) = (format!("n{}", next % count), format!("n{}", other % count));
                let mut node = match kind {
                    0 => json!({"kind": "say", "text": "Words.", "next": next}),
                    1 | 2 => json!({"kind": "ask", "text": "Well?", "variable": "v", "next": next, "otherwise": other}),
                    3 => json!({"kind": "branch", "otherwise": other,
                        "cases": [{"variable": "v", "test": "contains", "value": "a", "next": next}]}),
                    4 => json!({"kind": "tool", "tool": "t", "variable": "r", "next": next, "failed": other}),
                    5 => json!({"kind": "set", "variable": "v", "value": "{v}a", "next": next}),
                    _ => json!({"kind": "end", "hang_up": flag}),
                };
                node["id"] = json!(format!("n{at}"));
                node
            })
            .collect();
        serde_json::from_value(json!({"start": "n0", "nodes": nodes})).expect("a flow")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_walk_ends_or_waits_and_no_step_is_doubled(flow in flows(), words in prop::collection::vec(0_u8..6, 0..60)) {
        let is_sound = !flow.problems(&[]).iter().any(|problem| problem.code == "endless");
        let mut run = FlowRun::new(Arc::new(flow.clone()));
        let mut asked = 0;
        for word in words {
            if let Some(leg) = run.go() {
                if is_sound {
                    let mut once = leg.path.clone();
                    once.sort_unstable();
                    once.dedup();
                    prop_assert_eq!(once.len(), leg.path.len(), "{:?} in {:?}", leg.path, flow);
                }
                asked += u32::from(leg.then == FlowThen::Ask);
            }
            prop_assert_eq!(run.go(), None, "told twice to go on, it goes once");
            let before = run.clone();
            match word {
                0 => run.heard("Well?"),
                1 => { run.answered("Well?"); }
                2 => { run.answered("Alpha."); }
                3 => run.tool_done("t", Ok("done")),
                4 => run.tool_done("t", Err(ToolOutcome::Failed)),
                _ => run.tool_done("t", Err(ToolOutcome::CalledOff)),
            }
            if before.place().is_none() {
                prop_assert_eq!(run.place(), None, "what is over stays over");
            }
        }
        prop_assert!(asked <= 60);
    }
}
