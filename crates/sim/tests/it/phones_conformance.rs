//! The official packages of phone platforms send what we send, build what we answer, and sign what we accept.

use base::wire::HttpRequest;
use base::{CallId, Millis, Secret};
use carriers::protocol::{
    Answer, Authenticity, CallAction, CarrierControl, DialAttempt, Inbound, InboundCall, TextMessage, Way,
};
use carriers::registry::{Settings, descriptor};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const CALL: &str = "97ceeb52-58b6-11e1-86da-77300b68f8bb";
const HOOK: &str =
    r#"{"data":{"event_type":"call.hangup","id":"e-1","payload":{"call_control_id":"v3:abc"}},"uuid":"u-1"}"#;

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("before the year 292 million")
}

fn control(name: &str, settings: &[(&str, &str)]) -> Arc<dyn CarrierControl> {
    let configured = |key: &str| {
        let found = settings.iter().find(|(own, _)| *own == key);
        found.map(|(_, value)| Secret::new((*value).to_owned()))
    };
    let settings = Settings { configured: &configured, env: &|_| None };
    (descriptor(name).expect("it is listed").control)(&settings).expect("settings that fit").expect("a control")
}

fn dial(control: &dyn CarrierControl) -> HttpRequest {
    let attempt = DialAttempt {
        call: CallId::generate(),
        to: "+14155550100".parse().expect("valid"),
        from: "+14155550199".parse().expect("valid"),
        answer_url: "https://shop.example.com/voice?call=1".into(),
        status_url: "https://shop.example.com/status?call=1".into(),
        media_url: "wss://shop.example.com/media".into(),
        token: "t-1".into(),
        ring: Millis(25_000),
        now_ms: now_ms(),
    };
    control.dial(&attempt).expect("it places calls")
}

fn text(control: &dyn CarrierControl) -> HttpRequest {
    let (to, from) = ("+14155550100".parse().expect("valid"), "+14155550199".parse().expect("valid"));
    let message = TextMessage { to: &to, from: &from, text: "Tom & Jerry ☎", now_ms: now_ms() };
    control.text_message(&message).expect("it sends messages")
}

fn act(control: &dyn CarrierControl, call: &str, action: CallAction<'_>) -> HttpRequest {
    match control.act(call, action, now_ms()) {
        Ok(Way::Request(request)) => request,
        other => panic!("{action:?}: {other:?}"),
    }
}

/// The actions that every platform of these does by a request.
fn common(control: &dyn CarrierControl, call: &str) -> Vec<(&'static str, HttpRequest)> {
    vec![
        ("dial", dial(control)),
        ("text", text(control)),
        ("hang_up", act(control, call, CallAction::HangUp)),
        ("press", act(control, call, CallAction::Press("1#"))),
    ]
}

fn shown(request: &HttpRequest) -> Value {
    let credential = request.headers.iter().find(|header| header.name == "authorization").expect("it is signed in");
    let body: Value =
        if request.body.is_empty() { Value::Null } else { serde_json::from_slice(&request.body).expect("JSON") };
    json!({ "method": request.method.name(), "url": request.url, "body": body, "credential": credential.value.expose() })
}

fn all(requests: &[(&'static str, HttpRequest)]) -> Map<String, Value> {
    requests.iter().map(|(name, request)| ((*name).to_owned(), shown(request))).collect()
}

/// Whatever we say the package says too, in the same words and at the same address. It may say its defaults besides.
fn says_the_same(ours: &Map<String, Value>, official: &Value) {
    assert_eq!(official.as_object().map(Map::len), Some(ours.len()), "{official}");
    for (name, ours) in ours {
        let official = &official[name];
        assert_eq!((&ours["method"], &ours["url"]), (&official["method"], &official["url"]), "{name}");
        for (field, value) in ours["body"].as_object().into_iter().flatten() {
            assert_eq!(&official["body"][field], value, "{name}: {field} of {official}");
        }
    }
}

async fn ask(given: &Value) -> Value {
    crate::twilio_conformance::ask("phone_platforms.py", given).await
}

fn accepted(control: &dyn CarrierControl, hook: &Value) -> bool {
    let headers = hook["headers"].as_object().expect("headers");
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("text"))).collect();
    let body = hook["body"].as_str().expect("text").as_bytes();
    let url = "https://shop.example.com/status";
    let inbound = Inbound { method: "POST", url, headers: &headers, body, received_at_ms: now_ms() };
    matches!(control.authenticate(&inbound), Authenticity::Genuine { .. })
}

