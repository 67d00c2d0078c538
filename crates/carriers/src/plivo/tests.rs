use super::*;
use crate::laws::{self, ControlSubject, Request, command, feed, opened, subjects, violations};
use crate::protocol::{MediaCommand, MediaEvent, MediaProtocol as _};
use base::MarkId;
use base::wire::Wire;

const TOKEN: &str = "MAXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX";
const NONCE: &str = "05429567804466091622";
const CALL: &str = "97ceeb52-58b6-11e1-86da-77300b68f8bb";
const FORM: &[(&str, &str)] = &[
    ("CallUUID", CALL),
    ("From", "14155550100"),
    ("To", "14155550199"),
    ("CallStatus", "ringing"),
    ("Direction", "inbound"),
    ("Event", "StartApp"),
];
/// `t-1` and `c-1` in hexadecimal are what the answer wrote.
const START: &str = r#"{"sequenceNumber":0,"event":"start","start":{"callId":"other","streamId":"S1","accountId":"MA1","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000}},"extra_headers":"{\"token\": \"742d31\", \"call\": \"632d31\"}"}"#;

pub(crate) fn opening() -> Vec<Wire> {
    vec![Wire::Text(START.into())]
}

fn control_with(more: &[(&str, &str)]) -> Control {
    let own = [("auth_id", "MA1"), ("auth_token", TOKEN)];
    let configured = |key: &str| {
        let found = more.iter().chain(&own).find(|(name, _)| *name == key);
        found.map(|(_, value)| Secret::new((*value).to_owned()))
    };
    (DESCRIPTOR.control)(&Settings { configured: &configured, env: &|_| None })
}

fn control() -> Arc<dyn CarrierControl> {
    control_with(&[]).expect("settings that fit").expect("a control")
}

fn form_request(url: &str, form: &[(&str, &str)], signature: &str) -> Request {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(form);
    let headers = vec![
        ("content-type", "application/x-www-form-urlencoded".into()),
        (SIGNATURE_HEADER, signature.into()),
        (NONCE_HEADER, NONCE.into()),
    ];
    Request { method: "POST", url: url.into(), headers, body: body.finish().into_bytes() }
}

fn voice() -> Request {
    form_request("https://example.com/plivo/answer?b=2&a=1", FORM, "gCv5YFhjYrC1Wf90N+RKxn+9V8QYImjO99HuBR6ZZbQ=")
}

fn by_get() -> Request {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(FORM);
    let url = format!("https://example.com/plivo/answer?b=2&a=1&{}", query.finish());
    Request { method: "GET", ..form_request(&url, &[], "urilCegLnnpv5d+zt/4y1AWL7EMkThLHktFQRe1LxQA=") }
}

pub(crate) fn control_subject() -> ControlSubject {
    let repeated = [("B", "y"), ("A", "1"), ("B", "x")];
    let repeated =
        form_request("https://example.com/plivo/hook", &repeated, "geJxiIx8hMshXBTER+UOPPW+pW2la402zQ1w5ySVTHk=");
    let empty = form_request("https://example.com/plivo/hook", &[], "DVMta5pTIFO3/2KOzJL0wv+uTEzN72zB79XLsGJJAMk=");
    ControlSubject {
        control: control_with(&[]).expect("settings that fit").expect("a control"),
        genuine: vec![voice(), by_get(), repeated, empty],
        signature_header: SIGNATURE_HEADER,
        covers_url: true,
        is_timed: false,
        carrier_ref: CALL,
        accepted: br#"{"api_id":"a","message":"call fired","request_uuid":"9834029e-58b6-11e1-b8b7-a5bd0e4e126f"}"#,
    }
}

#[test]
fn another_nonce_or_one_signature_of_several() {
    let verdict = |request: &Request| request.ask(|inbound| control().authenticate(inbound));
    let mut other = voice();
    other.headers[2].1 = "1".into();
    assert!(matches!(verdict(&other), Authenticity::Forged { .. }));
    let mut several = voice();
    several.headers[1].1 = format!("c2hvcnQ=, {}", several.headers[1].1);
    assert!(matches!(verdict(&several), Authenticity::Genuine { replay_key: Some(_) }));
    let mut json = voice();
    json.headers[0].1 = "application/json".into();
    assert_eq!(verdict(&json), Authenticity::Forged { why: "a body that the signature does not cover" });
}

