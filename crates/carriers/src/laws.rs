//! What every carrier must obey, as tests that the registry instantiates once per carrier.

use crate::protocol::{
    Authenticity, CallAction, Capability, CarrierControl, DialAttempt, DialReply, Inbound, MediaCommand, MediaEvent,
    MediaProtocol, MediaSink, TextMessage, WEBHOOK_AGE_MS_MAX, Way,
};
use crate::registry::Descriptor;
use base::limits::MEDIA_MESSAGE_BYTES_MAX;
use base::wire::{HttpRequest, Wire};
use base::{CallId, ErrorClass, MarkId, Millis};
use std::sync::Arc;

/// How a test plays the other end of one carrier's media socket.
pub(crate) struct MediaSubject {
    /// What opens a stream; the last message is the start, and it carries the token `t-1`.
    pub(crate) start: fn() -> Vec<Wire>,
    /// A message with this audio.
    pub(crate) audio: fn(&[i16]) -> Wire,
    /// The samples that arrive when these are sent: the codec's loss.
    pub(crate) heard: fn(&[i16]) -> Vec<i16>,
    /// The other end's answer to a mark, once it was played.
    pub(crate) echo: fn(&Wire) -> Option<Wire>,
    /// A key press.
    pub(crate) key: fn(char) -> Wire,
}

pub(crate) fn feed(media: &mut dyn MediaProtocol, wires: &[Wire]) -> MediaSink {
    let mut sink = MediaSink::default();
    for wire in wires {
        match wire {
            Wire::Text(text) => media.on_text(text, &mut sink),
            Wire::Binary(bytes) => media.on_binary(bytes, &mut sink),
            Wire::Close(..) | Wire::Request(_) | Wire::End => {}
        }
    }
    sink
}

pub(crate) fn command(media: &mut dyn MediaProtocol, command: MediaCommand<'_>) -> Vec<Wire> {
    let mut out = Vec::new();
    media.on_command(command, &mut out);
    out
}

pub(crate) fn violations(sink: &MediaSink) -> Vec<u16> {
    let codes = sink.events.iter().filter_map(|event| match event {
        MediaEvent::Violation { code, .. } => Some(*code),
        _ => None,
    });
    codes.collect()
}

pub(crate) fn opened(media: &mut dyn MediaProtocol, subject: &MediaSubject) {
    let sink = feed(media, &(subject.start)());
    let [MediaEvent::Started(start)] = &sink.events[..] else { panic!("no start: {:?}", sink.events) };
    assert_eq!(start.token.as_deref(), Some("t-1"));
}

pub(crate) fn marks_come_back_once_and_clear_forgets_them(media: &mut dyn MediaProtocol, subject: &MediaSubject) {
    opened(media, subject);
    let mut echoes = Vec::new();
    for id in 1..=4 {
        let sent = command(media, MediaCommand::Mark(MarkId(id)));
        echoes.push(sent.iter().find_map(subject.echo).expect("the mark reaches the other end"));
    }
    assert_eq!(feed(media, &echoes[..1]).events, [MediaEvent::Mark(MarkId(1))]);
    assert_eq!(feed(media, &echoes[..1]).events, [], "an echo counts once");
    assert_eq!(command(media, MediaCommand::Clear).len(), 1);
    assert_eq!(feed(media, &echoes[1..]).events, [], "a cleared mark was not heard");
    let sent = command(media, MediaCommand::Mark(MarkId(5)));
    let echo = sent.iter().find_map(subject.echo).expect("the mark reaches the other end");
    assert_eq!(feed(media, &[echo]).events, [MediaEvent::Mark(MarkId(5))], "a mark after the clear counts");
}

pub(crate) fn any_frame_length_is_heard_whole(media: &mut dyn MediaProtocol, subject: &MediaSubject, cuts: &[usize]) {
    opened(media, subject);
    let pcm: Vec<i16> = (0..4000i32).map(|i| ((i * 7919) % 60000 - 30000) as i16).collect();
    let mut rest = &pcm[..];
    let mut wires = Vec::new();
    for cut in cuts {
        let (frame, after) = rest.split_at((*cut).min(rest.len()));
        wires.push((subject.audio)(frame));
        rest = after;
    }
    wires.push((subject.audio)(rest));
    let sink = feed(media, &wires);
    assert!(violations(&sink).is_empty(), "{:?}", sink.events);
    assert_eq!(sink.pcm, (subject.heard)(&pcm));
}

