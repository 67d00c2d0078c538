use super::*;
use crate::laws::{self, ControlSubject, Request, SIGNED_AT_MS, command, feed, opened, subjects, violations};
use crate::protocol::{MediaCommand, MediaEvent, MediaProtocol as _};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base::MarkId;
use base::wire::Wire;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::OnceLock;

const SECRET: &str = "hunter2hunter2hunter2hunter2hunter2";
const APPLICATION: &str = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
const BODY: &str =
    r#"{"from":"442079460000","to":"447700900000","uuid":"aaaaaaaa-bbbb-cccc-dddd-0123456789ab","status":"answered"}"#;
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3MDAwMDAwMDAsImp0aSI6ImM1YmE4ZjI0LTFhMTQtNGMxMC1iZmRmLTNmYmU4Y2U1MTFiNSIsImlzcyI6IlZvbmFnZSIsInBheWxvYWRfaGFzaCI6ImQ2ODNhMGJkODllMTlkN2FkMTM4MmJmMGMwYmRlNTk1NTdhYWY0ZDViNmMyMGFiNDczZDc5NjA3MjZkNTg4OTUiLCJhcGlfa2V5IjoiYTFiMmMzZDQiLCJhcHBsaWNhdGlvbl9pZCI6ImFhYWFhYWFhLWJiYmItY2NjYy1kZGRkLTAxMjM0NTY3ODlhYiJ9.W16iD4goohsazvpbL1ynoOBH2Hpd-WUejHTm4_xSYOI";
pub(crate) const CONNECTED: &str =
    r#"{"event":"websocket:connected","content-type":"audio/l16;rate=16000","token":"t-1","call":"u-1"}"#;

/// One key for all tests: making one takes long.
fn key_pair() -> &'static (String, Vec<u8>) {
    static KEY: OnceLock<(String, Vec<u8>)> = OnceLock::new();
    KEY.get_or_init(|| {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).expect("written");
        let kind = "PRIVATE KEY";
        let pem = format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der.as_ref()));
        (pem, pair.public_key().as_ref().to_vec())
    })
}

fn control_with(more: &[(&str, &str)]) -> Control {
    let own = [("signature_secret", SECRET), ("application_id", APPLICATION), ("private_key", key_pair().0.as_str())];
    let configured = |key: &str| {
        let found = more.iter().chain(&own).find(|(name, _)| *name == key);
        found.map(|(_, value)| Secret::new((*value).to_owned()))
    };
    (DESCRIPTOR.control)(&Settings { configured: &configured, env: &|_| None })
}

fn control() -> Arc<dyn CarrierControl> {
    control_with(&[]).expect("settings that fit").expect("a control")
}

fn event(url: &str, body: &str) -> Request {
    let headers = vec![("authorization", format!("Bearer {TOKEN}")), ("content-type", "application/json".into())];
    Request { method: "POST", url: url.into(), headers, body: body.as_bytes().to_vec() }
}

pub(crate) fn control_subject() -> ControlSubject {
    ControlSubject {
        control: control(),
        genuine: vec![event("https://example.com/status", BODY)],
        signature_header: "authorization",
        covers_url: false,
        is_timed: true,
        carrier_ref: APPLICATION,
        accepted: br#"{"uuid":"63f61863-4a51-4f6b-86e1-46edebcf9356","status":"started","direction":"outbound"}"#,
    }
}

#[test]
fn requests_carry_a_token_that_the_application_signed_for_this_moment() {
    let way = control().act("u-1", CallAction::HangUp, SIGNED_AT_MS).expect("it can hang up");
    let Way::Request(request) = way else { panic!("a request ends the call") };
    assert_eq!((request.method, request.url.as_str()), (Method::Put, "https://api.nexmo.com/v1/calls/u-1"));
    assert_eq!(request.body, br#"{"action":"hangup"}"#);
    let token = request.headers.iter().find(|header| header.name == "authorization").expect("signed");
    let token = token.value.expose().strip_prefix("Bearer ").expect("a bearer token").to_owned();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    let key = DecodingKey::from_rsa_der(&key_pair().1);
    let claims = jsonwebtoken::decode::<Value>(&token, &key, &validation).expect("signed by the application").claims;
    assert_eq!(claims["application_id"], APPLICATION);
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_700_000_000), &json!(1_700_000_300)));
    assert_eq!(claims["jti"].as_str().map(str::len), Some(36));
    let other = control().act("u-2", CallAction::HangUp, SIGNED_AT_MS).expect("it can hang up");
    let Way::Request(other) = other else { panic!("a request ends the call") };
    assert_ne!(other.headers, request.headers, "no two requests carry the same token");
}

