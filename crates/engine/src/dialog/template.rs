//! Sentences with `{name}` placeholders.

use serde_json::{Map, Value};

/// What is said about a tool's result: `template` filled from the result's columns (a JSON object) and the arguments. A
/// result that leaves a placeholder open is a sentence of its own, such as "I can't find that", and is said as it is.
pub fn fill_result(template: &str, args: &Map<String, Value>, result: &str) -> String {
    let columns = match serde_json::from_str::<Value>(result) {
        Ok(Value::Object(columns)) => Some(columns),
        _ => None,
    };
    let is_known = |name: &str| {
        name == "result"
            || args.contains_key(name)
            || columns.as_ref().is_some_and(|columns| columns.contains_key(name))
    };
    let open = template.split('{').skip(1).filter_map(|rest| rest.split_once('}')).any(|(name, _)| !is_known(name));
    if open && columns.is_none() {
        return result.to_owned();
    }
    let mut values = args.clone();
    values.extend(columns.unwrap_or_default());
    fill(template, &values, Some(result))
}

/// Fills the placeholders from `args` and `result`. What is unknown is left out.
pub fn fill(template: &str, args: &Map<String, Value>, result: Option<&str>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let Some(len) = rest[open..].find('}') else { break };
        out.push_str(&rest[..open]);
        let name = &rest[open + 1..open + len];
        match (name, result, args.get(name)) {
            ("result", Some(result), _) => out.push_str(result),
            (_, _, Some(value)) => out.push_str(&spoken(value)),
            _ => {}
        }
        rest = &rest[open + len + 1..];
    }
    out.push_str(rest);
    out
}

/// A value as it is said.
pub fn spoken(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// All arguments as they are said: "day Wednesday, service full".
pub fn spoken_args(args: &Map<String, Value>) -> String {
    args.iter()
        .map(|(name, value)| format!("{} {}", name.replace('_', " "), spoken(value)))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_unknown_ones_left_out() {
        let args = serde_json::json!({"day": "Wednesday", "count": 2});
        let args = args.as_object().expect("an object");
        assert_eq!(fill("Book {day}, {count}x{nobody}?", args, None), "Book Wednesday, 2x?");
        assert_eq!(fill("Done: {result} {broken", args, Some("ok")), "Done: ok {broken");
        assert_eq!(spoken_args(args), "day Wednesday, count 2");
    }

    #[test]
    fn a_result_fills_its_columns_and_a_sentence_stays_a_sentence() {
        let args = serde_json::json!({"order_id": "48213"});
        let args = args.as_object().expect("an object");
        let say = "Order {order_id} is {status}.";
        assert_eq!(fill_result(say, args, r#"{"order_id":"48213","status":"packed"}"#), "Order 48213 is packed.");
        assert_eq!(fill_result(say, args, "I can't find that."), "I can't find that.");
        assert_eq!(fill_result("Noted: {order_id}.", args, "done"), "Noted: 48213.");
    }
}
