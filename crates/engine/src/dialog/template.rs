//! Sentences with `{name}` placeholders.

use serde_json::{Map, Value};

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
}
