use super::*;
use crate::laws::{self, ControlSubject, Request, command, feed, opened, subjects, violations};
use crate::protocol::{MediaCommand, MediaProtocol as _};
use base::MarkId;
use base::wire::Wire;

const START: &str = r#"{"event":"start","sequence_number":"1","stream_sid":"S1","start":{"stream_sid":"S1","call_sid":"C1","account_sid":"A1","from":"+919800000000","to":"08060000000","custom_parameters":{"token":"t-1"},"media_format":{"encoding":"base64","sample_rate":"8000","bit_rate":"128kbps"}}}"#;

pub(crate) fn opening() -> Vec<Wire> {
    vec![Wire::Text(r#"{"event":"connected"}"#.into()), Wire::Text(START.into())]
}

fn control_with(more: &[(&str, &str)]) -> Control {
    let own =
        [("account_sid", "A1"), ("api_key", "k"), ("api_token", "sekret-token"), ("webhook_secret", "sekret1webhook")];
    let configured = |key: &str| {
        let found = more.iter().chain(&own).find(|(name, _)| *name == key);
        found.map(|(_, value)| Secret::new((*value).to_owned()))
    };
    (DESCRIPTOR.control)(&Settings { configured: &configured, env: &|_| None })
}

fn control() -> Arc<dyn CarrierControl> {
    control_with(&[]).expect("settings that fit").expect("a control")
}

fn webhook(url: &str) -> Request {
    let credential = STANDARD.encode("frontdesk:sekret1webhook");
    let headers = vec![("authorization", format!("Basic {credential}"))];
    Request { method: "GET", url: url.into(), headers, body: Vec::new() }
}

pub(crate) fn control_subject() -> ControlSubject {
    ControlSubject {
        control: control(),
        genuine: vec![webhook("https://example.com/voice?CallSid=C1")],
        signature_header: "authorization",
        covers_url: false,
        is_timed: false,
        carrier_ref: "C1",
        accepted: br#"{"Call":{"Sid":"C1","Status":"in-progress","Direction":"outbound-api","RecordingUrl":null}}"#,
    }
}

#[test]
fn settings_that_do_not_fit_together_are_told() {
    let why = |key: &str, value: &str| control_with(&[(key, value)]).err().expect("refused");
    assert!(why("api_token", "").contains("belong together"));
    assert!(why("webhook_secret", "").contains("webhooks could not be checked"));
    assert!(why("webhook_secret", "a b").contains("letters and digits"));
}

#[test]
fn an_applet_asks_where_to_stream_to_and_whom_to_dial() {
    let url = "https://example.com/voice?CallSid=C1&CallFrom=09800000000&CallTo=08060000000&Direction=incoming";
    let call = webhook(url).ask(|inbound| control().inbound_call(inbound)).expect("a call");
    assert_eq!((call.carrier_ref.as_str(), call.resumed), ("C1", false));
    assert_eq!(call.from.clone().map(Pii::into_inner).as_deref(), Some("+919800000000"));
    assert_eq!(call.to.clone().expect("a number").expose(), "+918060000000");
    let body = |answer: &Answer| serde_json::from_str::<Value>(&control().answer(&call, answer).body).expect("JSON");
    let connect = Answer::Connect { media_url: "wss://h/media".into(), token: "t&1".into(), next_url: "u".into() };
    assert_eq!(body(&connect), json!({ "url": "wss://h/media?token=t%261" }));
    let to = Answer::Transfer { to: "+914055501700".parse().expect("valid"), caller_id: None };
    assert_eq!(body(&to)["destination"]["numbers"], json!(["+914055501700"]));
    assert_eq!(control().answer(&call, &Answer::HangUp).status, 404);
    let again = webhook("https://example.com/voice?resumed=1&CallSid=C1");
    assert!(again.ask(|inbound| control().inbound_call(inbound)).expect("a call").resumed);
}

#[test]
fn calls_are_placed_into_a_stream_or_into_a_flow() {
    let form = |control: Arc<dyn CarrierControl>| {
        let request = control.dial(&laws::attempt()).expect("it can dial");
        assert_eq!(request.url, "https://api.in.exotel.com/v1/Accounts/A1/Calls/connect.json");
        form_urlencoded::parse(&request.body).into_owned().collect::<Vec<_>>()
    };
    let value = |form: &[(String, String)], name: &str| {
        form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    };
    let direct = form(control());
    assert_eq!(value(&direct, "StreamUrl").as_deref(), Some("wss://example.com/media?token=t-1"));
    let status = "https://frontdesk:sekret1webhook@example.com/status?call=1";
    assert_eq!(value(&direct, "StatusCallback").as_deref(), Some(status));
    let flow = form(control_with(&[("flow_id", "7")]).expect("settings").expect("a control"));
    assert_eq!(value(&flow, "Url").as_deref(), Some("http://my.exotel.com/A1/exoml/start_voice/7"));
    assert_eq!(value(&flow, "StreamUrl"), None);
}

#[test]
fn states_are_reported_as_json_or_as_a_form() {
    let report = |kind: &'static str, body: &str| {
        let mut request = webhook("https://example.com/status");
        (request.method, request.body) = ("POST", body.as_bytes().to_vec());
        request.headers.push(("content-type", kind.into()));
        request.ask(|inbound| control().status(inbound)).expect("valid")
    };
    let json = report("application/json", r#"{"CallSid":"C1","Status":"completed","ConversationDuration":17}"#);
    let json = json.expect("a report");
    assert_eq!((json.state, json.duration_secs, json.carrier_ref.as_str()), (CallState::Completed, Some(17), "C1"));
    let form = "application/x-www-form-urlencoded";
    for (word, state) in [("no-answer", CallState::NoAnswer), ("busy", CallState::Busy), ("failed", CallState::Failed)]
    {
        assert_eq!(report(form, &format!("CallSid=C1&Status={word}")).expect("a report").state, state);
    }
    assert_eq!(report(form, "CallSid=C1&EventType=answered").expect("a report").state, CallState::Answered);
    assert_eq!(report(form, "CallSid=C1&Status=levitating"), None);
}

fn payload_bytes(wire: &Wire) -> usize {
    let Wire::Text(text) = wire else { panic!("{wire:?}") };
    let message: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(message["stream_sid"], message["streamSid"]);
    STANDARD.decode(message["media"]["payload"].as_str().expect("audio")).expect("base64").len()
}

#[test]
fn audio_goes_out_in_pieces_that_play_without_a_pause() {
    let mut media = Media::new();
    opened(&mut media, &subjects::exotel());
    assert_eq!(media.mark_frames_min(), 10, "a mark never cuts a piece short");
    for _ in 0..9 {
        assert_eq!(command(&mut media, MediaCommand::Audio(&[1; 160])), []);
    }
    let tenth = command(&mut media, MediaCommand::Audio(&[1; 160]));
    assert_eq!(tenth.iter().map(payload_bytes).collect::<Vec<_>>(), [3_200]);
    command(&mut media, MediaCommand::Audio(&[1; 333]));
    let at_mark = command(&mut media, MediaCommand::Mark(MarkId(1)));
    assert_eq!((at_mark.len(), payload_bytes(&at_mark[0])), (2, 3_200));
    let big = command(&mut media, MediaCommand::Audio(&[1; 1_700]));
    assert_eq!(payload_bytes(&big[0]), 3_520, "a multiple of 320");
    command(&mut media, MediaCommand::Audio(&[1; 160]));
    assert_eq!(command(&mut media, MediaCommand::Clear).len(), 1);
    assert_eq!(command(&mut media, MediaCommand::Mark(MarkId(2))).len(), 1, "cleared audio is not sent any more");
}

#[test]
fn both_spellings_and_numbers_in_text_are_understood() {
    let other = START.replace("stream_sid", "streamSid").replace("call_sid", "callSid").replace(r#""8000""#, "16000");
    let other = other.replace("custom_parameters", "customParameters").replace("media_format", "mediaFormat");
    let mut media = Media::new();
    opened_with(&mut media, &other);
    assert_eq!((media.sample_rate_hz(), media.frame_samples()), (16_000, 320));
    let wrong = START.replace(r#""8000""#, "44100");
    assert_eq!(violations(&feed(&mut Media::new(), &[Wire::Text(wrong)])), [1003]);
}

fn opened_with(media: &mut Media, start: &str) {
    assert_eq!(feed(media, &[Wire::Text(start.into())]).events.len(), 1);
}