#[test]
fn settings_that_do_not_fit_together_are_told() {
    let why = |key: &str, value: &str| control_with(&[(key, value)]).err().expect("refused");
    assert!(why("auth_token", "").contains("webhooks could not be checked"));
    assert!(why("content_type", "audio/ogg").starts_with("content_type is one of audio/x-mulaw;rate=8000"));
    let silent = control_with(&[("auth_id", "")]).expect("settings").expect("a control");
    assert_eq!(silent.dial(&laws::attempt()).expect_err("no account").why, "auth_id is not set");
    assert_eq!(silent.act(CALL, CallAction::HangUp, 0).expect_err("no account").capability, Capability::HangUp);
}

#[test]
fn a_call_is_brought_with_its_numbers_and_a_placed_one_with_the_id_of_its_request() {
    for request in [voice(), by_get()] {
        let call = request.ask(|inbound| control().inbound_call(inbound)).expect("a call");
        assert_eq!((call.carrier_ref.as_str(), call.resumed), (CALL, false));
        assert_eq!(call.from.map(Pii::into_inner).as_deref(), Some("+14155550100"));
        assert_eq!(call.to.expect("a number").expose(), "+14155550199");
    }
    let placed = [("CallUUID", CALL), ("RequestUUID", "r-1"), ("Direction", "outbound"), ("CallStatus", "in-progress")];
    let placed = form_request("https://example.com/voice", &placed, "");
    assert_eq!(placed.ask(|inbound| control().inbound_call(inbound)).expect("a call").carrier_ref, "r-1");
    let nameless = form_request("https://example.com/voice", &[("From", "1")], "");
    assert!(nameless.ask(|inbound| control().inbound_call(inbound)).is_err());
}

#[test]
fn a_placed_call_is_called_off_by_its_request_and_hung_up_by_its_own_id() {
    let control = control();
    let reply = br#"{"api_id":"a","message":"call fired","request_uuid":"r-1"}"#;
    assert_eq!(control.dial_reply(Some((201, reply))), DialReply::Accepted { carrier_ref: "r-1".into() });
    let asked = |action| match control.act("r-1", action, 0).expect("it can") {
        Way::Request(request) => request.url.split_once("/v1/Account/").expect("an address").1.to_owned(),
        Way::NextAnswer => "the next answer".to_owned(),
    };
    let told = |status: &str| {
        let fields = [("CallUUID", CALL), ("RequestUUID", "r-1"), ("Direction", "outbound"), ("CallStatus", status)];
        form_request("https://example.com/status", &fields, "").ask(|inbound| control.status(inbound)).expect("read");
    };
    let account = "MA1";
    assert_eq!(asked(CallAction::HangUp), format!("{account}/Request/r-1/"));
    told("ringing");
    assert_eq!(asked(CallAction::HangUp), format!("{account}/Request/r-1/"), "nobody has picked up");
    told("in-progress");
    assert_eq!(asked(CallAction::HangUp), format!("{account}/Call/{CALL}/"));
    assert_eq!(asked(CallAction::Press("1")), format!("{account}/Call/{CALL}/DTMF/"));
}

fn document(answer: &Answer) -> String {
    let call = InboundCall { carrier_ref: "c-1".into(), ..InboundCall::default() };
    let reply = control().answer(&call, answer);
    assert_eq!((reply.status, reply.content_type), (200, "text/xml"));
    reply.body.split_once("?>").expect("a declaration").1.to_owned()
}

