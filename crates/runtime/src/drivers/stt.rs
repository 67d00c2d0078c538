//! Streaming recognition.

use super::line::Line;
use super::{End, Meter, close_failure, ended_failure, unix_ms, upgrade_failure};
use crate::service::{Bill, SttCommand, SttService, SttSession};
use base::wire::{Transport, Wire};
use base::{ErrorClass, Failure, Millis, Money, limits};
use egress::{Egress, UpgradeError};
use providers::stt::{SttEvent, SttOpen, SttProtocol};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::Instrument;

/// Makes one codec per connection.
pub type MakeStt = Arc<dyn Fn() -> Box<dyn SttProtocol> + Send + Sync>;

/// Speech to text by any vendor with a codec.
pub struct StreamStt {
    make: MakeStt,
    egress: Arc<Egress>,
    meter: Meter,
}

impl StreamStt {
    /// A service of this registry name.
    pub fn new(name: &str, make: MakeStt, egress: Arc<Egress>) -> Self {
        Self { make, egress, meter: Meter::new(name, "stt") }
    }

    /// Counts the cost of use at the list price of this model.
    #[must_use]
    pub fn priced_as(mut self, model: &str) -> Self {
        self.meter.model = Some(model.into());
        self
    }
}

impl SttService for StreamStt {
    fn name(&self) -> &str {
        &self.meter.provider
    }

    fn open(&self, open: SttOpen) -> SttSession {
        self.open_billed(open, &Bill::default())
    }

    fn open_billed(&self, open: SttOpen, bill: &Bill) -> SttSession {
        let (command_sender, commands) = mpsc::channel(limits::AUDIO_IN_FRAMES_MAX);
        let (events, event_receiver) = mpsc::channel(limits::EVENTS_PER_MESSAGE_MAX);
        let session = Session {
            open,
            make: self.make.clone(),
            egress: self.egress.clone(),
            meter: self.meter.billed(bill),
            commands,
            events,
            held: Held::default(),
            speaking: false,
            finalize_at: None,
            in_speech: false,
            finals: Finals::default(),
            used_ms: Used::default(),
            reconnected_at: None,
        };
        let span = tracing::debug_span!("stt", provider = %self.meter.provider);
        tokio::spawn(session.run().instrument(span));
        SttSession { commands: command_sender, events: event_receiver }
    }

    fn hears_whole_utterances(&self) -> bool {
        let nobody = SttOpen { sample_rate_hz: 8_000, language: String::new(), hints: Vec::new(), now_unix_ms: 0 };
        (self.make)().connect(&nobody).transport == Transport::Http
    }
}

/// Audio that waits for the first connection.
const HELD_MS_MAX: u64 = limits::AUDIO_IN_FRAMES_MAX as u64 * limits::FRAME_MS;

/// What waits for a connection: so much audio at most, the oldest gives way.
#[derive(Default)]
struct Held {
    commands: VecDeque<SttCommand>,
    samples: usize,
}

impl Held {
    /// Takes a command and answers how many frames had to give way.
    fn push(&mut self, command: SttCommand, samples_max: usize) -> u64 {
        if let SttCommand::Audio(pcm) = &command {
            self.samples += pcm.len();
        }
        self.commands.push_back(command);
        let mut dropped = 0;
        while self.samples > samples_max {
            let oldest = self.commands.iter().position(|command| matches!(command, SttCommand::Audio(_)));
            let Some(SttCommand::Audio(pcm)) = oldest.and_then(|index| self.commands.remove(index)) else { break };
            self.samples -= pcm.len();
            dropped += 1;
        }
        dropped
    }

    fn pop(&mut self) -> Option<SttCommand> {
        let command = self.commands.pop_front()?;
        if let SttCommand::Audio(pcm) = &command {
            self.samples -= pcm.len();
        }
        Some(command)
    }
}

/// Audio billed, over all connections of the session.
#[derive(Default)]
struct Used {
    before: u64,
    here: u64,
    cost: Money,
}

struct Session {
    open: SttOpen,
    make: MakeStt,
    egress: Arc<Egress>,
    meter: Meter,
    commands: mpsc::Receiver<SttCommand>,
    events: mpsc::Sender<SttEvent>,
    held: Held,
    /// There are words that no `Final` has covered.
    speaking: bool,
    /// When a final transcript was asked for that has not come.
    finalize_at: Option<Instant>,
    /// The caller speaks, as far as we were told.
    in_speech: bool,
    finals: Finals,
    used_ms: Used,
    reconnected_at: Option<Instant>,
}

/// What a recogniser of whole utterances was asked for. A stream answers each question by itself.
#[derive(Default)]
struct Finals {
    /// Final transcripts that the call waits for.
    owed: u32,
    /// One was asked for in a lull: the recogniser is asked when the utterance is over.
    wait: bool,
}

/// One connection.
struct Link {
    codec: Box<dyn SttProtocol>,
    line: Line,
    transport: Transport,
    sent_at: Instant,
    /// Nothing more may be sent: what comes until its end are its last words.
    draining: bool,
}

