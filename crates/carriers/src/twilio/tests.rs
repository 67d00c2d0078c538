use super::*;
use crate::laws::{self, Request, feed, opened, subjects, violations};
use crate::protocol::{MediaCommand, MediaEvent, MediaSink};
use base::wire::Wire;
use base::{CallId, MarkId, Millis};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event;

const TOKEN: &str = "12345";
const START: &str = r#"{"event":"start","sequenceNumber":"1","start":{"accountSid":"AC1","streamSid":"MZ1","callSid":"CA1","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"customParameters":{"token":"t-1"}},"streamSid":"MZ1"}"#;

pub(crate) fn opening() -> Vec<Wire> {
    let connected = r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#;
    vec![Wire::Text(connected.into()), Wire::Text(START.into())]
}

fn control() -> TwilioControl {
    let mut options = TwilioOptions::new("AC00000000000000000000000000000001", TOKEN);
    options.shared_keys = vec![SharedKey { id: "webhooks_sharedkey_1".into(), secret: TOKEN.into() }];
    TwilioControl::new(options)
}

pub(crate) fn control_subject() -> laws::ControlSubject {
    let mut options = TwilioOptions::new("AC1", TOKEN);
    options.api_key = Some(("SK1".into(), "sekret-key".into()));
    laws::ControlSubject {
        control: Arc::new(TwilioControl::new(options)),
        genuine: vec![voice(), upgrade("wss://voice.example.com/twilio/media")],
        signature_header: SIGNATURE_HEADER,
        covers_url: true,
        is_timed: false,
        carrier_ref: "CA7",
        accepted: br#"{"sid":"CA7","status":"queued"}"#,
    }
}

fn form_request(url: &str, form: &[(&str, &str)], signature: &str) -> Request {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(form);
    Request {
        method: "POST",
        url: url.into(),
        headers: vec![("content-type", FORM.into()), (SIGNATURE_HEADER, signature.into())],
        body: body.finish().into_bytes(),
    }
}

const VOICE_URL: &str = "https://example.com/twilio/voice?tenant=acme&v=1";
const VOICE_FORM: &[(&str, &str)] = &[
    ("CallSid", "CA00000000000000000000000000000001"),
    ("AccountSid", "AC00000000000000000000000000000001"),
    ("From", "+14155550100"),
    ("To", "+14155550199"),
    ("CallStatus", "ringing"),
    ("Direction", "inbound"),
    ("ApiVersion", "2010-04-01"),
];

fn voice() -> Request {
    form_request(VOICE_URL, VOICE_FORM, "pZh7bAkYTmdHmIzmxIIwJtBKJUU=")
}

fn voice_by_shared_key() -> Request {
    let mut request = form_request(VOICE_URL, VOICE_FORM, "WhGTQ84e8Y90u2JljYU+A/InobX7JUrplhTZRPqm484=");
    request.headers.push((SETTINGS_HEADER, "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256".into()));
    request
}

fn json_request() -> Request {
    let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    Request {
        method: "POST",
        url: format!("https://example.com/twilio/json?bodySHA256={hash}"),
        headers: vec![
            ("content-type", "application/json".into()),
            (SIGNATURE_HEADER, "z4vWpV4WXR4zT5Nws9IN0mKtrqU=".into()),
        ],
        body: br#"{"property": "value", "boolean": true}"#.to_vec(),
    }
}

fn upgrade(url: &str) -> Request {
    let headers = vec![("upgrade", "websocket".into()), (SIGNATURE_HEADER, "PGLrn08/Ba1sEIuSwPQRBPD54PA=".into())];
    Request { method: "GET", url: url.into(), headers, body: Vec::new() }
}

fn verdict(request: &Request) -> Authenticity {
    request.ask(|inbound| control().authenticate(inbound))
}

#[test]
fn genuine_requests_are_accepted_and_each_mutated_byte_rejected() {
    let docs = form_request(
        "https://mycompany.com/myapp.php?foo=1&bar=2",
        &[
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675310"),
            ("Digits", "1234"),
            ("From", "+14158675310"),
            ("To", "+18005551212"),
        ],
        "GvWf1cFY/Q7PnoempGyD5oXAezc=",
    );
    let repeated = [("A", "2"), ("A", "1"), ("A", "2"), ("B", "z")];
    let repeated = form_request("https://example.com/x", &repeated, "CnmUIE8nuF7yMC17EoWoo5+6HXs=");
    assert!(matches!(verdict(&repeated), Authenticity::Genuine { .. }));
    for request in
        [voice(), voice_by_shared_key(), docs, json_request(), upgrade("wss://voice.example.com/twilio/media")]
    {
        laws::each_mutated_byte_is_rejected(&control(), &request, SIGNATURE_HEADER, true);
    }
}

