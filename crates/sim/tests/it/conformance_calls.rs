//! The vendors' official packages accept what the twins of gRPC, of signed sockets and of signed requests say.

use super::conformance::{run, run_with};
use serde_json::{Value, json};
use sim::twins::{aws, google};

const LINES: [&str; 4] = ["Where is my order?", "Order four two.", "Thank you.", "Good-bye then."];

fn finals(lines: &[Value], key: &str) -> Vec<Value> {
    lines.iter().filter(|line| line["text"].is_string() && line[key] == (key == "final")).cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_packages_hear_and_speak_over_calls() {
    // Over a plain channel the packages send no credential.
    let script = LINES.map(str::to_owned).to_vec();
    let behaviour = google::Behaviour { key: String::new(), script, ..google::Behaviour::default() };
    let twin = google::Twin::start(behaviour).await.expect("a free port");
    let lines = run_with("google_speech.py", &[&twin.address]).await;
    let heard = |version: u8, text: &str| json!({"version": version, "text": text, "final": true});
    assert_eq!(
        finals(&lines, "final"),
        [heard(1, LINES[0]), heard(1, LINES[1]), heard(2, LINES[2]), heard(2, LINES[3])]
    );
    assert!(lines.iter().any(|line| line["final"] == false), "{lines:?}");
    // 60 ms per character at 8000 Hz, two bytes each; µ-law takes one.
    let rest = [
        json!({"streamed_bytes": (6 + 8) * 960}),
        json!({"whole_bytes": 6 * 480}),
        json!({"refused": "InvalidArgument"}),
    ];
    assert_eq!(lines[lines.len() - 3..], rest);
    assert_eq!(twin.record.count("half-close"), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_package_signs_requests_for_speech() {
    let twin = aws::start(aws::Behaviour::default()).await.expect("a free port");
    let lines = run("aws_polly.py", &twin.base_url, &twin.key).await;
    assert_eq!(
        lines,
        [
            json!({"bytes": 12 * 960, "billed": 12}),
            json!({"bytes": 12 * 480, "billed": 12}),
            json!({"refused": "InvalidSignatureException", "status": 403}),
            json!({"refused": "InvalidSampleRateException", "status": 400}),
        ]
    );
    assert!(!twin.record.lines().join("\n").contains(&twin.key), "the record holds no key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_package_signs_a_socket_and_reads_its_events() {
    let script = LINES.map(str::to_owned).to_vec();
    let behaviour = aws::Behaviour { script, ..aws::Behaviour::default() };
    let twin = aws::start(behaviour).await.expect("a free port");
    let lines = run("aws_transcribe.mjs", &twin.base_url, &twin.key).await;
    let texts: Vec<Value> = finals(&lines, "partial").iter().map(|line| line["text"].clone()).collect();
    assert_eq!(texts, [LINES[0], LINES[1]]);
    assert!(lines.last().is_some_and(|line| line["refused"].is_string()), "{lines:?}");
}