impl Session {
    async fn run(mut self) {
        let end = self.serve().await;
        end.count(&self.meter);
        if let End::Failed(failure) = end {
            // The queue of commands is closed first: audio pushed into a dead stream must not wait.
            self.commands.close();
            let _ = self.events.send(SttEvent::Failed(failure)).await;
        }
    }

    async fn serve(&mut self) -> End {
        let mut first = true;
        loop {
            let mut link = match self.connect().await {
                Ok(link) => link,
                Err(end) => return end,
            };
            if std::mem::take(&mut first) && self.events.send(SttEvent::Started).await.is_err() {
                return self.part(link).await;
            }
            let end = match self.converse(&mut link).await {
                Ok(()) => {
                    self.used_ms.before += std::mem::take(&mut self.used_ms.here);
                    continue;
                }
                Err(end) => end,
            };
            match end {
                End::Failed(failure) if self.may_reconnect(&failure) => {
                    tracing::info!(detail = %failure.detail, "recognition stream is opened again");
                    self.reconnected_at = Some(Instant::now());
                    self.used_ms.before += std::mem::take(&mut self.used_ms.here);
                }
                End::Failed(failure) => return End::Failed(failure),
                End::Done | End::Cancelled => return self.part(link).await,
            }
        }
    }

    async fn part(&self, mut link: Link) -> End {
        let mut last_words = Vec::new();
        link.codec.close(&mut last_words);
        link.line.hang_up(last_words).await;
        End::Cancelled
    }

    fn hold(&mut self, command: SttCommand, span_ms: u64) {
        let samples_max = u64::from(self.open.sample_rate_hz) * span_ms / 1_000;
        let dropped = self.held.push(command, samples_max as usize);
        if dropped > 0 {
            self.meter.audio_dropped(dropped);
        }
    }

    /// A stream that dies while nobody speaks loses nothing when another takes over.
    fn may_reconnect(&self, failure: &Failure) -> bool {
        let span = Duration::from_millis(limits::STT_RECONNECT_MS_MIN);
        let idle = !self.speaking && self.finalize_at.is_none();
        idle && failure.class.is_retryable() && self.reconnected_at.is_none_or(|at| at.elapsed() >= span)
    }

    async fn connect(&mut self) -> Result<Link, End> {
        let mut codec = (self.make)();
        self.open.now_unix_ms = unix_ms();
        let connect = codec.connect(&self.open);
        let (egress, transport) = (self.egress.clone(), connect.transport);
        let mut opening = pin!(Line::open(&egress, connect));
        let opened = loop {
            tokio::select! {
                biased;
                () = self.events.closed() => return Err(End::Cancelled),
                opened = &mut opening => break opened,
                command = self.commands.recv() => match command {
                    Some(command) => self.hold(command, HELD_MS_MAX),
                    None => return Err(End::Cancelled),
                },
            }
        };
        let line = opened.map_err(|error| self.refused(codec.as_ref(), error))?;
        Ok(Link { codec, line, transport, sent_at: Instant::now(), draining: false })
    }

    fn refused(&self, codec: &dyn SttProtocol, error: UpgradeError) -> End {
        let classify = |status, headers: &_, body: &_| codec.classify_refusal(status, headers, body);
        End::Failed(upgrade_failure(&self.meter.provider, error, classify))
    }

