//! Streaming synthesis, one conversation per utterance.

use super::ahead::{Coming, Knocks, Spares, is_far};
use super::line::Line;
use super::{End, Meter, close_failure, ended_failure, unix_ms, upgrade_failure};
use crate::service::{Bill, TtsCommand, TtsService, TtsSession};
use base::wire::{Connect, Transport, Wire};
use base::{ErrorClass, Failure, Millis, Money, limits};
use egress::{Egress, UpgradeError};
use providers::tts::{TtsEvent, TtsOpen, TtsProtocol};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::Instrument;

/// Makes one codec per utterance.
pub type MakeTts = Arc<dyn Fn() -> Box<dyn TtsProtocol> + Send + Sync>;

/// Text to speech by any vendor with a codec.
pub struct StreamTts {
    make: MakeTts,
    egress: Arc<Egress>,
    meter: Meter,
    knocks: Knocks,
    spares: Arc<Spares>,
}

impl StreamTts {
    /// A service of this registry name.
    pub fn new(name: &str, make: MakeTts, egress: Arc<Egress>) -> Self {
        Self { make, egress, meter: Meter::new(name, "tts"), knocks: Knocks::default(), spares: Arc::default() }
    }

    /// Opens what the next utterance needs, as far as the transport has something that can be opened.
    pub(super) fn open_ahead(&self, open: &TtsOpen, is_worth_it: impl Fn(&str) -> bool) {
        let mut codec = (self.make)();
        let connect = codec.connect(&TtsOpen { now_unix_ms: unix_ms(), ..open.clone() });
        match connect.transport {
            Transport::WebSocket if is_worth_it(&connect.url) => {
                self.spares.open(&self.egress, codec, open, connect);
            }
            Transport::Http if is_worth_it(&connect.url) => drop(self.knocks.knock(&self.egress, &connect.url)),
            // The connection of gRPC is kept and shared as it is.
            Transport::WebSocket | Transport::Http | Transport::Grpc => {}
        }
    }

    /// Counts the cost of use at the list price of this model.
    #[must_use]
    pub fn priced_as(mut self, model: &str) -> Self {
        self.meter.model = Some(model.into());
        self
    }
}

impl TtsService for StreamTts {
    fn name(&self) -> &str {
        &self.meter.provider
    }

    fn open(&self, open: TtsOpen) -> TtsSession {
        self.open_billed(open, &Bill::default())
    }

    fn open_billed(&self, mut open: TtsOpen, bill: &Bill) -> TtsSession {
        let spare = self.spares.take(&open);
        open.now_unix_ms = unix_ms();
        let (command_sender, commands) = mpsc::channel(limits::TTS_SEGMENTS_MAX);
        let (events, event_receiver) = mpsc::channel(limits::TTS_EVENTS_MAX);
        let mut codec = (self.make)();
        let (sample_rate_hz, way) = match spare {
            Some((sample_rate_hz, coming)) => (sample_rate_hz, Way::Ahead(coming)),
            None => {
                let connect = codec.connect(&open);
                (codec.sample_rate_hz(), Way::Connect(connect))
            }
        };
        let session = Session {
            open,
            codec,
            egress: self.egress.clone(),
            meter: self.meter.billed(bill),
            commands,
            events,
            transport: Transport::WebSocket,
            flushed: false,
            first_text_at: None,
            heard_at: None,
            heard_ms: 0,
            owed_since: None,
            chars: 0,
            cost: Money::ZERO,
        };
        let span = tracing::debug_span!("tts", provider = %self.meter.provider);
        tokio::spawn(session.run(way).instrument(span));
        TtsSession { sample_rate_hz, commands: command_sender, events: event_receiver }
    }

    fn warm(&self, open: &TtsOpen) {
        self.open_ahead(open, is_far);
    }
}

/// How an utterance gets its conversation.
enum Way {
    /// It was opened ahead.
    Ahead(Coming),
    Connect(Connect),
}

