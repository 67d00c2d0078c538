//! One conversation with a model that hears and speaks: the task that owns its WebSocket.

use super::ledger::{Ledger, Step};
use super::track::{Track, Tracks};
use super::{Asker, Command};
use crate::drivers::{Meter, upgrade_failure};
use crate::service::{Bill, SttCommand};
use base::wire::{Connect, Wire};
use base::{ErrorClass, Failure, Millis, Money, limits};
use egress::{Egress, Socket, SocketReceiver, SocketSender};
use media::Resampler;
use model::generation::{ChatMessage, GenerationEvent, GenerationRequest, TokenUsage};
use providers::pricing;
use providers::realtime::{RealtimeAsk, RealtimeEvent, RealtimeOpen, RealtimeProtocol};
use providers::stt::SttEvent;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// What the caller says while the connection is being opened.
const KEPT_COMMANDS_MAX: usize = (limits::STT_REPLAY_MS_MAX / limits::FRAME_MS) as usize;
/// To open a connection and set the conversation up.
const READY_MAX: Duration = Duration::from_millis(2 * limits::CONNECT_MS_MAX);
/// Loud frames in a row that are speech, when nobody has said that it began anew.
const LOUD_FRAMES: u32 = 3;
/// Mean of the magnitudes of samples above which a frame is loud.
const LOUD: u64 = 300;

type Opening = Pin<Box<dyn Future<Output = Result<Socket, egress::UpgradeError>> + Send>>;

/// Whom the caller's words are told.
struct Listener {
    commands: mpsc::Receiver<SttCommand>,
    events: mpsc::Sender<SttEvent>,
    resampler: Option<Resampler>,
    /// How many final transcripts were asked for and have not come.
    finals_due: u32,
}

pub(super) struct Link {
    codec: Box<dyn RealtimeProtocol>,
    egress: Arc<Egress>,
    meter: Meter,
    tracks: Arc<Tracks>,
    ledger: Ledger,
    ready: bool,
    /// What cannot be said before the conversation is set up.
    kept: VecDeque<SttCommand>,
    question: Option<Box<GenerationRequest>>,
    listener: Option<Listener>,
    asker: Option<Asker>,
    bill: Bill,
    /// The answer in progress, and what of it nobody has asked for yet.
    track: Option<Arc<Track>>,
    held: Vec<GenerationEvent>,
    usage: TokenUsage,
    is_speaking: bool,
    committed: bool,
    loud_frames: u32,
    out: Vec<Wire>,
    /// The conversation goes on over a connection that is opened like this.
    elsewhere: Option<Connect>,
}

impl Link {
    pub(super) fn new(
        codec: Box<dyn RealtimeProtocol>,
        egress: Arc<Egress>,
        meter: Meter,
        tracks: Arc<Tracks>,
    ) -> Self {
        Self {
            codec,
            egress,
            meter,
            tracks,
            ledger: Ledger::default(),
            ready: false,
            kept: VecDeque::new(),
            question: None,
            listener: None,
            asker: None,
            bill: Bill::default(),
            track: None,
            held: Vec::new(),
            usage: TokenUsage::default(),
            is_speaking: false,
            committed: false,
            loud_frames: 0,
            out: Vec::new(),
            elsewhere: None,
        }
    }

    pub(super) async fn run(mut self, open: RealtimeOpen, mut commands: mpsc::Receiver<Command>) {
        let connect = self.codec.connect(&open);
        let outcome = self.converse(connect, &mut commands).await;
        commands.close();
        match outcome {
            Ok(()) => self.meter.finished("ok"),
            Err(failure) => {
                self.meter.failed(&failure);
                self.meter.finished("error");
                self.tell_all(&failure).await;
                while let Ok(command) = commands.try_recv() {
                    match command {
                        Command::Listen { events, .. } => drop(events.try_send(SttEvent::Failed(failure.clone()))),
                        Command::Generate { asker, .. } => {
                            drop(asker.events.try_send(GenerationEvent::Failed(failure.clone())));
                        }
                        Command::Cancel { .. } => {}
                    }
                }
            }
        }
    }