/// A conversation of the other end, for mutation.
pub(crate) fn script(subject: &MediaSubject) -> Vec<Wire> {
    let mut wires = (subject.start)();
    wires.push((subject.audio)(&[100; 160]));
    wires.push((subject.key)('5'));
    wires.push((subject.audio)(&[-100; 160]));
    wires
}

/// The fixture that the fuzzer mutates holds the same: a message a line, a binary one in hexadecimal digits.
pub(crate) fn its_conversation_is_what_the_fuzzer_begins_with(name: &str, subject: &MediaSubject) {
    let line = |wire: &Wire| match wire {
        Wire::Text(text) => format!("{text}\n"),
        Wire::Binary(bytes) => format!("0x{}\n", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        other => panic!("no message of a platform: {other:?}"),
    };
    let said: String = script(subject).iter().map(line).collect();
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../fixtures/fuzz/media/{name}.txt"));
    if std::env::var("FRONTDESK_GOLDEN").is_ok_and(|wish| wish == "write") {
        std::fs::write(&file, &said).expect("written");
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == said, "write it anew: FRONTDESK_GOLDEN=write cargo test -p carriers fuzzer_begins_with");
}

/// Whatever one end sends, the other neither panics nor goes on after it closed.
pub(crate) fn survives(media: &mut dyn MediaProtocol, wires: &[Wire]) {
    for (index, wire) in wires.iter().enumerate() {
        let sink = feed(media, std::slice::from_ref(wire));
        command(media, MediaCommand::Audio(&[1; 160]));
        assert!(violations(&sink).len() <= 1);
        if !violations(&sink).is_empty() {
            assert!(sink.pcm.is_empty(), "nothing is heard of a message that broke the protocol");
            let after = feed(media, &wires[index + 1..]);
            assert!(violations(&after).is_empty(), "one violation is enough");
            assert!(after.pcm.is_empty());
            assert_eq!(command(media, MediaCommand::Audio(&[1; 160])), [], "nothing is sent after it");
            return;
        }
    }
}

pub(crate) fn flipped(wire: &Wire, at: usize, with: u8) -> Wire {
    let flip = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        if !bytes.is_empty() {
            let index = at % bytes.len();
            bytes[index] ^= with;
        }
        bytes
    };
    match wire {
        Wire::Text(text) => Wire::Text(String::from_utf8_lossy(&flip(text.as_bytes())).into_owned()),
        Wire::Binary(bytes) => Wire::Binary(flip(bytes)),
        other => other.clone(),
    }
}

pub(crate) fn too_long(wire: &Wire) -> Wire {
    match wire {
        Wire::Text(text) => Wire::Text(text.clone() + &" ".repeat(MEDIA_MESSAGE_BYTES_MAX)),
        Wire::Binary(bytes) => Wire::Binary([&bytes[..], &[0; MEDIA_MESSAGE_BYTES_MAX]].concat()),
        other => other.clone(),
    }
}

