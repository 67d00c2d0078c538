//! The vendors' official packages for recognition accept what the twins say.

use super::conformance::{run, run_with};
use serde_json::json;
use sim::twins::Twin;
use sim::twins::recogniser::Behaviour;
use sim::twins::{assemblyai, azure_stt, deepgram_flux, elevenlabs_stt, openai_realtime, sarvam_stt, transcription};

const LINES: [&str; 3] = ["Where is my order?", "Order four two.", "Thank you."];

fn behaviour() -> Behaviour {
    Behaviour::script(LINES)
}

fn keeps_no_key(twin: &Twin) {
    assert!(!twin.record.lines().join("\n").contains(&twin.key), "the record holds no key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_takes_turns_eagerly_and_by_force() {
    let twin = deepgram_flux::start(behaviour()).await.expect("a free port");
    let lines = run("deepgram_flux_listen.py", &twin.base_url, &twin.key).await;
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).filter(|e| *e != "Update").collect();
    assert_eq!(
        events,
        [
            "Connected",
            "StartOfTurn",
            "EagerEndOfTurn",
            "TurnResumed",
            "EagerEndOfTurn",
            "EndOfTurn",
            "StartOfTurn",
            "EndOfTurn",
            "refused"
        ]
    );
    let ends: Vec<_> = lines.iter().filter(|line| line["event"] == "EndOfTurn").collect();
    assert_eq!(ends[0], &json!({"event": "EndOfTurn", "transcript": LINES[0], "trigger": "model", "words": 4}));
    assert_eq!(ends[1], &json!({"event": "EndOfTurn", "transcript": LINES[1], "trigger": "manual", "words": 3}));
    assert_eq!(lines.last(), Some(&json!({"event": "refused", "status": 401})));
    keeps_no_key(&twin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_gets_turns_unformatted_and_formatted() {
    let twin = assemblyai::start(behaviour()).await.expect("a free port");
    let lines = run("assemblyai_listen.py", &twin.base_url, &twin.key).await;
    assert_eq!(
        lines[..6],
        [
            json!({"begin": true}),
            json!({"transcript": "where is my order", "formatted": false, "words": 4}),
            json!({"transcript": LINES[0], "formatted": true, "words": 4}),
            json!({"transcript": "order four two", "formatted": false, "words": 3}),
            json!({"transcript": LINES[1], "formatted": true, "words": 3}),
            json!({"seconds": 2}),
        ]
    );
    assert_eq!(lines.len(), 7, "{lines:?}");
    assert_eq!(lines[6]["code"], 401, "{lines:?}");
    assert!(twin.record.lines().iter().any(|line| line.contains("ForceEndpoint")));
    keeps_no_key(&twin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_ends_turns_itself_or_leaves_it_to_the_service() {
    let twin = sarvam_stt::start(behaviour()).await.expect("a free port");
    let lines = run("sarvam_listen.py", &twin.base_url, &twin.key).await;
    let last = json!({"event": "transcript.final", "text": LINES[0], "partials": true});
    assert_eq!(
        lines,
        [
            json!({"event": "session.begin"}),
            json!({"event": "vad.speech_start"}),
            json!({"event": "vad.speech_end"}),
            last.clone(),
            json!({"event": "session.end", "seconds": 1.4}),
            json!({"event": "session.begin"}),
            last,
            json!({"event": "pong"}),
            json!({"event": "refused", "status": 403}),
        ]
    );
    keeps_no_key(&twin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_commits_what_it_streams() {
    let twin = elevenlabs_stt::start(behaviour()).await.expect("a free port");
    let lines = run("elevenlabs_listen.py", &twin.base_url, &twin.key).await;
    assert_eq!(
        lines,
        [json!({"session": true}), json!({"committed": LINES[0], "partials": true}), json!({"refused": 401})]
    );
    keeps_no_key(&twin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_transcribes_live() {
    let twin = openai_realtime::start(behaviour()).await.expect("a free port");
    let lines = run("openai_realtime_listen.py", &twin.base_url, &twin.key).await;
    assert_eq!(
        lines,
        [
            json!({"type": "session.created"}),
            json!({"type": "session.updated"}),
            json!({"type": "input_audio_buffer.committed"}),
            json!({"type": "conversation.item.added"}),
            json!({"type": "conversation.item.input_audio_transcription.completed", "transcript": LINES[0],
                "deltas": LINES[0], "seconds": 0.6}),
            json!({"error": "input_audio_buffer_commit_empty"}),
            json!({"refused": 401}),
        ]
    );
    keeps_no_key(&twin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_in_node_recognises_continuously() {
    let twin = azure_stt::start(behaviour()).await.expect("a free port");
    let lines = run("azure_listen.mjs", &twin.base_url, &twin.key).await;
    assert_eq!(
        lines,
        [
            json!({"event": "start"}),
            json!({"recognized": LINES[0], "partials": true}),
            json!({"event": "start"}),
            json!({"recognized": LINES[1], "partials": true}),
            json!({"canceled": "EndOfStream"}),
            json!({"refused": "401"}),
        ]
    );
    keeps_no_key(&twin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_clients_have_whole_utterances_transcribed() {
    use transcription::Dialect;
    let second = |text: &str, key: &str, value: f64| json!({"text": text, key: value});
    for (dialect, package, quiet) in [
        (Dialect::Plain, "openai", second("", "seconds", 0.8)),
        (Dialect::Groq, "groq", second("Thank you.", "no_speech", 0.95)),
    ] {
        let twin = transcription::start(dialect, behaviour()).await.expect("a free port");
        let lines = run_with("transcribe.py", &[&twin.base_url, &twin.key, package]).await;
        assert_eq!(
            lines,
            [
                json!({"text": LINES[0]}),
                quiet,
                json!({"refused": "key", "as": "AuthenticationError", "status": 401}),
                json!({"refused": "sound", "as": "BadRequestError", "status": 400}),
            ]
        );
        keeps_no_key(&twin);
    }
}
