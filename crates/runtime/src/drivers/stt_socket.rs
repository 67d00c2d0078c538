//! Streaming recognition over a WebSocket.

use super::{End, Meter, close_failure, hang_up, upgrade_failure};
use crate::service::{Bill, SttCommand, SttService, SttSession};
use base::wire::Wire;
use base::{ErrorClass, Failure, Millis, Money, limits};
use egress::{Egress, SocketReceiver, SocketSender};
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

/// Speech to text by any vendor whose codec speaks WebSocket.
pub struct SocketStt {
    make: MakeStt,
    egress: Arc<Egress>,
    meter: Meter,
}

impl SocketStt {
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

impl SttService for SocketStt {
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
            used_ms: Used::default(),
            reconnected_at: None,
        };
        let span = tracing::debug_span!("stt", provider = %self.meter.provider);
        tokio::spawn(session.run().instrument(span));
        SttSession { commands: command_sender, events: event_receiver }
    }
}

/// What waits for a connection: at most a second of audio, the oldest gives way.
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
    used_ms: Used,
    reconnected_at: Option<Instant>,
}

/// One connection.
struct Link {
    codec: Box<dyn SttProtocol>,
    sender: SocketSender,
    receiver: SocketReceiver,
    sent_at: Instant,
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
            match self.converse(&mut link).await {
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
        hang_up(link.sender, link.receiver, last_words).await;
        End::Cancelled
    }

    /// A stream that dies while nobody speaks loses nothing when another takes over.
    fn may_reconnect(&self, failure: &Failure) -> bool {
        let span = Duration::from_millis(limits::STT_RECONNECT_MS_MIN);
        let idle = !self.speaking && self.finalize_at.is_none();
        idle && failure.class.is_retryable() && self.reconnected_at.is_none_or(|at| at.elapsed() >= span)
    }

    async fn connect(&mut self) -> Result<Link, End> {
        let mut codec = (self.make)();
        let connect = codec.connect(&self.open);
        let egress = self.egress.clone();
        let mut opening = pin!(egress.websocket(connect, Millis(limits::CONNECT_MS_MAX)));
        let opened = loop {
            tokio::select! {
                biased;
                () = self.events.closed() => return Err(End::Cancelled),
                opened = &mut opening => break opened,
                command = self.commands.recv() => match command {
                    Some(command) => {
                        let dropped = self.held.push(command, self.open.sample_rate_hz as usize);
                        if dropped > 0 {
                            self.meter.audio_dropped(dropped);
                        }
                    }
                    None => return Err(End::Cancelled),
                },
            }
        };
        let socket = opened.map_err(|error| {
            End::Failed(upgrade_failure(&self.meter.provider, error, |status, body| codec.classify(status, body)))
        })?;
        let (sender, receiver) = socket.split();
        let mut link = Link { codec, sender, receiver, sent_at: Instant::now() };
        self.held.samples = 0;
        for command in std::mem::take(&mut self.held.commands) {
            self.obey(&mut link, command).await.map_err(End::Failed)?;
        }
        Ok(link)
    }

    async fn converse(&mut self, link: &mut Link) -> End {
        loop {
            let wait = self.wait(link);
            let step = tokio::select! {
                () = self.events.closed() => return End::Cancelled,
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(link, command).await.map_err(End::Failed),
                    None => return End::Cancelled,
                },
                message = link.receiver.recv(wait) => match message {
                    Ok(message) => self.hear(link, &message).await,
                    Err(failure) if failure.class == ErrorClass::Timeout => self.tick(link).await.map_err(End::Failed),
                    Err(failure) => return End::Failed(failure),
                },
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// How long nothing may happen before [`Session::tick`] must look.
    fn wait(&self, link: &Link) -> Millis {
        let keep_alive = link.codec.keep_alive_ms().map(|ms| link.sent_at + Duration::from_millis(ms));
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
        if link.codec.keep_alive_ms().is_some_and(|ms| silent_ms >= ms) {
            let mut out = Vec::new();
            link.codec.keep_alive(&mut out);
            link.send(out).await?;
            link.sent_at = now;
        }
        Ok(())
    }

    async fn obey(&mut self, link: &mut Link, command: SttCommand) -> Result<(), Failure> {
        let mut out = Vec::new();
        match command {
            SttCommand::Audio(pcm) => link.codec.on_audio(&pcm, &mut out),
            SttCommand::Finalize => {
                link.codec.finalize(&mut out);
                self.finalize_at = Some(Instant::now());
            }
            SttCommand::Speech(_) => {}
        }
        link.send(out).await
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
        if let Wire::Close(code, reason) = message {
            let class = link.codec.classify(*code, reason);
            return Err(End::Failed(close_failure(&self.meter.provider, class, *code, reason)));
        }
        Ok(())
    }

    /// Learns from an event what the driver must know.
    fn note(&mut self, event: SttEvent) -> SttEvent {
        match event {
            SttEvent::Partial { ref text } => self.speaking = !text.is_empty(),
            SttEvent::Final { finalized, .. } => {
                self.speaking = false;
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
    async fn send(&mut self, out: Vec<Wire>) -> Result<(), Failure> {
        if out.is_empty() {
            return Ok(());
        }
        self.sender.send(out, Millis(limits::PROVIDER_WRITE_MS_MAX)).await?;
        self.sent_at = Instant::now();
        Ok(())
    }
}