macro_rules! media_laws {
    ($name:ident) => {
        use crate::laws::{self, MediaSubject};
        use crate::protocol::{MediaCommand, MediaEvent, MediaProtocol as _};
        use base::{MarkId, Pii};
        use proptest::prelude::*;

        fn subject() -> MediaSubject {
            crate::laws::subjects::$name()
        }

        fn media() -> crate::$name::Media {
            crate::$name::Media::new()
        }

        #[test]
        fn a_stream_begins_with_start_and_only_once() {
            let subject = subject();
            let mut line = media();
            laws::opened(&mut line, &subject);
            let again =
                laws::feed(&mut line, (subject.start)().last().into_iter().cloned().collect::<Vec<_>>().as_slice());
            assert_eq!(laws::violations(&again), [1002]);
        }

        #[test]
        fn audio_and_keys_before_start_close_the_socket() {
            let subject = subject();
            assert_eq!(laws::violations(&laws::feed(&mut media(), &[(subject.audio)(&[0; 160])])), [1002]);
            assert_eq!(laws::violations(&laws::feed(&mut media(), &[(subject.key)('1')])), [1002]);
        }

        #[test]
        fn nothing_is_sent_before_start() {
            let mut line = media();
            assert_eq!(laws::command(&mut line, MediaCommand::Audio(&[0; 160])), []);
            assert_eq!(laws::command(&mut line, MediaCommand::Mark(MarkId(1))), []);
            assert_eq!(laws::command(&mut line, MediaCommand::Clear), []);
        }

        #[test]
        fn marks_come_back_once_and_clear_forgets_them() {
            laws::marks_come_back_once_and_clear_forgets_them(&mut media(), &subject());
        }

        #[test]
        fn keys_arrive() {
            let subject = subject();
            let mut line = media();
            laws::opened(&mut line, &subject);
            let sink = laws::feed(&mut line, &[(subject.key)('7'), (subject.key)('#')]);
            assert_eq!(sink.events, [MediaEvent::Dtmf(Pii::new('7')), MediaEvent::Dtmf(Pii::new('#'))]);
        }

        #[test]
        fn an_oversized_message_closes_the_socket() {
            let subject = subject();
            let mut line = media();
            laws::opened(&mut line, &subject);
            let sink = laws::feed(&mut line, &[laws::too_long(&(subject.audio)(&[0; 160]))]);
            assert_eq!(laws::violations(&sink), [1009]);
        }

        #[test]
        fn its_conversation_is_what_the_fuzzer_begins_with() {
            laws::its_conversation_is_what_the_fuzzer_begins_with(stringify!($name), &subject());
        }

        #[test]
        fn a_frame_to_the_platform_is_20_ms() {
            let line = media();
            assert_eq!(line.frame_samples() * 50, line.sample_rate_hz() as usize);
        }

        proptest! {
            #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

            #[test]
            fn any_frame_length_is_heard_whole(cuts in prop::collection::vec(0usize..400, 0..20)) {
                laws::any_frame_length_is_heard_whole(&mut media(), &subject(), &cuts);
            }

            #[test]
            fn mutated_messages_never_panic(
                which in any::<prop::sample::Index>(), at in any::<usize>(), with in 1u8..=255, order in any::<bool>(),
            ) {
                let mut wires = laws::script(&subject());
                let index = which.index(wires.len());
                wires[index] = laws::flipped(&wires[index], at, with);
                if order {
                    wires.rotate_left(index);
                }
                laws::survives(&mut media(), &wires);
            }
        }
    };
}
pub(crate) use media_laws;

/// How a test plays the other end of one platform's webhooks and API. Every secret of its settings holds `sekret`.
pub(crate) struct ControlSubject {
    pub(crate) control: Arc<dyn CarrierControl>,
    /// Requests that the platform signed.
    pub(crate) genuine: Vec<Request>,
    /// What holds the signature.
    pub(crate) signature_header: &'static str,
    /// Whether the signature covers the URL.
    pub(crate) covers_url: bool,
    /// Whether a signature grows old.
    pub(crate) is_timed: bool,
    /// An id of a call as the platform writes it.
    pub(crate) carrier_ref: &'static str,
    /// The body of an answer by which it takes a call to place; empty when it places none.
    pub(crate) accepted: &'static [u8],
}

/// When the vectors were signed, in Unix milliseconds.
pub(crate) const SIGNED_AT_MS: i64 = 1_700_000_000_000;

pub(crate) fn attempt() -> DialAttempt {
    DialAttempt {
        call: CallId::generate(),
        to: "+14155550100".parse().expect("valid"),
        from: "+14155550199".parse().expect("valid"),
        answer_url: "https://example.com/voice?call=1".into(),
        status_url: "https://example.com/status?call=1".into(),
        media_url: "wss://example.com/media".into(),
        token: "t-1".into(),
        ring: Millis(25_000),
        now_ms: SIGNED_AT_MS,
    }
}

