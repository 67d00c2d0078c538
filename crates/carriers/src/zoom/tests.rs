use super::*;
use crate::laws::{ControlSubject, Request, SIGNED_AT_MS};
use crate::protocol::WebhookKind;

const SECRET: &str = "zoomsecret_abc123";
const BODY: &str = r#"{"event":"phone.callee_ringing","payload":{"account_id":"abc","object":{"call_id":"7001"}},"event_ts":1700000000123}"#;
const SIGNATURE: &str = "v0=00b6024505470f4503cb8a6998d75c161e67992ffcdbc462bc256e71fe88b51e";

fn control() -> Arc<dyn CarrierControl> {
    let configured = |key: &str| {
        let value = match key {
            "secret_token" => SECRET,
            "account_id" => "A1",
            "client_id" => "C1",
            "client_secret" => "sekret-client",
            _ => return None,
        };
        Some(Secret::new(value.to_owned()))
    };
    let settings = Settings { configured: &configured, env: &|_| None };
    (DESCRIPTOR.control)(&settings).expect("settings that fit").expect("a control")
}

fn signed(body: &str, signature: &str) -> Request {
    Request {
        method: "POST",
        url: "https://example.com/status".into(),
        headers: vec![(SIGNATURE_HEADER, signature.into()), (TIMESTAMP_HEADER, "1700000000".into())],
        body: body.as_bytes().to_vec(),
    }
}

pub(crate) fn control_subject() -> ControlSubject {
    let control = control();
    let token = br#"{"access_token":"sekret-access","token_type":"bearer","expires_in":3600}"#;
    control.login_reply(Some((200, token)), SIGNED_AT_MS).expect("logged in");
    ControlSubject {
        control,
        genuine: vec![signed(BODY, SIGNATURE)],
        signature_header: SIGNATURE_HEADER,
        covers_url: false,
        is_timed: true,
        carrier_ref: "7001",
        accepted: b"",
    }
}

#[test]
fn an_address_is_validated_by_its_answer() {
    let body = r#"{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}"#;
    let kind = signed(body, "").ask(|inbound| control().webhook_kind(inbound));
    let Some(WebhookKind::Done { reply, .. }) = kind else { panic!("{kind:?}") };
    let told: serde_json::Value = serde_json::from_str(&reply.body).expect("JSON");
    assert_eq!(told["encryptedToken"], "2dc8b052177d63cebb48fa1f933e265c48403195017967e112b31f879563e8ea");
    assert_eq!(signed(BODY, "").ask(|inbound| control().webhook_kind(inbound)), Some(WebhookKind::Status));
}

#[test]
fn both_sides_of_a_call_report_on_it() {
    let report = |event: &str| {
        let body = BODY.replace("callee_ringing", event);
        signed(&body, "").ask(|inbound| control().status(inbound)).expect("valid")
    };
    for (event, state) in [
        ("caller_ringing", CallState::Ringing),
        ("callee_answered", CallState::Answered),
        ("callee_hold", CallState::Paused),
        ("callee_unhold", CallState::Active),
        ("caller_ended", CallState::Completed),
        ("callee_missed", CallState::NoAnswer),
        ("callee_rejected", CallState::Busy),
    ] {
        let report = report(event).expect("a report");
        assert_eq!(
            (report.carrier_ref.as_str(), report.state, report.sequence),
            ("7001", state, Some(1_700_000_000_123))
        );
    }
    assert_eq!(report("voicemail_received"), None);
    let saved = r#"{"event":"phone.recording_completed","payload":{"object":{"recordings":[{"call_id":"7001","download_url":"https://z/1"}]}}}"#;
    let saved = signed(saved, "").ask(|inbound| control().status(inbound)).expect("valid").expect("a report");
    assert_eq!(saved.recording_url.as_deref(), Some("https://z/1"));
}

#[test]
fn a_login_is_good_until_it_is_over() {
    let control = control();
    let login = control.login(SIGNED_AT_MS).expect("not logged in yet");
    assert_eq!(login.url, "https://zoom.us/oauth/token");
    assert_eq!(login.body, b"grant_type=account_credentials&account_id=A1");
    let refused = control.login_reply(Some((401, b"{}")), SIGNED_AT_MS).expect_err("refused");
    assert_eq!(refused.class, ErrorClass::Auth);
    assert!(control.login(SIGNED_AT_MS).is_some());
    let token = br#"{"access_token":"t","expires_in":3600}"#;
    control.login_reply(Some((200, token)), SIGNED_AT_MS).expect("logged in");
    assert!(control.login(SIGNED_AT_MS + 3_000_000).is_none());
    assert!(control.login(SIGNED_AT_MS + 3_600_000).is_some());
    assert!(control.login_reply(None, SIGNED_AT_MS).is_err());
}
