//! The drivers of providers: speech over a WebSocket, HTTP requests or a gRPC call ([`line`](self), one per transport),
//! language over HTTP with server-sent events.
//!
//! A driver owns what a codec cannot forget because it never had it: connecting, deadlines, keep-alive, cancellation,
//! bounded queues, metrics and spans. The rules of sessions are in [`crate::service`].

mod ahead;
mod http;
mod line;
mod llm_http;
mod realtime;
mod stt;
mod tts;
mod vectors;
mod whole;

#[cfg(test)]
mod tests;

pub use llm_http::{HttpBrain, MakeLlm};
pub use realtime::{Briefing, MakeRealtime, Realtime, Trio};
pub use stt::{MakeStt, StreamStt};
pub use tts::{MakeTts, StreamTts};
pub use vectors::{HttpVectors, MakeVectors};
pub use whole::{HttpEmbed, HttpText, MakeEmbed, MakeText};
pub(crate) use whole::{embeddable, readable};

use crate::service::Bill;
use base::{ErrorClass, Failure, Money};
use egress::UpgradeError;
use std::sync::Arc;
use std::time::Duration;

/// Counts what one provider does in one stage. Labels are registry names, never anything of a call.
#[derive(Clone, Debug)]
struct Meter {
    provider: Arc<str>,
    stage: &'static str,
    /// The model by which use is priced.
    model: Option<Arc<str>>,
    /// Of the call that this is for.
    bill: Option<Bill>,
}

impl Meter {
    fn new(provider: &str, stage: &'static str) -> Self {
        Self { provider: provider.into(), stage, model: None, bill: None }
    }

    /// The same meter for one call.
    fn billed(&self, bill: &Bill) -> Self {
        Self { bill: Some(bill.clone()), ..self.clone() }
    }

    /// A session or request is over.
    fn finished(&self, outcome: &'static str) {
        let provider = self.provider.to_string();
        metrics::counter!("frontdesk_provider_requests_total", "provider" => provider, "stage" => self.stage, "outcome" => outcome)
            .increment(1);
    }

    /// From what we asked for to the first of what we wait for.
    fn latency(&self, after: Duration) {
        let provider = self.provider.to_string();
        metrics::histogram!("frontdesk_provider_latency_seconds", "stage" => self.stage, "provider" => provider)
            .record(after.as_secs_f64());
    }

    fn failed(&self, failure: &Failure) {
        let provider = self.provider.to_string();
        metrics::counter!("frontdesk_provider_errors_total", "provider" => provider, "stage" => self.stage, "class" => failure.class.name())
            .increment(1);
        tracing::warn!(provider = %self.provider, stage = self.stage, class = failure.class.name(), detail = %failure.detail, "provider failed");
    }

    fn audio_dropped(&self, frames: u64) {
        let provider = self.provider.to_string();
        metrics::counter!("frontdesk_provider_audio_dropped_total", "provider" => provider).increment(frames);
    }

    /// What a session has cost so far went from one amount to another.
    fn cost(&self, before: Money, after: Money) {
        let grown = u64::try_from(after.usd_micros - before.usd_micros).unwrap_or(0);
        let provider = self.provider.to_string();
        metrics::counter!("frontdesk_provider_cost_usd_micros_total", "provider" => provider, "stage" => self.stage)
            .increment(grown);
        if let Some(bill) = &self.bill {
            bill.add(Money::from_usd_micros(after.usd_micros - before.usd_micros));
        }
    }
}

/// How a session ended.
#[derive(Debug)]
enum End {
    /// All was said.
    Done,
    /// The call lost interest.
    Cancelled,
    /// It failed; the call must be told.
    Failed(Failure),
}

impl End {
    fn count(&self, meter: &Meter) {
        match self {
            Self::Done => meter.finished("ok"),
            Self::Cancelled => meter.finished("cancelled"),
            Self::Failed(failure) => {
                meter.failed(failure);
                meter.finished("error");
            }
        }
    }
}

/// The wall clock, for what is signed.
fn unix_ms() -> u64 {
    u64::try_from(crate::wall_ms()).unwrap_or(0)
}

/// Why a conversation did not open or a request was not answered, in the vendor's terms.
fn upgrade_failure(
    provider: &str,
    error: UpgradeError,
    classify: impl Fn(u16, &[(String, String)], &str) -> ErrorClass,
) -> Failure {
    match error {
        UpgradeError::Failed(failure) => failure,
        UpgradeError::Refused(refusal) => {
            let class = classify(refusal.status, &refusal.headers, &refusal.body);
            let headers = refusal.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            providers::answer::refusal(provider, class, refusal.status, headers, &refusal.body)
        }
    }
}

/// A call that the other side ended, politely and too early.
fn ended_failure(provider: &str) -> Failure {
    Failure::new(ErrorClass::Protocol, format!("{provider} ended the stream"))
}

/// A close by the other side that its codec had nothing to say about.
fn close_failure(provider: &str, class: ErrorClass, code: u16, reason: &str) -> Failure {
    providers::answer::refusal(provider, class, code, [], reason)
}
