//! Routers whose providers the test plays, in tokio's time.

use super::brain::BrainRouter;
use super::ears::EarsRouter;
use super::roster::Roster;
use super::voice::VoiceRouter;
use crate::service::{
    BrainService, BrainSession, SttCommand, SttService, SttSession, TtsCommand, TtsService, TtsSession,
};
use base::{BusinessId, ErrorClass, Failure, limits};
use model::agent::BrainChoice;
use model::generation::{Finish, GenerationEvent, GenerationRequest};
use providers::stt::{SttEvent, SttOpen};
use providers::tts::{TtsEvent, TtsOpen};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// The provider's side of one session.
pub(super) struct Played<C, E> {
    pub(super) who: usize,
    commands: mpsc::Receiver<C>,
    events: mpsc::Sender<E>,
}

/// Every session that a chain of providers was asked for, in order.
pub(super) struct Stage<C, E>(mpsc::Receiver<Played<C, E>>);

impl<C, E> Stage<C, E> {
    pub(super) async fn asked(&mut self) -> Played<C, E> {
        timeout(Duration::from_secs(20), self.0.recv()).await.expect("somebody is asked").expect("the chain lives")
    }

    pub(super) fn nobody_else(&mut self) -> bool {
        self.0.try_recv().is_err()
    }
}

impl<C, E> Played<C, E> {
    pub(super) async fn say(&self, event: E) {
        assert!(self.events.send(event).await.is_ok(), "the router listens");
    }

    pub(super) async fn is_dropped(&self) {
        timeout(Duration::from_secs(5), self.events.closed()).await.expect("it is let go");
    }

    pub(super) async fn hears(&mut self) -> C {
        timeout(Duration::from_secs(20), self.commands.recv()).await.expect("a command in time").expect("a command")
    }
}

pub(super) struct Provider<C, E> {
    who: usize,
    rate_hz: u32,
    opened: mpsc::Sender<Played<C, E>>,
}

impl<C, E> Provider<C, E> {
    fn open(&self, commands: mpsc::Receiver<C>) -> mpsc::Receiver<E> {
        let (events, receiver) = mpsc::channel(8);
        assert!(self.opened.try_send(Played { who: self.who, commands, events }).is_ok());
        receiver
    }
}

impl BrainService for Provider<(), GenerationEvent> {
    fn name(&self) -> &str {
        "played"
    }
    fn generate(&self, _: BusinessId, _: GenerationRequest) -> BrainSession {
        BrainSession { events: self.open(mpsc::channel(1).1) }
    }
}

impl TtsService for Provider<TtsCommand, TtsEvent> {
    fn name(&self) -> &str {
        "played"
    }
    fn open(&self, _: TtsOpen) -> TtsSession {
        let (commands, receiver) = mpsc::channel(limits::TTS_SEGMENTS_MAX);
        TtsSession { sample_rate_hz: self.rate_hz, commands, events: Provider::open(self, receiver) }
    }
}

impl SttService for Provider<SttCommand, SttEvent> {
    fn name(&self) -> &str {
        "played"
    }
    fn open(&self, _: SttOpen) -> SttSession {
        let (commands, receiver) = mpsc::channel(limits::AUDIO_IN_FRAMES_MAX);
        SttSession { commands, events: Provider::open(self, receiver) }
    }
}

pub(super) type Chain<C, E> = Vec<Arc<Provider<C, E>>>;

pub(super) fn chain<C, E>(rates_hz: &[u32]) -> (Chain<C, E>, Stage<C, E>) {
    let (opened, stage) = mpsc::channel(16);
    let provider =
        |(who, rate_hz): (usize, &u32)| Arc::new(Provider { who, rate_hz: *rate_hz, opened: opened.clone() });
    (rates_hz.iter().enumerate().map(provider).collect(), Stage(stage))
}

fn brains(count: usize) -> (BrainRouter, Stage<(), GenerationEvent>) {
    let (chain, stage) = chain(&vec![0; count]);
    (BrainRouter::new(Roster::fixed(chain.into_iter().map(|one| one as Arc<dyn BrainService>).collect())), stage)
}

