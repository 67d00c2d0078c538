//! Whether a tool may run: rules outside any model. A model proposes, these rules dispose.

use super::evidence::{Evidence, spelled_signs};
use base::limits::TOOL_CALLS_PER_TURN_MAX;
use model::tool::{Parameter, ParameterKind, ToolAction, ToolSpec};
use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

/// Why a tool may not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In one word, for the journal.
    pub reason: &'static str,
    /// For the brain, so that it can ask.
    pub tell: String,
}

impl Refusal {
    fn new(reason: &'static str, tell: impl Into<String>) -> Self {
        Self { reason, tell: tell.into() }
    }
}

/// A tool that may run, or may be asked about.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowed<'a> {
    /// The tool.
    pub spec: &'a ToolSpec,
    /// Exactly the arguments that were checked.
    pub args: Map<String, Value>,
}

/// Checks one request of a brain against the agent's tools and what is known. `calls` counts the requests of this turn,
/// this one included.
pub fn judge<'a>(
    tools: &'a [ToolSpec],
    name: &str,
    args: &Value,
    evidence: &Evidence,
    calls: u32,
) -> Result<Allowed<'a>, Refusal> {
    let Some(spec) = tools.iter().find(|tool| tool.name == name) else {
        return Err(Refusal::new("unknown_tool", format!("There is no tool called {name}.")));
    };
    // A caller who asks for a person, or to end the call, gets it, whatever else was asked in this turn.
    if matches!(spec.action, ToolAction::Handoff | ToolAction::EndCall) {
        return Ok(Allowed { spec, args: Map::new() });
    }
    if calls > TOOL_CALLS_PER_TURN_MAX {
        return Err(Refusal::new("too_many_calls", "Too many tools in one turn. Answer with what is known."));
    }
    let mut kept = Map::new();
    let given = match args {
        Value::Object(given) => given,
        Value::Null => &Map::new(),
        _ => return Err(Refusal::new("bad_arguments", "The arguments must be an object.")),
    };
    for (key, value) in given {
        let Some(parameter) = spec.parameters.iter().find(|parameter| parameter.name == *key) else {
            return Err(Refusal::new("unknown_argument", format!("{name} has no argument {key}.")));
        };
        let text = match value {
            Value::Null => continue,
            Value::String(text) if text.trim().is_empty() => continue,
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Bool(yes) => yes.to_string(),
            _ => return Err(Refusal::new("bad_arguments", format!("{key} must be a text."))),
        };
        let value = if is_own_wording(&spec.action, parameter) {
            Value::String(text)
        } else {
            check(parameter, &text, evidence)?
        };
        kept.insert(key.clone(), value);
    }
    for parameter in spec.parameters.iter().filter(|parameter| parameter.required) {
        if !kept.contains_key(&parameter.name) {
            let ask = parameter.ask.as_deref().unwrap_or(&parameter.description);
            if matches!(spec.action, ToolAction::CollectDigits { .. }) {
                let tell = "The phone takes keys from now on. Ask the customer to type it, then the hash key, and wait";
                return Err(Refusal::new(KEYS_WANTED, format!("{tell}: {ask}")));
            }
            return Err(Refusal::new(
                "missing_argument",
                format!("{} is missing. Ask the customer: {ask}", parameter.name),
            ));
        }
    }
    Ok(Allowed { spec, args: kept })
}

/// The refusal of a request for keys that were not typed yet: they are typed next.
pub const KEYS_WANTED: &str = "keys_wanted";

/// A search only reads the business's own documents, and a person reads a ticket: their words may be the brain's wording.
fn is_own_wording(action: &ToolAction, parameter: &Parameter) -> bool {
    match action {
        ToolAction::SearchKnowledge => true,
        ToolAction::CreateTicket { .. } => parameter.kind == ParameterKind::Text,
        _ => false,
    }
}