#[test]
fn settings_that_do_not_fit_together_are_told() {
    let why = |key: &str, value: &str| control_with(&[(key, value)]).err().expect("refused");
    assert_eq!(why("private_key", "hush-hush"), "private_key is not an RSA key in PEM form");
    assert_eq!(why("sample_rate_hz", "44100"), "sample_rate_hz is 8000, 16000 or 24000");
    assert_eq!(why("machine_detection", "perhaps"), "machine_detection is on or off");
    assert!(why("signature_secret", "").contains("webhooks could not be checked"));
}

#[test]
fn a_token_of_another_application_or_without_the_body_is_forged() {
    let other = control_with(&[("application_id", "other")]).expect("settings").expect("a control");
    let verdict = event("https://example.com/status", BODY).ask(|inbound| other.authenticate(inbound));
    assert_eq!(verdict, Authenticity::Forged { why: "signed for another application" });
    let claims = json!({ "iat": 1_700_000_000, "jti": "1" });
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("signed");
    let mut uncovered = event("https://example.com/status", BODY);
    uncovered.headers[0].1 = format!("Bearer {token}");
    let verdict = |request: &Request| request.ask(|inbound| control().authenticate(inbound));
    assert_eq!(verdict(&uncovered), Authenticity::Forged { why: "a body that the signature does not cover" });
    uncovered.body.clear();
    assert_eq!(verdict(&uncovered), Authenticity::Genuine { replay_key: Some("1".into()) });
}