fn voices(rates_hz: &[u32]) -> (VoiceRouter, Stage<TtsCommand, TtsEvent>) {
    let (chain, stage) = chain(rates_hz);
    (VoiceRouter::new(Roster::fixed(chain.into_iter().map(|one| one as Arc<dyn TtsService>).collect())), stage)
}

fn ears(count: usize) -> (EarsRouter, Stage<SttCommand, SttEvent>) {
    let (chain, stage) = chain(&vec![0; count]);
    (EarsRouter::new(Roster::fixed(chain.into_iter().map(|one| one as Arc<dyn SttService>).collect())), stage)
}

pub(super) fn ask(router: &BrainRouter) -> BrainSession {
    let request = GenerationRequest {
        brain: BrainChoice::Auto,
        messages: Vec::new(),
        tools: Vec::new(),
        awaiting: None,
        language: "en".into(),
        tokens_max: 100,
    };
    router.generate(BusinessId::generate(), request)
}

pub(super) fn speak(router: &VoiceRouter) -> TtsSession {
    router.open(TtsOpen { sample_rate_hz: 8_000, language: "en".into(), voice: None, now_unix_ms: 0 })
}

pub(super) fn listen(router: &EarsRouter) -> SttSession {
    router.open(SttOpen { sample_rate_hz: 8_000, language: "en".into(), hints: Vec::new(), now_unix_ms: 0 })
}

pub(super) async fn next<T>(events: &mut mpsc::Receiver<T>) -> T {
    timeout(Duration::from_secs(20), events.recv()).await.expect("an event in time").expect("an event")
}

pub(super) fn down() -> Failure {
    Failure::new(ErrorClass::Unavailable, "down")
}

pub(super) fn text(delta: &str) -> GenerationEvent {
    GenerationEvent::Text { delta: delta.into() }
}

pub(super) fn done() -> GenerationEvent {
    GenerationEvent::Done { finish: Finish::Stop }
}

pub(super) fn frame(value: i16) -> SttCommand {
    SttCommand::Audio(vec![value; 160].into())
}

#[tokio::test(start_paused = true)]
async fn a_brain_in_time_is_the_only_one_asked_and_nothing_of_it_is_lost() {
    let (router, mut stage) = brains(2);
    let mut session = ask(&router);
    let first = stage.asked().await;
    let said = [GenerationEvent::Started, text("Yes"), text(", we do."), done()];
    for event in said.clone() {
        first.say(event).await;
    }
    for event in said {
        assert_eq!(next(&mut session.events).await, event);
    }
    assert_eq!(session.events.recv().await, None);
    assert!(stage.nobody_else());
}

#[tokio::test(start_paused = true)]
async fn a_late_brain_is_raced_by_the_next_which_is_asked_first_from_then_on() {
    let (router, mut stage) = brains(2);
    let mut session = ask(&router);
    let began = Instant::now();
    let late = stage.asked().await;
    late.say(GenerationEvent::Started).await;
    let second = stage.asked().await;
    assert_eq!((late.who, second.who), (0, 1));
    assert_eq!(began.elapsed().as_millis() as u64, limits::HEDGE_LLM_MS);
    second.say(text("Here.")).await;
    assert_eq!(next(&mut session.events).await, text("Here."), "what the loser said is not heard");
    late.is_dropped().await;
    second.say(done()).await;
    let _next = ask(&router);
    assert_eq!(stage.asked().await.who, 1);
}

#[tokio::test(start_paused = true)]
async fn a_brain_that_fails_or_says_nothing_is_followed_by_the_next_at_once() {
    for end in [GenerationEvent::Failed(down()), done()] {
        let (router, mut stage) = brains(2);
        let mut session = ask(&router);
        let began = Instant::now();
        stage.asked().await.say(end).await;
        let second = stage.asked().await;
        assert!(began.elapsed() < Duration::from_millis(50));
        second.say(text("Here.")).await;
        assert_eq!(next(&mut session.events).await, text("Here."));
    }
}