/// Whether values of this kind could ever be accepted: an expression that is one, a choice with something to choose.
///
/// # Errors
/// What is wrong, in words.
pub fn check_kind(kind: &ParameterKind) -> Result<(), &'static str> {
    match kind {
        ParameterKind::Pattern { regex } if pattern(regex).is_none() => Err("this is no regular expression"),
        ParameterKind::Choice { options }
            if options.is_empty() || options.iter().any(|one| one.value.trim().is_empty()) =>
        {
            Err("a choice has at least one value, and none that is empty")
        }
        ParameterKind::Number { minimum: Some(minimum), maximum: Some(maximum), .. } if minimum > maximum => {
            Err("the smallest number is above the largest")
        }
        ParameterKind::YesNo { yes, no } if yes.iter().chain(no).any(|word| word.trim().is_empty()) => {
            Err("a word for yes or no is empty")
        }
        ParameterKind::Text
        | ParameterKind::Pattern { .. }
        | ParameterKind::Choice { .. }
        | ParameterKind::Day
        | ParameterKind::Number { .. }
        | ParameterKind::YesNo { .. } => Ok(()),
    }
}

/// Checks one argument: its form, and that it was said or looked up. Gives it as the tool gets it.
fn check(parameter: &Parameter, text: &str, evidence: &Evidence) -> Result<Value, Refusal> {
    let name = &parameter.name;
    let not_said = || Refusal::new("not_said", format!("The customer has not said {name}. Ask for it; do not guess."));
    let form = || Refusal::new("bad_form", format!("{name} does not look like one. Ask the customer to say it again."));
    let said = match &parameter.kind {
        ParameterKind::Text => evidence.holds(text),
        ParameterKind::Pattern { regex } => {
            let pattern = pattern(regex).ok_or_else(form)?;
            if !pattern.is_match(text) {
                return Err(form());
            }
            evidence.holds(text)
        }
        ParameterKind::Choice { options } => {
            let option = options.iter().find(|option| option.value.eq_ignore_ascii_case(text)).ok_or_else(form)?;
            let said = option.said.iter().map(String::as_str).chain([option.value.as_str()]);
            evidence.holds_any(said)
        }
        ParameterKind::Day => day_was_said(text, evidence),
        ParameterKind::Number { minimum, maximum, whole } => {
            let number = number(text, *whole).ok_or_else(form)?;
            let value = number.as_f64().unwrap_or(f64::NAN);
            if minimum.is_some_and(|least| value < least) || maximum.is_some_and(|most| value > most) {
                return Err(form());
            }
            let sign = if value < 0.0 { evidence.holds_any(["minus", "negative", "below"]) } else { true };
            let said = sign && evidence.holds(text.trim_start_matches('-'));
            return said.then_some(Value::Number(number)).ok_or_else(not_said);
        }
        ParameterKind::YesNo { yes, no } => {
            let (words, usual, value) = match text.to_lowercase().as_str() {
                "true" | "yes" => (yes, YES, true),
                "false" | "no" => (no, NO, false),
                _ => return Err(form()),
            };
            let said = if words.is_empty() {
                evidence.holds_any(usual.iter().copied())
            } else {
                evidence.holds_any(words.iter().map(String::as_str))
            };
            return said.then_some(Value::Bool(value)).ok_or_else(not_said);
        }
    };
    said.then(|| Value::String(text.to_owned())).ok_or_else(not_said)
}

/// The number that a text is: a whole one as an integer, so that no tool gets `2.0` for two.
fn number(text: &str, whole: bool) -> Option<serde_json::Number> {
    if let Ok(integer) = text.parse::<i64>() {
        return Some(integer.into());
    }
    let value: f64 = text.parse().ok()?;
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Some((value as i64).into());
    }
    if whole { None } else { serde_json::Number::from_f64(value) }
}