#[test]
fn a_call_is_brought_by_a_query_or_by_json() {
    let url = "https://example.com/voice?to=442079460000&from=447700900000&uuid=u-1&conversation_uuid=CON-1";
    let by_query = Request { method: "GET", body: Vec::new(), ..event(url, "") };
    let by_json = event("https://example.com/voice", r#"{"to":"442079460000","from":"447700900000","uuid":"u-1"}"#);
    for request in [by_query, by_json] {
        let call = request.ask(|inbound| control().inbound_call(inbound)).expect("a call");
        assert_eq!((call.carrier_ref.as_str(), call.resumed), ("u-1", false));
        assert_eq!(call.from.map(Pii::into_inner).as_deref(), Some("+447700900000"));
        assert_eq!(call.to.expect("a number").expose(), "+442079460000");
    }
    let nameless = event("https://example.com/voice", "{}");
    assert!(nameless.ask(|inbound| control().inbound_call(inbound)).is_err());
}

fn answered(answer: &Answer) -> Value {
    let call = InboundCall { carrier_ref: "u-1".into(), ..InboundCall::default() };
    let reply = control().answer(&call, answer);
    assert_eq!((reply.status, reply.content_type), (200, "application/json"));
    serde_json::from_str(&reply.body).expect("JSON")
}

#[test]
fn the_end_of_the_socket_asks_for_the_call_it_belongs_to() {
    let connect = Answer::Connect {
        media_url: "wss://example.com/media".into(),
        token: "t-1".into(),
        next_url: "https://example.com/voice".into(),
    };
    let ncco = answered(&connect);
    let endpoint = &ncco[0]["endpoint"][0];
    assert_eq!(endpoint["uri"], "wss://example.com/media");
    assert_eq!(endpoint["content-type"], "audio/l16;rate=16000");
    assert_eq!(endpoint["headers"], json!({ "token": "t-1", "call": "u-1" }));
    let next = ncco[0]["eventUrl"][0].as_str().expect("an address");
    let told = |status: &str| event(next, &format!(r#"{{"uuid":"socket-leg","status":"{status}","to":"wss://x"}}"#));
    let kind = |status: &str| told(status).ask(|inbound| control().webhook_kind(inbound));
    assert_eq!(kind("disconnected"), Some(WebhookKind::Voice));
    assert!(matches!(kind("answered"), Some(WebhookKind::Done { reply, .. }) if reply.status == 204));
    let call = told("disconnected").ask(|inbound| control().inbound_call(inbound)).expect("a call");
    assert_eq!((call.carrier_ref.as_str(), call.resumed), ("u-1", true));
    assert_eq!(event("https://example.com/voice", BODY).ask(|inbound| control().webhook_kind(inbound)), None);
}

#[test]
fn every_answer_is_the_action_for_it() {
    let hostile = r#"Tom & "Jerry" </talk>"#;
    assert_eq!(answered(&Answer::SayAndHangUp { text: hostile.into() }), json!([{"action": "talk", "text": hostile}]));
    for over in [Answer::HangUp, Answer::Busy, Answer::Reject] {
        assert_eq!(answered(&over), json!([]));
    }
    let to = Answer::Transfer { to: "+4940555017".parse().expect("valid"), caller_id: "+4940555018".parse().ok() };
    let transfer = answered(&to);
    assert_eq!(transfer[0]["endpoint"], json!([{"type": "phone", "number": "4940555017"}]));
    assert_eq!(transfer[0]["from"], "4940555018");
}

#[test]
fn states_are_reported_and_a_machine_is_told_from_a_person() {
    let report =
        |body: &str| event("https://example.com/s", body).ask(|inbound| control().status(inbound)).expect("valid");
    let state = |word: &str| report(&format!(r#"{{"uuid":"u-1","status":"{word}","duration":"17"}}"#));
    for (word, expected) in [
        ("started", CallState::Initiated),
        ("ringing", CallState::Ringing),
        ("answered", CallState::Answered),
        ("completed", CallState::Completed),
        ("busy", CallState::Busy),
        ("timeout", CallState::NoAnswer),
        ("unanswered", CallState::NoAnswer),
        ("cancelled", CallState::Canceled),
        ("rejected", CallState::Failed),
        ("failed", CallState::Failed),
    ] {
        let report = state(word).expect("a report");
        assert_eq!((report.state, report.duration_secs, report.raw_state.as_str()), (expected, Some(17), word));
    }
    assert_eq!(state("transfer"), None);
    let machine = |more: &str| report(&format!(r#"{{"call_uuid":"u-1","status":"machine"{more}}}"#)).expect("a report");
    assert_eq!(machine("").answered_by, Some(AnsweredBy::Machine));
    assert_eq!(machine(r#","sub_state":"beep_start""#).answered_by, Some(AnsweredBy::MachineEnd));
}

#[test]
fn dialling_asks_for_what_the_settings_say() {
    let attempt = DialAttempt {
        call: base::CallId::generate(),
        to: "+14155550100".parse().expect("valid"),
        from: "+14155550199".parse().expect("valid"),
        answer_url: "https://example.com/voice?call=1".into(),
        status_url: "https://example.com/status".into(),
        media_url: String::new(),
        token: String::new(),
        ring: base::Millis(25_001),
        now_ms: SIGNED_AT_MS,
    };
    let body = |control: Arc<dyn CarrierControl>| {
        let request = control.dial(&attempt).expect("it can dial");
        serde_json::from_slice::<Value>(&request.body).expect("JSON")
    };
    let plain = body(control());
    assert_eq!(plain["to"], json!([{"type": "phone", "number": "14155550100"}]));
    assert_eq!((&plain["ringing_timer"], &plain["answer_url"]), (&json!(26), &json!([attempt.answer_url])));
    assert!(plain.get("advanced_machine_detection").is_none());
    let careful = control_with(&[("machine_detection", "on")]).expect("settings").expect("a control");
    assert_eq!(body(careful)["advanced_machine_detection"]["behavior"], "continue");
}

#[test]
fn a_frame_is_never_shorter_nor_longer_than_20_ms() {
    for (rate, bytes) in [(8_000, 320), (16_000, 640), (24_000, 960)] {
        let mut media = Media::new();
        let start = CONNECTED.replace("16000", &rate.to_string());
        assert_eq!(feed(&mut media, &[Wire::Text(start)]).events.len(), 1);
        assert_eq!(media.sample_rate_hz(), rate);
        for (samples, frames) in [(bytes / 2, 1), (bytes / 2 - 7, 1), (bytes / 2 + 1, 2)] {
            let sent = command(&mut media, MediaCommand::Audio(&vec![1; samples]));
            assert_eq!(sent.len(), frames);
            assert!(sent.iter().all(|wire| matches!(wire, Wire::Binary(frame) if frame.len() == bytes)));
        }
    }
}

#[test]
fn the_start_names_the_call_and_another_encoding_closes_the_socket() {
    let sink = feed(&mut Media::new(), &[Wire::Text(CONNECTED.into())]);
    let [MediaEvent::Started(start)] = &sink.events[..] else { panic!("{:?}", sink.events) };
    assert_eq!(start.carrier_ref.as_deref(), Some("u-1"));
    for other in ["audio/l16;rate=44100", "audio/x-mulaw;rate=8000", ""] {
        let start = CONNECTED.replace("audio/l16;rate=16000", other);
        assert_eq!(violations(&feed(&mut Media::new(), &[Wire::Text(start)])), [1003]);
    }
}

#[test]
fn what_we_send_is_what_the_platform_expects() {
    let mut media = Media::new();
    opened(&mut media, &subjects::vonage());
    let mark = command(&mut media, MediaCommand::Mark(MarkId(42)));
    assert_eq!(mark, [Wire::Text(r#"{"action":"notify","payload":{"mark":"m42"}}"#.into())]);
    assert_eq!(command(&mut media, MediaCommand::Clear), [Wire::Text(r#"{"action":"clear"}"#.into())]);
    let odd = feed(&mut media, &[Wire::Binary(vec![1, 2, 3])]);
    assert_eq!(violations(&odd), [1007]);
    assert!(laws::command(&mut media, MediaCommand::Clear).is_empty());
}