struct Session {
    open: TtsOpen,
    codec: Box<dyn TtsProtocol>,
    egress: Arc<Egress>,
    meter: Meter,
    commands: mpsc::Receiver<TtsCommand>,
    events: mpsc::Sender<TtsEvent>,
    transport: Transport,
    flushed: bool,
    first_text_at: Option<Instant>,
    /// When the first audio came.
    heard_at: Option<Instant>,
    /// How much audio has come.
    heard_ms: u64,
    /// Since when the provider owes us audio (or, after the last segment, the end). A segment that is all out leaves no
    /// debt, but not every vendor says when that is; so audio of an earlier segment settles the debt of a later one until
    /// the end is asked for.
    owed_since: Option<Instant>,
    /// Characters that are paid for.
    chars: u64,
    cost: Money,
}

impl Session {
    async fn run(mut self, way: Way) {
        let end = self.serve(way).await;
        self.charge();
        end.count(&self.meter);
        if let End::Failed(failure) = end {
            self.commands.close();
            let _ = self.events.send(TtsEvent::Failed(failure)).await;
        }
    }

    async fn serve(&mut self, way: Way) -> End {
        let mut line = match self.line(way).await {
            Ok(line) => line,
            Err(end) => return end,
        };
        let end = match self.events.send(TtsEvent::Started).await {
            Ok(()) => self.converse(&mut line).await,
            Err(_) => End::Cancelled,
        };
        let mut last_words = Vec::new();
        match end {
            End::Cancelled => self.codec.cancel(&mut last_words),
            End::Done => {}
            End::Failed(_) => return end,
        }
        if matches!(end, End::Done) {
            // The call learns that all is out before we take our time with the good-bye.
            self.commands.close();
            let _ = self.events.send(TtsEvent::Done).await;
        }
        line.hang_up(last_words).await;
        end
    }

    async fn line(&mut self, way: Way) -> Result<Line, End> {
        let coming = match way {
            Way::Connect(connect) => return self.connect(connect).await,
            Way::Ahead(coming) => coming,
        };
        let came = tokio::select! {
            biased;
            () = self.events.closed() => return Err(End::Cancelled),
            came = coming => came,
        };
        match came {
            Ok(Ok(opened)) => {
                let (mut line, said) = (opened.line, opened.said);
                self.codec = opened.codec;
                for message in said {
                    self.hear(&mut line, &message).await?;
                }
                Ok(line)
            }
            Ok(Err(error)) => Err(self.refused(error)),
            // The vendor did not wait for us.
            Err(_) => {
                let connect = self.codec.connect(&self.open);
                self.connect(connect).await
            }
        }
    }

    async fn connect(&mut self, connect: Connect) -> Result<Line, End> {
        self.transport = connect.transport;
        let opened = tokio::select! {
            biased;
            () = self.events.closed() => return Err(End::Cancelled),
            opened = Line::open(&self.egress, connect) => opened,
        };
        opened.map_err(|error| self.refused(error))
    }

    fn refused(&self, error: UpgradeError) -> End {
        let classify = |status, headers: &_, body: &_| self.codec.classify_refusal(status, headers, body);
        End::Failed(upgrade_failure(&self.meter.provider, error, classify))
    }