#[test]
fn the_port_may_be_named_or_not_and_an_upgrade_is_signed_as_wss() {
    let with_port = Request { url: VOICE_URL.replace("example.com", "example.com:443"), ..voice() };
    assert!(matches!(verdict(&with_port), Authenticity::Genuine { .. }));
    let seen_by_the_server = upgrade("https://voice.example.com/twilio/media");
    assert_eq!(verdict(&seen_by_the_server), Authenticity::Genuine { replay_key: None });
    let mut signed_with_port = upgrade("wss://voice.example.com/twilio/media");
    signed_with_port.headers[1].1 = "EX6xiRCCL18BRNACNfLPbIXryf4=".into();
    assert!(matches!(verdict(&signed_with_port), Authenticity::Genuine { .. }));
}

#[test]
fn a_shared_key_must_be_known_and_a_token_does_not_stand_in_for_it() {
    let mut unknown = voice_by_shared_key();
    unknown.headers[2].1 = "key=other,algorithm=HMAC_SHA256".into();
    assert!(matches!(verdict(&unknown), Authenticity::Forged { .. }));
    let mut weaker = voice_by_shared_key();
    weaker.headers.remove(2);
    assert!(matches!(verdict(&weaker), Authenticity::Forged { .. }));
    let mut strange = voice();
    strange.headers.push((SETTINGS_HEADER, "algorithm=HMAC_MD5".into()));
    assert!(matches!(verdict(&strange), Authenticity::Forged { .. }));
}

#[test]
fn a_body_that_the_signature_does_not_cover_is_rejected() {
    let mut json = json_request();
    json.url = "https://example.com/twilio/json".into();
    json.headers[1].1 = sign(TOKEN, Algorithm::Sha1, &json.url, &[]);
    assert_eq!(verdict(&json), Authenticity::Forged { why: "a body that the signature does not cover" });
}

#[test]
fn a_replay_is_known_by_what_is_signed() {
    let key = |request: &Request| match verdict(request) {
        Authenticity::Genuine { replay_key } => replay_key.expect("a webhook has a key"),
        other => panic!("{other:?}"),
    };
    let report = |sequence: &str, token: &str| {
        let fields = [("CallSid", "CA1"), ("CallStatus", "ringing"), ("SequenceNumber", sequence)];
        let owned: Vec<(String, String)> = fields.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let mut request = form_request(VOICE_URL, &fields, &sign(TOKEN, Algorithm::Sha1, VOICE_URL, &owned));
        request.headers.push((IDEMPOTENCY_HEADER, token.into()));
        request
    };
    assert_eq!(key(&report("1", "a")), key(&report("1", "a")));
    assert_eq!(key(&report("1", "a")), key(&report("1", "forged")), "the token is not signed");
    assert_ne!(key(&report("1", "a")), key(&report("2", "a")));
    assert_ne!(key(&voice()), key(&report("1", "a")));
}

#[test]
fn a_voice_webhook_brings_a_call_and_its_callback_a_known_one() {
    let call = voice().ask(|inbound| control().inbound_call(inbound)).expect("a call");
    assert_eq!(call.carrier_ref, "CA00000000000000000000000000000001");
    assert_eq!(call.from.map(Pii::into_inner).as_deref(), Some("+14155550100"));
    assert_eq!(call.to.expect("a number").expose(), "+14155550199");
    assert!(!call.resumed);

    let next_url = "https://example.com/next?call=7";
    let connect =
        Answer::Connect { media_url: "wss://example.com/media".into(), token: "t".into(), next_url: next_url.into() };
    let (_, attributes, _) = elements(&control().answer(&InboundCall::default(), &connect).body).remove(1);
    let after = Request { url: attributes["action"].clone(), ..voice() };
    assert!(after.ask(|inbound| control().inbound_call(inbound)).expect("a call").resumed);

    let nameless = form_request(VOICE_URL, &[("From", "+1")], "");
    let failure = nameless.ask(|inbound| control().inbound_call(inbound)).expect_err("no call");
    assert_eq!(failure.class, ErrorClass::Protocol);
}