    async fn tell_all(&mut self, failure: &Failure) {
        if let Some(listener) = self.listener.take() {
            let _ = listener.events.send(SttEvent::Failed(failure.clone())).await;
        }
        if let Some(asker) = self.asker.take() {
            let _ = asker.events.try_send(GenerationEvent::Failed(failure.clone()));
        }
        if let Some(track) = self.track.take() {
            track.end(Err(failure.clone()));
        }
    }

    async fn converse(&mut self, connect: Connect, commands: &mut mpsc::Receiver<Command>) -> Result<(), Failure> {
        let mut ready_by = Instant::now() + READY_MAX;
        let mut opening = Some(self.open(connect));
        let mut socket: Option<(SocketSender, SocketReceiver)> = None;
        loop {
            let heard = self.listener.as_mut().map(|listener| &mut listener.commands);
            tokio::select! {
                biased;
                opened = opened(&mut opening) => {
                    let opened = opened.map_err(|error| {
                        upgrade_failure(&self.meter.provider, error, |status, _, body| self.codec.classify(status, body))
                    })?;
                    (opening, socket) = (None, Some(opened.split()));
                }
                message = received(&mut socket) => self.on_message(&message?)?,
                command = commands.recv() => match command {
                    Some(command) => self.on_command(command)?,
                    None => break, // The call is over.
                },
                command = next(heard) => self.on_heard(command),
                () = sleep_until(ready_by), if !self.ready => {
                    return Err(Failure::new(ErrorClass::Timeout, "the conversation was not set up in time"));
                }
            }
            if let Some(connect) = self.elsewhere.take() {
                (self.ready, ready_by) = (false, Instant::now() + READY_MAX);
                opening = Some(self.open(connect));
                if let Some((sender, receiver)) = socket.take() {
                    tokio::spawn(hang_up(sender, receiver, vec![Wire::Close(1000, "".into())]));
                }
            }
            if let Some((sender, _)) = socket.as_mut().filter(|_| !self.out.is_empty()) {
                sender.send(std::mem::take(&mut self.out), Millis(limits::PROVIDER_WRITE_MS_MAX)).await?;
            }
        }
        if let Some((sender, receiver)) = socket {
            let mut last_words = Vec::new();
            self.codec.close(&mut last_words);
            hang_up(sender, receiver, last_words).await;
        }
        Ok(())
    }

    fn open(&self, connect: Connect) -> Opening {
        let egress = self.egress.clone();
        Box::pin(async move { egress.websocket(connect, Millis(limits::CONNECT_MS_MAX)).await })
    }

    fn on_command(&mut self, command: Command) -> Result<(), Failure> {
        match command {
            Command::Listen { open, commands, events, bill } => {
                let (from, to) = (open.sample_rate_hz, self.codec.input_rate_hz());
                let resampler = (from != to).then(|| Resampler::new(from, to)).transpose();
                let resampler = resampler.map_err(|error| Failure::new(ErrorClass::Internal, error.to_string()))?;
                if self.ready {
                    let _ = events.try_send(SttEvent::Started); // It is empty.
                }
                self.bill = bill;
                self.kept.clear();
                self.listener = Some(Listener { commands, events, resampler, finals_due: 0 });
            }
            Command::Generate { request, asker, bill } => {
                self.bill = bill;
                self.asker = Some(asker);
                if self.ready {
                    self.ask(&request);
                } else {
                    self.question = Some(request);
                }
            }
            Command::Cancel { id } if self.asker.as_ref().is_some_and(|asker| asker.id == id) => {
                self.asker = None;
                self.question = None;
                self.call_off();
            }
            Command::Cancel { .. } => {}
        }
        Ok(())
    }

    /// The answer in progress is of no interest any more.
    fn call_off(&mut self) {
        self.codec.cancel(&mut self.out);
        self.held.clear();
        self.ledger.drop_early();
        if let Some(track) = self.track.take() {
            self.ledger.said(&track.transcript(), track.ms());
            track.end(Ok(()));
        }
    }

    fn ask(&mut self, request: &GenerationRequest) {
        for step in self.ledger.catch_up(&request.messages) {
            match step {
                Step::Trim { heard_ms, heard_text } => self.codec.trim(heard_ms, &heard_text, &mut self.out),
                Step::Add(item) => self.codec.add(&item, &mut self.out),
            }
        }
        let system = request.messages.iter().filter_map(|message| match message {
            ChatMessage::System { text } => Some(text.as_str()),
            _ => None,
        });
        let instructions = system.collect::<Vec<_>>().join("\n\n");
        self.usage = TokenUsage::default();
        self.codec.respond(&RealtimeAsk { instructions, tokens_max: request.tokens_max }, &mut self.out);
        // The service may have begun by itself.
        for event in std::mem::take(&mut self.held) {
            self.tell_asker(event);
        }
    }

