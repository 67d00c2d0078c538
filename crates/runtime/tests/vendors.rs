//! Codec, driver and transport of a vendor together, against its twin: over gRPC calls, signed sockets and HTTP requests.

use base::{ErrorClass, Failure, limits};
use egress::{Egress, EgressConfig, Policy};
use providers::ProviderOptions;
use providers::stt::{SttEvent, SttOpen};
use providers::tts::{TtsEvent, TtsOpen};
use runtime::drivers::{StreamStt, StreamTts};
use runtime::service::{SttCommand, SttService, SttSession, TtsCommand, TtsService, TtsSession};
use sim::twins::{Fault, Faults, Moment, aws, google};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// What no future may outlive its deadline by, and what a busy machine adds to real time. That it is 250 ms and no more is shown
/// in tokio's own time, for every fault, transport and stage, by `drivers::tests::matrix`.
const LATE: Duration = Duration::from_millis(250 + 750);
const LINES: [&str; 2] = ["Where is my order?", "Order four two."];

fn egress() -> Arc<Egress> {
    Arc::new(Egress::new(EgressConfig::new(Policy::Operator)))
}

/// A twin, whichever vendor's it is.
enum Twin {
    Google(google::Twin),
    Aws(sim::twins::Twin),
}

impl Twin {
    async fn of(name: &str) -> Self {
        let script = LINES.map(str::to_owned).to_vec();
        if name == "aws" {
            let behaviour = aws::Behaviour { script, ..aws::Behaviour::default() };
            return Self::Aws(aws::start(behaviour).await.expect("a free port"));
        }
        let behaviour = google::Behaviour { script, ..google::Behaviour::default() };
        Self::Google(google::Twin::start(behaviour).await.expect("a free port"))
    }

    fn faults(&self) -> &Faults {
        match self {
            Self::Google(twin) => &twin.faults,
            Self::Aws(twin) => &twin.faults,
        }
    }

    fn count(&self, prefix: &str) -> usize {
        match self {
            Self::Google(twin) => twin.record.count(prefix),
            Self::Aws(twin) => twin.record.count(prefix),
        }
    }

    fn options(&self, name: &str) -> ProviderOptions {
        let mut options = ProviderOptions::default();
        let extra: &[(&str, &str)] = match name {
            "google" => &[("project", "p")],
            "aws" => &[("access_key_id", aws::ACCESS_KEY_ID), ("region", "eu-central-1")],
            _ => &[],
        };
        options.extra = extra.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let (base_url, key) = match self {
            Self::Google(twin) => (&twin.base_url, &twin.key),
            Self::Aws(twin) => (&twin.base_url, &twin.key),
        };
        (options.base_url, options.api_key) = (Some(base_url.clone()), Some(key.as_str().into()));
        options
    }

    fn listen(&self, name: &str) -> SttSession {
        let provider = providers::stt::PROVIDERS.open(name, &self.options(name)).expect("usable");
        let service = StreamStt::new(name, Arc::new(move || provider.protocol()), egress());
        let open = SttOpen { sample_rate_hz: 8_000, language: "en-US".into(), hints: Vec::new(), now_unix_ms: 0 };
        service.open(open)
    }

    fn speak(&self, name: &str, voice: Option<&str>) -> TtsSession {
        let mut options = self.options(name);
        // Whoever speaks needs no project.
        options.extra.remove("project");
        let provider = providers::tts::PROVIDERS.open(name, &options).expect("usable");
        let service = StreamTts::new(name, Arc::new(move || provider.protocol()), egress());
        let voice = voice.map(str::to_owned);
        service.open(TtsOpen { sample_rate_hz: 8_000, language: "en-US".into(), voice, now_unix_ms: 0 })
    }
}

async fn next<T>(events: &mut tokio::sync::mpsc::Receiver<T>) -> T {
    timeout(Duration::from_secs(10), events.recv()).await.expect("an event in time").expect("an event")
}

/// Speaks for so long, 20 ms at a time, as fast as it is taken.
async fn utter(session: &SttSession, ms: usize) {
    for _ in 0..ms / 20 {
        let frame: Vec<i16> = (0..160).map(|n| if n % 40 < 20 { 6_000 } else { -6_000 }).collect();
        session.commands.send(SttCommand::Audio(frame.into())).await.expect("taken");
    }
}