fn connect() -> Answer {
    Answer::Connect {
        media_url: "wss://shop.example.com/media".into(),
        token: "t-1".into(),
        next_url: "https://shop.example.com/voice".into(),
    }
}

fn transfer() -> Answer {
    let number = |text: &str| text.parse().expect("a number");
    Answer::Transfer { to: number("+4940555017"), caller_id: Some(number("+4940555018")) }
}

fn incoming(call: &str) -> InboundCall {
    InboundCall {
        carrier_ref: call.into(),
        to: "+4940555018".parse().ok(),
        delivery: Some("e-1".into()),
        ..InboundCall::default()
    }
}

#[tokio::test]
async fn the_official_package_of_vonage_agrees_with_us() {
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("a key");
    let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).expect("written");
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der.as_ref());
    let kind = "PRIVATE KEY";
    let pem = format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n");
    let (id, secret) = ("aaaaaaaa-bbbb-cccc-dddd-0123456789ab", "hunter2hunter2hunter2hunter2hunter2");
    let control = control("vonage", &[("application_id", id), ("private_key", &pem), ("signature_secret", secret)]);
    let ours = all(&common(control.as_ref(), CALL));
    let answers = [connect(), transfer(), Answer::SayAndHangUp { text: "Tom & \"Jerry\"".into() }];
    let answers = answers.map(|answer| {
        let reply = control.answer(&incoming(CALL), &answer);
        serde_json::from_str::<Value>(&reply.body).expect("JSON")
    });
    let hash: String = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, HOOK.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let given = json!({
        "platform": "vonage", "application_id": id, "private_key": pem, "secret": secret, "requests": ours,
        "answers": answers, "hook": HOOK, "hook_sha256": hash,
    });
    let told = ask(&given).await;
    says_the_same(&ours, &told["requests"]);
    assert_eq!(told["tokens"]["ours"], told["tokens"]["official"]);
    assert_eq!(told["answers"], json!(answers));
    assert!(accepted(control.as_ref(), &told["hooks"][0]), "we reject the package's signature");
}

#[tokio::test]
async fn the_official_package_of_telnyx_agrees_with_us() {
    let own =
        [("api_key", "KEY1"), ("public_key", "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="), ("connection_id", "17")];
    let control = control("telnyx", &own);
    let call = "v3:abc";
    let mut requests = common(control.as_ref(), call);
    let to = "+4940555017".parse().expect("valid");
    requests.push(("transfer", act(control.as_ref(), call, CallAction::Transfer { to: &to, caller_id: None })));
    requests.push(("record", act(control.as_ref(), call, CallAction::StartRecording)));
    requests.push(("stop_record", act(control.as_ref(), call, CallAction::StopRecording)));
    let ringing = incoming(call);
    let answered = InboundCall { is_answered: true, ..ringing.clone() };
    let goodbye = Answer::SayAndHangUp { text: "Goodbye".into() };
    for (name, call, answer) in [
        ("answer", &ringing, &connect()),
        ("reject", &ringing, &Answer::Busy),
        ("stream", &answered, &connect()),
        ("speak", &answered, &goodbye),
    ] {
        requests.push((name, control.follow_up(call, answer, now_ms()).swap_remove(0)));
    }
    let ours = all(&requests);
    let base_url = "https://api.telnyx.com/v2";
    let given =
        json!({ "platform": "telnyx", "api_key": "KEY1", "base_url": base_url, "requests": ours, "hook": HOOK });
    let told = ask(&given).await;
    says_the_same(&ours, &told["requests"]);
    assert_eq!(told["public_key"], own[1].1);
    assert!(accepted(control.as_ref(), &told["hooks"][0]), "we reject the package's signature");
}