    fn on_heard(&mut self, command: Option<SttCommand>) {
        match command {
            None => self.listener = None, // The call has taken another recogniser, or is over.
            Some(command) if self.ready => self.pass_on(command),
            Some(command) => {
                if self.kept.len() == KEPT_COMMANDS_MAX {
                    self.kept.pop_front();
                }
                self.kept.push_back(command);
            }
        }
    }

    fn pass_on(&mut self, command: SttCommand) {
        if self.asker.take_if(|asker| asker.interest.is_closed()).is_some() {
            self.call_off();
        }
        match command {
            SttCommand::Audio(pcm) => self.hear(&pcm),
            SttCommand::Speech(true) => self.speech_started(),
            SttCommand::Speech(false) => self.is_speaking = false,
            SttCommand::Finalize => {
                let comes = self.codec.commit(&mut self.out);
                self.committed = true;
                let Some(listener) = &mut self.listener else { return };
                if comes {
                    listener.finals_due += 1;
                } else {
                    let nothing = SttEvent::Final { text: String::new(), finalized: true };
                    let _ = listener.events.try_send(nothing); // A call that reads nothing has other troubles.
                }
            }
        }
    }

    fn speech_started(&mut self) {
        self.is_speaking = true;
        self.committed = false;
        self.loud_frames = 0;
        if self.asker.is_none() && (self.track.is_some() || !self.held.is_empty()) {
            self.call_off(); // Nobody has asked for it, and the caller goes on.
        }
        self.codec.speech_started(&mut self.out);
    }

    fn hear(&mut self, pcm: &[i16]) {
        if self.committed && self.is_speaking {
            // The caller had not finished: what follows in the same breath is speech once it is loud.
            let mean = pcm.iter().map(|sample| u64::from(sample.unsigned_abs())).sum::<u64>() / pcm.len().max(1) as u64;
            self.loud_frames = if mean > LOUD { self.loud_frames + 1 } else { 0 };
            if self.loud_frames >= LOUD_FRAMES {
                self.speech_started();
            }
        }
        match self.listener.as_mut().and_then(|listener| listener.resampler.as_mut()) {
            Some(resampler) => {
                let mut out = Vec::new();
                resampler.process(pcm, &mut out);
                self.codec.on_audio(&out, &mut self.out);
            }
            None => self.codec.on_audio(pcm, &mut self.out),
        }
    }

    fn on_message(&mut self, message: &Wire) -> Result<(), Failure> {
        let mut events = Vec::new();
        self.codec.on_message(message, &mut events, &mut self.out);
        for event in events {
            self.on_event(event)?;
        }
        match message {
            Wire::Close(code, reason) if self.elsewhere.is_none() => {
                let class = self.codec.classify(*code, reason);
                Err(providers::answer::refusal(&self.meter.provider, class, *code, [], reason))
            }
            _ => Ok(()),
        }
    }

