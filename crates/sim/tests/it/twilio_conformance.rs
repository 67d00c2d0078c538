//! The official Python package accepts what we sign and say, signs what we accept, and drives the twin's REST API.

use base::{CallId, Millis};
use carriers::protocol::{
    Answer, Authenticity, CallAction, CarrierControl as _, DialAttempt, Inbound, InboundCall, Way,
};
use carriers::twilio::{RelayOptions, SharedKey, TwilioControl, TwilioOptions};
use serde_json::{Value, json};
use sim::twins::twilio::{Callee, RestFault, TwilioTwin, TwinOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const SHARED_KEY_ID: &str = "webhooks_sharedkey_1";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn python() -> PathBuf {
    let named = std::env::var_os("FRONTDESK_CONFORMANCE_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| root().join(".frontdesk/conformance/bin/python"));
    assert!(
        python.exists(),
        "{} is missing: it holds the vendors' official packages, and `cargo xtask test` installs it",
        python.display()
    );
    python
}

/// Gives a script of the official packages one JSON object and takes one back.
pub(crate) async fn ask(script: &str, given: &Value) -> Value {
    let mut child = Command::new(python())
        .arg(root().join("fixtures/conformance").join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(given.to_string().as_bytes()).await.expect("python reads");
    drop(stdin);
    let output = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await;
    let output = output.expect("python ends in time").expect("python runs");
    assert!(output.status.success(), "the official package failed; its message is above");
    serde_json::from_slice(&output.stdout).expect("python answers in JSON")
}

/// Requests with everything that has ever broken a signature: repeated names, blanks, other alphabets, ports.
fn requests() -> Vec<(String, Vec<(String, String)>)> {
    let form = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    vec![
        ("https://shop.example.com/carriers/twilio/voice".to_owned(), form(&[("CallSid", "CA1"), ("From", "+1415")])),
        (
            "https://shop.example.com:8443/voice?a=1&b=%20x".to_owned(),
            form(&[("B", "z"), ("A", "2"), ("A", "1"), ("A", "2")]),
        ),
        (
            "http://127.0.0.1:7000/status?call=7".to_owned(),
            form(&[("FromCity", "SÃO PAULO & CO"), ("Empty", ""), ("x", "a+b=c")]),
        ),
        ("https://shop.example.com/emoji".to_owned(), form(&[("SpeechResult", "नमस्ते 🚲"), ("a", "1"), ("Z", "2")])),
        ("wss://shop.example.com/carriers/twilio/media".to_owned(), form(&[])),
    ]
}

fn options(algorithm: &str) -> TwinOptions {
    let mut options = TwinOptions::new(ACCOUNT, TOKEN);
    options.shared_key = (algorithm == "HMAC_SHA256").then(|| (SHARED_KEY_ID.to_owned(), TOKEN.into()));
    options
}

fn control(api_base: &str) -> TwilioControl {
    let mut options = TwilioOptions::new(ACCOUNT, TOKEN);
    options.shared_keys = vec![SharedKey { id: SHARED_KEY_ID.into(), secret: TOKEN.into() }];
    options.api_base = api_base.to_owned();
    TwilioControl::new(options)
}

fn answers() -> Vec<(Answer, Value)> {
    let number = |text: &str| text.parse().expect("a number");
    let hostile = r#"Tom & "Jerry" <b>'s</b> ]]> 🚲"#;
    vec![
        (
            Answer::Connect {
                media_url: "wss://shop.example.com/media".into(),
                token: "a&b<c>\"d\"".into(),
                next_url: "https://shop.example.com/next?call=1&leg=2".into(),
            },
            json!({"kind": "connect", "media_url": "wss://shop.example.com/media", "token": "a&b<c>\"d\"",
                   "action": "https://shop.example.com/next?call=1&leg=2&resumed=1"}),
        ),
        (Answer::Busy, json!({"kind": "reject", "reason": "busy"})),
        (Answer::Reject, json!({"kind": "reject", "reason": "rejected"})),
        (Answer::SayAndHangUp { text: hostile.into() }, json!({"kind": "say", "text": hostile})),
        (Answer::HangUp, json!({"kind": "hangup"})),
        (
            Answer::Transfer { to: number("+4940555017"), caller_id: Some(number("+4940555018")) },
            json!({"kind": "transfer", "to": "+4940555017", "caller_id": "+4940555018"}),
        ),
    ]
}

/// The answers that bring words instead of audio, and how each asks for them.
fn relay_answers() -> Vec<(RelayOptions, Answer, Value)> {
    let all = RelayOptions {
        language: "de-DE".into(),
        voice: Some("a&b-Neural2".into()),
        tts_provider: Some("Google".into()),
        transcription_provider: Some("Deepgram".into()),
        interruptible: "speech",
        detects_keys: false,
    };
    let connect = |options: RelayOptions| {
        let (media_url, token) = ("wss://shop.example.com/media", "a&b<c>\"d\"");
        let words = json!({
            "kind": "relay", "media_url": media_url, "token": token, "language": options.language,
            "voice": options.voice, "tts_provider": options.tts_provider,
            "transcription_provider": options.transcription_provider, "interruptible": options.interruptible,
            "dtmf_detection": options.detects_keys, "action": "https://shop.example.com/next?call=1&resumed=1",
        });
        let next_url = "https://shop.example.com/next?call=1".into();
        (options, Answer::Connect { media_url: media_url.into(), token: token.into(), next_url }, words)
    };
    vec![connect(RelayOptions::default()), connect(all)]
}

fn documents(api_base: &str) -> Vec<Value> {
    let audio = answers().into_iter().map(|(answer, words)| (None, answer, words));
    let relayed = relay_answers().into_iter().map(|(options, answer, words)| (Some(options), answer, words));
    let document = |(relay, answer, mut words): (Option<RelayOptions>, Answer, Value)| {
        let mut options = TwilioOptions::new(ACCOUNT, TOKEN);
        (options.relay, options.api_base) = (relay, api_base.to_owned());
        let control = TwilioControl::new(options);
        words["document"] = control.answer(&InboundCall::default(), &answer).body.into();
        words
    };
    audio.chain(relayed).map(document).collect()
}

fn accepted(control: &TwilioControl, url: &str, form: &[(String, String)], headers: &[(&str, &str)]) -> bool {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(form);
    let mut headers = headers.to_vec();
    headers.push(("content-type", "application/x-www-form-urlencoded"));
    let body = body.finish().into_bytes();
    let inbound = Inbound { method: "POST", url, headers: &headers, body: &body, received_at_ms: 0 };
    matches!(control.authenticate(&inbound), Authenticity::Genuine { .. })
}

#[tokio::test]
async fn the_official_package_agrees_with_us() {
    let twin = TwilioTwin::start(TwinOptions::new(ACCOUNT, TOKEN)).await.expect("the twin starts");
    let attempt = DialAttempt {
        call: CallId::generate(),
        to: "+14155550100".parse().expect("valid"),
        from: "+14155550199".parse().expect("valid"),
        answer_url: "http://127.0.0.1:1/voice?call=1".into(),
        status_url: "http://127.0.0.1:1/status?call=1".into(),
        media_url: "ws://127.0.0.1:1/media".into(),
        token: "t-1".into(),
        ring: Millis(25_000),
        now_ms: 0,
    };
    twin.fail_next([RestFault::RateLimited]);
    twin.next_callees([Callee::Answers(Duration::from_secs(60))]);
    let cases: Vec<_> = ["HMAC_SHA1", "HMAC_SHA256"]
        .iter()
        .flat_map(|how| requests().into_iter().map(move |case| (*how, case)))
        .collect();
    let signed_by_us = cases.iter().map(|(algorithm, (url, form))| {
        let signature = options(algorithm).signature_headers(url, form).swap_remove(0).1;
        json!({"url": url, "form": form, "algorithm": algorithm, "signature": signature})
    });
    let control = control(&twin.api_base());
    let given = json!({
        "token": TOKEN, "account_sid": ACCOUNT, "api_base": twin.api_base(),
        "signed_by_us": signed_by_us.collect::<Vec<_>>(),
        "to_sign": cases.iter().map(|(algorithm, (url, form))| json!({"url": url, "form": form, "algorithm": algorithm}))
            .collect::<Vec<_>>(),
        "answers": documents(&twin.api_base()),
        "dial": {"to": attempt.to.expose(), "from": attempt.from.expose(), "url": attempt.answer_url,
                 "status_url": attempt.status_url, "timeout": 25},
    });
    let told = ask("twilio_conformance.py", &given).await;

    for ((algorithm, (url, form)), (verdict, signature)) in cases
        .iter()
        .zip(told["verdicts"].as_array().into_iter().flatten().zip(told["signatures"].as_array().into_iter().flatten()))
    {
        assert_eq!(verdict, true, "{algorithm} {url}: the package rejects our signature");
        let settings = format!("key={SHARED_KEY_ID},algorithm={algorithm}");
        let signature = signature.as_str().expect("text");
        let headers = [("x-twilio-signature", signature), ("x-twilio-webhooks-signature-settings", settings.as_str())];
        assert!(accepted(&control, url, form, &headers), "{algorithm} {url}: we reject the package's signature");
        let mut forged = form.clone();
        forged.push(("Extra".to_owned(), "1".to_owned()));
        assert!(!accepted(&control, url, &forged, &headers), "{algorithm} {url}: a field was added");
    }
    assert_eq!(told["verdicts"].as_array().map(Vec::len), Some(cases.len()));
    assert_eq!(told["signatures"].as_array().map(Vec::len), Some(cases.len()));

    let documents = told["twiml"].as_array().expect("a list");
    assert_eq!(documents.len(), answers().len() + relay_answers().len());
    for pair in documents {
        assert_eq!(pair["ours"], pair["official"]);
    }
    rest_api(&twin, &control, &attempt, &told["rest"]);
}

fn rest_api(twin: &TwilioTwin, control: &TwilioControl, attempt: &DialAttempt, told: &Value) {
    assert_eq!(told["rate_limited"], json!({"status": 429, "code": 20429}));
    assert_eq!(told["bad_number"], json!({"status": 400, "code": 21211}));
    assert_eq!(told["bad_token"], json!({"status": 401, "code": 20003}));
    assert_eq!(told["unknown"], json!({"status": 404, "code": 20404}));
    assert_eq!(told["created"]["status"], "queued");
    assert_eq!(told["created"]["sid"], told["completed"]);

    // What the package sends to place a call is what we send, field by field.
    let sorted = |mut form: Vec<(String, String)>| {
        form.sort();
        form
    };
    let requests = twin.requests();
    let official = requests.iter().find(|request| request.authorized).expect("it was created");
    let ours = control.dial(attempt).expect("it can dial");
    assert_eq!(sorted(form_urlencoded::parse(&ours.body).into_owned().collect()), sorted(official.form.clone()));
    assert!(ours.url.ends_with(&official.path));
    let completed = told["completed"].as_str().expect("text");
    let Ok(Way::Request(hang_up)) = control.act(completed, CallAction::HangUp, 0) else { panic!("a request ends it") };
    let official = requests.iter().find(|request| request.path.contains("/Calls/")).expect("it was completed");
    assert!(hang_up.url.ends_with(&official.path));
    let ours: Vec<(String, String)> = form_urlencoded::parse(&hang_up.body).into_owned().collect();
    assert_eq!(ours, official.form);
}