/// Everything the platform may be asked for, with the request for it where it can.
fn asked(control: &dyn CarrierControl, carrier_ref: &str) -> Vec<(Capability, Option<HttpRequest>)> {
    let to = "+4940555017".parse().expect("valid");
    let request = |way: Way| match way {
        Way::Request(request) => Some(request),
        Way::NextAnswer => None,
    };
    let mut asked = vec![(Capability::Place, control.dial(&attempt()).map(Some))];
    let message = TextMessage { to: &to, from: &to, text: "hello", now_ms: SIGNED_AT_MS };
    asked.push((Capability::Text, control.text_message(&message).map(Some)));
    for action in [
        CallAction::HangUp,
        CallAction::Transfer { to: &to, caller_id: None },
        CallAction::Press("1#"),
        CallAction::StartRecording,
        CallAction::StopRecording,
    ] {
        asked.push((action.capability(), control.act(carrier_ref, action, SIGNED_AT_MS).map(request)));
    }
    let told = asked.into_iter().map(|(capability, request)| match request {
        Ok(request) => (capability, Some(request)),
        Err(cannot) => {
            assert_eq!(cannot.capability, capability, "the refusal names what was asked");
            assert!(!cannot.why.is_empty());
            (capability, None)
        }
    });
    told.map(|(capability, request)| (capability, request.flatten())).collect()
}

/// A capability is listed exactly when there is a way to it.
pub(crate) fn what_is_listed_can_be_done(subject: &ControlSubject, descriptor: &Descriptor) {
    let to = "+4940555017".parse().expect("valid");
    let message = TextMessage { to: &to, from: &to, text: "hello", now_ms: SIGNED_AT_MS };
    assert_eq!(descriptor.can(Capability::Place), subject.control.dial(&attempt()).is_ok());
    assert_eq!(descriptor.can(Capability::Text), subject.control.text_message(&message).is_ok());
    for action in [
        CallAction::HangUp,
        CallAction::Transfer { to: &to, caller_id: None },
        CallAction::Press("1#"),
        CallAction::StartRecording,
        CallAction::StopRecording,
    ] {
        let way = subject.control.act(subject.carrier_ref, action, SIGNED_AT_MS);
        assert_eq!(descriptor.can(action.capability()), way.is_ok(), "{action:?}: {way:?}");
        for hostile in ["../x", "", "a/b", "a?b", "a b"] {
            let way = subject.control.act(hostile, action, SIGNED_AT_MS);
            assert!(!matches!(way, Ok(Way::Request(_))), "{action:?} of {hostile:?}");
        }
    }
}

/// No request shows a secret in its URL or when it is printed.
pub(crate) fn secrets_stay_secret(subject: &ControlSubject) {
    for (capability, request) in asked(subject.control.as_ref(), subject.carrier_ref) {
        let Some(request) = request else { continue };
        let seen = format!("{request:?} {}", request.url);
        assert!(!seen.contains("sekret"), "{capability:?}: {seen}");
    }
}

pub(crate) fn genuine_requests_are_accepted_and_each_mutated_byte_rejected(subject: &ControlSubject) {
    for request in &subject.genuine {
        each_mutated_byte_is_rejected(subject.control.as_ref(), request, subject.signature_header, subject.covers_url);
    }
}

pub(crate) fn an_old_signature_is_stale(subject: &ControlSubject) {
    let late = WEBHOOK_AGE_MS_MAX as i64 + 2_000;
    for request in subject.genuine.iter().filter(|_| subject.is_timed) {
        for at_ms in [SIGNED_AT_MS - late, SIGNED_AT_MS + late] {
            let verdict = request.ask_at(at_ms, |inbound| subject.control.authenticate(inbound));
            assert_eq!(verdict, Authenticity::Stale);
        }
    }
}

pub(crate) fn hanging_up_twice_is_hanging_up(control: &dyn CarrierControl) {
    let done = |status: u16| control.act_reply(CallAction::HangUp, Some((status, b""))).is_ok();
    assert!(done(200) && done(204) && done(404));
    assert!(!done(401) && !done(429) && !done(503));
    assert!(control.act_reply(CallAction::HangUp, None).is_err(), "no answer is no success");
    assert!(control.act_reply(CallAction::Press("1"), Some((404, b""))).is_err());
}

