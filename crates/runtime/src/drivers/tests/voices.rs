//! Every voice, by its codec and our driver, against the twin of its vendor.

use super::{egress, gone, next, tasks};
use crate::drivers::{MakeTts, StreamTts};
use crate::service::{TtsCommand, TtsService, TtsSession};
use base::ErrorClass;
use providers::ProviderOptions;
use providers::tts::{TtsEvent, TtsOpen};
use sim::twins::voice::{Behaviour, CHAR_MS};
use sim::twins::{Fault, Faults, Moment, azure_tts, cartesia_tts, deepgram_tts, elevenlabs, openai_tts, sarvam_tts};
use std::sync::Arc;

/// One voice and the twin that serves it.
struct Speaker {
    name: &'static str,
    base_url: String,
    key: String,
    faults: Faults,
    /// Characters beyond the text that the vendor speaks after each sentence.
    extra_chars: u64,
    /// Whether it tells when words begin.
    tells_words: bool,
    /// Whether its first sentence is all out before the second is asked for.
    _twin: Box<dyn std::any::Any>,
}

async fn speakers() -> Vec<Speaker> {
    let mut all = Vec::new();
    for name in ["elevenlabs", "elevenlabs_multi", "elevenlabs_http"] {
        let twin = elevenlabs::start(Behaviour::default()).await.expect("a free port");
        all.push(Speaker {
            name,
            base_url: twin.base_url.clone(),
            key: twin.key.clone(),
            faults: twin.faults.clone(),
            extra_chars: u64::from(name != "elevenlabs_http"),
            tells_words: true,
            _twin: Box::new(twin),
        });
    }
    let started = [
        ("cartesia", "", true, cartesia_tts::start(Behaviour::default()).await),
        ("deepgram", "", false, deepgram_tts::start(Behaviour::default()).await),
        ("azure", "", true, azure_tts::start(Behaviour::default()).await),
        ("openai", "/v1", false, openai_tts::start(Behaviour::default()).await),
        ("sarvam", "", false, sarvam_tts::start(Behaviour::default()).await),
    ];
    for (name, below, tells_words, twin) in started {
        let twin = twin.expect("a free port");
        all.push(Speaker {
            name,
            base_url: format!("{}{below}", twin.base_url),
            key: twin.key.clone(),
            faults: twin.faults.clone(),
            extra_chars: 0,
            tells_words,
            _twin: Box::new(twin),
        });
    }
    let listed: Vec<&str> = providers::tts::PROVIDERS.descriptors().map(|one| one.name).collect();
    let without = |name: &&str| !all.iter().any(|one: &Speaker| one.name == *name);
    // Those whose drivers are tested with their own transports.
    let elsewhere = ["google", "aws"];
    let missing: Vec<&str> = listed.into_iter().filter(without).filter(|name| !elsewhere.contains(name)).collect();
    assert!(missing.is_empty(), "no twin for {missing:?}");
    all
}

fn open(speaker: &Speaker, key: &str) -> TtsSession {
    let base_url = Some(speaker.base_url.clone());
    let options = ProviderOptions { api_key: Some(key.into()), base_url, ..ProviderOptions::default() };
    let provider = providers::tts::PROVIDERS.open(speaker.name, &options).expect("usable");
    let make: MakeTts = Arc::new(move || provider.protocol());
    let open = TtsOpen { sample_rate_hz: 8_000, language: "en-US".to_owned(), voice: None, now_unix_ms: 0 };
    StreamTts::new(speaker.name, make, egress()).open(open)
}

async fn say(session: &TtsSession, texts: &[&str]) {
    for text in texts {
        session.commands.send(TtsCommand::Segment((*text).to_owned())).await.expect("taken");
    }
}

/// Everything until the end.
async fn all(session: &mut TtsSession) -> Vec<TtsEvent> {
    let mut events = Vec::new();
    loop {
        let event = next(&mut session.events).await;
        let is_last = matches!(event, TtsEvent::Done | TtsEvent::Failed(_));
        events.push(event);
        if is_last {
            return events;
        }
    }
}

fn samples(events: &[TtsEvent]) -> u64 {
    events.iter().map(|event| if let TtsEvent::Audio { pcm } = event { pcm.len() as u64 } else { 0 }).sum()
}

