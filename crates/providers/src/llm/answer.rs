//! An answer as far as it has arrived: JSON in server-sent events, text, tool calls in pieces, counts of tokens, an end. What
//! every service of this kind shares is here; a vendor's file says as a [`Dialect`] what one event means.

use super::LlmProtocol;
use super::sse::{SseDecoder, TooLong};
use super::tools::{push_text, whole_call};
use crate::answer::error_code;
use base::limits::{TOOL_ARGS_BYTES_MAX, TOOL_CALLS_PER_GENERATION_MAX};
use base::wire::HttpRequest;
use base::{ErrorClass, Failure};
use model::generation::{Finish, GenerationEvent, GenerationRequest, TokenUsage};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Rough length of a token, until the service has counted.
const CHARS_PER_TOKEN: usize = 4;

/// Why an event ends the answer.
pub(super) type Broken = &'static str;

/// What is different about a service. One value per request.
pub(super) trait Dialect: Send {
    /// The request, whole.
    fn request(&self, generation: &GenerationRequest) -> HttpRequest;
    /// Reads one event that is no error.
    fn on_event(&mut self, event: Value, answer: &mut SoFar, out: &mut Vec<GenerationEvent>) -> Result<(), Broken>;
    /// Whether this line, which is no event, is the end of the answer.
    fn is_end(&self, _data: &str) -> bool {
        false
    }
    /// Class of an error that arrives after the answer began.
    fn class_of(&self, event: &Value, data: &str) -> ErrorClass;
    /// Class of a refusal.
    fn classify(&self, status: u16, body: &str) -> ErrorClass;
}

/// A tool call as far as it has arrived.
#[derive(Default)]
pub(super) struct Call {
    /// Which of the answer's parts it is, in the service's count.
    pub index: u64,
    pub id: String,
    pub name: String,
    args: String,
}

/// What has arrived of an answer.
#[derive(Default)]
pub(super) struct SoFar {
    started: bool,
    over: bool,
    pub calls: Vec<Call>,
    pub finish: Option<Finish>,
    /// What the service has counted so far.
    pub counted: Option<TokenUsage>,
    input_chars: usize,
    output_chars: usize,
}

impl SoFar {
    /// The service has begun to answer.
    pub fn begin(&mut self, out: &mut Vec<GenerationEvent>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(GenerationEvent::Started);
        }
    }

    /// Text that is to be said.
    pub fn say(&mut self, text: String, out: &mut Vec<GenerationEvent>) {
        if !text.is_empty() {
            self.output_chars += text.chars().count();
            push_text(text, out);
        }
    }

    /// One more tool is called. Says which it is in [`calls`](Self::calls).
    pub fn call(&mut self, index: u64, id: String, name: String) -> Result<usize, Broken> {
        if self.calls.len() >= TOOL_CALLS_PER_GENERATION_MAX {
            return Err("more tool calls than anyone needs");
        }
        self.calls.push(Call { index, id, name, args: String::new() });
        Ok(self.calls.len() - 1)
    }

    /// More of the arguments of a call.
    pub fn argue(&mut self, call: usize, piece: &str) -> Result<(), Broken> {
        let args = &mut self.calls[call].args;
        if args.len() + piece.len() > TOOL_ARGS_BYTES_MAX {
            return Err("the arguments of a tool call are endless");
        }
        self.output_chars += piece.chars().count();
        args.push_str(piece);
        Ok(())
    }

    fn fail(&mut self, class: ErrorClass, detail: impl Into<String>, out: &mut Vec<GenerationEvent>) {
        if !std::mem::replace(&mut self.over, true) {
            out.push(GenerationEvent::Failed(Failure::new(class, detail)));
        }
    }

    /// Gives the tool calls, the usage and the end, or the failure that the answer amounts to.
    pub fn complete(&mut self, out: &mut Vec<GenerationEvent>) {
        if self.over {
            return;
        }
        let Some(mut finish) = self.finish else {
            return self.fail(ErrorClass::Protocol, "the answer was cut off", out);
        };
        let calls = std::mem::take(&mut self.calls).into_iter().enumerate();
        if matches!(finish, Finish::Stop | Finish::ToolCalls) {
            let events: Option<Vec<_>> =
                calls.map(|(at, call)| whole_call(at, call.id, call.name, &call.args)).collect();
            let Some(events) = events else {
                return self.fail(ErrorClass::Protocol, "a tool call has no name or no valid arguments", out);
            };
            finish = if events.is_empty() { Finish::Stop } else { Finish::ToolCalls };
            out.extend(events);
        }
        self.over = true;
        out.push(GenerationEvent::Usage(self.usage()));
        out.push(GenerationEvent::Done { finish });
    }

    /// What the service has not counted yet is estimated.
    fn usage(&self) -> TokenUsage {
        let tokens = |chars: usize| u32::try_from(chars.div_ceil(CHARS_PER_TOKEN)).unwrap_or(u32::MAX);
        let (input, output) = (tokens(self.input_chars), tokens(self.output_chars));
        let estimated = TokenUsage { input, cached: 0, cache_writes: 0, output };
        self.counted.map_or(estimated, |counted| {
            // What was written is counted at the end.
            let output = if self.finish.is_some() { counted.output } else { counted.output.max(output) };
            TokenUsage { output, ..counted }
        })
    }
}