#[tokio::test(start_paused = true)]
async fn a_brain_that_fails_among_its_words_is_not_repeated_behind_the_calls_back() {
    let (router, mut stage) = brains(2);
    let mut session = ask(&router);
    let first = stage.asked().await;
    first.say(text("On Saturday")).await;
    first.say(GenerationEvent::Failed(down())).await;
    assert_eq!(next(&mut session.events).await, text("On Saturday"));
    assert_eq!(next(&mut session.events).await, GenerationEvent::Failed(down()));
    assert!(stage.nobody_else());
    router.line().standing.blame_current(ErrorClass::Unavailable);
    let _next = ask(&router);
    assert_eq!(stage.asked().await.who, 1, "the failure counts, and the engine's own notice of it not again");
}

#[tokio::test(start_paused = true)]
async fn dropping_an_answer_lets_everybody_go() {
    let (router, mut stage) = brains(2);
    let session = ask(&router);
    let (first, second) = (stage.asked().await, stage.asked().await);
    drop(session);
    first.is_dropped().await;
    second.is_dropped().await;
}

#[tokio::test(start_paused = true)]
async fn a_voice_that_is_silent_is_replaced_by_the_next_which_says_all_of_it() {
    let (router, mut stage) = voices(&[8_000, 8_000]);
    let mut session = speak(&router);
    let mut silent = stage.asked().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(stage.nobody_else(), "nobody is late before there is text");
    let began = Instant::now();
    for command in [TtsCommand::Segment("One.".into()), TtsCommand::Segment("Two.".into()), TtsCommand::Flush] {
        session.commands.send(command).await.expect("taken");
    }
    let mut second = stage.asked().await;
    assert_eq!(began.elapsed().as_millis() as u64, limits::HEDGE_TTS_MS);
    for voice in [&mut silent, &mut second] {
        assert!(matches!(voice.hears().await, TtsCommand::Segment(text) if text == "One."));
        assert!(matches!(voice.hears().await, TtsCommand::Segment(text) if text == "Two."));
        assert!(matches!(voice.hears().await, TtsCommand::Flush));
    }
    second.say(TtsEvent::Audio { pcm: vec![1; 160] }).await;
    second.say(TtsEvent::SegmentDone).await;
    second.say(TtsEvent::Done).await;
    assert_eq!(next(&mut session.events).await, TtsEvent::Audio { pcm: vec![1; 160] });
    assert_eq!(next(&mut session.events).await, TtsEvent::SegmentDone);
    assert_eq!(next(&mut session.events).await, TtsEvent::Done);
    silent.is_dropped().await;
}

#[tokio::test(start_paused = true)]
async fn a_fallback_voice_speaks_at_the_rate_that_was_announced() {
    let (router, mut stage) = voices(&[8_000, 16_000]);
    let mut session = speak(&router);
    assert_eq!(session.sample_rate_hz, 8_000);
    stage.asked().await.say(TtsEvent::Failed(down())).await;
    let second = stage.asked().await;
    tokio::spawn(async move {
        for _ in 0..50 {
            second.say(TtsEvent::Audio { pcm: vec![100; 320] }).await;
        }
        second.say(TtsEvent::Done).await;
    });
    let mut samples = 0;
    while let Some(event) = session.events.recv().await {
        if let TtsEvent::Audio { pcm } = event {
            samples += pcm.len();
        }
    }
    assert!((7_900..=8_100).contains(&samples), "{samples}");
}

#[tokio::test(start_paused = true)]
async fn a_voice_that_fails_in_the_middle_is_the_calls_affair_and_skipped_from_then_on() {
    let (router, mut stage) = voices(&[8_000, 8_000]);
    let mut session = speak(&router);
    let first = stage.asked().await;
    first.say(TtsEvent::Audio { pcm: vec![1; 160] }).await;
    first.say(TtsEvent::Failed(down())).await;
    assert!(matches!(next(&mut session.events).await, TtsEvent::Audio { .. }));
    assert_eq!(next(&mut session.events).await, TtsEvent::Failed(down()));
    let _next = speak(&router);
    assert_eq!(stage.asked().await.who, 1);
}