#[tokio::test]
async fn every_voice_speaks_all_it_is_given_and_tells_the_end_of_each_sentence() {
    for speaker in speakers().await {
        let before = tasks();
        let mut session = open(&speaker, &speaker.key);
        let rate_hz = u64::from(session.sample_rate_hz);
        say(&session, &["Hi there.", " … ", "How are you?"]).await;
        session.commands.send(TtsCommand::Flush).await.expect("taken");
        let events = all(&mut session).await;
        let name = speaker.name;
        assert_eq!(events.last(), Some(&TtsEvent::Done), "{name}: {:?}", events.last());
        let chars = 21 + 2 * speaker.extra_chars;
        assert_eq!(samples(&events), chars * CHAR_MS * rate_hz / 1_000, "{name}");
        let ends = events.iter().filter(|event| **event == TtsEvent::SegmentDone).count();
        assert_eq!(ends, 3, "{name}: one for each segment, spoken or not");
        let paid = events.iter().rev().find_map(|event| match event {
            TtsEvent::Usage { chars } => Some(*chars),
            _ => None,
        });
        assert!(paid.is_some_and(|paid| (21..=23).contains(&paid)), "{name}: {paid:?}");
        let starts: Vec<(usize, u64)> = events
            .iter()
            .flat_map(|event| if let TtsEvent::Words { starts } = event { starts.clone() } else { Vec::new() })
            .collect();
        let second_ms = (9 + speaker.extra_chars) * CHAR_MS;
        let expected = [(0, 0), (3, 180), (14, second_ms), (18, second_ms + 240), (22, second_ms + 480)];
        let expected = if speaker.tells_words { &expected[..] } else { &[] };
        assert_eq!(starts, expected, "{name}: byte in the text, millisecond in the audio");
        drop(session);
        gone(before).await;
    }
}

#[tokio::test]
async fn a_text_that_ends_long_after_its_audio_is_done_at_once() {
    for speaker in speakers().await {
        let mut session = open(&speaker, &speaker.key);
        say(&session, &["Yes."]).await;
        while samples(&[next(&mut session.events).await]) == 0 {}
        // Those that tell the end of a sentence only with the next one or with the end of all say it then.
        session.commands.send(TtsCommand::Flush).await.expect("taken");
        let events = all(&mut session).await;
        assert_eq!(events.last(), Some(&TtsEvent::Done), "{}: {events:?}", speaker.name);
    }
}

#[tokio::test]
async fn an_interrupted_voice_is_silent_at_once_and_leaves_nothing_behind() {
    for speaker in speakers().await {
        let before = tasks();
        let mut session = open(&speaker, &speaker.key);
        say(&session, &["A long sentence that nobody wants to hear to its very end.", "And another one."]).await;
        while samples(&[next(&mut session.events).await]) == 0 {}
        drop(session);
        gone(before).await;
    }
}

#[tokio::test]
async fn a_wrong_key_a_limit_and_a_fault_have_their_class_whoever_speaks() {
    for speaker in speakers().await {
        let class = async |key: &str| {
            let mut session = open(&speaker, key);
            say(&session, &["A sentence that is long enough to break in its middle."]).await;
            let _ = session.commands.send(TtsCommand::Flush).await;
            match all(&mut session).await.pop() {
                Some(TtsEvent::Failed(failure)) => {
                    assert!(!failure.to_string().contains("wrong-key"), "{}: {failure}", speaker.name);
                    failure.class
                }
                other => panic!("{}: {other:?}", speaker.name),
            }
        };
        assert_eq!(class("wrong-key").await, ErrorClass::Auth, "{}", speaker.name);
        let limit = Fault::Status { status: 429, retry_after_s: Some(1) };
        speaker.faults.set_times(Moment::Start, limit, 1);
        assert_eq!(class(&speaker.key).await, ErrorClass::RateLimited, "{}", speaker.name);
        speaker.faults.set_times(Moment::Start, Fault::Status { status: 503, retry_after_s: None }, 1);
        assert_eq!(class(&speaker.key).await, ErrorClass::Unavailable, "{}", speaker.name);
        speaker.faults.set_times(Moment::MidTurn, Fault::Cut, 1);
        let cut = class(&speaker.key).await;
        assert!(matches!(cut, ErrorClass::Protocol | ErrorClass::Unavailable), "{}: {cut:?}", speaker.name);
    }
}
