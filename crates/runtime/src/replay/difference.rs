//! Where a replay parts from what was recorded, in words.

use super::PROGRAM;
use base::CallTime;
use engine::io::Output;
use engine::scenario::describe_output;
use serde_json::Value;
use std::fmt;

/// The first output that is not the recorded one. Prints what was said in the call: for the people who may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Which line of the recording, from 1.
    pub line: usize,
    /// When, in call time.
    pub at: CallTime,
    /// What had just happened.
    pub after: String,
    /// What the engine asked for then; `None` for nothing more.
    pub recorded: Option<Output>,
    /// What it asks for now; `None` for nothing more.
    pub replayed: Option<Output>,
    /// Version of the program that recorded it; empty when it did not say.
    pub program: String,
}

impl std::error::Error for Difference {}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |output: &Option<Output>| output.as_ref().map_or_else(|| "nothing more".into(), describe_output);
        writeln!(f, "line {}, at {}: after {}", self.line, self.at, self.after)?;
        writeln!(f, "  recorded  {}", words(&self.recorded))?;
        write!(f, "  replayed  {}", words(&self.replayed))?;
        if let (Some(recorded), Some(replayed)) = (&self.recorded, &self.replayed)
            && std::mem::discriminant(recorded) == std::mem::discriminant(replayed)
            && let (Ok(recorded), Ok(replayed)) = (serde_json::to_value(recorded), serde_json::to_value(replayed))
            && let Some((path, recorded, replayed)) = first_difference(&recorded, &replayed, String::new())
        {
            write!(f, "\n  they part at {path}: {recorded} then, {replayed} now")?;
        }
        match self.program.as_str() {
            PROGRAM => Ok(()),
            "" => write!(
                f,
                "\n  an older program than this one ({PROGRAM}) recorded the call; it may have decided otherwise"
            ),
            other => {
                write!(f, "\n  version {other} recorded the call, this is {PROGRAM}; it may have decided otherwise")
            }
        }
    }
}

/// The first place at which two values part, as a JSON pointer, and what is there.
fn first_difference(a: &Value, b: &Value, path: String) -> Option<(String, String, String)> {
    match (a, b) {
        _ if a == b => None,
        (Value::Object(a), Value::Object(b)) => {
            let missing = Value::Null;
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            keys.into_iter().find_map(|key| {
                let (a, b) = (a.get(key).unwrap_or(&missing), b.get(key).unwrap_or(&missing));
                first_difference(a, b, format!("{path}/{key}"))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(at, (a, b))| first_difference(a, b, format!("{path}/{at}")))
        }
        (Value::Array(a), Value::Array(b)) => {
            Some((path, format!("{} of them", a.len()), format!("{} of them", b.len())))
        }
        _ => Some((path, a.to_string(), b.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::first_difference;
    use serde_json::json;

    #[test]
    fn the_first_place_that_differs_is_named() {
        let a = json!({"id": 1, "request": {"lines": [{"text": "a"}, {"text": "b"}]}});
        let b = json!({"id": 1, "request": {"lines": [{"text": "a"}, {"text": "c"}]}});
        let found = first_difference(&a, &b, String::new());
        assert_eq!(found, Some(("/request/lines/1/text".into(), "\"b\"".into(), "\"c\"".into())));
        assert_eq!(first_difference(&a, &a, String::new()), None);
        let longer = first_difference(&json!([1]), &json!([1, 2]), String::new());
        assert_eq!(longer, Some((String::new(), "1 of them".into(), "2 of them".into())));
    }
}