/// An event in the service's shape.
pub(super) fn shaped<T: DeserializeOwned>(event: Value) -> Result<T, Broken> {
    serde_json::from_value(event).map_err(|_| "the service sent an event of another shape")
}

/// The codec of a dialect.
pub(super) struct Answer<D> {
    dialect: D,
    decoder: SseDecoder,
    so_far: SoFar,
}

impl<D: Dialect> Answer<D> {
    pub(super) fn new(dialect: D) -> Self {
        Self { dialect, decoder: SseDecoder::default(), so_far: SoFar::default() }
    }

    fn on_data(&mut self, data: &str, out: &mut Vec<GenerationEvent>) {
        if self.so_far.over {
            return;
        }
        if self.dialect.is_end(data) {
            return self.so_far.complete(out);
        }
        let Ok(event) = serde_json::from_str::<Value>(data) else {
            return self.so_far.fail(ErrorClass::Protocol, "the service sent an event that is not JSON", out);
        };
        if event["type"] == "error" || event.get("error").is_some_and(|error| !error.is_null()) {
            let class = self.dialect.class_of(&event, data);
            let code = error_code(data).unwrap_or_default();
            return self.so_far.fail(class, format!("the service failed while it answered {code}"), out);
        }
        if let Err(detail) = self.dialect.on_event(event, &mut self.so_far, out) {
            self.so_far.fail(ErrorClass::Protocol, detail, out);
        }
    }

    fn decode(
        &mut self,
        out: &mut Vec<GenerationEvent>,
        step: impl FnOnce(&mut SseDecoder, &mut dyn FnMut(&str)) -> Result<(), TooLong>,
    ) {
        let mut decoder = std::mem::take(&mut self.decoder);
        let outcome = step(&mut decoder, &mut |data| self.on_data(data, out));
        self.decoder = decoder;
        if let Err(error) = outcome {
            self.so_far.fail(ErrorClass::Protocol, error.to_string(), out);
        }
    }
}

impl<D: Dialect> LlmProtocol for Answer<D> {
    fn request(&mut self, generation: &GenerationRequest) -> HttpRequest {
        let request = self.dialect.request(generation);
        self.so_far.input_chars = String::from_utf8_lossy(&request.body).chars().count();
        request
    }

    fn on_bytes(&mut self, bytes: &[u8], out: &mut Vec<GenerationEvent>) {
        self.decode(out, |decoder, each| decoder.push(bytes, each));
    }

    fn on_end(&mut self, out: &mut Vec<GenerationEvent>) {
        self.decode(out, |decoder, each| decoder.end(each));
        self.so_far.complete(out);
    }

    fn usage_so_far(&self) -> TokenUsage {
        self.so_far.usage()
    }

    fn classify(&self, status: u16, body: &str) -> ErrorClass {
        self.dialect.classify(status, body)
    }
}
