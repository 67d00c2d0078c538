use super::*;
use crate::laws::{ControlSubject, Request, SIGNED_AT_MS, attempt};

const TOKEN: &str = "s3cretVerification";
const CALL: &str = "s-a6abd24ca6774373a8120a3390d3cbe8:p-a6abd24ca6774373a8120a3390d3cbe8-2";
const BODY: &str = r#"{"uuid":"1823485288313944239","event":"/restapi/v1.0/account/809646016/extension/809646016/telephony/sessions","timestamp":"2020-06-14T19:27:18.390Z","subscriptionId":"53300e7c","ownerId":"809646016","body":{"sequence":3,"sessionId":"425008160016","telephonySessionId":"s-a6abd24ca6774373a8120a3390d3cbe8","parties":[{"accountId":"809646016","id":"p-a6abd24ca6774373a8120a3390d3cbe8-2","direction":"Inbound","to":{"phoneNumber":"+19043014558"},"from":{"phoneNumber":"+14083388064"},"status":{"code":"Setup","rcc":false}}],"origin":{"type":"Call"}}}"#;

fn control() -> Arc<dyn CarrierControl> {
    let configured = |key: &str| {
        let value = match key {
            "client_id" => "C1",
            "client_secret" => "sekret-client",
            "jwt" => "sekret-jwt",
            "verification_token" => TOKEN,
            "device_id" => "60727004",
            _ => return None,
        };
        Some(Secret::new(value.to_owned()))
    };
    let settings = Settings { configured: &configured, env: &|_| None };
    (DESCRIPTOR.control)(&settings).expect("settings that fit").expect("a control")
}

fn notice(body: &str) -> Request {
    Request {
        method: "POST",
        url: "https://example.com/status".into(),
        headers: vec![(TOKEN_HEADER, TOKEN.into())],
        body: body.as_bytes().to_vec(),
    }
}

pub(crate) fn control_subject() -> ControlSubject {
    let control = control();
    let token = br#"{"access_token":"sekret-access","token_type":"bearer","expires_in":3600}"#;
    control.login_reply(Some((200, token)), SIGNED_AT_MS).expect("logged in");
    ControlSubject {
        control,
        genuine: Vec::new(),
        signature_header: TOKEN_HEADER,
        covers_url: false,
        is_timed: false,
        carrier_ref: CALL,
        accepted: br#"{"session":{"id":"s-1","parties":[{"id":"p-1"}]}}"#,
    }
}

#[test]
fn a_notification_shows_the_token_of_the_subscription() {
    let verdict = |request: &Request| request.ask(|inbound| control().authenticate(inbound));
    assert_eq!(verdict(&notice(BODY)), Authenticity::Genuine { replay_key: None });
    let mut by_the_guide = notice(BODY);
    by_the_guide.headers[0].0 = OTHER_TOKEN_HEADER;
    assert_eq!(verdict(&by_the_guide), Authenticity::Genuine { replay_key: None });
    for index in 0..TOKEN.len() {
        let mut token = TOKEN.as_bytes().to_vec();
        token[index] ^= 1;
        let mut forged = notice(BODY);
        forged.headers[0].1 = String::from_utf8(token).expect("text");
        assert!(matches!(verdict(&forged), Authenticity::Forged { .. }));
    }
    assert_eq!(verdict(&Request { headers: Vec::new(), ..notice(BODY) }), Authenticity::Forged { why: "no token" });
}

#[test]
fn a_handshake_gets_its_token_back() {
    let mut handshake = notice("");
    handshake.headers = vec![(OTHER_TOKEN_HEADER, "X".into())];
    assert!(matches!(handshake.ask(|inbound| control().authenticate(inbound)), Authenticity::Genuine { .. }));
    let kind = handshake.ask(|inbound| control().webhook_kind(inbound));
    let Some(WebhookKind::Done { reply, .. }) = kind else { panic!("{kind:?}") };
    assert_eq!((reply.status, reply.headers), (200, vec![(OTHER_TOKEN_HEADER, "X".to_owned())]));
    assert_eq!(notice(BODY).ask(|inbound| control().webhook_kind(inbound)), Some(WebhookKind::Status));
}

#[test]
fn a_party_reports_its_state_with_its_number() {
    let report = |status: &str| {
        let body = BODY.replace(r#"{"code":"Setup","rcc":false}"#, status);
        notice(&body).ask(|inbound| control().status(inbound)).expect("valid")
    };
    for (status, state) in [
        (r#"{"code":"Setup"}"#, CallState::Initiated),
        (r#"{"code":"Proceeding"}"#, CallState::Ringing),
        (r#"{"code":"Answered"}"#, CallState::Answered),
        (r#"{"code":"Hold"}"#, CallState::Paused),
        (r#"{"code":"Disconnected","reason":"CallFinished"}"#, CallState::Completed),
        (r#"{"code":"Disconnected","reason":"NoAnswer"}"#, CallState::NoAnswer),
        (r#"{"code":"Disconnected","reason":"TargetBusy"}"#, CallState::Busy),
        (r#"{"code":"Disconnected","reason":"Cancelled"}"#, CallState::Canceled),
        (r#"{"code":"Disconnected","reason":"NotEnoughFunds"}"#, CallState::Failed),
    ] {
        let report = report(status).expect("a report");
        assert_eq!((report.carrier_ref.as_str(), report.state, report.sequence), (CALL, state, Some(3)));
    }
    assert_eq!(report(r#"{"code":"Tds"}"#), None);
    let call = notice(BODY).ask(|inbound| control().inbound_call(inbound)).expect("a call");
    assert_eq!(call.to.expect("a number").expose(), "+19043014558");
}

#[test]
fn calls_are_controlled_through_their_party_after_a_login() {
    let control = control();
    let login = control.login(SIGNED_AT_MS).expect("not logged in yet");
    assert!(String::from_utf8_lossy(&login.body).contains("jwt-bearer"));
    control.login_reply(Some((200, br#"{"access_token":"t","expires_in":3600}"#)), SIGNED_AT_MS).expect("logged in");
    assert!(control.login(SIGNED_AT_MS).is_none());
    let to = "+4940555017".parse().expect("valid");
    let Ok(Way::Request(transfer)) = control.act(CALL, CallAction::Transfer { to: &to, caller_id: None }, 0) else {
        panic!("a request transfers it")
    };
    let party = "/restapi/v1.0/account/~/telephony/sessions/s-a6abd24ca6774373a8120a3390d3cbe8/parties/p-a6abd24ca6774373a8120a3390d3cbe8-2";
    assert_eq!(transfer.url, format!("{API_BASE}{party}/transfer"));
    assert_eq!(transfer.body, br#"{"phoneNumber":"+4940555017"}"#);
    assert_eq!(transfer.headers[0].value.expose(), "Bearer t");
    let Ok(Way::Request(end)) = control.act(CALL, CallAction::HangUp, 0) else { panic!("a request ends it") };
    assert_eq!((end.method, end.url), (Method::Delete, format!("{API_BASE}{party}")));
    let dial = control.dial(&attempt()).expect("it can dial");
    assert_eq!(dial.body, br#"{"from":{"deviceId":"60727004"},"to":{"phoneNumber":"+14155550100"}}"#);
}