type Form = Vec<(String, String)>;

/// Requests with everything that has ever broken a signature: repeated names, a query, none, other alphabets.
fn signed_requests() -> Vec<(&'static str, String, Form)> {
    let form = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let shop = |path: &str| format!("https://shop.example.com{path}");
    vec![
        ("POST", shop("/voice?b=2&a=1"), form(&[("CallUUID", CALL), ("From", "1415"), ("B", "y"), ("B", "x")])),
        ("POST", shop("/voice"), form(&[("SpeechResult", "नमस्ते 🚲"), ("Empty", ""), ("x", "a+b=c")])),
        ("POST", shop("/hook"), form(&[])),
        ("GET", shop("/voice?From=1415&CallUUID=u-1"), form(&[])),
    ]
}

#[tokio::test]
async fn the_official_package_of_plivo_agrees_with_us() {
    const TOKEN: &str = "MAXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX";
    const NONCE: &str = "05429567804466091622";
    let id = "MAXXXXXXXXXXXXXXXXXX";
    let control = control("plivo", &[("auth_id", id), ("auth_token", TOKEN)]);
    let mut requests = common(control.as_ref(), CALL);
    requests.push(("record", act(control.as_ref(), CALL, CallAction::StartRecording)));
    requests.push(("stop_record", act(control.as_ref(), CALL, CallAction::StopRecording)));
    let ours = all(&requests);
    let hostile = "Tom & \"Jerry\" <b>";
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let answers = [
        (
            connect(),
            json!({
                "kind": "connect", "media_url": "wss://shop.example.com/media", "content_type": "audio/x-mulaw;rate=8000",
                "extra": format!("token={},call={}", hex("t-1"), hex(CALL)), "next": "https://shop.example.com/voice?resumed=1",
            }),
        ),
        (Answer::SayAndHangUp { text: hostile.into() }, json!({ "kind": "say", "text": hostile })),
        (Answer::HangUp, json!({ "kind": "hangup", "reason": null })),
        (Answer::Busy, json!({ "kind": "hangup", "reason": "busy" })),
        (transfer(), json!({ "kind": "dial", "to": "4940555017", "caller_id": "4940555018" })),
    ];
    let answers = answers.map(|(answer, mut words)| {
        words["document"] = control.answer(&incoming(CALL), &answer).body.into();
        words
    });
    let form_type = ("content-type", "application/x-www-form-urlencoded");
    let inbound = |method: &'static str, url: &str, form: &Form, signature: &str| {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let body = body.finish().into_bytes();
        let headers = [form_type, ("x-plivo-signature-v3", signature), ("x-plivo-signature-v3-nonce", NONCE)];
        let inbound = Inbound { method, url, headers: &headers, body: &body, received_at_ms: 0 };
        let is_genuine = matches!(control.authenticate(&inbound), Authenticity::Genuine { .. });
        (carriers::plivo::sign(TOKEN, &inbound, NONCE), is_genuine)
    };
    let signed: Vec<Value> = signed_requests()
        .iter()
        .map(|(method, url, form)| {
            let signature = inbound(method, url, form, "").0;
            json!({ "method": method, "url": url, "form": form, "nonce": NONCE, "signature": signature })
        })
        .collect();
    let given = json!({
        "platform": "plivo", "auth_id": id, "auth_token": TOKEN, "requests": ours, "answers": answers, "signed": signed,
    });
    let told = ask(&given).await;
    says_the_same(&ours, &told["requests"]);
    for document in told["answers"].as_array().expect("a list") {
        assert_eq!(document["ours"], document["official"]);
    }
    assert_eq!(told["verdicts"], json!([true, true, true, true]), "the package rejects our signature");
    for ((method, url, form), signature) in signed_requests().iter().zip(told["signatures"].as_array().expect("a list"))
    {
        let signature = signature.as_str().expect("text");
        assert!(inbound(method, url, form, signature).1, "{method} {url}: we reject the package's signature");
    }
}
