//! What handlers share: identifiers in paths, merge patches, checks of texts.

use crate::App;
use crate::problem::Problem;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use base::PhoneNumber;
use carriers::protocol::Capability;
use carriers::registry::{self, Descriptor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::str::FromStr;
use store::StoreError;

/// The thing that an address names by its id. What is not an id names nothing.
pub(crate) struct Id<T>(pub(crate) T);

impl<T: FromStr + Send> FromRequestParts<App> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| Problem::not_found())?;
        text.parse().map(Self).map_err(|_| Problem::not_found())
    }
}

/// The thing that an address names by a name.
pub(crate) struct Name(pub(crate) String);

impl FromRequestParts<App> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| Problem::not_found())?;
        sane(text).map(Self)
    }
}

/// A name that a database can look for. Any other names nothing.
pub(crate) fn sane(name: String) -> Result<String, Problem> {
    if name.contains('\0') || name.len() > 300 { Err(Problem::not_found()) } else { Ok(name) }
}

/// Applies a merge patch (RFC 7396) to what can be changed about a thing, and reads it again.
pub(crate) fn merged<T: Serialize + DeserializeOwned>(now: &T, patch: &Value) -> Result<T, Problem> {
    let now = serde_json::to_value(now).map_err(|_| Problem::internal())?;
    let text = serde_json::to_vec(&merged_value(now, patch)?).map_err(|_| Problem::internal())?;
    crate::http::body::parsed(&text)
}

/// The same on JSON.
pub(crate) fn merged_value(mut now: Value, patch: &Value) -> Result<Value, Problem> {
    if !patch.is_object() {
        return Err(Problem::invalid("a change is a JSON object with the fields that change"));
    }
    forget_other_kinds(&mut now, patch);
    json_patch::merge(&mut now, patch);
    Ok(now)
}

/// What says its `kind` is one of several shapes. Where a patch says another, the fields of the old shape mean nothing in the
/// new one, and RFC 7396 would keep them.
fn forget_other_kinds(now: &mut Value, patch: &Value) {
    let (Value::Object(now), Value::Object(patch)) = (now, patch) else { return };
    if let (Some(was), Some(is)) = (now.get("kind"), patch.get("kind"))
        && is.is_string()
        && was != is
    {
        now.clear();
    }
    for (name, patch) in patch {
        if let Some(now) = now.get_mut(name) {
            forget_other_kinds(now, patch);
        }
    }
}

/// The first field of `given` that is not in what was read of it: a name that nobody knows.
pub(crate) fn unknown_field(given: &Value, read: &Value) -> Option<String> {
    match (given, read) {
        (Value::Object(given), Value::Object(read)) => given.iter().find_map(|(name, value)| {
            let is_nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
            match read.get(name) {
                None if is_nothing => None,
                None => Some(name.clone()),
                Some(read) => unknown_field(value, read).map(|rest| format!("{name}.{rest}")),
            }
        }),
        (Value::Array(given), Value::Array(read)) => given
            .iter()
            .zip(read)
            .enumerate()
            .find_map(|(index, (given, read))| unknown_field(given, read).map(|rest| format!("{index}.{rest}"))),
        _ => None,
    }
}

/// A conflict of versions is a stale change; any other failure is what it is.
pub(crate) fn stale_or(error: StoreError, now: u32) -> Problem {
    match error {
        StoreError::Conflict(why) if why.contains("changed meanwhile") => Problem::stale(now + 1),
        other => super::store_problem(other),
    }
}

/// What became of a deletion.
pub(crate) fn deleted(done: Result<bool, StoreError>) -> Result<StatusCode, Problem> {
    match done.map_err(super::store_problem)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found()),
    }
}

/// The same, where the deletion was of one version: another one is a stale request.
pub(crate) fn deleted_at(done: Result<bool, StoreError>, now: u32) -> Result<StatusCode, Problem> {
    match done {
        Err(error @ StoreError::Conflict(_)) => Err(stale_or(error, now)),
        done => deleted(done),
    }
}

/// A text of so many characters, with something in it when there must be.
pub(crate) fn check_text(field: &str, text: &str, chars_min: usize, chars_max: usize) -> Result<(), Problem> {
    let count = text.chars().count();
    if (chars_min..=chars_max).contains(&count) {
        return Ok(());
    }
    Err(Problem::invalid(format!("{field}: {chars_min} to {chars_max} characters are needed")))
}

