//! A model that hears and speaks, as three services of one call: what it hears is the recogniser, its answers are the brain,
//! their audio is the voice. All three share one WebSocket.
//!
//! The engine stays in charge of turns: a `finalize` commits what the caller said, a generation asks for an answer, its words
//! are the brain's text, and the utterance made of those words plays the answer's own audio. What the caller did not hear of
//! it is taken back before the next answer is asked for ([`ledger`]).

mod ledger;
mod link;
mod track;
mod voice;

use super::Meter;
use crate::service::{Bill, BrainService, BrainSession, SttCommand, SttService, SttSession, TtsService};
use base::{BusinessId, ErrorClass, Failure, limits};
use egress::Egress;
use link::Link;
use model::generation::{GenerationEvent, GenerationRequest};
use model::tool::ToolSpec;
use providers::realtime::{RealtimeOpen, RealtimeProtocol};
use providers::stt::{SttEvent, SttOpen};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument as _;
use track::Tracks;
use voice::Voice;

/// Makes one codec per conversation.
pub type MakeRealtime = Arc<dyn Fn() -> Box<dyn RealtimeProtocol> + Send + Sync>;

/// A provider of models that hear and speak.
pub struct Realtime {
    make: MakeRealtime,
    egress: Arc<Egress>,
    meter: Meter,
}

/// What the model is told when a call begins.
#[derive(Clone, Debug, Default)]
pub struct Briefing {
    /// Who the agent is and how it speaks.
    pub instructions: String,
    /// Tools it may ask for.
    pub tools: Vec<ToolSpec>,
}

/// One call's recogniser, brain and voice, which are one model.
pub struct Trio {
    /// Hears.
    pub stt: Arc<dyn SttService>,
    /// Thinks.
    pub brain: Arc<dyn BrainService>,
    /// Speaks its own answers, and lets an ordinary voice speak the rest.
    pub tts: Arc<dyn TtsService>,
}

impl Realtime {
    /// A provider of this registry name; its use is priced by this model.
    pub fn new(name: &str, model: &str, make: MakeRealtime, egress: Arc<Egress>) -> Self {
        Self { make, egress, meter: Meter { model: Some(model.into()), ..Meter::new(name, "realtime") } }
    }

    /// Registry name.
    pub fn name(&self) -> &str {
        &self.meter.provider
    }

    /// The services of one call. Nothing is opened before somebody listens or asks. `ordinary` says what no answer says:
    /// the greeting, fillers, apologies.
    pub fn call(&self, briefing: Briefing, ordinary: Option<Arc<dyn TtsService>>) -> Trio {
        let tracks = Arc::new(Tracks::default());
        let shared = Arc::new(Shared {
            make: self.make.clone(),
            egress: self.egress.clone(),
            meter: self.meter.clone(),
            briefing,
            tracks: tracks.clone(),
            link: Mutex::default(),
        });
        let name = self.meter.provider.clone();
        let voice = Voice { name, tracks, make: self.make.clone(), ordinary };
        Trio { stt: Arc::new(Ears(shared.clone())), brain: Arc::new(Brain(shared)), tts: Arc::new(voice) }
    }
}

/// What a link is told.
enum Command {
    Listen {
        open: SttOpen,
        commands: mpsc::Receiver<SttCommand>,
        events: mpsc::Sender<SttEvent>,
        bill: Bill,
    },
    Generate {
        request: Box<GenerationRequest>,
        asker: Asker,
        bill: Bill,
    },
    /// Nobody waits for this generation any more.
    Cancel {
        id: u64,
    },
}

/// Who waits for an answer.
struct Asker {
    id: u64,
    events: mpsc::Sender<GenerationEvent>,
    /// Closed as soon as the call has lost interest, which is earlier than it says so.
    interest: mpsc::Sender<GenerationEvent>,
}

/// What the three services of a call share.
struct Shared {
    make: MakeRealtime,
    egress: Arc<Egress>,
    meter: Meter,
    briefing: Briefing,
    tracks: Arc<Tracks>,
    /// How the present conversation is reached, and how many generations there were.
    link: Mutex<(Option<mpsc::Sender<Command>>, u64)>,
}

impl Shared {
    /// Tells the present conversation, or another one when it is over. Answers where it is told what follows.
    fn tell(
        &self,
        sample_rate_hz: u32,
        language: &str,
        command: impl FnOnce(u64) -> Command,
    ) -> Result<(mpsc::Sender<Command>, u64), Failure> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.1 += 1;
        let id = link.1;
        let mut command = command(id);
        if let Some(open) = &link.0 {
            match open.try_send(command) {
                Ok(()) => return Ok((open.clone(), id)),
                Err(TrySendError::Closed(back)) => command = back,
                Err(TrySendError::Full(_)) => {
                    return Err(Failure::new(ErrorClass::Internal, "the conversation with the model takes no more"));
                }
            }
        }
        let (sender, commands) = mpsc::channel(limits::REALTIME_COMMANDS_MAX);
        // It waits there before anything can go wrong, so that whoever waits is told.
        let _ = sender.try_send(command);
        let open = RealtimeOpen {
            sample_rate_hz,
            language: language.to_owned(),
            instructions: self.briefing.instructions.clone(),
            tools: self.briefing.tools.clone(),
        };
        let span = tracing::debug_span!("realtime", provider = %self.meter.provider);
        let fresh = Link::new((self.make)(), self.egress.clone(), self.meter.clone(), self.tracks.clone());
        tokio::spawn(fresh.run(open, commands).instrument(span));
        link.0 = Some(sender.clone());
        Ok((sender, id))
    }
}

