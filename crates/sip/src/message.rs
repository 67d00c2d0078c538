//! Small readings of messages, and answers outside of calls.

use crate::front::Attestation;
use rsipstack::sip::prelude::{HasHeaders, HeadersExt};
use rsipstack::sip::{Header, Request, Transport, Uri};
use rsipstack::transport::SipConnection;

/// What we understand when a peer requires it.
pub(crate) const SUPPORTED: [&str; 3] = ["timer", "100rel", "replaces"];
/// What we understand at all.
pub(crate) const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, NOTIFY, MESSAGE";

/// How messages travel over a connection. The library takes those that it does not serve itself for datagrams.
pub(crate) fn transport_of(connection: &SipConnection) -> Transport {
    match connection {
        SipConnection::Channel(channel) => channel.get_addr().r#type.unwrap_or(Transport::Ws),
        other => other.transport(),
    }
}

/// The value of the first header of this name.
pub(crate) fn header(headers: &impl HasHeaders, name: &str) -> Option<String> {
    let mut all = headers.headers().iter().filter(|one| one.name().eq_ignore_ascii_case(name));
    all.next().map(|one| one.value().trim().to_owned())
}

/// What a peer requires of us that we do not understand.
pub(crate) fn unsupported(request: &Request) -> Vec<String> {
    let required = request.headers.iter().filter(|one| one.name().eq_ignore_ascii_case("Require"));
    let words = required.flat_map(|one| one.value().split(',').map(|word| word.trim().to_owned()));
    words.filter(|word| !word.is_empty() && !SUPPORTED.iter().any(|known| word.eq_ignore_ascii_case(known))).collect()
}

/// Whether a peer requires something.
pub(crate) fn requires(request: &Request, what: &str) -> bool {
    let required = request.headers.iter().filter(|one| one.name().eq_ignore_ascii_case("Require"));
    required.flat_map(|one| one.value().split(',')).any(|word| word.trim().eq_ignore_ascii_case(what))
}

/// Whether a list in a header of this name holds the word.
pub(crate) fn lists(headers: &impl HasHeaders, name: &str, word: &str) -> bool {
    let named = headers.headers().iter().filter(|one| one.name().eq_ignore_ascii_case(name));
    named.flat_map(|one| one.value().split(',')).any(|one| one.trim().eq_ignore_ascii_case(word))
}

/// The user part of an address in angle brackets or bare; of a `tel:` address the number.
pub(crate) fn user_of(value: &str) -> Option<String> {
    let inside = value.split_once('<').map_or(value, |(_, rest)| rest.split('>').next().unwrap_or(rest));
    let (scheme, rest) = inside.split_once(':')?;
    let user = match scheme.trim().to_ascii_lowercase().as_str() {
        "sip" | "sips" => rest.split_once('@')?.0,
        "tel" => rest,
        _ => return None,
    };
    let user = user.split([';', ':', '?']).next()?.trim();
    (!user.is_empty() && user.len() <= 128).then(|| user.to_owned())
}

/// Who calls: the identity that the network asserts, else the one that the caller gives. Nobody who withholds it.
pub(crate) fn caller_of(request: &Request) -> Option<String> {
    if header(request, "Privacy")
        .is_some_and(|value| value.split(';').any(|word| word.trim().eq_ignore_ascii_case("id")))
    {
        return None;
    }
    let asserted = header(request, "P-Asserted-Identity").and_then(|value| user_of(&value));
    let given = || request.from_header().ok().and_then(|from| user_of(from.value()));
    asserted.or_else(given).filter(|user| !user.eq_ignore_ascii_case("anonymous") && user != "unknown")
}

/// Whom they called.
pub(crate) fn called_of(uri: &Uri) -> String {
    let user = uri.user().unwrap_or_default();
    user.split(';').next().unwrap_or_default().to_owned()
}

/// What the network claims about the caller's number.
pub(crate) fn attestation_of(request: &Request) -> Option<Attestation> {
    match header(request, "P-Attestation-Indicator")?.trim_matches('"').to_ascii_uppercase().as_str() {
        "A" => Some(Attestation::Full),
        "B" => Some(Attestation::Partial),
        "C" => Some(Attestation::Gateway),
        _ => None,
    }
}

/// The key that an INFO brings (`application/dtmf-relay` or `application/dtmf`).
pub(crate) fn key_of_info(content_type: &str, body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body).ok()?;
    let value = match content_type.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        "application/dtmf-relay" => {
            let line = text.lines().find_map(|line| line.trim().strip_prefix("Signal"))?;
            line.trim_start().strip_prefix('=')?.trim()
        }
        "application/dtmf" => text.trim(),
        _ => return None,
    };
    // Some phones send the number of the event: 10 for the star, 11 for the hash.
    let key = match value {
        "10" => '*',
        "11" => '#',
        _ => value.chars().next()?.to_ascii_uppercase(),
    };
    media::rtp::telephone_event::event_of(key).map(|_| key)
}

/// The answer that a NOTIFY about a transfer reports, and whether it is the last one (RFC 3515, 2.4.4).
pub(crate) fn transfer_progress(request: &Request) -> Option<(u16, bool)> {
    let body = std::str::from_utf8(&request.body).ok()?;
    let status = body.lines().next()?.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()?;
    let ended = header(request, "Subscription-State").is_some_and(|state| state.trim_start().starts_with("terminated"));
    Some((status, ended || status >= 200))
}

/// Headers of every answer to an offer.
pub(crate) fn answer_headers(has_body: bool) -> Vec<Header> {
    let mut headers = vec![
        Header::Allow(ALLOW.into()),
        Header::Supported(SUPPORTED.join(", ").into()),
        Header::Accept("application/sdp".into()),
    ];
    if has_body {
        headers.push(Header::ContentType("application/sdp".into()));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_in_every_form_of_an_address() {
        let table = [
            ("\"Ann\" <sip:+4940555017@example.com;user=phone>;tag=1", Some("+4940555017")),
            ("sip:1001@pbx:5060", Some("1001")),
            ("<tel:+4940555017;phone-context=x>", Some("+4940555017")),
            ("<sips:a:b@c>", Some("a")),
            ("<sip:example.com>", None),
            ("<http://x@y>", None),
            ("", None),
        ];
        for (value, user) in table {
            assert_eq!(user_of(value).as_deref(), user, "{value}");
        }
    }

    #[test]
    fn keys_in_messages_are_understood_in_both_forms() {
        let relay = "application/dtmf-relay";
        assert_eq!(key_of_info(relay, b"Signal=5\r\nDuration=160\r\n"), Some('5'));
        assert_eq!(key_of_info(relay, b"Duration=160\r\nSignal= *\r\n"), Some('*'));
        assert_eq!(key_of_info(relay, b"Signal=11\r\n"), Some('#'));
        assert_eq!(key_of_info("application/dtmf", b"d"), Some('D'));
        assert_eq!(key_of_info("application/dtmf", b"!"), None);
        assert_eq!(key_of_info("text/plain", b"5"), None);
        assert_eq!(key_of_info(relay, b"\xff"), None);
    }
}