#[test]
fn states_are_reported_in_any_order_with_their_number() {
    let report = |status: &str| {
        let fields = [("CallSid", "CA1"), ("CallStatus", status), ("SequenceNumber", "3"), ("CallDuration", "17")];
        form_request(VOICE_URL, &fields, "").ask(|inbound| control().status(inbound)).expect("valid")
    };
    let expected = [
        ("initiated", CallState::Initiated),
        ("ringing", CallState::Ringing),
        ("in-progress", CallState::Answered),
        ("completed", CallState::Completed),
        ("busy", CallState::Busy),
        ("failed", CallState::Failed),
        ("no-answer", CallState::NoAnswer),
        ("canceled", CallState::Canceled),
    ];
    for (word, state) in expected {
        let report = report(word).expect("a report");
        assert_eq!((report.state, report.sequence, report.duration_secs), (state, Some(3), Some(17)));
        assert_eq!(report.raw_state, word);
    }
    assert_eq!(report("levitating"), None);
}

fn attempt() -> DialAttempt {
    DialAttempt {
        call: CallId::generate(),
        to: "+14155550100".parse().expect("valid"),
        from: "+14155550199".parse().expect("valid"),
        answer_url: "https://example.com/voice?call=1&x=ä".into(),
        status_url: "https://example.com/status".into(),
        media_url: "wss://example.com/media".into(),
        token: "t-1".into(),
        ring: Millis(25_001),
        now_ms: 0,
    }
}

fn hang_up(control: &TwilioControl, carrier_ref: &str) -> Result<HttpRequest, CannotDo> {
    match control.act(carrier_ref, CallAction::HangUp, 0)? {
        Way::Request(request) => Ok(request),
        Way::NextAnswer => panic!("a request ends the call"),
    }
}

#[test]
fn dialling_names_the_call_and_asks_for_every_report() {
    let attempt = attempt();
    let request = control().dial(&attempt).expect("it can dial");
    assert_eq!(request.url, "https://api.twilio.com/2010-04-01/Accounts/AC00000000000000000000000000000001/Calls.json");
    let form: Vec<(String, String)> = form_urlencoded::parse(&request.body).into_owned().collect();
    let all =
        |name: &str| form.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect::<Vec<_>>();
    assert_eq!(all("To"), ["+14155550100"]);
    assert_eq!(all("Url"), [attempt.answer_url.as_str()]);
    assert_eq!(all("StatusCallbackEvent"), ["initiated", "ringing", "answered", "completed"]);
    assert_eq!(all("Timeout"), ["26"]);
    assert!(all("MachineDetection").is_empty());
}

#[test]
fn an_account_without_an_id_places_no_calls_and_ends_none() {
    let control = TwilioControl::new(TwilioOptions::new("", TOKEN));
    assert_eq!(hang_up(&control, "CA7").expect_err("no account").why, "account_sid is not set");
    assert_eq!(control.dial(&attempt()).expect_err("no account").capability, Capability::Place);
}

#[test]
fn neither_the_key_nor_the_number_is_seen_in_a_url_or_a_debug_line() {
    let mut options = TwilioOptions::new("AC1", "sekret-token");
    options.api_key = Some(("SK1".into(), "sekret-key".into()));
    options.shared_keys = vec![SharedKey { id: "k".into(), secret: "sekret-shared".into() }];
    let control = TwilioControl::new(options);
    let request = hang_up(&control, "CA1").expect("it can hang up");
    let seen = format!("{control:?} {request:?} {}", request.url);
    assert!(!seen.contains("sekret"), "{seen}");
    assert!(!seen.contains(&STANDARD.encode("SK1:sekret-key")), "{seen}");
    let body = br#"{"code":21211,"message":"The 'To' number +14155550100 is not valid"}"#;
    assert!(!format!("{:?}", control.dial_reply(Some((400, body)))).contains("+1415"));
}