struct Ears(Arc<Shared>);

impl SttService for Ears {
    fn name(&self) -> &str {
        &self.0.meter.provider
    }

    fn open(&self, open: SttOpen) -> SttSession {
        self.open_billed(open, &Bill::default())
    }

    fn open_billed(&self, open: SttOpen, bill: &Bill) -> SttSession {
        let (command_sender, commands) = mpsc::channel(limits::AUDIO_IN_FRAMES_MAX);
        let (events, event_receiver) = mpsc::channel(limits::EVENTS_PER_MESSAGE_MAX);
        let (rate_hz, language) = (open.sample_rate_hz, open.language.clone());
        let (told, bill) = (events.clone(), bill.clone());
        let listen = |_| Command::Listen { open, commands, events: told, bill };
        if let Err(failure) = self.0.tell(rate_hz, &language, listen) {
            let _ = events.try_send(SttEvent::Failed(failure)); // It is empty.
        }
        SttSession { commands: command_sender, events: event_receiver }
    }
}

struct Brain(Arc<Shared>);

/// The rate of a line of which nobody has said more.
const PHONE_HZ: u32 = 8_000;

impl BrainService for Brain {
    fn name(&self) -> &str {
        &self.0.meter.provider
    }

    fn generate(&self, business: BusinessId, request: GenerationRequest) -> BrainSession {
        self.generate_billed(business, request, &Bill::default())
    }

    fn generate_billed(&self, _business: BusinessId, request: GenerationRequest, bill: &Bill) -> BrainSession {
        let (outer, event_receiver) = mpsc::channel(limits::LLM_EVENTS_MAX);
        let (inner, inner_receiver) = mpsc::channel(limits::ENGINE_INPUTS_MAX);
        let (language, bill) = (request.language.clone(), bill.clone());
        let request = Box::new(request);
        let interest = outer.clone();
        let generate = |id| Command::Generate { request, asker: Asker { id, events: inner, interest }, bill };
        let told = self.0.tell(PHONE_HZ, &language, generate);
        let meter = self.0.meter.clone();
        tokio::spawn(async move {
            let (link, failure) = match told {
                Ok(link) => (Some(link), forward(inner_receiver, &outer, &meter).await),
                Err(failure) => (None, Some(failure)),
            };
            if let Some(failure) = failure {
                let _ = outer.send(GenerationEvent::Failed(failure)).await;
            }
            if let Some((link, id)) = link {
                // After its end this is of no interest to anybody.
                let _ = link.send(Command::Cancel { id }).await;
            }
        });
        BrainSession { events: event_receiver }
    }
}

/// Passes events on and keeps the deadlines of a generation. Answers what it failed of.
async fn forward(
    mut from: mpsc::Receiver<GenerationEvent>,
    to: &mpsc::Sender<GenerationEvent>,
    meter: &Meter,
) -> Option<Failure> {
    let began = Instant::now();
    let mut due = began + Duration::from_millis(limits::LLM_FIRST_TOKEN_MS_MAX);
    let mut worded = false;
    loop {
        let event = tokio::select! {
            biased;
            () = to.closed() => return None,
            event = from.recv() => event,
            () = sleep_until(due) => {
                let what = if worded { "the answer paused for too long" } else { "no answer in time" };
                return Some(Failure::new(ErrorClass::Timeout, what));
            }
        };
        let event = match event {
            Some(GenerationEvent::Failed(failure)) => return Some(failure),
            Some(event) => event,
            None => return Some(Failure::new(ErrorClass::Protocol, "the conversation with the model ended")),
        };
        let is_word = matches!(event, GenerationEvent::Text { .. } | GenerationEvent::ToolCall { .. });
        if is_word && !std::mem::replace(&mut worded, true) {
            meter.latency(began.elapsed());
        }
        // An answer has its own audio to make: between its words there is more time than between those of a text.
        due = Instant::now() + Duration::from_millis(if worded { AUDIO_MS_MAX } else { limits::LLM_STALL_MS_MAX });
        let done = matches!(event, GenerationEvent::Done { .. });
        if to.send(event).await.is_err() || done {
            return None;
        }
    }
}

/// Between the last words of an answer and its end lies the making of its audio.
const AUDIO_MS_MAX: u64 = 10_000;
