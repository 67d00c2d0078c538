//! What the HTTP APIs of platforms have in common: how requests are written and what their answers mean.

use crate::protocol::{CallAction, DialReply};
use aws_lc_rs::digest;
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Failure, PhoneNumber, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Longest id of a platform that we accept.
const ID_CHARS_MAX: usize = 256;

/// A request with a JSON body; `Null` for none.
pub(crate) fn json(method: Method, url: String, credential: Header, body: &Value) -> HttpRequest {
    let mut headers = vec![credential, Header::plain("accept", "application/json")];
    if body.is_null() {
        return HttpRequest { method, url, headers, body: Vec::new() };
    }
    headers.push(Header::plain("content-type", "application/json"));
    HttpRequest { method, url, headers, body: body.to_string().into_bytes() }
}

/// A POST of a form.
pub(crate) fn form(url: String, credential: Header, fields: &[(&str, &str)]) -> HttpRequest {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    let headers = vec![
        credential,
        Header::plain("accept", "application/json"),
        Header::plain("content-type", "application/x-www-form-urlencoded"),
    ];
    HttpRequest { method: Method::Post, url, headers, body: body.finish().into_bytes() }
}

/// A user and a password (RFC 7617).
pub(crate) fn basic(user: &str, password: &Secret<String>) -> Header {
    let credential = STANDARD.encode(format!("{user}:{}", password.expose()));
    Header::secret("authorization", format!("Basic {credential}"))
}

/// A token (RFC 6750).
pub(crate) fn bearer(token: &str) -> Header {
    Header::secret("authorization", format!("Bearer {token}"))
}

/// What the answer to a request to dial means. `id` reads the platform's id of the call; an id that could not be a part of
/// a path is none. `refusal` reads why it will not.
pub(crate) fn dialled(
    answer: Option<(u16, &[u8])>,
    id: impl FnOnce(&[u8]) -> Option<String>,
    refusal: impl FnOnce(u16, &[u8]) -> Failure,
) -> DialReply {
    let Some((status, body)) = answer else {
        return DialReply::Unknown(Failure::new(ErrorClass::Timeout, "no answer to the request to dial"));
    };
    match status {
        200..=299 => match id(body).filter(|id| is_id(id)) {
            Some(carrier_ref) => DialReply::Accepted { carrier_ref },
            None => DialReply::Unknown(Failure::new(ErrorClass::Protocol, "dialled, but the answer names no call")),
        },
        // The request may have been handled before the other side gave up on it.
        408 | 425 | 499 => DialReply::Unknown(Failure::new(ErrorClass::Timeout, format!("HTTP {status}"))),
        400..=498 => DialReply::Refused(refusal(status, body)),
        500..=599 => DialReply::Unknown(Failure::new(ErrorClass::Unavailable, format!("HTTP {status}"))),
        _ => DialReply::Unknown(Failure::new(ErrorClass::Protocol, format!("HTTP {status}"))),
    }
}

/// A text at this place of a JSON answer.
pub(crate) fn text_at(body: &[u8], pointer: &str) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    Some(value.pointer(pointer)?.as_str()?.to_owned())
}

/// What a refusal means by its status alone. The platform's message is left out: it may repeat the number.
pub(crate) fn refusal(status: u16, _body: &[u8]) -> Failure {
    Failure::new(class_of(status), format!("HTTP {status}"))
}

/// The class of a refused request.
pub(crate) fn class_of(status: u16) -> ErrorClass {
    match status {
        401 | 403 => ErrorClass::Auth,
        402 => ErrorClass::Quota,
        408 | 425 | 499 => ErrorClass::Timeout,
        429 => ErrorClass::RateLimited,
        400..=498 => ErrorClass::Invalid,
        500..=599 => ErrorClass::Unavailable,
        _ => ErrorClass::Protocol,
    }
}

/// Whether an action was done, where a status says all: 404 means that the call is over already.
pub(crate) fn acted(action: CallAction<'_>, answer: Option<(u16, &[u8])>) -> Result<(), Failure> {
    match answer {
        None => Err(Failure::new(ErrorClass::Timeout, "no answer")),
        Some((200..=299, _)) => Ok(()),
        Some((404 | 410, _)) if action == CallAction::HangUp => Ok(()),
        Some((status, body)) => Err(refusal(status, body)),
    }
}

/// Whether a text may be a part of a path.
pub(crate) fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:.".contains(&byte);
    !text.is_empty() && text.len() <= ID_CHARS_MAX && !text.contains("..") && text.bytes().all(is_plain)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// A number without its plus, as some platforms write it.
pub(crate) fn digits(number: &PhoneNumber) -> &str {
    number.expose().trim_start_matches('+')
}

/// A number that may lack its plus.
pub(crate) fn number(text: &str) -> Option<PhoneNumber> {
    let text = text.trim();
    if text.starts_with('+') {
        return text.parse().ok();
    }
    format!("+{text}").parse().ok()
}

/// Who calls, written in full where it is a number.
pub(crate) fn caller(text: &str) -> String {
    number(text).map_or_else(|| text.trim().to_owned(), |number| number.expose().to_owned())
}

/// `seconds` rounded up and held between what the platform allows.
pub(crate) fn seconds(span: base::Millis, min: u64, max: u64) -> u64 {
    span.0.div_ceil(1000).clamp(min, max)
}

/// The keys that a phone has; anything else is left out.
pub(crate) fn keys(text: &str) -> String {
    text.chars().filter(|key| matches!(key, '0'..='9' | '*' | '#' | 'A'..='D')).collect()
}

/// A login is renewed so long before it is over.
const LOGIN_SPARE_MS: i64 = 60_000;

/// An access token that a platform lent us (RFC 6749, section 5.1).
#[derive(Debug, Default)]
pub(crate) struct Login(Mutex<Lent>);

#[derive(Debug, Default)]
struct Lent {
    token: Option<Secret<String>>,
    until_ms: i64,
}

#[derive(Deserialize)]
struct Granted {
    access_token: Secret<String>,
    expires_in: i64,
}

impl Login {
    fn lent(&self) -> MutexGuard<'_, Lent> {
        // No guarded section can panic half way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a new one is needed.
    pub(crate) fn is_over(&self, now_ms: i64) -> bool {
        let lent = self.lent();
        lent.token.is_none() || now_ms + LOGIN_SPARE_MS >= lent.until_ms
    }

    /// Takes the answer to a login.
    pub(crate) fn take(&self, answer: Option<(u16, &[u8])>, now_ms: i64) -> Result<(), Failure> {
        let Some((status, body)) = answer else {
            return Err(Failure::new(ErrorClass::Timeout, "no answer to the login"));
        };
        if !(200..300).contains(&status) {
            return Err(refusal(status, body));
        }
        let wrong = |_| Failure::new(ErrorClass::Protocol, "the answer to the login holds no token");
        let granted: Granted = serde_json::from_slice(body).map_err(wrong)?;
        let until_ms = now_ms.saturating_add(granted.expires_in.saturating_mul(1000));
        *self.lent() = Lent { token: Some(granted.access_token), until_ms };
        Ok(())
    }

    /// The header that shows it. Without a login the platform refuses, in its own words.
    pub(crate) fn credential(&self) -> Header {
        bearer(self.lent().token.as_ref().map_or("", |token| token.expose()))
    }
}
