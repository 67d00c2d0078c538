//! What every language model needs in some shape: tools as JSON schemas, calls with their results, text in pieces.

use model::generation::{ChatMessage, GenerationEvent};
use model::tool::{Parameter, ParameterKind, ToolSpec};
use serde_json::{Map, Value, json};

/// The arguments of a tool as a JSON schema. Strict schemas have every argument required and null for "not given".
pub(crate) fn parameters(tool: &ToolSpec, strict: bool) -> Value {
    let properties: Map<String, Value> =
        tool.parameters.iter().map(|p| (p.name.clone(), parameter_schema(p, strict))).collect();
    let required: Vec<&str> =
        tool.parameters.iter().filter(|p| strict || p.required).map(|p| p.name.as_str()).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn parameter_schema(parameter: &Parameter, strict: bool) -> Value {
    let nullable = strict && !parameter.required;
    let name = match parameter.kind {
        ParameterKind::Number { whole: true, .. } => "integer",
        ParameterKind::Number { .. } => "number",
        ParameterKind::YesNo { .. } => "boolean",
        ParameterKind::Text | ParameterKind::Pattern { .. } | ParameterKind::Day | ParameterKind::Choice { .. } => {
            "string"
        }
    };
    let kind = if nullable { json!([name, "null"]) } else { json!(name) };
    let mut description = parameter.description.clone();
    let mut schema = json!({"type": kind});
    match &parameter.kind {
        ParameterKind::Text => {}
        // As words, too: strict schemas know no bounds.
        ParameterKind::Number { minimum, maximum, .. } => {
            let bounds =
                [minimum.map(|least| format!(" At least {least}.")), maximum.map(|most| format!(" At most {most}."))];
            bounds.iter().flatten().for_each(|bound| description.push_str(bound));
        }
        ParameterKind::YesNo { yes, no } => {
            let words = [("Yes", yes), ("No", no)];
            for (meaning, said) in words.into_iter().filter(|(_, said)| !said.is_empty()) {
                description.push_str(&format!(" {meaning} is said as: {}.", said.join(", ")));
            }
        }
        // As words: servers that build grammars from schemas refuse many expressions.
        ParameterKind::Pattern { regex } => description.push_str(&format!(" It matches the expression {regex}")),
        ParameterKind::Day => description.push_str(" A weekday, today, tomorrow, or a date as YYYY-MM-DD."),
        ParameterKind::Choice { options } => {
            let mut values: Vec<Value> = options.iter().map(|option| json!(option.value)).collect();
            for option in options.iter().filter(|option| !option.said.is_empty()) {
                description.push_str(&format!(" {} is said as: {}.", option.value, option.said.join(", ")));
            }
            if nullable {
                values.push(Value::Null);
            }
            schema["enum"] = Value::Array(values);
        }
    }
    schema["description"] = json!(description.trim());
    schema
}

/// A call of the conversation with what came of it.
pub(crate) struct Called<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub args: &'a Value,
    pub result: &'a str,
}

/// The neighbouring calls from this message on, each with its result, and where the conversation goes on. Services refuse a
/// call without a result, so one that has none is given one that says so.
pub(crate) fn results_of(chat: &[ChatMessage], from: usize) -> (Vec<Called<'_>>, usize) {
    let count = chat[from..].iter().take_while(|message| matches!(message, ChatMessage::ToolCall { .. })).count();
    let (calls, later) = chat[from..].split_at(count);
    let called = calls.iter().filter_map(|call| {
        let ChatMessage::ToolCall { id, name, args } = call else { return None };
        let answer = later.iter().find_map(|message| match message {
            ChatMessage::ToolResult { id: of, text, .. } if of == id => Some(text.as_str()),
            _ => None,
        });
        Some(Called { id, name, args, result: answer.unwrap_or("There is no result.") })
    });
    (called.collect(), from + count)
}

/// Adds text to the answer; neighbouring pieces are joined.
pub(crate) fn push_text(text: String, out: &mut Vec<GenerationEvent>) {
    match out.last_mut() {
        Some(GenerationEvent::Text { delta }) => delta.push_str(&text),
        _ => out.push(GenerationEvent::Text { delta: text }),
    }
}

/// A call that has arrived whole, the `at`th of its answer; `None` when it has no name or no valid arguments.
pub(crate) fn whole_call(at: usize, id: String, name: String, args: &str) -> Option<GenerationEvent> {
    let args = if args.trim().is_empty() { "{}" } else { args };
    let Ok(Value::Object(mut args)) = serde_json::from_str::<Value>(args) else { return None };
    args.retain(|_, value| !value.is_null());
    let id = if id.is_empty() { format!("call_{at}") } else { id };
    (!name.is_empty()).then(|| GenerationEvent::ToolCall { id, name, args: Value::Object(args) })
}
