//! A small task for one provider, off any call: whether a half-open breaker may close, and what an operator's test says.

use crate::service::{Bill, BrainService, SttCommand, SttService, TtsCommand, TtsService};
use base::{BusinessId, ErrorClass, Failure, Millis, limits};
use model::agent::BrainChoice;
use model::generation::{ChatMessage, GenerationEvent, GenerationRequest};
use providers::stt::{SttEvent, SttOpen};
use providers::tts::{TtsEvent, TtsOpen};
use std::future::Future;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout};

/// The rate of a phone line.
const HZ: u32 = 8_000;
const FRAME: usize = (HZ as usize) / 50;
/// Silence that a recogniser is given.
const SILENCE_FRAMES: usize = 15;
/// What a voice is asked to say, and a brain to answer.
const WORDS: &str = "Hello.";

/// How long it took until the first of what was asked for.
pub type Outcome = Result<Millis, Failure>;

fn late() -> Failure {
    Failure::new(ErrorClass::Timeout, format!("nothing came within {}", Millis(limits::TRIAL_MS_MAX)))
}

fn no_end() -> Failure {
    Failure::new(ErrorClass::Protocol, "it stopped without an end")
}

async fn measured(work: impl Future<Output = Result<(), Failure>>) -> Outcome {
    let began = Instant::now();
    match timeout(Duration::from_millis(limits::TRIAL_MS_MAX - 500), work).await {
        Ok(done) => done.map(|()| Millis(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX))),
        Err(_) => Err(late()),
    }
}

async fn until<E>(
    events: &mut Receiver<E>,
    is_sign: impl Fn(&E) -> Option<Result<(), Failure>>,
) -> Result<(), Failure> {
    while let Some(event) = events.recv().await {
        if let Some(verdict) = is_sign(&event) {
            return verdict;
        }
    }
    Err(no_end())
}

/// Has a recogniser listen to a little silence.
pub async fn hear(service: &dyn SttService, language: &str, bill: &Bill) -> Outcome {
    let open = SttOpen { sample_rate_hz: HZ, language: language.to_owned(), hints: Vec::new(), now_unix_ms: 0 };
    let mut session = service.open_billed(open, bill);
    measured(async {
        until(&mut session.events, |event| match event {
            SttEvent::Failed(failure) => Some(Err(failure.clone())),
            _ => Some(Ok(())),
        })
        .await?;
        let silence = (0..SILENCE_FRAMES).map(|_| SttCommand::Audio(vec![0; FRAME].into()));
        let commands = [SttCommand::Speech(true)].into_iter().chain(silence);
        for command in commands.chain([SttCommand::Speech(false), SttCommand::Finalize]) {
            session.commands.send(command).await.map_err(|_| no_end())?;
        }
        until(&mut session.events, |event| match event {
            SttEvent::Failed(failure) => Some(Err(failure.clone())),
            SttEvent::Final { finalized: true, .. } => Some(Ok(())),
            _ => None,
        })
        .await
    })
    .await
}

/// Has a voice say a word.
pub async fn speak(service: &dyn TtsService, language: &str, voice: Option<String>, bill: &Bill) -> Outcome {
    let open = TtsOpen { sample_rate_hz: HZ, language: language.to_owned(), voice, now_unix_ms: 0 };
    let mut session = service.open_billed(open, bill);
    measured(async {
        for command in [TtsCommand::Segment(WORDS.into()), TtsCommand::Flush] {
            session.commands.send(command).await.map_err(|_| no_end())?;
        }
        until(&mut session.events, |event| match event {
            TtsEvent::Failed(failure) => Some(Err(failure.clone())),
            TtsEvent::Audio { pcm } if !pcm.is_empty() => Some(Ok(())),
            TtsEvent::Done => Some(Err(Failure::new(ErrorClass::Protocol, "it was silent"))),
            _ => None,
        })
        .await
    })
    .await
}

/// Has a brain answer a word.
pub async fn think(
    service: &dyn BrainService,
    business: BusinessId,
    brain: BrainChoice,
    language: &str,
    bill: &Bill,
) -> Outcome {
    let request = GenerationRequest {
        brain,
        messages: vec![
            ChatMessage::System { text: "Answer with one word.".into() },
            ChatMessage::Customer { text: WORDS.to_owned().into() },
        ],
        tools: Vec::new(),
        awaiting: None,
        language: language.to_owned(),
        tokens_max: 16,
    };
    let mut session = service.generate_billed(business, request, bill);
    measured(async {
        until(&mut session.events, |event| match event {
            GenerationEvent::Failed(failure) => Some(Err(failure.clone())),
            GenerationEvent::Text { .. } | GenerationEvent::ToolCall { .. } => Some(Ok(())),
            // A model that used up its tokens in thought has answered; so has one that declines.
            GenerationEvent::Done { .. } => Some(Ok(())),
            _ => None,
        })
        .await
    })
    .await
}
