//! The laws: what every vendor must obey. The list of vendors runs them, so a new vendor is held to them at once.

pub(crate) mod embed;
pub(crate) mod llm;
pub(crate) mod realtime;
pub(crate) mod stt;
pub(crate) mod text;
pub(crate) mod tts;
pub(crate) mod vectors;

pub(crate) use crate::cassette::{self, KEY, options};

use crate::answer::refusal;
use crate::options::{Descriptor, OptionsError, ProviderOptions};
use base::wire::{Connect, Header, Wire};
use base::{ErrorClass, Failure, Millis};
use proptest::prelude::*;

/// A descriptor is complete: it is the configuration schema and the documentation.
pub(crate) fn descriptor_is_complete(descriptor: &Descriptor) {
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let is_env = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    assert!(is_name(descriptor.name), "a name is lower case");
    assert!(!descriptor.title.is_empty());
    let is_here = descriptor.key_optional && descriptor.base_url.starts_with("http://127.0.0.1:");
    assert!(is_here || descriptor.base_url.starts_with("https://"), "the vendor's own address is encrypted");
    for env in [Some(descriptor.key_env), Some(descriptor.base_url_env), descriptor.model_env, descriptor.voice_env] {
        assert!(env.is_none_or(is_env), "{env:?}");
    }
    assert_eq!(descriptor.model_env.is_some(), descriptor.model.is_some(), "a model can be set and has a default");
    assert_eq!(descriptor.voice_env.is_some(), descriptor.voice.is_some(), "a voice can be set and has a default");
    for (at, (key, doc)) in descriptor.extra.iter().enumerate() {
        assert!(is_name(key), "{key}");
        assert!(doc.len() > 12 && doc.ends_with('.'), "{key} needs a sentence of documentation");
        assert!(descriptor.extra[..at].iter().all(|(earlier, _)| earlier != key), "{key} twice");
    }
}

/// Statuses and close codes have the class that decides what happens next, and a pause that was asked for is kept.
pub(crate) fn refusals_have_the_right_class(name: &str, classify: impl Fn(u16, &str) -> ErrorClass) {
    let table = [
        (401, ErrorClass::Auth),
        (403, ErrorClass::Auth),
        (402, ErrorClass::Quota),
        (429, ErrorClass::RateLimited),
        (400, ErrorClass::Invalid),
        (404, ErrorClass::Invalid),
        (422, ErrorClass::Invalid),
        (500, ErrorClass::Unavailable),
        (502, ErrorClass::Unavailable),
        (503, ErrorClass::Unavailable),
        (504, ErrorClass::Timeout),
        (1006, ErrorClass::Protocol),
        (1011, ErrorClass::Unavailable),
        (1012, ErrorClass::Unavailable),
    ];
    for (status, class) in table {
        for body in ["", "<html>no JSON</html>", "{}", r#"{"error":null}"#, "[1]"] {
            assert_eq!(classify(status, body), class, "{status} {body}");
        }
    }
    let echo = format!(r#"{{"error":{{"message":"bad key {KEY}","code":"{KEY}"}},"err_msg":"{KEY}"}}"#);
    let headers = [("Retry-After", "7")];
    let failure = refusal(name, classify(429, ""), 429, headers, &format!("bad key {KEY}"));
    assert_eq!((failure.class, failure.retry_after), (ErrorClass::RateLimited, Some(Millis(7_000))));
    assert_no_key(&failure.detail);
    // A body that repeats what we sent: the word that is taken for a code must not be the key.
    assert_no_key(&refusal(name, classify(401, &echo), 401, headers, &echo).detail);
    classify(0, "");
    classify(u16::MAX, "\u{0}");
}

pub(crate) fn assert_no_key(text: &str) {
    assert!(!text.contains(KEY), "the key shows in {text}");
}

pub(crate) fn assert_failure_hides_the_key(failure: &Failure) {
    assert_no_key(&format!("{failure} {failure:?}"));
}

/// What garbles a message on its way.
#[derive(Clone, Debug)]
pub(crate) enum Mutation {
    Replace(usize, u8),
    Cut(usize),
    Remove(usize, usize),
    Repeat(usize, usize),
}

pub(crate) fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let at = || 0usize..4_096;
    let one = prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        2 => (at(), prop::sample::select(b"0123456789-eE\"{}[],:ntf".to_vec())).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        1 => at().prop_map(Mutation::Cut),
        1 => (at(), 0usize..64).prop_map(|(at, len)| Mutation::Remove(at, len)),
        1 => (at(), 0usize..256).prop_map(|(at, len)| Mutation::Repeat(at, len)),
    ];
    prop::collection::vec(one, 1..4)
}

