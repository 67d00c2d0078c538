//! Lines of this process: carriers whose calls begin and end without a request over HTTP.
//!
//! Such a carrier calls [`Node`]'s methods as a platform calls its webhooks, and implements [`Lines`] for what a
//! platform is asked by request. Everything between is the same: the row before the call, tickets, plans, the journal.

use crate::Node;
use async_trait::async_trait;
use base::{Failure, PhoneNumber, Pii};
use carriers::protocol::{Answer, DialAttempt, DialReply, InboundCall};
use model::call::CallState;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a carrier of this process is asked.
#[async_trait]
pub trait Lines: Send + Sync {
    /// Places a call. The answer means what a platform's answer means; it comes as soon as the call is on its way.
    async fn place(&self, attempt: &DialAttempt) -> DialReply;
    /// Ends a call, or calls it off while it rings.
    async fn hang_up(&self, carrier_ref: &str);
    /// Connects the other side of a call with this number instead of us. It returns when that has worked, and the call is
    /// over, or when it has not, and the call goes on.
    async fn transfer(&self, carrier_ref: &str, to: &PhoneNumber) -> Result<(), Failure>;
}

impl Node {
    /// Calls of this carrier are placed and ended through these lines from now on.
    pub fn add_lines(&self, carrier: &str, lines: Arc<dyn Lines>) {
        self.shared().add_lines(carrier, lines);
    }

    /// Somebody calls. `Connect` holds the token that opens the call's media socket, and addresses that mean nothing here.
    pub async fn line_rings(&self, carrier: &str, inbound: InboundCall) -> Answer {
        self.take_from_line(carrier, inbound).await
    }

    /// A call that we placed was picked up, or the media socket of a call has ended. `mark` is the address that the attempt
    /// gave for answers; empty for a call that came in.
    pub async fn line_goes_on(&self, carrier: &str, carrier_ref: &str, mark: &str) -> Answer {
        self.go_on_with_line(carrier, carrier_ref, mark).await
    }

    /// What the line says about a call changed while it went on: somebody else is there, perhaps.
    pub async fn line_says(&self, carrier: &str, carrier_ref: &str, mark: &str, facts: Pii<BTreeMap<String, String>>) {
        self.take_word_of_line(carrier, carrier_ref, mark, facts).await;
    }

    /// The carrier reports on a call.
    pub async fn line_reports(&self, carrier: &str, carrier_ref: &str, mark: &str, state: CallState, raw: &str) {
        self.take_report_of_line(carrier, carrier_ref, mark, state, raw).await;
    }
}