async fn heard(session: &mut SttSession) -> String {
    let mut words = Vec::new();
    loop {
        match next(&mut session.events).await {
            SttEvent::Final { text, finalized } => {
                words.push(text);
                if finalized {
                    words.retain(|text| !text.is_empty());
                    return words.join(" ");
                }
            }
            SttEvent::Failed(failure) => panic!("{failure}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn callers_are_heard_turn_by_turn_over_streams_that_end_with_each() {
    for name in ["google", "google_v1", "aws"] {
        let twin = Twin::of(name).await;
        let mut session = twin.listen(name);
        for line in LINES {
            utter(&session, 600).await;
            session.commands.send(SttCommand::Finalize).await.expect("taken");
            assert_eq!(heard(&mut session).await, line, "{name}");
        }
        // What nobody said is answered as well.
        session.commands.send(SttCommand::Finalize).await.expect("taken");
        assert_eq!(heard(&mut session).await, "", "{name}");
        assert!(twin.count("audio") >= 24, "{name}");
    }
}

async fn spoken(session: &mut TtsSession) -> usize {
    let (mut samples, mut done) = (0, 0);
    for text in ["Hello.", "Your order is on its way."] {
        session.commands.send(TtsCommand::Segment(text.into())).await.expect("taken");
    }
    session.commands.send(TtsCommand::Flush).await.expect("taken");
    loop {
        match next(&mut session.events).await {
            TtsEvent::Audio { pcm } => samples += pcm.len(),
            TtsEvent::SegmentDone => done += 1,
            TtsEvent::Done => {
                assert_eq!(done, 2, "each sentence ends");
                return samples;
            }
            TtsEvent::Failed(failure) => panic!("{failure}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn sentences_are_spoken_to_their_end_over_calls_and_requests() {
    for (name, voice) in [("google", None), ("google", Some("en-US-Neural2-C")), ("aws", None)] {
        let twin = Twin::of(name).await;
        // 60 ms per character at 8000 Hz.
        assert_eq!(spoken(&mut twin.speak(name, voice)).await, (6 + 25) * 480, "{name} {voice:?}");
    }
}

/// A fault, when it strikes, and what it must end in, with the deadline that is kept.
type Case = (Moment, Fault, ErrorClass, u64);

fn status(status: u16) -> Fault {
    Fault::Status { status, retry_after_s: None }
}

fn faults(answer_ms: u64, gap_ms: u64) -> Vec<Case> {
    vec![
        (Moment::Start, status(401), ErrorClass::Auth, 0),
        (Moment::Start, status(429), ErrorClass::RateLimited, 0),
        (Moment::Start, status(503), ErrorClass::Unavailable, 0),
        (Moment::Start, Fault::BlackHole, ErrorClass::Timeout, limits::CONNECT_MS_MAX),
        (Moment::Start, Fault::Silent, ErrorClass::Timeout, answer_ms),
        (Moment::Start, Fault::Slow { delay_ms: 5_000 }, ErrorClass::Timeout, answer_ms),
        (Moment::Start, Fault::Garbage, ErrorClass::Protocol, 0),
        (Moment::Start, Fault::Cut, ErrorClass::Protocol, 0),
        (Moment::MidTurn, Fault::Cut, ErrorClass::Protocol, 0),
        (Moment::MidTurn, Fault::Silent, ErrorClass::Timeout, gap_ms),
    ]
}

async fn in_time(what: &str, case: &Case, failing: impl Future<Output = Failure>) {
    let (_, _, class, deadline_ms) = case;
    let began = Instant::now();
    let failure = timeout(Duration::from_secs(10), failing).await.unwrap_or_else(|_| panic!("{what}: no failure"));
    assert_eq!(failure.class, *class, "{what}: {failure}");
    let late = began.elapsed().saturating_sub(Duration::from_millis(*deadline_ms));
    assert!(late <= LATE, "{what}: {late:?} after its deadline");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recogniser_that_fails_fails_in_its_class_and_in_time() {
    for name in ["google", "google_v1", "aws"] {
        for case in faults(limits::STT_FINAL_MS_MAX, limits::STT_FINAL_MS_MAX) {
            let twin = Twin::of(name).await;
            twin.faults().set(case.0, case.1.clone());
            let what = format!("{name}: {:?} {:?}", case.0, case.1);
            let mut session = twin.listen(name);
            let failing = async {
                let frame: Vec<i16> = (0..160).map(|n| if n % 40 < 20 { 6_000 } else { -6_000 }).collect();
                for _ in 0..30 {
                    let _ = session.commands.send(SttCommand::Audio(frame.clone().into())).await;
                }
                let _ = session.commands.send(SttCommand::Finalize).await;
                loop {
                    if let SttEvent::Failed(failure) = next(&mut session.events).await {
                        return failure;
                    }
                }
            };
            in_time(&what, &case, failing).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voice_that_fails_fails_in_its_class_and_in_time() {
    for (name, voice) in [("google", None), ("google", Some("en-US-Neural2-C")), ("aws", None)] {
        for case in faults(limits::TTS_FIRST_AUDIO_MS_MAX, limits::TTS_GAP_MS_MAX + 2_000) {
            // Any bytes are audio.
            if name == "aws" && case.1 == Fault::Garbage {
                continue;
            }
            let twin = Twin::of(name).await;
            twin.faults().set(case.0, case.1.clone());
            let what = format!("{name} {voice:?}: {:?} {:?}", case.0, case.1);
            let mut session = twin.speak(name, voice);
            let failing = async {
                let _ = session.commands.send(TtsCommand::Segment("Your order is on its way.".into())).await;
                let _ = session.commands.send(TtsCommand::Flush).await;
                loop {
                    if let TtsEvent::Failed(failure) = next(&mut session.events).await {
                        return failure;
                    }
                }
            };
            in_time(&what, &case, failing).await;
        }
    }
}

#[tokio::test]
async fn a_vendor_that_asks_to_be_left_alone_is_over_every_transport() {
    for name in ["google", "google_v1", "aws"] {
        let twin = Twin::of(name).await;
        twin.faults().set_times(Moment::Start, Fault::Status { status: 429, retry_after_s: Some(3) }, 1);
        let mut session = twin.listen(name);
        utter(&session, 200).await;
        session.commands.send(SttCommand::Finalize).await.expect("taken");
        let refused = loop {
            if let SttEvent::Failed(failure) = next(&mut session.events).await {
                break failure;
            }
        };
        assert_eq!(
            (refused.class, refused.retry_after),
            (ErrorClass::RateLimited, Some(base::Millis(3_000))),
            "{name}: {refused}"
        );
    }
}
