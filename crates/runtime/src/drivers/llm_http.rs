//! Streaming generation over one HTTP request.

use super::ahead::{Knocks, is_far};
use super::{End, Meter};
use crate::service::{Bill, BrainService, BrainSession};
use base::{BusinessId, ErrorClass, Failure, Millis, Money, limits};
use egress::{ByteStream, Egress};
use model::agent::BrainChoice;
use model::generation::{Finish, GenerationEvent, GenerationRequest};
use providers::llm::LlmProtocol;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Instrument;

/// Makes one codec per request.
pub type MakeLlm = Arc<dyn Fn() -> Box<dyn LlmProtocol> + Send + Sync>;

/// A brain that is a language model behind HTTP.
pub struct HttpBrain {
    make: MakeLlm,
    egress: Arc<Egress>,
    meter: Meter,
    knocks: Knocks,
}

impl HttpBrain {
    /// A service of this registry name.
    pub fn new(name: &str, make: MakeLlm, egress: Arc<Egress>) -> Self {
        Self { make, egress, meter: Meter::new(name, "llm"), knocks: Knocks::default() }
    }

    /// Opens a connection to the server of this address, unless one was used of late.
    pub(super) fn knock(&self, url: &str) -> Option<JoinHandle<()>> {
        self.knocks.knock(&self.egress, url)
    }

    /// Counts the cost of use at the list price of this model.
    #[must_use]
    pub fn priced_as(mut self, model: &str) -> Self {
        self.meter.model = Some(model.into());
        self
    }
}

impl BrainService for HttpBrain {
    fn name(&self) -> &str {
        &self.meter.provider
    }

    fn generate(&self, business: BusinessId, request: GenerationRequest) -> BrainSession {
        self.generate_billed(business, request, &Bill::default())
    }

    fn generate_billed(&self, _business: BusinessId, request: GenerationRequest, bill: &Bill) -> BrainSession {
        let (events, event_receiver) = mpsc::channel(limits::LLM_EVENTS_MAX);
        self.knocks.use_now();
        let session = Session {
            codec: (self.make)(),
            egress: self.egress.clone(),
            meter: self.meter.billed(bill),
            events,
            began: Instant::now(),
            progress_at: Instant::now(),
            begun: false,
            worded: false,
            chars: 0,
        };
        let span = tracing::debug_span!("llm", provider = %self.meter.provider);
        tokio::spawn(session.run(request).instrument(span));
        BrainSession { events: event_receiver }
    }

    fn warm(&self) {
        let nothing = GenerationRequest {
            brain: BrainChoice::Llm { provider: None, model: None },
            messages: Vec::new(),
            tools: Vec::new(),
            awaiting: None,
            language: "en".into(),
            tokens_max: 1,
        };
        let url = (self.make)().request(&nothing).url;
        if is_far(&url) {
            drop(self.knock(&url));
        }
    }
}

struct Session {
    codec: Box<dyn LlmProtocol>,
    egress: Arc<Egress>,
    meter: Meter,
    events: mpsc::Sender<GenerationEvent>,
    began: Instant,
    progress_at: Instant,
    /// The model has begun to answer.
    begun: bool,
    /// There was text or a tool.
    worded: bool,
    chars: usize,
}

impl Session {
    async fn run(mut self, request: GenerationRequest) {
        let events = self.events.clone();
        // Losing the receiver drops the request wherever it stands, which closes the connection (HTTP/1) or resets the
        // stream (HTTP/2): the only way in which HTTP can be told to stop.
        let end = tokio::select! {
            biased;
            () = events.closed() => End::Cancelled,
            end = self.serve(request) => end,
        };
        end.count(&self.meter);
        self.count_cost();
        if let End::Failed(failure) = end {
            let _ = events.send(GenerationEvent::Failed(failure)).await;
        }
    }