    fn on_event(&mut self, event: RealtimeEvent) -> Result<(), Failure> {
        match event {
            RealtimeEvent::Ready => self.on_ready(),
            RealtimeEvent::Hearing { text } => self.tell_listener(SttEvent::Partial { text }),
            RealtimeEvent::Heard { text } => {
                self.ledger.heard(&text);
                let due = self.listener.as_mut().map_or(0, |listener| std::mem::take(&mut listener.finals_due));
                if let Some(listener) = &mut self.listener {
                    listener.finals_due = due.saturating_sub(1);
                }
                self.tell_listener(SttEvent::Final { text, finalized: due > 0 });
            }
            RealtimeEvent::Started => {
                let track = Arc::new(Track::new(self.codec.output_rate_hz()));
                self.tracks.add(track.clone());
                self.track = Some(track);
                self.tell_asker(GenerationEvent::Started);
            }
            RealtimeEvent::Text { delta } => {
                if let Some(track) = &self.track {
                    track.push_text(&delta);
                }
                self.tell_asker(GenerationEvent::Text { delta });
            }
            RealtimeEvent::Audio { pcm } => {
                if self.track.as_ref().is_some_and(|track| !track.push_audio(&pcm)) {
                    self.call_off(); // Nobody plays it.
                }
            }
            RealtimeEvent::ToolCall { id, name, args } => {
                self.ledger.called(&id);
                self.tell_asker(GenerationEvent::ToolCall { id, name, args });
            }
            RealtimeEvent::Usage(usage) => self.on_usage(usage),
            RealtimeEvent::Done { finish } => {
                if let Some(track) = self.track.take() {
                    match &self.asker {
                        Some(_) => self.ledger.said(&track.transcript(), track.ms()),
                        None => self.ledger.said_early(&track.transcript(), track.ms()),
                    }
                    track.end(Ok(()));
                }
                self.tell_asker(GenerationEvent::Usage(self.usage));
                self.tell_asker(GenerationEvent::Done { finish });
                self.asker = None;
            }
            RealtimeEvent::Refused(failure) => {
                self.meter.failed(&failure);
                self.tell_asker(GenerationEvent::Failed(failure.clone()));
                self.asker = None;
                if let Some(track) = self.track.take() {
                    self.ledger.said(&track.transcript(), track.ms());
                    track.end(Err(failure));
                }
            }
            RealtimeEvent::Elsewhere { connect } => self.elsewhere = Some(*connect),
            RealtimeEvent::Failed(failure) => return Err(failure),
        }
        Ok(())
    }

    fn on_ready(&mut self) {
        self.ready = true;
        self.tell_listener(SttEvent::Started);
        for command in std::mem::take(&mut self.kept) {
            self.pass_on(command);
        }
        if let Some(request) = self.question.take() {
            self.ask(&request);
        }
    }

    fn on_usage(&mut self, usage: providers::realtime::RealtimeUsage) {
        self.usage.input = usage.text_in.saturating_add(usage.audio_in);
        self.usage.cached = usage.cached;
        self.usage.output = usage.text_out.saturating_add(usage.audio_out);
        let model = self.meter.model.as_deref().unwrap_or_default();
        if let Some(cost) = pricing::realtime_cost(&self.meter.provider, model, usage) {
            self.meter.billed(&self.bill).cost(Money::ZERO, cost);
        }
    }

    /// Never waits: a call that does not read must not stop the conversation.
    fn tell_listener(&mut self, event: SttEvent) {
        if let Some(listener) = &self.listener
            && listener.events.try_send(event).is_err()
        {
            self.listener = None;
        }
    }

    fn tell_asker(&mut self, event: GenerationEvent) {
        let over = matches!(event, GenerationEvent::Done { .. } | GenerationEvent::Failed(_));
        match &self.asker {
            Some(asker) => {
                if asker.events.try_send(event).is_err() && !over {
                    self.asker = None;
                    self.call_off();
                }
            }
            None if self.held.len() < limits::ENGINE_INPUTS_MAX => self.held.push(event),
            None => self.call_off(),
        }
    }
}

async fn opened(opening: &mut Option<Opening>) -> Result<Socket, egress::UpgradeError> {
    match opening {
        Some(opening) => opening.await,
        None => std::future::pending().await,
    }
}

async fn received(socket: &mut Option<(SocketSender, SocketReceiver)>) -> Result<Wire, Failure> {
    match socket {
        Some((_, receiver)) => receiver.recv(Millis(limits::CALL_MS_MAX)).await,
        None => std::future::pending().await,
    }
}

async fn next(commands: Option<&mut mpsc::Receiver<SttCommand>>) -> Option<SttCommand> {
    match commands {
        Some(commands) => commands.recv().await,
        None => std::future::pending().await,
    }
}

/// Says good-bye and reads to the end; never takes longer than [`limits::CANCEL_MS_MAX`].
async fn hang_up(mut sender: SocketSender, mut receiver: SocketReceiver, last_words: Vec<Wire>) {
    let span = Millis(limits::CANCEL_MS_MAX);
    let closing = async {
        sender.send(last_words, span).await?;
        while !matches!(receiver.recv(span).await?, Wire::Close(..)) {}
        Ok::<(), Failure>(())
    };
    let _ = tokio::time::timeout(span.to_duration(), closing).await;
}