#[test]
fn a_phone_that_may_ring_is_unknown_and_a_refusal_has_its_class() {
    laws::a_phone_that_may_ring_is_unknown(&control());
    let accepted = control().dial_reply(Some((201, br#"{"sid":"CA7","status":"queued"}"#)));
    assert_eq!(accepted, DialReply::Accepted { carrier_ref: "CA7".into() });
    for (status, code, class) in [
        (400, 21211, ErrorClass::Invalid),
        (400, 21210, ErrorClass::Auth),
        (400, 21215, ErrorClass::Auth),
        (400, 10001, ErrorClass::Quota),
        (400, 10004, ErrorClass::RateLimited),
        (400, 21216, ErrorClass::Refused),
        (401, 20003, ErrorClass::Auth),
        (429, 20429, ErrorClass::RateLimited),
    ] {
        let body = format!(r#"{{"code":{code},"message":"m","more_info":"u","status":{status}}}"#);
        let reply = control().dial_reply(Some((status, body.as_bytes())));
        assert!(matches!(&reply, DialReply::Refused(failure) if failure.class == class), "{reply:?}");
    }
}

#[test]
fn hanging_up_twice_is_hanging_up() {
    let control = control();
    let request = hang_up(&control, "CA7").expect("it can hang up");
    assert!(request.url.ends_with("/Calls/CA7.json"));
    assert_eq!(request.body, b"Status=completed");
    assert!(hang_up(&control, "../Accounts").is_err());
    let done = |status: u16, body: &[u8]| control.act_reply(CallAction::HangUp, Some((status, body))).is_ok();
    assert!(done(200, b"{}"));
    assert!(done(404, br#"{"code":20404}"#));
    assert!(done(400, br#"{"code":21220}"#));
    assert!(!done(401, br#"{"code":20003}"#));
    assert!(!done(503, b""));
}

type Element = (String, std::collections::BTreeMap<String, String>, String);

/// The elements of a document in order, with attributes and text. Panics when it is not well-formed.
fn elements(document: &str) -> Vec<Element> {
    let mut reader = Reader::from_str(document);
    reader.config_mut().check_end_names = true;
    let mut found: Vec<Element> = Vec::new();
    let mut open = 0;
    loop {
        match reader.read_event().expect("well-formed") {
            event @ (Event::Start(_) | Event::Empty(_)) => {
                open += i32::from(matches!(event, Event::Start(_)));
                let (Event::Start(start) | Event::Empty(start)) = event else { unreachable!() };
                let attributes = start.attributes().map(|attribute| {
                    let attribute = attribute.expect("an attribute");
                    let value = quick_xml::escape::unescape(&attribute.value).expect("escaped").into_owned();
                    (attribute.key.as_ref().to_owned(), value)
                });
                found.push((start.name().as_ref().to_owned(), attributes.collect(), String::new()));
            }
            Event::End(_) => open -= 1,
            Event::Text(text) => found.last_mut().expect("inside").2.push_str(&text),
            Event::GeneralRef(entity) => {
                let text =
                    quick_xml::escape::unescape(&format!("&{};", &*entity)).expect("a known entity").into_owned();
                found.last_mut().expect("inside").2.push_str(&text);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(open, 0, "every element is closed");
    found
}

fn names(document: &str) -> Vec<String> {
    elements(document).into_iter().map(|(name, ..)| name).collect()
}

#[test]
fn every_answer_is_the_verb_for_it() {
    let body = |answer: Answer| control().answer(&InboundCall::default(), &answer).body;
    assert_eq!(names(&body(Answer::Busy)), ["Response", "Reject"]);
    assert_eq!(elements(&body(Answer::Busy))[1].1["reason"], "busy");
    assert_eq!(elements(&body(Answer::Reject))[1].1["reason"], "rejected");
    assert_eq!(names(&body(Answer::HangUp)), ["Response", "Hangup"]);
    let to = Answer::Transfer { to: "+4940555017".parse().expect("valid"), caller_id: "+4940555018".parse().ok() };
    let transfer = elements(&body(to));
    assert_eq!((transfer[1].1["callerId"].as_str(), transfer[2].2.as_str()), ("+4940555018", "+4940555017"));
    let reply = control().answer(&InboundCall::default(), &Answer::HangUp);
    assert_eq!((reply.status, reply.content_type), (200, "text/xml"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_text_stays_text(text in any::<String>(), url in "[ -~]{0,60}") {
        let say = elements(&control().answer(&InboundCall::default(), &Answer::SayAndHangUp { text: text.clone() }).body);
        prop_assert_eq!(say.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(), ["Response", "Say", "Hangup"]);
        let connect = Answer::Connect { media_url: url.clone(), token: text, next_url: url.clone() };
        let connect = elements(&control().answer(&InboundCall::default(), &connect).body);
        let order: Vec<_> = connect.iter().map(|(name, ..)| name.as_str()).collect();
        prop_assert_eq!(order, ["Response", "Connect", "Stream", "Parameter"]);
        prop_assert_eq!(&connect[2].1["url"], &url);
    }
}

#[test]
fn words_that_look_like_verbs_are_spoken() {
    let text = r#"</Say><Dial>+1</Dial> & "co" 'x'"#;
    let say = elements(&control().answer(&InboundCall::default(), &Answer::SayAndHangUp { text: text.into() }).body);
    assert_eq!(say[1].2, text);
}

fn streaming() -> TwilioMedia {
    let mut media = TwilioMedia::new();
    opened(&mut media, &subjects::twilio());
    media
}

fn said(media: &mut TwilioMedia, text: &str) -> MediaSink {
    feed(media, &[Wire::Text(text.into())])
}

#[test]
fn the_start_names_the_call_and_the_stream() {
    let sink = feed(&mut TwilioMedia::new(), &opening());
    let [MediaEvent::Started(start)] = &sink.events[..] else { panic!("{:?}", sink.events) };
    assert_eq!((start.carrier_ref.as_deref(), start.stream_ref.as_deref()), (Some("CA1"), Some("MZ1")));
}

#[test]
fn another_encoding_closes_the_socket() {
    for (from, to) in [("audio/x-mulaw", "audio/x-l16"), ("8000", "16000"), (r#""channels":1"#, r#""channels":2"#)] {
        let sink = said(&mut TwilioMedia::new(), &START.replace(from, to));
        assert_eq!(violations(&sink), [1003]);
    }
}

#[test]
fn a_message_of_another_stream_or_out_of_its_shape_closes_the_socket() {
    let media = r#"{"event":"media","media":{"payload":"/w=="},"streamSid":"MZ2"}"#;
    assert_eq!(violations(&said(&mut streaming(), media)), [1008]);
    for malformed in [
        "",
        "{",
        "[]",
        r#"{"event":"media","streamSid":"MZ1"}"#,
        r#"{"event":"media","media":{"payload":"%%"},"streamSid":"MZ1"}"#,
        r#"{"event":"media","media":{"payload":7},"streamSid":"MZ1"}"#,
        r#"{"event":"mark","streamSid":"MZ1"}"#,
    ] {
        assert_eq!(violations(&said(&mut streaming(), malformed)), [1007], "{malformed}");
    }
    assert_eq!(violations(&feed(&mut streaming(), &[Wire::Binary(vec![1])])), [1003]);
}

#[test]
fn what_we_do_not_know_is_ignored() {
    let mut media = streaming();
    for unknown in [
        r#"{"event":"later","streamSid":"MZ1","media":{"shape":[1]},"mark":7}"#,
        r#"{"event":"media","media":{"track":"outbound","payload":"/w=="},"streamSid":"MZ1"}"#,
        r#"{"event":"mark","streamSid":"MZ1","mark":{"name":"somebody-else"}}"#,
        r#"{"event":"dtmf","streamSid":"MZ1","dtmf":{"digit":"12"}}"#,
    ] {
        let sink = said(&mut media, unknown);
        assert!(sink.events.is_empty() && sink.pcm.is_empty(), "{unknown}");
    }
}

#[test]
fn late_audio_is_dropped_and_counted() {
    let frame = |sequence: u32| {
        format!(r#"{{"event":"media","sequenceNumber":"{sequence}","media":{{"payload":"/w=="}},"streamSid":"MZ1"}}"#)
    };
    let wires = [4, 6, 5, 7].map(|sequence| Wire::Text(frame(sequence)));
    let sink = feed(&mut streaming(), &wires);
    assert_eq!((sink.pcm.len(), sink.frames_dropped), (3, 1));
}

#[test]
fn after_stop_nothing_is_heard_or_sent() {
    let mut media = streaming();
    let stop = r#"{"event":"stop","sequenceNumber":"5","streamSid":"MZ1","stop":{"accountSid":"AC1","callSid":"CA1"}}"#;
    assert_eq!(said(&mut media, stop).events, [MediaEvent::Stopped]);
    assert!(said(&mut media, START).events.is_empty());
    assert_eq!(laws::command(&mut media, MediaCommand::Audio(&[0; 160])), []);
}

#[test]
fn what_we_send_is_what_the_platform_expects() {
    let mut media = streaming();
    let audio = laws::command(&mut media, MediaCommand::Audio(&[0; 3]));
    assert_eq!(audio, [Wire::Text(r#"{"event":"media","streamSid":"MZ1","media":{"payload":"////"}}"#.into())]);
    let mark = laws::command(&mut media, MediaCommand::Mark(MarkId(42)));
    assert_eq!(mark, [Wire::Text(r#"{"event":"mark","streamSid":"MZ1","mark":{"name":"m42"}}"#.into())]);
    let clear = laws::command(&mut media, MediaCommand::Clear);
    assert_eq!(clear, [Wire::Text(r#"{"event":"clear","streamSid":"MZ1"}"#.into())]);
}