    async fn serve(&mut self, request: GenerationRequest) -> End {
        let request = self.codec.request(&request);
        let egress = self.egress.clone();
        let opened = egress.http_stream(request, Millis(limits::LLM_FIRST_TOKEN_MS_MAX)).await;
        let (status, headers, mut stream) = match opened {
            Ok(opened) => opened,
            Err(failure) => return End::Failed(failure),
        };
        if !(200..300).contains(&status) {
            let span = Millis(limits::REFUSAL_BODY_MS_MAX);
            let body = stream.some(limits::REFUSAL_BODY_BYTES_MAX, span).await;
            let body = String::from_utf8_lossy(&body);
            let class = self.codec.classify(status, &body);
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            return End::Failed(providers::answer::refusal(&self.meter.provider, class, status, headers, &body));
        }
        self.progress_at = Instant::now();
        loop {
            match self.step(&mut stream).await {
                Ok(()) => {}
                Err(end) => return end,
            }
        }
    }

    /// Reads once and passes on what it gave.
    async fn step(&mut self, stream: &mut ByteStream) -> Result<(), End> {
        let due = self.due();
        let left = due.saturating_duration_since(Instant::now());
        let mut said = Vec::new();
        let ended = match stream.next(Millis(left.as_micros().div_ceil(1000) as u64)).await {
            Ok(Some(bytes)) => {
                self.codec.on_bytes(&bytes, &mut said);
                false
            }
            Ok(None) => {
                self.codec.on_end(&mut said);
                true
            }
            Err(failure) if failure.class == ErrorClass::Timeout => return Err(End::Failed(self.late())),
            Err(failure) => return Err(End::Failed(failure)),
        };
        for event in said {
            self.pass_on(event).await?;
        }
        if self.begun {
            self.progress_at = Instant::now();
        }
        if ended {
            let cut = Failure::new(ErrorClass::Protocol, "the answer ended before it was complete");
            return Err(End::Failed(cut));
        }
        Ok(())
    }

    async fn pass_on(&mut self, event: GenerationEvent) -> Result<(), End> {
        self.begun = true;
        match &event {
            GenerationEvent::Failed(failure) => return Err(End::Failed(failure.clone())),
            GenerationEvent::Text { delta } => self.chars += delta.chars().count(),
            _ => {}
        }
        let wordy = matches!(event, GenerationEvent::Text { .. } | GenerationEvent::ToolCall { .. });
        if wordy && !std::mem::replace(&mut self.worded, true) {
            self.meter.latency(self.began.elapsed());
        }
        let done = matches!(event, GenerationEvent::Done { .. });
        self.events.send(event).await.map_err(|_| End::Cancelled)?;
        if done {
            return Err(End::Done);
        }
        if self.chars > limits::GENERATION_CHARS_MAX {
            let cut = GenerationEvent::Done { finish: Finish::Length };
            self.events.send(cut).await.map_err(|_| End::Cancelled)?;
            return Err(End::Done);
        }
        Ok(())
    }

    /// Comments that keep a connection open are not an answer: until the codec has seen one, the first deadline holds.
    fn due(&self) -> Instant {
        let whole = self.began + Duration::from_millis(limits::LLM_GENERATION_MS_MAX);
        let next = if self.worded {
            self.progress_at + Duration::from_millis(limits::LLM_PAUSE_MS_MAX)
        } else if self.begun {
            self.progress_at + Duration::from_millis(limits::LLM_STALL_MS_MAX)
        } else {
            self.began + Duration::from_millis(limits::LLM_FIRST_TOKEN_MS_MAX)
        };
        next.min(whole)
    }

    fn late(&self) -> Failure {
        let detail = if !self.begun {
            format!("no first token within {}", Millis(limits::LLM_FIRST_TOKEN_MS_MAX))
        } else if self.began.elapsed() >= Duration::from_millis(limits::LLM_GENERATION_MS_MAX) {
            format!("not complete within {}", Millis(limits::LLM_GENERATION_MS_MAX))
        } else {
            let span_ms = if self.worded { limits::LLM_PAUSE_MS_MAX } else { limits::LLM_STALL_MS_MAX };
            format!("the answer paused for {}", Millis(span_ms))
        };
        Failure::new(ErrorClass::Timeout, detail)
    }

    /// A generation that was called off is billed too.
    fn count_cost(&self) {
        let Some(model) = self.meter.model.as_deref() else { return };
        let usage = self.codec.usage_so_far();
        if let Some(cost) = providers::pricing::llm_cost(&self.meter.provider, model, usage) {
            self.meter.cost(Money::ZERO, cost);
        }
    }
}