const YES: &[&str] = &["yes", "yeah", "yep", "yup", "sure", "please", "of course", "correct", "right", "ja", "gerne"];
const NO: &[&str] = &["no", "nope", "nah", "not", "don't", "without", "none", "nein", "nicht"];

/// The expression, matched whole and without regard to case. `None` when it is not one.
fn pattern(regex: &str) -> Option<Regex> {
    RegexBuilder::new(&format!("^(?:{regex})$")).case_insensitive(true).size_limit(1 << 20).build().ok()
}

/// Whether these words end in a whole value of this form, one that could not go on: all five digits of five.
pub(super) fn is_whole(regex: &str, words: &str) -> bool {
    let Some(pattern) = pattern(regex) else { return false };
    let signs = spelled_signs(words);
    let chars: Vec<char> = signs.chars().collect();
    (0..chars.len()).any(|from| {
        let value: String = chars[from..].iter().collect();
        pattern.is_match(&value) && !pattern.is_match(&format!("{value}0")) && !pattern.is_match(&format!("{value}A"))
    })
}

/// The longest value of this form in these signs.
pub(super) fn value_in(regex: &str, signs: &str) -> Option<String> {
    let pattern = pattern(regex)?;
    let from = signs.char_indices().rev().nth(VALUE_CHARS_MAX).map_or(0, |(at, _)| at);
    let chars: Vec<char> = signs[from..].chars().collect();
    let spans = (0..chars.len()).flat_map(|from| (from + 1..=chars.len()).map(move |to| (from, to)));
    let values = spans.map(|(from, to)| chars[from..to].iter().collect::<String>());
    values.filter(|value| pattern.is_match(value)).max_by_key(String::len).map(|value| value.to_uppercase())
}

/// Whether a day was meant. A date that a brain worked out is believed when the customer named its weekday, its day of
/// the month, or a day relative to today; the question before a change says it aloud.
fn day_was_said(text: &str, evidence: &Evidence) -> bool {
    if evidence.holds(text) {
        return true;
    }
    let Some((year, month, day)) = iso_date(text) else { return false };
    let weekday = WEEKDAYS[weekday_of(year, month, day)];
    let month_name = MONTHS[month as usize - 1];
    let day_said = evidence.holds_any([day.to_string().as_str(), ordinal(day).as_str(), spoken_ordinal(day)]);
    evidence.holds_any([weekday, "today", "tonight", "tomorrow", "heute", "morgen", "kal", "aaj"])
        || (day_said && evidence.holds_any([month_name, "the"]))
}