#[test]
fn every_answer_is_the_element_for_it() {
    let connect = Answer::Connect {
        media_url: "wss://example.com/media".into(),
        token: "t-1".into(),
        next_url: "https://example.com/voice".into(),
    };
    let stream = concat!(
        r#"<Response><Stream bidirectional="true" keepCallAlive="true" contentType="audio/x-mulaw;rate=8000" "#,
        r#"extraHeaders="token=742d31,call=632d31">wss://example.com/media</Stream>"#,
        r#"<Redirect method="POST">https://example.com/voice?resumed=1</Redirect></Response>"#,
    );
    assert_eq!(document(&connect), stream);
    assert_eq!(document(&Answer::Busy), r#"<Response><Hangup reason="busy"/></Response>"#);
    assert_eq!(document(&Answer::Reject), r#"<Response><Hangup reason="rejected"/></Response>"#);
    assert_eq!(document(&Answer::HangUp), "<Response><Hangup/></Response>");
    let said = document(&Answer::SayAndHangUp { text: "Tom & <Jerry>\u{0}".into() });
    assert_eq!(said, "<Response><Speak>Tom &amp; &lt;Jerry&gt;</Speak><Hangup/></Response>");
    let to = Answer::Transfer { to: "+4940555017".parse().expect("valid"), caller_id: "+4940555018".parse().ok() };
    let dial = r#"<Response><Dial timeout="30" callerId="4940555018"><Number>4940555017</Number></Dial></Response>"#;
    assert_eq!(document(&to), dial);
    let resumed = form_request("https://example.com/voice?resumed=1", FORM, "");
    assert!(resumed.ask(|inbound| control().inbound_call(inbound)).expect("a call").resumed);
}

#[test]
fn states_are_reported_and_a_machine_is_told_from_a_person() {
    let report = |more: &[(&str, &str)]| {
        let form = [&[("CallUUID", CALL)], more].concat();
        form_request("https://example.com/s", &form, "").ask(|inbound| control().status(inbound)).expect("valid")
    };
    for (word, state) in [
        ("ringing", CallState::Ringing),
        ("in-progress", CallState::Answered),
        ("completed", CallState::Completed),
        ("busy", CallState::Busy),
        ("failed", CallState::Failed),
        ("no-answer", CallState::NoAnswer),
        ("timeout", CallState::NoAnswer),
        ("cancel", CallState::Canceled),
    ] {
        let report = report(&[("CallStatus", word), ("BillDuration", "60")]).expect("a report");
        assert_eq!((report.state, report.duration_secs), (state, Some(60)));
    }
    assert_eq!(report(&[("CallStatus", "levitating")]), None);
    let machine = report(&[("Machine", "true"), ("Event", "MachineDetection")]).expect("a report");
    assert_eq!((machine.state, machine.answered_by), (CallState::Answered, Some(AnsweredBy::Machine)));
}

#[test]
fn a_call_is_ended_by_deleting_it() {
    let Ok(Way::Request(request)) = control().act(CALL, CallAction::HangUp, 0) else { panic!("a request ends it") };
    assert_eq!((request.method, request.body.len()), (Method::Delete, 0));
    assert_eq!(request.url, format!("https://api.plivo.com/v1/Account/MA1/Call/{CALL}/"));
    let Ok(Way::Request(request)) = control().act(CALL, CallAction::Press("1a#*"), 0) else { panic!("a request") };
    assert_eq!(request.body, br#"{"digits":"1#*","leg":"aleg"}"#);
}

#[test]
fn a_stream_speaks_what_it_says_it_speaks() {
    for (encoding, rate, sample) in [("audio/x-mulaw", 8_000, "/w=="), ("audio/x-l16", 16_000, "AAA=")] {
        let mut media = Media::new();
        let start = START.replace("audio/x-mulaw", encoding).replace("8000", &rate.to_string());
        let sink = feed(&mut media, &[Wire::Text(start)]);
        let [MediaEvent::Started(start)] = &sink.events[..] else { panic!("{:?}", sink.events) };
        assert_eq!((start.carrier_ref.as_deref(), start.stream_ref.as_deref()), (Some("c-1"), Some("S1")));
        assert_eq!(media.sample_rate_hz(), rate);
        let sent = command(&mut media, MediaCommand::Audio(&[0]));
        let expected = format!(
            r#"{{"event":"playAudio","media":{{"contentType":"{encoding}","sampleRate":{rate},"payload":"{sample}"}}}}"#
        );
        assert_eq!(sent, [Wire::Text(expected)]);
    }
    for (from, to) in [("audio/x-mulaw", "audio/ogg"), ("8000", "44100")] {
        assert_eq!(violations(&feed(&mut Media::new(), &[Wire::Text(START.replace(from, to))])), [1003]);
    }
}

#[test]
fn what_we_send_is_what_the_platform_expects() {
    let mut media = Media::new();
    opened(&mut media, &subjects::plivo());
    let mark = command(&mut media, MediaCommand::Mark(MarkId(42)));
    assert_eq!(mark, [Wire::Text(r#"{"event":"checkpoint","streamId":"S1","name":"m42"}"#.into())]);
    let clear = command(&mut media, MediaCommand::Clear);
    assert_eq!(clear, [Wire::Text(r#"{"event":"clearAudio","streamId":"S1"}"#.into())]);
    let cleared = r#"{"event":"clearedAudio","sequenceNumber":5,"streamId":"S1"}"#;
    assert!(feed(&mut media, &[Wire::Text(cleared.into())]).events.is_empty());
    let other = r#"{"event":"playedStream","sequenceNumber":6,"streamId":"S2","name":"m1"}"#;
    assert_eq!(violations(&feed(&mut media, &[Wire::Text(other.into())])), [1008]);
}
