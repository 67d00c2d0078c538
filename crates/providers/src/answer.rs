//! How refusals are read, the same for every vendor: status, close code, error code in the body, `Retry-After`.

use base::limits::RETRY_AFTER_MS_MAX;
use base::{ErrorClass, Failure, Millis};
use serde_json::Value;

/// Class of an HTTP status (RFC 9110) or a WebSocket close code (1000 and above, RFC 6455 section 7.4).
pub fn classify_status(status: u16) -> ErrorClass {
    match status {
        401 | 403 | 407 => ErrorClass::Auth,
        402 => ErrorClass::Quota,
        408 | 504 => ErrorClass::Timeout,
        429 => ErrorClass::RateLimited,
        400..=499 => ErrorClass::Invalid,
        500..=599 => ErrorClass::Unavailable,
        1001 | 1011 | 1012 | 1013 | 1014 | 1015 => ErrorClass::Unavailable,
        1007..=1010 => ErrorClass::Invalid,
        _ => ErrorClass::Protocol,
    }
}

/// The vendor's own short word for what is wrong, wherever in a JSON body or close reason it stands. Free text is left
/// out, because it may repeat what the customer said or the key that was sent.
pub fn error_code(body: &str) -> Option<String> {
    if let Ok(json) = serde_json::from_str::<Value>(body) {
        return code_in(&json);
    }
    // Close reasons begin with the code: "NET-0001: …", "DATA-0000 …".
    let word = body.split([' ', ':']).next().unwrap_or_default();
    let is_shouted = word.contains(['-', '_']) && !word.bytes().any(|b| b.is_ascii_lowercase());
    (is_shouted && is_code(word)).then(|| word.to_owned())
}

const CODE_BYTES_MAX: usize = 64;
const CODE_DIGITS_MAX: usize = 4;
const CODE_KEYS: [&str; 6] = ["err_code", "code", "type", "status", "category", "error"];

/// Whether a word is a vendor's name for a failure, which is safe to show: letters and marks, few digits. Keys, ids and
/// phone numbers have more.
pub fn is_code(word: &str) -> bool {
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let marks = word.bytes().filter(|b| matches!(b, b'_' | b'-' | b'.')).count();
    letters > 0 && digits <= CODE_DIGITS_MAX && letters + digits + marks == word.len() && word.len() <= CODE_BYTES_MAX
}

fn code_in(json: &Value) -> Option<String> {
    let holder = match json {
        Value::Object(map) => ["error", "detail"].into_iter().filter_map(|key| map.get(key)).find(|v| v.is_object()),
        _ => None,
    };
    let object = holder.unwrap_or(json).as_object()?;
    let words = CODE_KEYS.into_iter().filter_map(|key| object.get(key)?.as_str());
    words.filter(|word| is_code(word)).map(str::to_owned).next()
}

/// When the other side asked us to come back: `retry-after-ms`, `retry-after` in seconds (RFC 9110 section 10.2.3; a date
/// is not read, because codecs have no clock), or "retry after N seconds" in the body. Capped, because services have been
/// seen to ask for a day.
pub fn retry_after<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>, body: &str) -> Option<Millis> {
    let mut from_ms = None;
    let mut from_secs = None;
    for (name, value) in headers {
        if name.eq_ignore_ascii_case("retry-after-ms") {
            from_ms = span(value, 1.0);
        } else if name.eq_ignore_ascii_case("retry-after") {
            from_secs = span(value, 1000.0);
        }
    }
    from_ms.or(from_secs).or_else(|| retry_in_words(body))
}

fn span(value: &str, unit_ms: f64) -> Option<Millis> {
    let number: f64 = value.trim().parse().ok()?;
    (number >= 0.0).then(|| Millis(((number * unit_ms) as u64).min(RETRY_AFTER_MS_MAX)))
}

fn retry_in_words(body: &str) -> Option<Millis> {
    // `RetryInfo` of the gRPC error model, in its JSON form.
    if let Some((_, rest)) = body.split_once("\"retryDelay\"") {
        let digits = rest.trim_start_matches([':', ' ', '"']);
        return span(digits.split('s').next()?, 1000.0);
    }
    let lower = body.to_ascii_lowercase();
    ["retry after ", "try again in "].into_iter().find_map(|words| {
        let rest = &lower[lower.find(words)? + words.len()..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let unit = rest[digits..].trim_start();
        let unit_ms = if unit.starts_with("ms") || unit.starts_with("milli") {
            1.0
        } else if unit.starts_with('s') {
            1000.0
        } else {
            return None;
        };
        span(rest[..digits].trim_end_matches('.'), unit_ms)
    })
}

/// The failure for a refused upgrade, an error answer or a close: class, pause and the vendor's own short word. `class` is
/// what the codec's `classify` said of the same status and body.
pub fn refusal<'a>(
    provider: &str,
    class: ErrorClass,
    status: u16,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: &str,
) -> Failure {
    let verb = if status >= 1000 { "closed with" } else { "answered" };
    let detail = match error_code(body) {
        Some(code) => format!("{provider} {verb} {status} ({code})"),
        None => format!("{provider} {verb} {status}"),
    };
    Failure { class, retry_after: retry_after(headers, body), detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_honoured_in_every_form_and_capped() {
        type Headers = &'static [(&'static str, &'static str)];
        let cases: [(Headers, &str, Option<u64>); 10] = [
            (&[("Retry-After", "2")], "", Some(2_000)),
            (&[("retry-after", "0.5")], "", Some(500)),
            (&[("retry-after", "9"), ("retry-after-ms", "250")], "", Some(250)),
            (&[("retry-after", "86400")], "", Some(RETRY_AFTER_MS_MAX)),
            (&[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")], "", None),
            (&[("retry-after", "-1")], "", None),
            (&[], "Rate limit is exceeded. Try again in 2 seconds.", Some(2_000)),
            (&[], "nothing of the kind", None),
            (&[], r#"{"error":{"details":[{"@type":"x.RetryInfo","retryDelay": "3.5s"}]}}"#, Some(3_500)),
            (&[], r#"{"retryDelay":null}"#, None),
        ];
        for (headers, body, expected) in cases {
            assert_eq!(retry_after(headers.iter().copied(), body), expected.map(Millis), "{headers:?} {body}");
        }
    }

    #[test]
    fn a_refusal_names_the_code_and_repeats_no_free_text() {
        let body = r#"{"error":{"message":"Incorrect API key provided: sk-123","type":"t","code":"invalid_api_key"}}"#;
        let failure = refusal("acme", ErrorClass::Auth, 401, [], body);
        assert_eq!(failure.detail, "acme answered 401 (invalid_api_key)");
        assert_eq!(error_code(r#"{"err_code":"INVALID_AUTH","err_msg":"x"}"#).as_deref(), Some("INVALID_AUTH"));
        assert_eq!(
            error_code(r#"{"detail":{"status":"voice_not_found","message":"x"}}"#).as_deref(),
            Some("voice_not_found")
        );
        assert_eq!(error_code("NET-0001: no audio").as_deref(), Some("NET-0001"));
        assert_eq!(error_code("Bad Request: sk-1"), None);
        assert_eq!(error_code(r#"{"error":"model 'x' not found"}"#), None);
    }
}