#[tokio::test(start_paused = true)]
async fn a_recogniser_that_dies_in_a_sentence_is_replaced_and_the_next_hears_it_from_its_beginning() {
    let (router, mut stage) = ears(2);
    let mut session = listen(&router);
    let mut first = stage.asked().await;
    first.say(SttEvent::Started).await;
    assert_eq!(next(&mut session.events).await, SttEvent::Started);
    session.commands.send(SttCommand::Speech(true)).await.expect("taken");
    for value in 0..5 {
        session.commands.send(frame(value)).await.expect("taken");
    }
    assert!(matches!(first.hears().await, SttCommand::Speech(true)));
    first.say(SttEvent::Partial { text: "my order".into() }).await;
    assert_eq!(next(&mut session.events).await, SttEvent::Partial { text: "my order".into() });
    first.say(SttEvent::Failed(down())).await;
    let mut second = stage.asked().await;
    assert_eq!(second.who, 1);
    session.commands.send(frame(5)).await.expect("taken");
    session.commands.send(SttCommand::Finalize).await.expect("taken");
    second.say(SttEvent::Started).await;
    assert!(matches!(second.hears().await, SttCommand::Speech(true)));
    for value in 0..6 {
        assert!(matches!(second.hears().await, SttCommand::Audio(pcm) if pcm[0] == value));
    }
    assert!(matches!(second.hears().await, SttCommand::Finalize));
    // What it understands on the way is only a part of what the call waits for.
    second.say(SttEvent::Partial { text: "My".into() }).await;
    let last = SttEvent::Final { text: "My order is late.".into(), finalized: true };
    second.say(last.clone()).await;
    assert_eq!(next(&mut session.events).await, last);
}

#[tokio::test(start_paused = true)]
async fn a_recogniser_that_does_not_open_or_finish_is_replaced_and_the_call_sees_one_stream() {
    let (router, mut stage) = ears(2);
    let mut session = listen(&router);
    let began = Instant::now();
    let hole = stage.asked().await;
    let mut second = stage.asked().await;
    assert_eq!(began.elapsed().as_millis() as u64, limits::HEDGE_STT_MS);
    second.say(SttEvent::Started).await;
    assert_eq!(next(&mut session.events).await, SttEvent::Started);
    hole.is_dropped().await;
    session.commands.send(SttCommand::Speech(true)).await.expect("taken");
    session.commands.send(SttCommand::Finalize).await.expect("taken");
    assert!(matches!(second.hears().await, SttCommand::Speech(true)));
    assert!(matches!(second.hears().await, SttCommand::Finalize));
    // The other one stands as badly now, so both count as equal.
    second.say(SttEvent::Failed(down())).await;
    let third = stage.asked().await;
    third.say(SttEvent::Started).await;
    let asked_at = Instant::now();
    let fourth = stage.asked().await;
    assert_eq!(asked_at.elapsed().as_millis() as u64, limits::HEDGE_STT_FINAL_MS);
    assert_ne!(third.who, fourth.who);
    third.is_dropped().await;
}

#[tokio::test(start_paused = true)]
async fn recognisers_that_are_all_down_are_tried_a_few_times_and_no_more() {
    let (router, mut stage) = ears(2);
    let mut session = listen(&router);
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            stage.asked().await.say(SttEvent::Failed(down())).await;
            *count.lock().expect("a count") += 1;
        }
    });
    assert_eq!(next(&mut session.events).await, SttEvent::Failed(down()));
    assert_eq!(*asked.lock().expect("a count"), 2 * limits::STT_ROUNDS_MAX);
    assert!(session.commands.is_closed());
}

#[tokio::test(start_paused = true)]
async fn the_only_recogniser_is_not_given_up_for_being_slow() {
    let (router, mut stage) = ears(1);
    let mut session = listen(&router);
    let only = stage.asked().await;
    only.say(SttEvent::Started).await;
    session.commands.send(SttCommand::Finalize).await.expect("taken");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let last = SttEvent::Final { text: "At last.".into(), finalized: true };
    only.say(last.clone()).await;
    assert_eq!(next(&mut session.events).await, SttEvent::Started);
    assert_eq!(next(&mut session.events).await, last);
    assert!(stage.nobody_else());
}
