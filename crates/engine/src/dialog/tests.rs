use super::*;
use base::limits::CONTEXT_TOKENS_MAX;

fn agent() -> Arc<Agent> {
    Arc::new(crate::scenario::demo_agent())
}

fn context_chars(request: &GenerationRequest) -> usize {
    request
        .messages
        .iter()
        .map(|message| match message {
            ChatMessage::System { text } | ChatMessage::Agent { text } => text.len(),
            ChatMessage::Customer { text } => text.expose().len(),
            ChatMessage::ToolCall { args, .. } => args.to_string().len(),
            ChatMessage::ToolResult { text, .. } => text.len(),
        })
        .sum()
}

#[test]
fn a_long_conversation_keeps_its_instructions_its_facts_and_its_newest_lines() {
    let mut dialog = Dialog::new(agent());
    dialog.add_fact("The customer is called Priya.");
    for at in 0..200 {
        dialog.customer(&format!("{at} {}", "word ".repeat(40)));
        dialog.agent_heard(&"answer ".repeat(30));
    }
    dialog.customer("and what about now?");
    let request = dialog.request();
    assert!(context_chars(&request) / 4 <= CONTEXT_TOKENS_MAX, "{}", context_chars(&request) / 4);
    assert!(matches!(&request.messages[0], ChatMessage::System { text } if text.contains("Priya")));
    let last = request.messages.last().expect("the turn");
    assert_eq!(*last, ChatMessage::Customer { text: "and what about now?".into() });
    assert!(request.messages.len() > 10);
}

#[test]
fn even_a_turn_beyond_the_budget_is_asked() {
    let mut dialog = Dialog::new(agent());
    dialog.customer(&"x".repeat(20_000));
    assert_eq!(dialog.request().messages.len(), 2);
}

#[test]
fn a_brain_sees_what_was_heard_and_what_it_has_begun_to_say() {
    let mut dialog = Dialog::new(agent());
    dialog.agent_heard("Hello, how");
    dialog.customer("where is BL901771");
    dialog.agent_says("Let me look.");
    assert!(matches!(dialog.ask_tool("order_status", &serde_json::json!({"order": "BL901771"})), Verdict::Run(_)));
    dialog.tool_answered("c1", "order_status", serde_json::json!({}), "on its way", true);
    let roles: Vec<&str> = dialog
        .request()
        .messages
        .iter()
        .map(|message| match message {
            ChatMessage::System { .. } => "system",
            ChatMessage::Customer { .. } => "customer",
            ChatMessage::Agent { .. } => "agent",
            ChatMessage::ToolCall { .. } => "call",
            ChatMessage::ToolResult { .. } => "result",
        })
        .collect();
    assert_eq!(roles, ["system", "agent", "customer", "agent", "call", "result"]);
}

#[test]
fn a_yes_runs_exactly_what_was_asked_about() {
    let mut dialog = Dialog::new(agent());
    dialog.customer("a flat tyre repair on Wednesday please");
    let args = serde_json::json!({"day": "Wednesday", "service": "puncture"});
    let Verdict::Confirm { question, run } = dialog.ask_tool("book_repair", &args) else {
        panic!("a change is asked about")
    };
    assert!(question.contains("Wednesday"), "{question}");
    dialog.confirmation_asked(ToolCallId(7), &run.name, run.args.clone(), Some(question.clone()));
    dialog.agent_heard(&question);
    assert_eq!(dialog.customer("what was that?").reply, Reply::Say(question));
    let turn = dialog.customer("yes please");
    assert_eq!(turn.decided, Some((ToolCallId(7), true)));
    assert_eq!(turn.reply, Reply::Run(ToolCallId(7), run));
    assert_eq!(dialog.customer("yes").decided, None, "a yes counts once");
}

#[test]
fn a_no_with_more_goes_to_the_brain_and_a_bare_no_does_not() {
    let ask = |answer: &str| {
        let mut dialog = Dialog::new(agent());
        dialog.confirmation_asked(ToolCallId(1), "book_repair", serde_json::json!({"day": "Monday"}), None);
        let question = dialog.pending_question().unwrap_or_default().to_owned();
        dialog.agent_heard(&question);
        dialog.customer(answer)
    };
    assert_eq!(ask("No, Wednesday instead").reply, Reply::Generate);
    let bare = ask("no");
    assert_eq!(bare.decided, Some((ToolCallId(1), false)));
    assert!(matches!(bare.reply, Reply::Say(_)));
}

#[test]
fn a_yes_to_a_question_nobody_heard_decides_nothing() {
    let mut dialog = Dialog::new(agent());
    let args = serde_json::json!({"day": "Monday", "service": "puncture"});
    dialog.confirmation_asked(ToolCallId(1), "book_repair", args, None);
    let question = dialog.pending_question().unwrap_or_default().to_owned();
    dialog.agent_heard("Let me see what is free.");
    let turn = dialog.customer("yes");
    assert_eq!((turn.decided, turn.reply), (None, Reply::Say(question)));
    dialog.agent_heard("Shall I");
    assert_eq!(dialog.customer("yes").decided, None);
    dialog.agent_heard("Shall I book the puncture repair");
    assert_eq!(dialog.customer("yes").decided, Some((ToolCallId(1), true)));
}
