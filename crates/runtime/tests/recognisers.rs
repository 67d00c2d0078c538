//! Every recogniser: its codec, our driver and a twin that the vendor's own client accepts, over real sockets.

use base::{ErrorClass, Failure, Millis};
use egress::{Egress, EgressConfig, Policy};
use providers::ProviderOptions;
use providers::stt::{PROVIDERS, SttEvent, SttOpen};
use runtime::drivers::{MakeStt, StreamStt};
use runtime::service::{Bill, SttCommand, SttService, SttSession};
use sim::twins::Twin;
use sim::twins::recogniser::Behaviour;
use sim::twins::{Fault, Faults, Moment, Record};
use sim::twins::{
    assemblyai, azure_stt, deepgram, deepgram_flux, elevenlabs_stt, openai_realtime, sarvam_stt, transcription,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
const LINES: [&str; 2] = ["Where is my order?", "Order four two."];

/// A recogniser and where its twin is.
struct Case {
    name: &'static str,
    base_url: String,
    key: String,
    faults: Faults,
    record: Record,
    /// Whether it tells words before they are final.
    tells_partials: bool,
    _twin: Box<dyn std::any::Any + Send>,
}

impl Case {
    fn new(name: &'static str, tells_partials: bool, twin: Twin) -> Self {
        let (base_url, key) = (twin.base_url.clone(), twin.key.clone());
        let (faults, record) = (twin.faults.clone(), twin.record.clone());
        Self { name, base_url, key, faults, record, tells_partials, _twin: Box::new(twin) }
    }

    fn service(&self, key: &str) -> StreamStt {
        let options = ProviderOptions {
            api_key: Some(key.into()),
            base_url: Some(self.base_url.clone()),
            ..ProviderOptions::default()
        };
        let provider = PROVIDERS.open(self.name, &options).expect("usable");
        let model = provider.settings().model().to_owned();
        let make: MakeStt = Arc::new(move || provider.protocol());
        let egress = Arc::new(Egress::new(EgressConfig::new(Policy::Operator)));
        StreamStt::new(self.name, make, egress).priced_as(&model)
    }

    fn open(&self, bill: &Bill) -> SttSession {
        self.service(&self.key).open_billed(open(), bill)
    }
}

fn open() -> SttOpen {
    SttOpen { sample_rate_hz: 8_000, language: "en-US".into(), hints: vec!["Frontdesk".into()], now_unix_ms: 0 }
}

async fn cases() -> Vec<Case> {
    let script = || Behaviour::script(LINES);
    let nova = deepgram::start(deepgram::Behaviour::script(LINES)).await.expect("a free port");
    let plain = transcription::start(transcription::Dialect::Plain, script()).await.expect("a free port");
    let groq = transcription::start(transcription::Dialect::Groq, script()).await.expect("a free port");
    let all = vec![
        Case {
            name: "deepgram",
            base_url: nova.base_url.clone(),
            key: nova.key.clone(),
            faults: nova.faults.clone(),
            record: nova.record.clone(),
            tells_partials: true,
            _twin: Box::new(nova),
        },
        Case::new("deepgram_flux", true, deepgram_flux::start(script()).await.expect("a free port")),
        Case::new("azure", true, azure_stt::start(script()).await.expect("a free port")),
        Case::new("assemblyai", true, assemblyai::start(script()).await.expect("a free port")),
        Case::new("sarvam", true, sarvam_stt::start(script()).await.expect("a free port")),
        Case::new("openai_realtime", true, openai_realtime::start(script()).await.expect("a free port")),
        Case::new("elevenlabs", true, elevenlabs_stt::start(script()).await.expect("a free port")),
        Case::new("openai", false, plain),
        Case::new("groq", false, groq),
    ];
    all
}

/// Runs something with every recogniser at once.
async fn with_all<F>(each: impl Fn(Case) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    for case in cases().await {
        running.spawn(each(case));
    }
    while let Some(done) = running.join_next().await {
        done.expect("its checks hold");
    }
}

fn frame(loud: bool) -> SttCommand {
    let sample = |n: usize| if n % 40 < 20 { 6_000 } else { -6_000 };
    SttCommand::Audio((0..160).map(|n| if loud { sample(n) } else { 0 }).collect())
}

/// Pushes audio; says whether the session still takes it.
async fn push(session: &SttSession, ms: usize, loud: bool) -> bool {
    let _ = session.commands.send(SttCommand::Speech(loud)).await;
    for _ in 0..ms / 20 {
        if session.commands.send(frame(loud)).await.is_err() {
            return false;
        }
    }
    true
}

/// The caller stops, and the final words are asked for.
async fn stop(session: &SttSession) {
    let _ = session.commands.send(SttCommand::Speech(false)).await;
    let _ = session.commands.send(SttCommand::Finalize).await;
}

async fn next(session: &mut SttSession) -> SttEvent {
    timeout(PATIENCE, session.events.recv()).await.expect("an event in time").expect("the session lasts")
}

/// How a turn ends; `None` when it ends well.
async fn failure_or_final(session: &mut SttSession) -> Option<Failure> {
    loop {
        match next(session).await {
            SttEvent::Failed(failure) => return Some(failure),
            SttEvent::Final { finalized: true, .. } => return None,
            _ => {}
        }
    }
}

async fn failure(session: &mut SttSession) -> Failure {
    loop {
        if let Some(failure) = failure_or_final(session).await {
            return failure;
        }
    }
}

/// Everything up to the answer to a finalize: the words, and whether any were told before.
async fn final_words(session: &mut SttSession) -> (String, bool) {
    let (mut words, mut told) = (Vec::new(), false);
    loop {
        match next(session).await {
            SttEvent::Partial { .. } => told = true,
            SttEvent::Final { text, finalized } => {
                words.push(text);
                if finalized {
                    words.retain(|text| !text.is_empty());
                    return (words.join(" "), told);
                }
            }
            SttEvent::Failed(failure) => panic!("{failure}"),
            SttEvent::Started | SttEvent::EndOfTurn | SttEvent::Usage { .. } => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recogniser_gives_the_words_when_they_are_wanted() {
    with_all(async |case| {
        let bill = Bill::default();
        let mut session = case.open(&bill);
        assert_eq!(next(&mut session).await, SttEvent::Started, "{}", case.name);
        for line in LINES {
            push(&session, 600, true).await;
            push(&session, 200, false).await;
            session.commands.send(SttCommand::Finalize).await.expect("it lasts");
            // A call never stops sending sound.
            push(&session, 600, false).await;
            let (words, told) = final_words(&mut session).await;
            assert_eq!((words.as_str(), told), (line, case.tells_partials), "{}", case.name);
        }
        // Somebody coughs: whoever waits for the words must hear that there are none.
        session.commands.send(SttCommand::Finalize).await.expect("it lasts");
        push(&session, 2_000, false).await;
        assert_eq!(final_words(&mut session).await, (String::new(), false), "{}", case.name);
        assert!(bill.total().usd_micros > 0, "{} costs something", case.name);
        assert!(!case.record.lines().join("\n").contains(&case.key), "{}", case.name);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recogniser_says_why_it_refuses_and_for_how_long() {
    with_all(async |case| {
        case.faults.set_times(Moment::Start, Fault::Status { status: 429, retry_after_s: Some(3) }, 1);
        let mut session = case.open(&Bill::default());
        push(&session, 200, true).await;
        stop(&session).await;
        let refused = failure(&mut session).await;
        assert_eq!(
            (refused.class, refused.retry_after),
            (ErrorClass::RateLimited, Some(Millis(3_000))),
            "{}",
            case.name
        );
        let mut session = case.service("wrong-key-0123456789").open(open());
        push(&session, 200, true).await;
        stop(&session).await;
        let refused = failure(&mut session).await;
        assert_eq!(refused.class, ErrorClass::Auth, "{}: {refused}", case.name);
        assert!(!refused.to_string().contains("wrong-key"), "{refused}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recogniser_that_breaks_off_is_a_failure_that_another_can_mend() {
    for fault in [Fault::Cut, Fault::Garbage, Fault::Status { status: 500, retry_after_s: None }] {
        let fault = &fault;
        with_all(move |case| {
            let fault = fault.clone();
            async move {
                case.faults.set(Moment::MidTurn, fault.clone());
                let mut session = case.open(&Bill::default());
                let broken = loop {
                    push(&session, 400, true).await;
                    stop(&session).await;
                    let Ok(end) = timeout(PATIENCE / 2, failure_or_final(&mut session)).await else {
                        panic!("{} {fault:?} lets one wait: {:?}", case.name, case.record.lines());
                    };
                    if let Some(failure) = end {
                        break failure;
                    }
                };
                // One service reports any failure of its own in the same way as a bad request.
                let is_known = case.name == "deepgram" && broken.class == ErrorClass::Invalid;
                assert!(broken.class.is_retryable() || is_known, "{} {fault:?}: {broken}", case.name);
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recogniser_that_falls_silent_is_given_up_in_time() {
    with_all(async |case| {
        case.faults.set(Moment::Start, Fault::Silent);
        let mut session = case.open(&Bill::default());
        push(&session, 400, true).await;
        stop(&session).await;
        let silent = failure(&mut session).await;
        assert_eq!(silent.class, ErrorClass::Timeout, "{}: {silent}", case.name);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lull_does_not_cut_the_utterance_of_a_recogniser_that_hears_it_whole() {
    with_all(async |case| {
        if !case.service(&case.key).hears_whole_utterances() {
            assert!(case.tells_partials, "{} hears while the caller speaks", case.name);
            return;
        }
        let mut session = case.open(&Bill::default());
        assert_eq!(next(&mut session).await, SttEvent::Started);
        push(&session, 600, true).await;
        // The caller seems to pause, and goes on.
        session.commands.send(SttCommand::Finalize).await.expect("it lasts");
        push(&session, 600, true).await;
        stop(&session).await;
        assert_eq!(final_words(&mut session).await, (LINES[0].to_owned(), false), "{}", case.name);
        assert_eq!(final_words(&mut session).await, (String::new(), false), "{}: it was asked twice", case.name);
        assert_eq!(case.record.count("request"), 1, "{}: {:?}", case.name, case.record.lines());
    })
    .await;
}