macro_rules! control_laws {
    ($name:ident) => {
        mod control {
            use crate::laws;

            fn subject() -> Option<laws::ControlSubject> {
                crate::laws::control_subjects::$name()
            }

            #[test]
            fn genuine_requests_are_accepted_and_each_mutated_byte_rejected() {
                subject().iter().for_each(laws::genuine_requests_are_accepted_and_each_mutated_byte_rejected);
            }

            #[test]
            fn an_old_signature_is_stale() {
                subject().iter().for_each(laws::an_old_signature_is_stale);
            }

            #[test]
            fn what_is_listed_can_be_done_and_nothing_else() {
                subject().iter().for_each(|one| laws::what_is_listed_can_be_done(one, &crate::$name::DESCRIPTOR));
            }

            #[test]
            fn no_request_shows_a_secret() {
                subject().iter().for_each(laws::secrets_stay_secret);
            }

            #[test]
            fn hanging_up_twice_is_hanging_up() {
                subject().iter().for_each(|one| laws::hanging_up_twice_is_hanging_up(one.control.as_ref()));
            }

            #[test]
            fn a_phone_that_may_ring_is_unknown() {
                for one in subject().iter().filter(|one| !one.accepted.is_empty()) {
                    laws::a_phone_that_may_ring_is_unknown(one.control.as_ref());
                    let reply = one.control.dial_reply(Some((201, one.accepted)));
                    assert!(matches!(reply, crate::protocol::DialReply::Accepted { .. }), "{reply:?}");
                }
            }
        }
    };
}
pub(crate) use control_laws;

/// An inbound request whose parts a test can change.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn ask<T>(&self, ask: impl FnOnce(&Inbound<'_>) -> T) -> T {
        self.ask_at(SIGNED_AT_MS, ask)
    }

    pub(crate) fn ask_at<T>(&self, received_at_ms: i64, ask: impl FnOnce(&Inbound<'_>) -> T) -> T {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        ask(&Inbound { method: self.method, url: &self.url, headers: &headers, body: &self.body, received_at_ms })
    }
}

pub(crate) fn each_mutated_byte_is_rejected(
    control: &dyn CarrierControl,
    genuine: &Request,
    signature_header: &str,
    covers_url: bool,
) {
    let verdict = |request: &Request| request.ask(|inbound| control.authenticate(inbound));
    assert!(matches!(verdict(genuine), Authenticity::Genuine { .. }), "{genuine:?}");
    assert_eq!(verdict(genuine), verdict(&genuine.clone()), "equal deliveries have equal replay keys");
    let forged = |request: Request| {
        assert!(matches!(verdict(&request), Authenticity::Forged { .. }), "accepted: {request:?}");
    };
    for index in (0..genuine.url.len()).filter(|_| covers_url) {
        let mut url = genuine.url.clone().into_bytes();
        url[index] ^= 1;
        forged(Request { url: String::from_utf8_lossy(&url).into_owned(), ..genuine.clone() });
    }
    for index in 0..genuine.body.len() {
        let mut body = genuine.body.clone();
        body[index] ^= 1;
        forged(Request { body, ..genuine.clone() });
    }
    let at = genuine.headers.iter().position(|(name, _)| *name == signature_header).expect("it is signed");
    for index in 0..genuine.headers[at].1.len() {
        let mut request = genuine.clone();
        let mut value = request.headers[at].1.clone().into_bytes();
        value[index] ^= 1;
        request.headers[at].1 = String::from_utf8_lossy(&value).into_owned();
        forged(request);
    }
    let mut unsigned = genuine.clone();
    unsigned.headers.remove(at);
    forged(unsigned);
}

