//! The vendors' official packages accept what the provider twins say, so a codec that works with a twin is not working
//! with a fantasy.

use serde_json::{Value, json};
use sim::twins::openai::{Reply, Rule};
use sim::twins::{deepgram, elevenlabs, gemini_live, openai, openai_speech};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

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

/// Runs a script against a twin and returns the JSON lines it printed. A script for Node.js ends in `.mjs`.
pub(crate) async fn run(script: &str, base_url: &str, key: &str) -> Vec<Value> {
    run_with(script, &[base_url, key]).await
}

/// The same with any arguments.
pub(crate) async fn run_with(script: &str, args: &[&str]) -> Vec<Value> {
    let packages = root().join(".frontdesk/conformance/node");
    let program = if script.ends_with(".mjs") {
        let why = "it holds the vendors' official packages, and `cargo xtask test` installs it";
        assert!(packages.join("node_modules").exists(), "{} is missing: {why}", packages.display());
        PathBuf::from("node")
    } else {
        python()
    };
    let child = Command::new(program)
        .arg(root().join("fixtures/conformance").join(script))
        .args(args)
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("FRONTDESK_CONFORMANCE_NODE", &packages)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(90), child).await.expect("it ends").expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{script} failed ({}):\n{stderr}\nafter\n{lines}", output.status);
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_recognition_client_hears_the_script() {
    let twin = deepgram::start(deepgram::Behaviour::script(["Where is my order?", "Order four two."]));
    let twin = twin.await.expect("a free port");
    let lines = run("deepgram_listen.py", &twin.base_url, &twin.key).await;
    let finals: Vec<&Value> = lines.iter().filter(|line| line["is_final"] == true).collect();
    let expected = |text: &str, words: u64, speech_final: bool| {
        json!({"type": "Results", "transcript": text, "words": words, "is_final": true,
            "speech_final": speech_final, "from_finalize": !speech_final})
    };
    assert_eq!(finals, [&expected("Where is my order?", 4, true), &expected("Order four two.", 3, false)]);
    let count = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((count("SpeechStarted"), count("UtteranceEnd"), count("Metadata")), (2, 1, 1), "{lines:?}");
    assert!(lines.iter().any(|line| line["is_final"] == false && line["transcript"] == "Where"), "{lines:?}");
    assert_eq!(lines.last(), Some(&json!({"type": "refused", "status": 401})));
    let told =
        |word: &str| twin.record.lines().iter().filter(|line| line.starts_with("text") && line.contains(word)).count();
    assert_eq!((told("KeepAlive"), told("Finalize"), told("CloseStream")), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_chat_client_streams_text_and_tools() {
    let behaviour = openai::Behaviour {
        rules: vec![
            Rule::on_user("where is order", Reply::calls("order_status", json!({"order": "A1 — é"}))),
            Rule::on_tool("order_status", Reply::says("Your order was {result}.")),
        ],
        otherwise: Reply::says("Hello to you."),
        ..openai::Behaviour::default()
    };
    let twin = openai::start(behaviour).await.expect("a free port");
    let lines = run("openai_chat.py", &twin.base_url, &twin.key).await;
    assert_eq!(
        lines,
        [
            json!({"finish": "tool_calls", "tool": "order_status", "args": {"order": "A1 — é"}, "usage": true}),
            json!({"text": "Your order was shipped on Monday.", "pieces": 6}),
            json!({"whole": "Hello to you.", "models": ["twin"]}),
            json!({"vectors": 3, "width": 64, "alike": true}),
            json!({"refused": "key", "as": "AuthenticationError", "status": 401}),
            json!({"refused": "order", "as": "BadRequestError", "status": 400}),
            json!({"refused": "empty", "as": "BadRequestError", "status": 400}),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_synthesis_client_gets_all_audio() {
    let twin = elevenlabs::start(elevenlabs::Behaviour::default()).await.expect("a free port");
    let lines = run("elevenlabs_speak.py", &twin.base_url, &twin.key).await;
    // 60 ms per character: 5 of them at 8000 Hz, then 13 + 13 at 16000 Hz.
    let streamed = 26 * 960;
    assert_eq!(
        lines,
        [
            json!({"plain_ulaw_bytes": 5 * 480}),
            json!({"timed_samples": 12 * 480, "words": [0, 6 * 60]}),
            json!({"voices": 120, "cloned": "cloned-00"}),
            json!({"streamed_samples": streamed}),
            json!({"refused": 401}),
        ]
    );
    assert_eq!(twin.record.count("closed"), 1);
    assert!(!twin.record.lines().join("\n").contains(&twin.key), "the record holds no key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_messages_with_contexts_are_spoken_side_by_side() {
    let twin = elevenlabs::start(elevenlabs::Behaviour::default()).await.expect("a free port");
    let lines = run("elevenlabs_multi_speak.py", &twin.base_url, &twin.key).await;
    // 60 ms per character at 16000 Hz.
    assert_eq!(
        lines,
        [
            json!({"samples": {"a": 13 * 960, "b": 13 * 960}, "timed": {"a": "Hello there. ", "b": "How are you? "},
                "over": ["a", "b"]}),
            json!({"closed": 1000}),
            json!({"refused": 401}),
        ]
    );
    assert!(!twin.record.lines().join("\n").contains(&twin.key), "the record holds no key");
}

const CALLER: [&str; 2] = ["Where is my order?", "When are you open?"];

fn shop_rules() -> Vec<Rule> {
    vec![
        Rule::on_user("order", Reply::calls("order_status", json!({"order": "A1"}))),
        Rule::on_tool("order_status", Reply::says("It was {result}.")),
        Rule::on_user("open", Reply::says("From nine to five.")),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_realtime_client_converses_by_voice() {
    let script = CALLER.map(str::to_owned).to_vec();
    let behaviour = openai_speech::Behaviour { script, rules: shop_rules(), first_word_ms: 200, ..Default::default() };
    let twin = openai_speech::start(behaviour).await.expect("a free port");
    let lines = run("openai_realtime_speak.py", &twin.base_url, &twin.key).await;
    let said = "It was shipped on Monday.";
    assert_eq!(
        lines,
        [
            json!({"types": ["session.created", "session.updated"], "session": "realtime"}),
            json!({"heard": CALLER[0], "tool": "order_status", "args": {"order": "A1"}}),
            json!({"said": said, "audio_ms": said.len() * 60, "status": "completed", "usage": true}),
            json!({"too_late": "invalid_value"}),
            json!({"heard": CALLER[1], "status": "cancelled", "reason": "client_cancelled",
                "again": "response_cancel_not_active"}),
            json!({"refused": 401}),
        ]
    );
    assert!(twin.record.lines().contains(&"truncate 300 It wa".to_owned()), "{:?}", twin.record.lines());
    assert!(!twin.record.lines().join("\n").contains(&twin.key), "the record holds no key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_live_client_converses_by_voice_and_goes_on_over_another_connection() {
    let script = CALLER.map(str::to_owned).to_vec();
    let behaviour = gemini_live::Behaviour { script, rules: shop_rules(), leaves_after: Some(1), ..Default::default() };
    let twin = gemini_live::start(behaviour).await.expect("a free port");
    let lines = run("gemini_live_converse.mjs", &twin.base_url, &twin.key).await;
    let said = "It was shipped on Monday.";
    assert_eq!(
        lines,
        [
            json!({"heard": CALLER[0], "tool": "order_status", "args": {"order": "A1"}}),
            json!({"said": said, "audio_ms": said.len() * 60, "type": "audio/pcm;rate=24000", "usage": true}),
            json!({"leaves": true, "resumable": true, "closed": 1011}),
            json!({"heard": CALLER[1], "said": "From nine to five."}),
            json!({"refused": 1007}),
            json!({"refused": 1007}),
        ]
    );
    assert!(!twin.record.lines().join("\n").contains(&twin.key), "the record holds no key");
}