/// A zone whose clocks are known.
pub(crate) fn check_zone(field: &str, zone: &str) -> Result<(), Problem> {
    if runtime::node::local_moment(zone, 0).is_some() {
        return Ok(());
    }
    Err(Problem::invalid(format!("{field}: not a time zone of the IANA database, such as Europe/Berlin")))
}

/// What a phone platform is asked for, it must be able to do: it is not tried otherwise.
pub(crate) fn can(carrier: &str, capability: Capability) -> Result<(), Problem> {
    let known = known_carrier(carrier)?;
    if known.can(capability) { Ok(()) } else { Err(Problem::not_supported(known, capability)) }
}

/// A phone platform of this name.
pub(crate) fn known_carrier(name: &str) -> Result<&'static Descriptor, Problem> {
    registry::descriptor(name).ok_or_else(|| {
        let known = registry::NAMES.join(", ");
        Problem::invalid(format!("carrier: there is no such phone platform; known are {known}"))
    })
}

/// A short name: lower-case letters, digits and hyphens.
pub(crate) fn check_slug(field: &str, text: &str) -> Result<(), Problem> {
    let sign = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits =
        (1..=63).contains(&text.len()) && text.chars().all(sign) && !text.starts_with('-') && !text.ends_with('-');
    if fits {
        return Ok(());
    }
    Err(Problem::invalid(format!("{field}: 1 to 63 lower-case letters, digits and hyphens, with none at an end")))
}

/// A name of a value: letters, digits, dots, hyphens, underscores.
pub(crate) fn check_key(field: &str, text: &str) -> Result<(), Problem> {
    let sign = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let fits = (1..=100).contains(&text.len()) && text.chars().all(sign);
    if fits {
        Ok(())
    } else {
        Err(Problem::invalid(format!("{field}: 1 to 100 letters, digits, dots, hyphens, underscores")))
    }
}

/// A language tag in the form of BCP 47.
pub(crate) fn check_language(text: &str) -> Result<(), Problem> {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let fits = (2..=3).contains(&first.len())
        && first.chars().all(|c| c.is_ascii_alphabetic())
        && parts.clone().count() <= 3
        && parts.all(|part| (2..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()));
    if fits { Ok(()) } else { Err(Problem::invalid("language: not a language tag, such as en or de-AT")) }
}

/// A number in a query, where `+` means a space unless it is escaped.
pub(crate) fn dialled(text: &str) -> Result<PhoneNumber, Problem> {
    customer_text(text).parse().map_err(|why| Problem::invalid(format!("a phone number: {why}")))
}

/// A customer's number or address in a query, where `+` means a space unless it is escaped.
pub(crate) fn customer_text(text: &str) -> String {
    match text.strip_prefix(' ') {
        Some(rest) => format!("+{}", rest.trim()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_misspelt_field_is_found_however_deep_it_lies() {
        let read = json!({ "name": "a", "lines": { "greeting": "b" }, "tools": [{ "name": "t" }] });
        assert_eq!(unknown_field(&json!({ "lines": { "greting": "x" } }), &read).as_deref(), Some("lines.greting"));
        assert_eq!(unknown_field(&json!({ "tools": [{ "nam": "t" }] }), &read).as_deref(), Some("tools.0.nam"));
        assert_eq!(unknown_field(&json!({ "name": "z", "voice": null, "stt": [] }), &read), None);
    }

    #[test]
    fn what_becomes_of_another_kind_keeps_no_field_of_the_old_one() {
        let now = json!({ "name": "a", "outside": { "kind": "message", "text": "We are closed." } });
        let other = json!({ "outside": { "kind": "agent", "agent": "night" } });
        let same = json!({ "outside": { "kind": "message", "delay_ms": 5 } });
        assert_eq!(
            merged_value(now.clone(), &other).ok(),
            Some(json!({ "name": "a", "outside": { "kind": "agent", "agent": "night" } }))
        );
        assert_eq!(
            merged_value(now, &same).ok(),
            Some(json!({ "name": "a", "outside": { "kind": "message", "text": "We are closed.", "delay_ms": 5 } }))
        );
    }

    #[test]
    fn names_and_languages_have_a_form() {
        assert!(check_slug("slug", "front-2").is_ok());
        for wrong in ["", "-a", "a-", "A", "a b", &"x".repeat(64)] {
            assert!(check_slug("slug", wrong).is_err(), "{wrong}");
        }
        assert!(["en", "de-AT", "zh-Hant-TW"].iter().all(|tag| check_language(tag).is_ok()));
        assert!(["", "english", "e", "en_US", "de-"].iter().all(|tag| check_language(tag).is_err()));
        assert_eq!(customer_text(" 4940555"), "+4940555");
    }
}