    async fn converse(&mut self, line: &mut Line) -> End {
        loop {
            let wait = self.wait();
            let step = tokio::select! {
                () = self.events.closed() => return End::Cancelled,
                command = self.commands.recv(), if !self.flushed && line.has_room() => match command {
                    Some(command) => self.obey(line, command).await,
                    None => return End::Cancelled,
                },
                message = line.recv(wait) => match message {
                    Ok(Some(message)) => self.hear(line, &message).await,
                    Ok(None) => self.tick().map_err(End::Failed),
                    Err(error) => Err(self.refused(error)),
                },
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// A gap counts only when the listener has nearly heard what came before it: providers speak faster than people
    /// listen, and in bursts.
    fn due(&self) -> Option<Instant> {
        let since = self.owed_since?;
        let Some(heard_at) = self.heard_at else {
            return Some(since + Duration::from_millis(limits::TTS_FIRST_AUDIO_MS_MAX));
        };
        let runs_dry = heard_at + Duration::from_millis(self.heard_ms.saturating_sub(limits::TTS_AHEAD_MS_MIN));
        Some(runs_dry.max(since + Duration::from_millis(limits::TTS_GAP_MS_MAX)))
    }

    fn wait(&self) -> Millis {
        self.due().map_or(Millis(limits::CALL_MS_MAX), |due| {
            let left = due.saturating_duration_since(Instant::now());
            Millis(left.as_micros().div_ceil(1000) as u64)
        })
    }

    fn tick(&self) -> Result<(), Failure> {
        if self.due().is_none_or(|due| Instant::now() < due) {
            return Ok(());
        }
        let (what, span_ms) = match self.heard_at {
            Some(_) => ("audio stopped for", limits::TTS_GAP_MS_MAX),
            None => ("no audio within", limits::TTS_FIRST_AUDIO_MS_MAX),
        };
        Err(Failure::new(ErrorClass::Timeout, format!("{what} {}", Millis(span_ms))))
    }

    async fn obey(&mut self, line: &mut Line, command: TtsCommand) -> Result<(), End> {
        let mut out = Vec::new();
        let now = Instant::now();
        match command {
            TtsCommand::Segment(text) => {
                self.codec.on_text(&text, &mut out);
                self.first_text_at.get_or_insert(now);
            }
            // Nothing was asked for, so nothing will come.
            TtsCommand::Flush if self.first_text_at.is_none() => return Err(End::Done),
            TtsCommand::Flush => {
                self.codec.flush(&mut out);
                self.flushed = true;
            }
        }
        let mut told = Vec::new();
        self.codec.poll(&mut out, &mut told);
        // All requests were answered before we knew that there would be no more.
        if self.flushed && out.is_empty() && told.is_empty() && line.is_idle() {
            return Err(End::Done);
        }
        // A segment of which nothing is to be said is not waited for.
        if !out.is_empty() || self.flushed {
            self.owed_since.get_or_insert(now);
        }
        line.send(out).await.map_err(End::Failed)?;
        self.tell(told).await
    }

    async fn hear(&mut self, line: &mut Line, message: &Wire) -> Result<(), End> {
        let (mut out, mut heard) = (Vec::new(), Vec::new());
        match message {
            Wire::Close(code, _) => self.codec.on_close(*code, &mut heard),
            _ => self.codec.on_message(message, &mut heard),
        }
        self.codec.poll(&mut out, &mut heard);
        let asks = !out.is_empty();
        if asks {
            line.send(out).await.map_err(End::Failed)?;
        }
        self.tell(heard).await?;
        if asks {
            // What waited for its turn is owed from now on.
            self.owed_since = Some(Instant::now());
        }
        if let Wire::Close(code, reason) = message {
            let class = self.codec.classify(*code, reason);
            return Err(End::Failed(close_failure(&self.meter.provider, class, *code, reason)));
        }
        if *message == Wire::End && self.transport == Transport::Grpc {
            return Err(End::Failed(ended_failure(&self.meter.provider)));
        }
        Ok(())
    }

    async fn tell(&mut self, events: Vec<TtsEvent>) -> Result<(), End> {
        for event in events {
            match event {
                TtsEvent::Started => {}
                TtsEvent::Done => return Err(End::Done),
                TtsEvent::Failed(failure) => return Err(End::Failed(failure)),
                event => {
                    self.note(&event);
                    // Waits while the call does not read: that is what holds the provider back.
                    self.events.send(event).await.map_err(|_| End::Cancelled)?;
                    self.owed_since = self.owed_since.map(|_| Instant::now());
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, event: &TtsEvent) {
        match event {
            TtsEvent::Audio { pcm } => {
                if let (None, Some(at)) = (self.heard_at, self.first_text_at) {
                    self.meter.latency(at.elapsed());
                }
                self.heard_at.get_or_insert_with(Instant::now);
                self.heard_ms += pcm.len() as u64 * 1000 / u64::from(self.codec.sample_rate_hz().max(1));
                self.owed_since = if self.flushed { Some(Instant::now()) } else { None };
            }
            TtsEvent::SegmentDone if !self.flushed => self.owed_since = None,
            TtsEvent::Usage { chars } => {
                self.chars = *chars;
                self.charge();
            }
            _ => {}
        }
    }

    /// Text is paid for when it is asked for, audio when it is there.
    fn charge(&mut self) {
        let Some(model) = self.meter.model.as_deref() else { return };
        let Some(cost) = providers::pricing::tts_cost(&self.meter.provider, model, self.chars, self.heard_ms) else {
            return;
        };
        self.meter.cost(self.cost, cost);
        self.cost = cost;
    }
}
