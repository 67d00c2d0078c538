//! aiortc, an implementation of its own, as the browser: it offers, connects, speaks, and hears itself.

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post};
use base::wire::Wire;
use serde_json::{Value, json};
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use webrtc::{Gateway, Line, Received, Settings};

const RATE_HZ: u32 = 16_000;

/// Says back what it hears. A key is answered with a mark behind one second of tone, and `clear` where the page interrupts.
async fn echo(mut line: Line) {
    while let Some(received) = poll_fn(|cx| line.poll_recv(cx)).await {
        let answers = match received {
            Received::Audio(bytes) => vec![Wire::Binary(bytes)],
            Received::Text(text) if text.contains("dtmf") => {
                let tone = crate::peer::rising_tone(1_000);
                let bytes = tone.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                vec![Wire::Text(told(&text)), Wire::Binary(bytes), Wire::Text(r#"{"type":"mark","id":1}"#.into())]
            }
            Received::Text(text) if text.contains("interrupt") => {
                vec![Wire::Text(r#"{"type":"clear"}"#.into()), Wire::Text(told(&text))]
            }
            Received::Text(text) if text.contains(r#""end""#) => vec![Wire::Close(1000, "over".into())],
            Received::Text(text) => vec![Wire::Text(told(&text))],
        };
        for answer in answers {
            if !poll_fn(|cx| line.poll_ready(cx)).await || !line.start_send(answer) {
                return;
            }
        }
    }
}

fn told(text: &str) -> String {
    json!({"type": "live", "heard": serde_json::from_str::<Value>(text).unwrap()}).to_string()
}

async fn open(State(gateway): State<Gateway>, offer: String) -> Response {
    let opened = gateway.open("judge", &offer).await.unwrap();
    tokio::spawn(echo(opened.line));
    let headers = [(header::LOCATION, format!("/{}", opened.id)), (header::ETAG, format!("\"{}\"", opened.etag))];
    (StatusCode::CREATED, headers, opened.answer).into_response()
}

async fn trickle(
    State(gateway): State<Gateway>,
    UrlPath(id): UrlPath<Uuid>,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    let etag = headers[header::IF_MATCH].to_str().unwrap().trim_matches('"').to_owned();
    gateway.trickle("judge", id, &etag, &body).await.unwrap();
    StatusCode::NO_CONTENT
}

async fn close(State(gateway): State<Gateway>, UrlPath(id): UrlPath<Uuid>) -> StatusCode {
    gateway.close("judge", id);
    StatusCode::NO_CONTENT
}

async fn serve() -> String {
    let settings = Settings {
        listen: "0.0.0.0:0".parse().unwrap(),
        public_addresses: Vec::new(),
        ice_servers: Vec::new(),
        sessions_max: 8,
    };
    let gateway = Gateway::bind(settings, CancellationToken::new()).await.unwrap();
    let router = Router::new().route("/", post(open)).route("/{id}", patch(trickle).delete(close)).with_state(gateway);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Two seconds of tone and one of silence, over and over.
fn microphone(folder: &Path) -> PathBuf {
    let path = folder.join("microphone.wav");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for _ in 0..4 {
        for sample in crate::peer::rising_tone(2_000) {
            writer.write_sample(sample).unwrap();
        }
        for _ in 0..RATE_HZ {
            writer.write_sample(0_i16).unwrap();
        }
    }
    writer.finalize().unwrap();
    path
}

async fn judge(say: Value, seconds: u32) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let named = std::env::var_os("FRONTDESK_CONFORMANCE_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| root.join(".frontdesk/conformance/bin/python"));
    assert!(python.exists(), "{} is missing: `cargo xtask test` installs it", python.display());
    let folder = tempfile::tempdir().unwrap();
    let task = json!({"wav": microphone(folder.path()), "say": say, "seconds": seconds});
    let mut child = tokio::process::Command::new(python)
        .arg(root.join("fixtures/conformance/webrtc_line.py"))
        .arg(serve().await)
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(task.to_string().as_bytes()).await.unwrap();
    let output = tokio::time::timeout(Duration::from_secs(120), child.wait_with_output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(text.trim()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aiortc_connects_speaks_and_hears_itself() {
    let start = json!({"type": "start", "agent": "shop", "token": null});
    let dtmf = json!({"type": "dtmf", "digit": "5"});
    let seen = judge(json!([start, dtmf]), 6).await;
    assert_eq!((&seen["status"], &seen["trickled"], &seen["deleted"]), (&json!(201), &json!(204), &json!(204)));
    let texts: Vec<&str> = seen["texts"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    // The other end of the line repeats all that it reads: the third is the mark, which the gateway answered for the peer.
    let types: Vec<_> = texts.iter().map(|text| serde_json::from_str::<Value>(text).unwrap()["type"].clone()).collect();
    assert_eq!(types, ["live", "live", "live"], "marks stay with the server: {seen}");
    assert_eq!(serde_json::from_str::<Value>(texts[1]).unwrap()["heard"], dtmf);
    assert!(seen["loud_ms"].as_u64().unwrap() > 2_000, "a second of tone and its own: {seen}");
    assert!(seen["frames"].as_u64().unwrap() > 200, "silence is sent, too: {seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aiortc_is_told_why_its_line_is_closed() {
    let seen = judge(json!([{"type": "start"}, {"type": "end"}]), 10).await;
    let last = seen["texts"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned();
    assert_eq!(
        serde_json::from_str::<Value>(&last).unwrap(),
        json!({"type": "closed", "code": 1000, "reason": "over"})
    );
}
