use super::*;
use crate::laws::{ControlSubject, Request, attempt};

const INSTANCE_OF_THE_TEST: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

fn control_with(secret: &'static str) -> Arc<dyn CarrierControl> {
    let configured = |key: &str| {
        let value = match key {
            "access_key_id" => "AKIDEXAMPLE",
            "secret_access_key" => secret,
            "region" => "us-east-1",
            "instance_id" => INSTANCE_OF_THE_TEST,
            "contact_flow_id" => "11111111-2222-3333-4444-555555555555",
            "webhook_secret" => "sekret1webhook",
            _ => return None,
        };
        Some(Secret::new(value.to_owned()))
    };
    let settings = Settings { configured: &configured, env: &|_| None };
    (DESCRIPTOR.control)(&settings).expect("settings that fit").expect("a control")
}

fn event(detail: &Value) -> Request {
    let credential = STANDARD.encode("frontdesk:sekret1webhook");
    Request {
        method: "POST",
        url: "https://example.com/status".into(),
        headers: vec![("authorization", format!("Basic {credential}"))],
        body: json!({ "id": "e-1", "source": "aws.connect", "detail": detail }).to_string().into_bytes(),
    }
}

pub(crate) fn control_subject() -> ControlSubject {
    ControlSubject {
        control: control_with("sekret-access"),
        genuine: vec![Request { body: Vec::new(), ..event(&Value::Null) }],
        signature_header: "authorization",
        covers_url: false,
        is_timed: false,
        carrier_ref: INSTANCE_OF_THE_TEST,
        accepted: br#"{"ContactId":"12345678-1234-1234-1234-123456789012"}"#,
    }
}

#[test]
fn requests_are_signed_as_the_official_library_signs_them() {
    let instance = Instance {
        credentials: Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None, None, "test"),
        region: "us-east-1".into(),
        id: INSTANCE_OF_THE_TEST.into(),
        flow: None,
        base: "https://connect.us-east-1.amazonaws.com".into(),
    };
    let body = br#"{"DestinationPhoneNumber":"+14155550100","ContactFlowId":"11111111-2222-3333-4444-555555555555","InstanceId":"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee","ClientToken":"tok-1"}"#;
    let request = instance.signed(Method::Put, "/contact/outbound-voice", body.to_vec(), 1_767_323_045_000);
    let header = request.headers.iter().find(|header| header.name == "authorization").expect("signed");
    let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/connect/aws4_request, \
                    SignedHeaders=content-type;host;x-amz-date, \
                    Signature=c7db6fef576e2d65cf4af912c7031dc1190130bd86649f8104ddb60796292d71";
    assert_eq!(header.value.expose(), expected);
}

#[test]
fn a_contact_is_placed_once_by_its_token() {
    let attempt = attempt();
    let request = control_with("s").dial(&attempt).expect("it can dial");
    assert_eq!(request.url, "https://connect.us-east-1.amazonaws.com/contact/outbound-voice");
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    assert_eq!((&body["DestinationPhoneNumber"], &body["ClientToken"]), (&json!("+14155550100"), &json!(attempt.call)));
    assert_eq!(body["RingTimeoutInSeconds"], 25);
}

#[test]
fn contact_events_tell_how_a_call_goes() {
    let report = |detail: Value| event(&detail).ask(|inbound| control_with("s").status(inbound)).expect("valid");
    let told = |kind: &str, reason: &str| {
        let detail = json!({ "eventType": kind, "contactId": "c-1", "channel": "VOICE", "disconnectReason": reason });
        report(detail).expect("a report").state
    };
    assert_eq!(told("INITIATED", ""), CallState::Initiated);
    assert_eq!(told("CONNECTED_TO_SYSTEM", ""), CallState::Answered);
    assert_eq!(told("QUEUED", ""), CallState::Paused);
    assert_eq!(told("DISCONNECTED", "CUSTOMER_DISCONNECT"), CallState::Completed);
    assert_eq!(told("DISCONNECTED", "TELECOM_BUSY"), CallState::Busy);
    assert_eq!(told("DISCONNECTED", "TELECOM_UNANSWERED"), CallState::NoAnswer);
    assert_eq!(told("DISCONNECTED", "TELECOM_NUMBER_INVALID"), CallState::Failed);
    assert_eq!(report(json!({ "eventType": "INITIATED", "contactId": "c-1", "channel": "CHAT" })), None);
    let machine = json!({
        "eventType": "CONTACT_DATA_UPDATED", "contactId": "c-1", "answeringMachineDetectionStatus": "VOICEMAIL_BEEP",
    });
    assert_eq!(report(machine).expect("a report").answered_by, Some(AnsweredBy::MachineEnd));
}
