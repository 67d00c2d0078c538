//! The vendors' official packages for speech accept what the twins of voices say.

use super::conformance::{run, run_with};
use serde_json::json;
use sim::twins::Twin;
use sim::twins::voice::Behaviour;
use sim::twins::{azure_tts, cartesia_tts, deepgram_tts, openai_tts, sarvam_tts};

fn keeps_no_key(twin: &Twin) {
    assert!(!twin.record.lines().join("\n").contains(&twin.key), "the record holds no key");
}

/// Samples of so many characters of the built-in voice: 60 ms each.
fn samples(chars: u32, rate_hz: u32) -> u32 {
    chars * rate_hz * 60 / 1_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_hears_each_flushed_sentence() {
    let twin = deepgram_tts::start(Behaviour::default()).await.expect("a free port");
    let lines = run("deepgram_speak.py", &twin.base_url, &twin.key).await;
    assert_eq!(
        lines,
        [
            json!({"type": "Metadata"}),
            json!({"samples": samples(12, 16_000)}),
            json!({"samples": samples(12, 16_000)}),
            json!({"type": "Cleared"}),
            json!({"refused": 401}),
        ]
    );
    keeps_no_key(&twin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_hears_a_context_lists_voices_and_clones_one() {
    let twin = cartesia_tts::start(Behaviour::default()).await.expect("a free port");
    let lines = run("cartesia_speak.py", &twin.base_url, &twin.key).await;
    let words = json!([["Hello", 0], ["there.", 360], ["How", 720], ["are", 960], ["you?", 1_200]]);
    assert_eq!(
        lines,
        [
            json!({"samples": samples(24, 16_000), "flushes": 2, "words": words}),
            json!({"voices": 120}),
            json!({"cloned": "cloned-00", "name": "Ada"}),
            json!({"refused": 401}),
        ]
    );
    keeps_no_key(&twin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_hears_sentences_and_their_ends() {
    let twin = sarvam_tts::start(Behaviour::default()).await.expect("a free port");
    let lines = run("sarvam_speak.py", &twin.base_url, &twin.key).await;
    let sentence = json!({"samples": samples(12, 16_000), "end": "final"});
    assert_eq!(lines, [sentence.clone(), sentence, json!({"refused": 403})]);
    keeps_no_key(&twin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_hears_speech_over_http() {
    let behaviour = Behaviour { unknown_voices: vec!["nobody".to_owned()], ..Behaviour::default() };
    let twin = openai_tts::start(behaviour).await.expect("a free port");
    let lines = run("openai_speak.py", &twin.base_url, &twin.key).await;
    assert_eq!(
        lines,
        [
            json!({"samples": samples(12, 24_000)}),
            json!({"refused": "key", "as": "AuthenticationError", "status": 401}),
            json!({"refused": "voice", "as": "BadRequestError", "status": 400}),
            json!({"refused": "empty", "as": "BadRequestError", "status": 400}),
        ]
    );
    keeps_no_key(&twin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_client_hears_markup_and_when_its_words_begin() {
    let twin = azure_tts::start(Behaviour::default()).await.expect("a free port");
    let lines = run_with("azure_speak.mjs", &[&twin.base_url, &twin.key]).await;
    let done = "SynthesizingAudioCompleted";
    assert_eq!(
        lines,
        [
            json!({"reason": done, "bytes": samples(12, 8_000), "words": [["Hello", 0], ["there", 360]]}),
            json!({"reason": done, "bytes": samples(6, 8_000), "words": [["R", 0], ["D", 240]]}),
            json!({"reason": "Canceled", "refused": true}),
        ]
    );
    keeps_no_key(&twin);
}
