use super::*;
use crate::laws::{ControlSubject, Request, SIGNED_AT_MS, command, feed, opened, subjects, violations};
use crate::protocol::{MediaCommand, MediaEvent};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base::MarkId;
use base::wire::Wire;

const SIGNATURE: &str = "VyeCL2lBesP8BZoNwuH/otZfeS7glih0syryFGNnuWsvt9kVa4yUejz09KWEofvuAcVdrVX9/TZ7KGsy7hopBA==";
const BODY: &str = r#"{"data":{"event_type":"call.answered","id":"0ccc7b54-4df3-4bca-a65a-3da1ecc777f0","payload":{"call_control_id":"v3:abc"}}}"#;
/// `media t-1` in base64 is what the answer wrote.
const START: &str = r#"{"event":"start","sequence_number":"1","start":{"user_id":"u","call_control_id":"v3:abc","call_session_id":"s","from":"+1","to":"+2","client_state":"bWVkaWEgdC0x","media_format":{"encoding":"PCMU","sample_rate":8000,"channels":1}},"stream_id":"32DE0DEA"}"#;

pub(crate) fn opening() -> Vec<Wire> {
    vec![Wire::Text(r#"{"event":"connected","version":"1.0.0"}"#.into()), Wire::Text(START.into())]
}

fn control_with(more: &[(&str, &str)]) -> Control {
    let own = [
        ("api_key", "sekret-key"),
        ("public_key", "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="),
        ("connection_id", "17"),
    ];
    let configured = |key: &str| {
        let found = more.iter().chain(&own).find(|(name, _)| *name == key);
        found.map(|(_, value)| Secret::new((*value).to_owned()))
    };
    (DESCRIPTOR.control)(&Settings { configured: &configured, env: &|_| None })
}

fn control() -> Arc<dyn CarrierControl> {
    control_with(&[]).expect("settings that fit").expect("a control")
}

fn signed(body: &str, signature: &str) -> Request {
    Request {
        method: "POST",
        url: "https://example.com/voice?business=1&call=2".into(),
        headers: vec![(SIGNATURE_HEADER, signature.into()), (TIMESTAMP_HEADER, "1700000000".into())],
        body: body.as_bytes().to_vec(),
    }
}

pub(crate) fn control_subject() -> ControlSubject {
    ControlSubject {
        control: control(),
        genuine: vec![signed(BODY, SIGNATURE)],
        signature_header: SIGNATURE_HEADER,
        covers_url: false,
        is_timed: true,
        carrier_ref: "v3:abc",
        accepted: br#"{"data":{"call_control_id":"v3:abc","call_leg_id":"l","is_alive":false,"record_type":"call"}}"#,
    }
}

fn event(kind: &str, payload: &Value) -> Request {
    signed(&json!({ "data": { "event_type": kind, "id": "e-1", "payload": payload } }).to_string(), "")
}

fn kind(request: &Request) -> Option<WebhookKind> {
    request.ask(|inbound| control().webhook_kind(inbound))
}

fn body(request: &HttpRequest) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

/// The verb of a command, and what it says.
fn verb(request: &HttpRequest) -> (String, Value) {
    let (_, verb) = request.url.rsplit_once("/actions/").expect("a command");
    assert!(request.url.starts_with("https://api.telnyx.com/v2/calls/v3:abc/"), "{}", request.url);
    (verb.to_owned(), body(request))
}

fn call(is_answered: bool) -> InboundCall {
    let delivery = Some("e-1".to_owned());
    InboundCall { carrier_ref: "v3:abc".into(), is_answered, delivery, ..InboundCall::default() }
}

fn followed(is_answered: bool, answer: &Answer) -> (String, Value) {
    let requests = control().follow_up(&call(is_answered), answer, SIGNED_AT_MS);
    let [request] = &requests[..] else { panic!("one command: {requests:?}") };
    verb(request)
}

#[test]
fn a_delivery_is_known_by_its_event_and_the_timestamp_is_signed() {
    let verdict = |request: &Request| request.ask(|inbound| control().authenticate(inbound));
    let id = Some("0ccc7b54-4df3-4bca-a65a-3da1ecc777f0".to_owned());
    assert_eq!(verdict(&signed(BODY, SIGNATURE)), Authenticity::Genuine { replay_key: id });
    let mut later = signed(BODY, SIGNATURE);
    later.headers[1].1 = "1700000001".into();
    assert_eq!(verdict(&later), Authenticity::Forged { why: "the signature does not fit" });
    let seed: Vec<u8> = (0..32).collect();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key");
    assert_eq!(STANDARD.encode(pair.public_key().as_ref()), "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=");
}

#[test]
fn settings_that_do_not_fit_together_are_told() {
    let why = |key: &str, value: &str| control_with(&[(key, value)]).err().expect("refused");
    assert!(why("public_key", "").contains("webhooks could not be checked"));
    assert!(why("api_key", "").contains("could not be answered"));
    assert_eq!(why("public_key", "c2hvcnQ="), "public_key is not the base64 of 32 bytes");
    let silent = control_with(&[("connection_id", "")]).expect("settings").expect("a control");
    let attempt = crate::laws::attempt();
    assert_eq!(silent.dial(&attempt).expect_err("no application").why, "connection_id is not set");
}

#[test]
fn one_address_takes_every_webhook() {
    let incoming =
        json!({ "call_control_id": "v3:abc", "direction": "incoming", "from": "+14155550100", "to": "+14155550199" });
    let arrives = event("call.initiated", &incoming);
    assert_eq!(kind(&arrives), Some(WebhookKind::Voice));
    let inbound = arrives.ask(|inbound| control().inbound_call(inbound)).expect("a call");
    assert_eq!((inbound.carrier_ref.as_str(), inbound.is_answered, inbound.resumed), ("v3:abc", false, false));
    assert_eq!(inbound.to.expect("a number").expose(), "+14155550199");

    let noted = |note: Note| json!({ "call_control_id": "v3:abc", "client_state": note.write() });
    let picked_up = event("call.answered", &noted(Note::Dialled));
    assert_eq!(kind(&picked_up), Some(WebhookKind::Voice));
    assert!(picked_up.ask(|inbound| control().inbound_call(inbound)).expect("a call").is_answered);
    let cut = event("streaming.failed", &noted(Note::Media("t-1".into())));
    assert_eq!(kind(&cut), Some(WebhookKind::Voice));
    assert!(cut.ask(|inbound| control().inbound_call(inbound)).expect("a call").resumed);

    let answered = event("call.answered", &noted(Note::Media("t-1".into())));
    let outgoing = event("call.initiated", &json!({ "call_control_id": "v3:abc", "direction": "outgoing" }));
    for report in [answered, outgoing, event("call.hangup", &json!({ "call_control_id": "v3:abc" }))] {
        assert_eq!(kind(&report), Some(WebhookKind::Status));
    }
    for other in [
        event("streaming.stopped", &noted(Note::Left)),
        event("call.bridged", &noted(Note::Left)),
        event("call.dtmf.received", &noted(Note::Media("t-1".into()))),
        event("call.initiated", &json!({ "call_control_id": "../x", "direction": "incoming" })),
    ] {
        assert!(matches!(kind(&other), Some(WebhookKind::Done { requests, .. }) if requests.is_empty()), "{other:?}");
    }
}

#[test]
fn a_caller_who_cannot_be_served_is_answered_told_and_released() {
    let (first, said) = followed(false, &Answer::SayAndHangUp { text: "We are closed. ☎".into() });
    assert_eq!(first, "answer");
    let noted = |state: &Value| json!({ "call_control_id": "v3:abc", "client_state": state });
    let next = |kind_of: &str, state: &Value| match kind(&event(kind_of, &noted(state))) {
        Some(WebhookKind::Done { requests, .. }) => verb(requests.first().expect("a command")),
        other => panic!("{other:?}"),
    };
    let (second, told) = next("call.answered", &said["client_state"]);
    assert_eq!((second.as_str(), &told["payload"]), ("speak", &json!("We are closed. ☎")));
    assert_eq!(next("call.speak.ended", &told["client_state"]).0, "hangup");
}

#[test]
fn every_answer_is_the_command_for_it() {
    let connect = Answer::Connect { media_url: "wss://h/media".into(), token: "t-1".into(), next_url: "u".into() };
    let (verb, body) = followed(false, &connect);
    assert_eq!(verb, "answer");
    assert_eq!((&body["stream_url"], &body["stream_bidirectional_mode"]), (&json!("wss://h/media"), &json!("rtp")));
    assert_eq!(token_of(body["client_state"].as_str().expect("text")).as_deref(), Some("t-1"));
    assert_eq!(followed(true, &connect).0, "streaming_start");
    assert_eq!(followed(false, &Answer::Busy).1["cause"], "USER_BUSY");
    assert_eq!(followed(false, &Answer::Reject).1["cause"], "CALL_REJECTED");
    assert_eq!(followed(true, &Answer::HangUp).0, "hangup");
    let to = Answer::Transfer { to: "+4940555017".parse().expect("valid"), caller_id: "+4940555018".parse().ok() };
    let (verb, body) = followed(true, &to);
    assert_eq!((verb.as_str(), &body["to"], &body["from"]), ("transfer", &json!("+4940555017"), &json!("+4940555018")));
    let again = control().follow_up(&call(false), &connect, 0);
    let other = control().follow_up(&InboundCall { delivery: Some("e-2".into()), ..call(false) }, &connect, 0);
    let first = control().follow_up(&call(false), &connect, 1);
    assert_eq!(super::tests::body(&again[0])["command_id"], super::tests::body(&first[0])["command_id"]);
    assert_ne!(super::tests::body(&again[0])["command_id"], super::tests::body(&other[0])["command_id"]);
}

#[test]
fn how_a_call_ended_is_told_by_its_cause() {
    let report = |kind: &str, more: Value| {
        let mut payload = json!({ "call_control_id": "v3:abc" });
        payload.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        event(kind, &payload).ask(|inbound| control().status(inbound)).expect("valid").expect("a report")
    };
    for (cause, state) in [
        ("normal_clearing", CallState::Completed),
        ("time_limit", CallState::Completed),
        ("timeout", CallState::NoAnswer),
        ("user_busy", CallState::Busy),
        ("originator_cancel", CallState::Canceled),
        ("call_rejected", CallState::Failed),
        ("unheard of", CallState::Failed),
    ] {
        let report = report("call.hangup", json!({ "hangup_cause": cause }));
        assert_eq!((report.state, report.raw_state.as_str()), (state, cause));
    }
    for (kind, result, who) in [
        ("call.machine.detection.ended", "human", AnsweredBy::Human),
        ("call.machine.detection.ended", "machine", AnsweredBy::Machine),
        ("call.machine.premium.detection.ended", "fax_detected", AnsweredBy::Fax),
        ("call.machine.greeting.ended", "beep_detected", AnsweredBy::MachineEnd),
    ] {
        assert_eq!(report(kind, json!({ "result": result })).answered_by, Some(who));
    }
    let saved = report("call.recording.saved", json!({ "recording_urls": { "mp3": "https://x/1.mp3" } }));
    assert_eq!(saved.recording_url.as_deref(), Some("https://x/1.mp3"));
}

#[test]
fn a_command_for_a_call_that_is_over_hangs_it_up() {
    let over = br#"{"errors":[{"code":"90018","title":"Call has already ended"}]}"#;
    assert!(control().act_reply(CallAction::HangUp, Some((422, over))).is_ok());
    assert!(control().act_reply(CallAction::Press("1"), Some((422, over))).is_err());
    assert!(control().act_reply(CallAction::HangUp, Some((422, b"{}"))).is_err());
}

#[test]
fn the_leg_brings_its_own_codec() {
    for (encoding, bytes, heard) in
        [("PCMA", vec![0xd5u8], 8i16), ("PCMU", vec![0xff], 0), ("L16", vec![0x01, 0x02], 258)]
    {
        let mut media = Media::new();
        let sink = feed(&mut media, &[Wire::Text(START.replace("PCMU", encoding))]);
        assert_eq!(sink.events.len(), 1, "{encoding}");
        let payload = STANDARD.encode(bytes);
        let frame = format!(r#"{{"event":"media","media":{{"track":"inbound","chunk":"1","payload":"{payload}"}}}}"#);
        assert_eq!(feed(&mut media, &[Wire::Text(frame)]).pcm, [heard], "{encoding}");
        let sent = command(&mut media, MediaCommand::Audio(&[0]));
        assert_eq!(sent, [Wire::Text(r#"{"event":"media","media":{"payload":"/w=="}}"#.into())]);
    }
    for (from, to) in [("PCMU", "OPUS"), ("8000", "16000"), (r#""channels":1"#, r#""channels":2"#)] {
        let sink = feed(&mut Media::new(), &[Wire::Text(START.replace(from, to))]);
        assert_eq!(violations(&sink), [1003]);
    }
}

#[test]
fn late_audio_is_dropped_and_unknown_messages_are_ignored() {
    let mut media = Media::new();
    opened(&mut media, &subjects::telnyx());
    let frame = |chunk: u32| format!(r#"{{"event":"media","media":{{"chunk":{chunk},"payload":"/w=="}}}}"#);
    let sink = feed(&mut media, &[4, 6, 5, 7].map(|chunk| Wire::Text(frame(chunk))));
    assert_eq!((sink.pcm.len(), sink.frames_dropped), (3, 1));
    let error = r#"{"event":"error","stream_id":"x","payload":{"code":100004,"title":"invalid_media"}}"#;
    assert!(feed(&mut media, &[Wire::Text(error.into())]).events.is_empty());
    assert_eq!(
        command(&mut media, MediaCommand::Mark(MarkId(7))),
        [Wire::Text(r#"{"event":"mark","mark":{"name":"m7"}}"#.into())]
    );
    let stop = r#"{"event":"stop","sequence_number":"9","stop":{"user_id":"u","call_control_id":"v3:abc"}}"#;
    assert_eq!(feed(&mut media, &[Wire::Text(stop.into())]).events, [MediaEvent::Stopped]);
}
