//! What a platform's control would be: a trunk has no webhooks and takes no requests, its endpoint is in this process.

use crate::protocol::{
    Answer, Authenticity, CallAction, CannotDo, Capability, CarrierControl, DialAttempt, DialReply, Inbound,
    InboundCall, Reply, StatusReport, Way,
};
use base::wire::HttpRequest;
use base::{ErrorClass, Failure};

/// Says to the node that calls over trunks go on after their audio: hang up and transfer are the endpoint's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Control;

fn no_webhooks() -> Failure {
    Failure::new(ErrorClass::Invalid, "a SIP trunk has no webhooks")
}

impl CarrierControl for Control {
    fn name(&self) -> &'static str {
        super::DESCRIPTOR.name
    }

    fn authenticate(&self, _request: &Inbound<'_>) -> Authenticity {
        Authenticity::Forged { why: "a SIP trunk has no webhooks" }
    }

    fn inbound_call(&self, _request: &Inbound<'_>) -> Result<InboundCall, Failure> {
        Err(no_webhooks())
    }

    fn answer(&self, _call: &InboundCall, _answer: &Answer) -> Reply {
        Reply::empty(404)
    }

    fn status(&self, _request: &Inbound<'_>) -> Result<Option<StatusReport>, Failure> {
        Err(no_webhooks())
    }

    fn dial(&self, _attempt: &DialAttempt) -> Result<HttpRequest, CannotDo> {
        Err(CannotDo { capability: Capability::Place, why: "the endpoint of this process places calls over trunks" })
    }

    fn dial_reply(&self, _answer: Option<(u16, &[u8])>) -> DialReply {
        DialReply::Refused(no_webhooks())
    }

    /// Closing the line lets the endpoint ask how to go on: it hangs up or transfers.
    fn act(&self, _carrier_ref: &str, action: CallAction<'_>, _now_ms: i64) -> Result<Way, CannotDo> {
        match action.capability() {
            Capability::HangUp | Capability::TransferCold => Ok(Way::NextAnswer),
            other => Err(CannotDo::at_all(other)),
        }
    }

    fn act_reply(&self, _action: CallAction<'_>, _answer: Option<(u16, &[u8])>) -> Result<(), Failure> {
        Err(no_webhooks())
    }
}