pub(crate) fn mutate(bytes: &[u8], mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for mutation in mutations {
        if bytes.is_empty() {
            break;
        }
        let len = bytes.len();
        match *mutation {
            Mutation::Replace(at, byte) => bytes[at % len] = byte,
            Mutation::Cut(at) => bytes.truncate(at % len),
            Mutation::Remove(at, count) => drop(bytes.drain(at % len..(at % len + count).min(len))),
            Mutation::Repeat(at, count) => {
                let piece = bytes[at % len..(at % len + count).min(len)].to_vec();
                bytes.splice(at % len..at % len, piece);
            }
        }
    }
    bytes
}

pub(crate) fn mutate_wire(wire: &Wire, mutations: &[Mutation]) -> Wire {
    match wire {
        Wire::Text(text) => Wire::Text(String::from_utf8_lossy(&mutate(text.as_bytes(), mutations)).into_owned()),
        Wire::Binary(bytes) => Wire::Binary(mutate(bytes, mutations)),
        other => other.clone(),
    }
}

/// A moment, the same in all laws: 14 November 2023, 22:13:20 UTC.
pub(crate) const NOW_UNIX_MS: u64 = 1_700_000_000_000;

/// Options that open a vendor: those of its cassette where it needs more than a key.
pub(crate) fn defaults_are_usable<T>(
    open: impl Fn(&ProviderOptions) -> Result<T, OptionsError>,
    recorded: &ProviderOptions,
) {
    match open(&options()) {
        Ok(_) => {}
        Err(OptionsError::MissingOption { .. }) => drop(open(recorded).map_err(|why| panic!("{why}"))),
        Err(why) => panic!("{why}"),
    }
}

/// Everything that leaves this program, credentials in the clear. Addresses, bodies and what is printed must not hold the
/// key.
pub(crate) fn exposed(connect: &Connect, sent: &[Wire]) -> Vec<String> {
    assert_no_key(&format!("{connect:?} {sent:?} {}", connect.url));
    let mut all = vec![connect.url.clone()];
    let mut headers: Vec<&Header> = connect.headers.iter().collect();
    for wire in connect.first.iter().chain(sent) {
        match wire {
            Wire::Text(text) => all.push(text.clone()),
            Wire::Binary(bytes) => all.push(String::from_utf8_lossy(bytes).into_owned()),
            Wire::Request(request) => {
                all.extend([request.url.clone(), String::from_utf8_lossy(&request.body).into_owned()]);
                headers.extend(&request.headers);
            }
            Wire::Close(..) | Wire::End => {}
        }
    }
    all.iter().for_each(|text| assert_no_key(text));
    all.extend(headers.iter().map(|header| format!("{}: {}", header.name, header.value.expose())));
    all
}

/// The same body in other pieces: neighbouring pieces are joined and cut anew.
pub(crate) fn cut_anew(wires: &[Wire], cuts: &[usize]) -> Vec<Wire> {
    let mut all = Vec::new();
    let mut body: Vec<u8> = Vec::new();
    let mut cuts = cuts.iter().cycle();
    let mut flush = |body: &mut Vec<u8>, all: &mut Vec<Wire>| {
        while !body.is_empty() {
            let at = cuts.next().map_or(body.len(), |cut| cut % body.len() + 1);
            all.push(Wire::Binary(body.drain(..at).collect()));
        }
    };
    for wire in wires {
        match wire {
            Wire::Binary(bytes) => body.extend_from_slice(bytes),
            other => {
                flush(&mut body, &mut all);
                all.push(other.clone());
            }
        }
    }
    flush(&mut body, &mut all);
    all
}

/// Few and fixed in time, so that all laws of all vendors run in seconds.
pub(crate) fn few() -> ProptestConfig {
    ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() }
}