fn iso_date(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.splitn(3, '-').map(str::parse::<u32>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    ((1..=9_999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)).then_some((year, month, day))
}

/// Day of the week, 0 for Sunday (Sakamoto's method).
fn weekday_of(year: u32, month: u32, day: u32) -> usize {
    const OFFSET: [u32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
    let year = if month < 3 { year - 1 } else { year };
    ((year + year / 4 + year / 400 - year / 100 + OFFSET[month as usize - 1] + day) % 7) as usize
}

fn ordinal(day: u32) -> String {
    let suffix = match (day % 10, day / 10) {
        (_, 1) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{day}{suffix}")
}

fn spoken_ordinal(day: u32) -> &'static str {
    const NAMES: [&str; 31] = [
        "first",
        "second",
        "third",
        "fourth",
        "fifth",
        "sixth",
        "seventh",
        "eighth",
        "ninth",
        "tenth",
        "eleventh",
        "twelfth",
        "thirteenth",
        "fourteenth",
        "fifteenth",
        "sixteenth",
        "seventeenth",
        "eighteenth",
        "nineteenth",
        "twentieth",
        "twenty first",
        "twenty second",
        "twenty third",
        "twenty fourth",
        "twenty fifth",
        "twenty sixth",
        "twenty seventh",
        "twenty eighth",
        "twenty ninth",
        "thirtieth",
        "thirty first",
    ];
    NAMES[day as usize - 1]
}

/// A value is looked for in so much of what was said last.
const VALUE_CHARS_MAX: usize = 64;

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

#[cfg(test)]
mod tests {
    use super::*;
    use model::tool::ChoiceOption;
    use serde_json::json;

    fn tools() -> Vec<ToolSpec> {
        let parameter = |name: &str, kind| Parameter {
            name: name.into(),
            description: format!("the {name}"),
            kind,
            required: name != "note",
            ask: None,
        };
        let tool = |name: &str, action, parameters| ToolSpec {
            name: name.into(),
            description: String::new(),
            parameters,
            action,
            changes_state: name == "book",
            confirm: None,
            say_done: None,
            examples: vec![],
            must_hold: vec![],
        };
        let service = ChoiceOption { value: "full".into(), said: vec!["complete service".into()] };
        vec![
            tool(
                "status",
                ToolAction::Lookup { table: "orders".into() },
                vec![
                    parameter("order", ParameterKind::Pattern { regex: "[A-Z]{2}\\d{6}".into() }),
                    parameter("note", ParameterKind::Text),
                ],
            ),
            tool(
                "book",
                ToolAction::Record { table: "repairs".into() },
                vec![
                    parameter("day", ParameterKind::Day),
                    parameter("service", ParameterKind::Choice { options: vec![service] }),
                ],
            ),
            tool("person", ToolAction::Handoff, vec![]),
        ]
    }

    fn reason(said: &str, name: &str, args: Value, calls: u32) -> Result<(), &'static str> {
        let mut evidence = Evidence::default();
        evidence.add(said);
        judge(&tools(), name, &args, &evidence, calls).map(drop).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn a_tool_runs_only_on_what_was_said() {
        assert_eq!(
            reason("it is b l nine zero one seven seven one", "status", json!({"order": "BL901771"}), 1),
            Ok(())
        );
        assert_eq!(reason("where is my order", "status", json!({"order": "BL901771"}), 1), Err("not_said"));
        assert_eq!(reason("it is BL9", "status", json!({"order": "BL9"}), 1), Err("bad_form"));
        assert_eq!(
            reason("it is BL901771", "status", json!({"order": "BL901771", "note": "urgent"}), 1),
            Err("not_said")
        );
    }

    #[test]
    fn a_tool_runs_only_with_the_arguments_it_has() {
        assert_eq!(reason("hello", "format_disk", json!({}), 1), Err("unknown_tool"));
        assert_eq!(reason("hello", "status", json!({}), 1), Err("missing_argument"));
        assert_eq!(reason("hello", "status", json!({"order": ""}), 1), Err("missing_argument"));
        assert_eq!(reason("hello", "status", json!({"hello": "hello"}), 1), Err("unknown_argument"));
        assert_eq!(reason("hello", "status", json!("hello"), 1), Err("bad_arguments"));
        assert_eq!(reason("hello", "status", json!({"order": ["a"]}), 1), Err("bad_arguments"));
        assert_eq!(reason("BL901771", "status", json!({"order": "BL901771"}), 5), Err("too_many_calls"));
    }

    #[test]
    fn a_value_is_whole_when_it_could_not_go_on() {
        assert!(is_whole("\\d{5}", "it's 4 8 2 1 3"));
        assert!(is_whole("\\d{5}", "four eight two one three."));
        assert!(is_whole("[A-Z]{2}\\d{6}", "B L 901 771"));
        assert!(!is_whole("\\d{5}", "4 8 2"));
        assert!(!is_whole("\\d+", "4 8 2 1 3"), "it may go on");
    }

    #[test]
    fn days_and_choices_match_the_words_people_use() {
        let book = |said: &str, day: &str| reason(said, "book", json!({"day": day, "service": "full"}), 1);
        assert_eq!(book("a complete service on Wednesday", "Wednesday"), Ok(()));
        assert_eq!(book("a complete service on Wednesday", "2026-11-25"), Ok(()), "that date is a Wednesday");
        assert_eq!(book("a complete service on Tuesday", "2026-11-25"), Err("not_said"));
        assert_eq!(book("a complete service on the 25th", "2026-11-25"), Ok(()));
        assert_eq!(book("a complete service tomorrow", "2026-11-25"), Ok(()));
        assert_eq!(book("something on Wednesday", "Wednesday"), Err("not_said"));
        assert_eq!(
            reason("full please, Monday", "book", json!({"day": "Monday", "service": "gold"}), 1),
            Err("bad_form")
        );
    }

    #[test]
    fn numbers_and_yes_or_no_reach_a_tool_as_what_they_are_and_only_when_they_were_said() {
        let kinds = [
            ("count", ParameterKind::Number { minimum: Some(1.0), maximum: Some(12.0), whole: true }),
            ("price", ParameterKind::Number { minimum: None, maximum: None, whole: false }),
            ("gift", ParameterKind::YesNo { yes: vec!["gift".into(), "present".into()], no: vec![] }),
        ];
        let mut spec = tools().remove(0);
        spec.parameters = kinds
            .into_iter()
            .map(|(name, kind)| Parameter {
                name: name.into(),
                description: String::new(),
                kind,
                required: false,
                ask: None,
            })
            .collect();
        let tools = [spec];
        let ask = |said: &str, args: Value| {
            let mut evidence = Evidence::default();
            evidence.add(said);
            judge(&tools, "status", &args, &evidence, 1)
                .map(|allowed| Value::Object(allowed.args))
                .map_err(|refusal| refusal.reason)
        };
        assert_eq!(ask("two lamps please", json!({"count": 2})), Ok(json!({"count": 2})));
        assert_eq!(ask("twelve lamps", json!({"count": "12"})), Ok(json!({"count": 12})));
        assert_eq!(ask("two lamps", json!({"count": 3})), Err("not_said"));
        assert_eq!(ask("thirteen lamps", json!({"count": 13})), Err("bad_form"));
        assert_eq!(ask("two and a half", json!({"count": 2.5})), Err("bad_form"));
        assert_eq!(ask("it costs 19.90", json!({"price": 19.9})), Err("not_said"), "not as it was said");
        assert_eq!(ask("it costs 19.90", json!({"price": "19.90"})), Ok(json!({"price": 19.9})));
        assert_eq!(ask("it is 5 below zero", json!({"price": -5})), Ok(json!({"price": -5})));
        assert_eq!(ask("it is 5", json!({"price": -5})), Err("not_said"));
        assert_eq!(ask("it is a present", json!({"gift": true})), Ok(json!({"gift": true})));
        assert_eq!(ask("two lamps", json!({"gift": true})), Err("not_said"));
        assert_eq!(ask("no, for me", json!({"gift": false})), Ok(json!({"gift": false})));
        assert_eq!(ask("two lamps", json!({"gift": "maybe"})), Err("bad_form"));
    }

    #[test]
    fn a_ticket_is_in_the_agents_words_and_what_identifies_somebody_is_not() {
        let mut ticket = tools().remove(0);
        ticket.action = ToolAction::CreateTicket { priority: Default::default() };
        let tools = [ticket];
        let ask = |said: &str, args: Value| {
            let mut evidence = Evidence::default();
            evidence.add(said);
            judge(&tools, "status", &args, &evidence, 1).map(drop).map_err(|refusal| refusal.reason)
        };
        let words = "The lamp arrived broken and she wants a new one.";
        assert_eq!(ask("my lamp BL901771 broke", json!({"order": "BL901771", "note": words})), Ok(()));
        assert_eq!(ask("my lamp broke", json!({"order": "BL901771", "note": words})), Err("not_said"));
    }

    #[test]
    fn a_person_can_always_be_asked_for() {
        assert_eq!(reason("a human please", "person", json!({"anything": 1}), 99), Ok(()));
    }
}