    /// Returns when the stream ended because we asked it to, so that the next one can be opened.
    async fn converse(&mut self, link: &mut Link) -> Result<(), End> {
        // One by one: what a link that breaks has not taken waits for the next.
        while let Some(command) = self.held.pop() {
            self.obey(link, command).await?;
            if link.draining {
                break;
            }
        }
        loop {
            let wait = self.wait(link);
            let step = tokio::select! {
                () = self.events.closed() => return Err(End::Cancelled),
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(link, command).await,
                    None => return Err(End::Cancelled),
                },
                message = link.line.recv(wait) => match message {
                    Ok(Some(message)) => {
                        self.hear(link, &message).await?;
                        if link.is_good_bye(&message) {
                            return Ok(());
                        }
                        Ok(())
                    }
                    Ok(None) => self.tick(link).await.map_err(End::Failed),
                    Err(error) => Err(self.refused(link.codec.as_ref(), error)),
                },
            };
            step?;
        }
    }

    /// How long nothing may happen before [`Session::tick`] must look.
    fn wait(&self, link: &Link) -> Millis {
        let keep_alive_ms = link.codec.keep_alive_ms().filter(|_| !link.draining);
        let keep_alive = keep_alive_ms.map(|ms| link.sent_at + Duration::from_millis(ms));
        let due = [self.final_due(), keep_alive].into_iter().flatten().min();
        due.map_or(Millis(limits::CALL_MS_MAX), |due| {
            let left = due.saturating_duration_since(Instant::now());
            // Rounded up: waking a moment too early would spin.
            Millis(left.as_micros().div_ceil(1000) as u64)
        })
    }

    fn final_due(&self) -> Option<Instant> {
        self.finalize_at.map(|at| at + Duration::from_millis(limits::STT_FINAL_MS_MAX))
    }

    async fn tick(&mut self, link: &mut Link) -> Result<(), Failure> {
        let now = Instant::now();
        if self.final_due().is_some_and(|due| now >= due) {
            let span = Millis(limits::STT_FINAL_MS_MAX);
            return Err(Failure::new(ErrorClass::Timeout, format!("no final transcript within {span}")));
        }
        let silent_ms = now.duration_since(link.sent_at).as_millis() as u64;
        if !link.draining && link.codec.keep_alive_ms().is_some_and(|ms| silent_ms >= ms) {
            let mut out = Vec::new();
            link.codec.keep_alive(&mut out);
            link.send(out).await?;
            link.sent_at = now;
        }
        Ok(())
    }

    async fn obey(&mut self, link: &mut Link, command: SttCommand) -> Result<(), End> {
        if link.draining {
            self.hold(command, limits::STT_HANDOVER_MS_MAX);
            return Ok(());
        }
        let mut out = Vec::new();
        match command {
            SttCommand::Audio(pcm) => link.codec.on_audio(&pcm, &mut out),
            SttCommand::Finalize => {
                self.finals.owed += 1;
                self.finals.wait = self.in_speech && link.transport == Transport::Http;
                if !self.finals.wait {
                    self.finalize(link, &mut out);
                }
            }
            SttCommand::Speech(speaking) => {
                link.codec.on_speech(speaking, &mut out);
                self.in_speech = speaking;
                if !speaking && std::mem::take(&mut self.finals.wait) {
                    self.finalize(link, &mut out);
                }
            }
        }
        link.send(out).await.map_err(End::Failed)?;
        self.settle(link.line.is_idle()).await
    }

    fn finalize(&mut self, link: &mut Link, out: &mut Vec<Wire>) {
        link.codec.finalize(out);
        self.finalize_at = Some(Instant::now());
    }

    /// A recogniser of whole utterances that has nothing to ask has its answers already.
    async fn settle(&mut self, is_idle: bool) -> Result<(), End> {
        while is_idle && self.finals.owed > 0 && !self.finals.wait {
            let event = self.note(SttEvent::Final { text: String::new(), finalized: true });
            self.events.send(event).await.map_err(|_| End::Cancelled)?;
        }
        Ok(())
    }

    async fn hear(&mut self, link: &mut Link, message: &Wire) -> Result<(), End> {
        let mut heard = Vec::new();
        link.codec.on_message(message, &mut heard);
        for event in heard {
            match &event {
                SttEvent::Started => continue,
                SttEvent::Failed(failure) => return Err(End::Failed(failure.clone())),
                _ => {}
            }
            let event = self.note(event);
            self.events.send(event).await.map_err(|_| End::Cancelled)?;
        }
        if let Wire::Close(code, reason) = message
            && !link.is_good_bye(message)
        {
            let class = link.codec.classify(*code, reason);
            return Err(End::Failed(close_failure(&self.meter.provider, class, *code, reason)));
        }
        if *message == Wire::End && link.transport == Transport::Grpc && !link.draining {
            return Err(End::Failed(ended_failure(&self.meter.provider)));
        }
        self.settle(link.line.is_idle()).await
    }

    /// Learns from an event what the driver must know.
    fn note(&mut self, event: SttEvent) -> SttEvent {
        match event {
            SttEvent::Partial { ref text } => self.speaking = !text.is_empty(),
            SttEvent::Final { finalized, .. } => {
                self.speaking = false;
                self.finals.owed = self.finals.owed.saturating_sub(u32::from(finalized));
                if let Some(at) = self.finalize_at.take_if(|_| finalized) {
                    self.meter.latency(at.elapsed());
                }
            }
            SttEvent::Usage { audio_ms } => {
                let used = &mut self.used_ms;
                used.here = used.here.max(audio_ms);
                let total_ms = used.before + used.here;
                let model = self.meter.model.as_deref();
                let cost = model.and_then(|model| providers::pricing::stt_cost(&self.meter.provider, model, total_ms));
                if let Some(cost) = cost {
                    self.meter.cost(used.cost, cost);
                    used.cost = cost;
                }
                return SttEvent::Usage { audio_ms: total_ms };
            }
            _ => {}
        }
        event
    }
}

impl Link {
    /// Whether a message is the polite end of a stream that we ended.
    fn is_good_bye(&self, message: &Wire) -> bool {
        let polite = match self.transport {
            Transport::WebSocket => matches!(message, Wire::Close(1000 | 1005, _)),
            Transport::Http | Transport::Grpc => *message == Wire::End,
        };
        self.draining && polite
    }

    async fn send(&mut self, out: Vec<Wire>) -> Result<(), Failure> {
        if out.is_empty() {
            return Ok(());
        }
        self.draining |= out.contains(&Wire::End);
        self.line.send(out).await?;
        self.sent_at = Instant::now();
        Ok(())
    }
}