pub(crate) fn a_phone_that_may_ring_is_unknown(control: &dyn CarrierControl) {
    assert!(matches!(control.dial_reply(None), DialReply::Unknown(failure) if failure.class == ErrorClass::Timeout));
    for status in [500, 502, 503, 504, 599] {
        let reply = control.dial_reply(Some((status, b"<html>bad gateway</html>")));
        assert!(matches!(&reply, DialReply::Unknown(failure) if failure.class == ErrorClass::Unavailable), "{reply:?}");
    }
    for (status, body) in [(201, &b"{"[..]), (200, b""), (201, br#"{"sid":"../x"}"#), (302, b""), (999, b""), (0, b"")]
    {
        let reply = control.dial_reply(Some((status, body)));
        assert!(matches!(reply, DialReply::Unknown(_)), "{status}: {reply:?}");
    }
    for (status, class) in [
        (400, ErrorClass::Invalid),
        (401, ErrorClass::Auth),
        (403, ErrorClass::Auth),
        (404, ErrorClass::Invalid),
        (429, ErrorClass::RateLimited),
    ] {
        let reply = control.dial_reply(Some((status, b"not json")));
        assert!(matches!(&reply, DialReply::Refused(failure) if failure.class == class), "{status}: {reply:?}");
    }
}

/// How to play each carrier's other end.
pub(crate) mod subjects {
    use super::{MediaSubject, Wire};
    use audio_codec_algorithms::{decode_ulaw, encode_ulaw};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    fn ulaw(pcm: &[i16]) -> Vec<u8> {
        pcm.iter().map(|sample| encode_ulaw(*sample)).collect()
    }

    fn through_ulaw(pcm: &[i16]) -> Vec<i16> {
        pcm.iter().map(|sample| decode_ulaw(encode_ulaw(*sample))).collect()
    }

    pub(crate) fn twilio() -> MediaSubject {
        MediaSubject {
            start: crate::twilio::tests::opening,
            audio: |pcm| {
                let payload = STANDARD.encode(ulaw(pcm));
                let media = format!(r#"{{"track":"inbound","chunk":"1","timestamp":"5","payload":"{payload}"}}"#);
                Wire::Text(format!(r#"{{"event":"media","sequenceNumber":"3","media":{media},"streamSid":"MZ1"}}"#))
            },
            heard: through_ulaw,
            echo: |wire| match wire {
                Wire::Text(text) if text.contains(r#""event":"mark""#) => Some(wire.clone()),
                _ => None,
            },
            key: |digit| {
                let dtmf = format!(r#"{{"track":"inbound_track","digit":"{digit}"}}"#);
                Wire::Text(format!(r#"{{"event":"dtmf","streamSid":"MZ1","sequenceNumber":"5","dtmf":{dtmf}}}"#))
            },
        }
    }

    pub(crate) fn vonage() -> MediaSubject {
        MediaSubject {
            start: || vec![Wire::Text(crate::vonage::tests::CONNECTED.into())],
            audio: little_endian,
            heard: <[i16]>::to_vec,
            echo: |wire| match wire {
                Wire::Text(text) if text.contains("notify") => {
                    Some(Wire::Text(text.replace(r#""action":"notify""#, r#""event":"websocket:notify""#)))
                }
                _ => None,
            },
            key: |digit| Wire::Text(format!(r#"{{"event":"websocket:dtmf","digit":"{digit}","duration":260}}"#)),
        }
    }

    pub(crate) fn telnyx() -> MediaSubject {
        MediaSubject {
            start: crate::telnyx::tests::opening,
            audio: |pcm| {
                let payload = STANDARD.encode(ulaw(pcm));
                let media = format!(r#"{{"track":"inbound","chunk":"2","timestamp":"5","payload":"{payload}"}}"#);
                Wire::Text(format!(r#"{{"event":"media","sequence_number":"4","media":{media},"stream_id":"S1"}}"#))
            },
            heard: through_ulaw,
            echo: |wire| match wire {
                Wire::Text(text) if text.contains(r#""event":"mark""#) => Some(wire.clone()),
                _ => None,
            },
            key: |digit| {
                let dtmf = format!(r#"{{"digit":"{digit}"}}"#);
                Wire::Text(format!(r#"{{"event":"dtmf","stream_id":"S1","sequence_number":"5","dtmf":{dtmf}}}"#))
            },
        }
    }

    pub(crate) fn plivo() -> MediaSubject {
        MediaSubject {
            start: crate::plivo::tests::opening,
            audio: |pcm| {
                let payload = STANDARD.encode(ulaw(pcm));
                let media = format!(r#"{{"track":"inbound","timestamp":"5","chunk":2,"payload":"{payload}"}}"#);
                Wire::Text(format!(r#"{{"sequenceNumber":2,"streamId":"S1","event":"media","media":{media}}}"#))
            },
            heard: through_ulaw,
            echo: |wire| match wire {
                Wire::Text(text) if text.contains("checkpoint") => {
                    Some(Wire::Text(text.replace("checkpoint", "playedStream")))
                }
                _ => None,
            },
            key: |digit| {
                let dtmf = format!(r#"{{"track":"inbound","digit":"{digit}"}}"#);
                Wire::Text(format!(r#"{{"event":"dtmf","sequenceNumber":3,"streamId":"S1","dtmf":{dtmf}}}"#))
            },
        }
    }

    pub(crate) fn exotel() -> MediaSubject {
        MediaSubject {
            start: crate::exotel::tests::opening,
            audio: |pcm| {
                let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                let payload = STANDARD.encode(bytes);
                let media = format!(r#"{{"chunk":"1","timestamp":"100","payload":"{payload}"}}"#);
                Wire::Text(format!(r#"{{"event":"media","sequence_number":"2","stream_sid":"S1","media":{media}}}"#))
            },
            heard: <[i16]>::to_vec,
            echo: |wire| match wire {
                Wire::Text(text) if text.contains(r#""event":"mark""#) => Some(wire.clone()),
                _ => None,
            },
            key: |digit| {
                let dtmf = format!(r#"{{"duration":"100","digit":"{digit}"}}"#);
                Wire::Text(format!(r#"{{"event":"dtmf","sequence_number":5,"stream_sid":"S1","dtmf":{dtmf}}}"#))
            },
        }
    }

    fn little_endian(pcm: &[i16]) -> Wire {
        Wire::Binary(pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect())
    }

    pub(crate) fn website() -> MediaSubject {
        browser()
    }

    pub(crate) fn browser() -> MediaSubject {
        MediaSubject {
            start: || vec![Wire::Text(r#"{"type":"start","agent":"shop","token":"t-1"}"#.into())],
            audio: little_endian,
            heard: <[i16]>::to_vec,
            echo: |wire| match wire {
                Wire::Text(text) if text.contains(r#""type":"mark""#) => Some(wire.clone()),
                _ => None,
            },
            key: |digit| Wire::Text(format!(r#"{{"type":"dtmf","digit":"{digit}"}}"#)),
        }
    }

    pub(crate) fn sip() -> MediaSubject {
        MediaSubject {
            start: || vec![crate::sip::start(Some("t-1"), "abc", 8_000)],
            audio: |pcm| Wire::Binary(crate::sip::bytes(pcm)),
            heard: <[i16]>::to_vec,
            echo: |wire| match crate::sip::told(wire) {
                Some(crate::sip::Told::Mark(name)) => Some(crate::sip::mark(name)),
                _ => None,
            },
            key: crate::sip::key,
        }
    }

    pub(crate) fn loopback() -> MediaSubject {
        MediaSubject {
            start: || vec![Wire::Text("start shop t-1".into())],
            audio: |pcm| Wire::Binary(ulaw(pcm)),
            heard: through_ulaw,
            echo: |wire| match wire {
                Wire::Text(text) if text.starts_with("mark ") => Some(wire.clone()),
                _ => None,
            },
            key: |digit| Wire::Text(format!("dtmf {digit}")),
        }
    }
}

/// How to play each platform's webhooks and API; none where there are none.
pub(crate) mod control_subjects {
    use super::ControlSubject;

    pub(crate) fn twilio() -> Option<ControlSubject> {
        Some(crate::twilio::tests::control_subject())
    }

    pub(crate) fn vonage() -> Option<ControlSubject> {
        Some(crate::vonage::tests::control_subject())
    }

    pub(crate) fn telnyx() -> Option<ControlSubject> {
        Some(crate::telnyx::tests::control_subject())
    }

    pub(crate) fn plivo() -> Option<ControlSubject> {
        Some(crate::plivo::tests::control_subject())
    }

    pub(crate) fn exotel() -> Option<ControlSubject> {
        Some(crate::exotel::tests::control_subject())
    }

    pub(crate) fn ringcentral() -> Option<ControlSubject> {
        Some(crate::ringcentral::tests::control_subject())
    }

    pub(crate) fn zoom() -> Option<ControlSubject> {
        Some(crate::zoom::tests::control_subject())
    }

    pub(crate) fn connect() -> Option<ControlSubject> {
        Some(crate::connect::tests::control_subject())
    }

    pub(crate) fn browser() -> Option<ControlSubject> {
        None
    }

    pub(crate) fn website() -> Option<ControlSubject> {
        None
    }

    pub(crate) fn loopback() -> Option<ControlSubject> {
        None
    }

    /// Its endpoint is in this process: there are no webhooks to obey a law.
    pub(crate) fn sip() -> Option<ControlSubject> {
        None
    }
}
