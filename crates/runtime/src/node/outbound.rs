//! How calls go out: one attempt, one request, and never a second one while nobody knows about the first.

use super::{Node, RefuseReason};
use crate::consult::Briefed;
use crate::lines::Lines;
use crate::platform;
use base::wire::HttpRequest;
use base::{AgentId, CallId, ErrorClass, Failure, Millis, PhoneNumber, limits};
use carriers::protocol::{Capability, DialAttempt, DialReply};
use engine::io::{CarrierInput, Input};
use model::business::TenantScope;
use model::call::{Call, CallState, Direction};
use std::sync::Arc;

/// A call to be placed.
#[derive(Clone, Debug)]
pub struct DialRequest {
    /// Registry name of the carrier.
    pub carrier: String,
    /// Who speaks.
    pub agent: AgentId,
    /// Who to call.
    pub to: PhoneNumber,
    /// Our number.
    pub from: PhoneNumber,
    /// How the platform reaches us.
    pub base_url: String,
}

/// Why a call was not placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// No such carrier, or it cannot place calls.
    #[error("this carrier is not configured or cannot place calls")]
    NoCarrier,
    /// The agent was never published, or is switched off.
    #[error("the agent is not on duty")]
    OffDuty,
    /// The node did not take it.
    #[error(transparent)]
    Refused(#[from] RefuseReason),
    /// The platform refused.
    #[error("the platform refused: {0}")]
    Carrier(Failure),
}

/// How a call is placed.
enum Way {
    Line(Arc<dyn Lines>),
    Request(Box<HttpRequest>),
}

impl Node {
    /// Places a call. When it returns the platform has accepted it, or nobody knows whether it has; either way the call's
    /// further life is in its journal.
    pub async fn dial(&self, scope: TenantScope, request: DialRequest) -> Result<CallId, DialError> {
        if let Some(answer) = self.dial_elsewhere(&scope, &request).await {
            return answer;
        }
        self.shared.note_reached_at(&request.base_url);
        self.dial_here(scope, request, None).await
    }

    /// Places a call to a person, in which they are told about a caller of this node.
    pub(crate) async fn dial_briefed(
        &self,
        scope: TenantScope,
        request: DialRequest,
        briefed: Briefed,
    ) -> Result<CallId, DialError> {
        self.dial_here(scope, request, Some(briefed)).await
    }

    /// By which line a person can be called for this caller: the one that they came by, or else the first of the business that can
    /// place calls.
    pub(crate) async fn line_out(&self, scope: &TenantScope, call: &Call) -> Option<(String, PhoneNumber)> {
        let places = |carrier: &str| {
            let is_here = self.shared.lines(carrier).is_some() || self.shared.control(carrier).is_some();
            is_here && self.capabilities(carrier).contains(&Capability::TransferWarm)
        };
        let own = call.number.as_ref().and_then(|number| number.parse().ok());
        if let Some(number) = own.filter(|_| places(&call.carrier)) {
            return Some((call.carrier.clone(), number));
        }
        let numbers = self.shared.store.numbers(scope, None).await.ok()?;
        let other = numbers.into_iter().find(|number| places(&number.carrier))?;
        Some((other.carrier, other.number))
    }

    async fn dial_here(
        &self,
        scope: TenantScope,
        request: DialRequest,
        briefed: Option<Briefed>,
    ) -> Result<CallId, DialError> {
        let control = self.shared.control(&request.carrier).ok_or(DialError::NoCarrier)?;
        self.plan_admits(&scope, Direction::Outbound).await?;
        let slot = self.admit(&scope, Direction::Outbound)?;
        let agent = self.shared.store.agent(&scope, request.agent).await.map_err(RefuseReason::from)?;
        if !agent.is_on_duty() {
            return Err(DialError::OffDuty);
        }
        let mut call = self.new_call(&scope, agent.agent.id, Direction::Outbound, control.name());
        call.customer = Some(request.to.expose().to_owned().into());
        call.number = Some(request.from.expose().to_owned());
        let mut agent = self.version_for(&scope, agent, &mut call).await;
        if let Some(briefed) = briefed {
            agent = briefed.agent.clone();
            // Somebody may pick up before the platform has answered us.
            self.shared.brief_in(call.id, briefed);
        }
        let base_url = self.shared.settings.public_url.clone().unwrap_or(request.base_url);
        let mark = address_mark(&scope, call.id);
        let media_base = self.media_url().unwrap_or_else(|| base_url.clone()).replacen("http", "ws", 1);
        let attempt = DialAttempt {
            call: call.id,
            to: request.to,
            from: request.from,
            answer_url: format!("{base_url}/carriers/{}/voice?{mark}", control.name()),
            status_url: format!("{base_url}/carriers/{}/status?{mark}", control.name()),
            media_url: format!("{media_base}/carriers/{}/media", control.name()),
            token: self.ticket_after(&scope, call.id, Millis(agent.timing.ring_ms_max)),
            ring: Millis(agent.timing.ring_ms_max),
            now_ms: crate::wall_ms(),
        };
        let way = match self.shared.lines(&request.carrier) {
            Some(lines) => Way::Line(lines),
            None => {
                let login = platform::log_in(&self.shared.egress, control.as_ref()).await;
                login.map_err(|failure| DialError::Carrier(unplaced(failure)))?;
                let dial = control.dial(&attempt).map_err(|cannot| {
                    tracing::warn!(carrier = control.name(), %cannot, "no call can be placed");
                    DialError::NoCarrier
                })?;
                Way::Request(Box::new(dial))
            }
        };
        // The intent is durable before the phone can ring (rule 5): the row is the intent.
        self.shared.store.create_call(&scope, &call).await.map_err(RefuseReason::from)?;
        let reply = match way {
            Way::Line(lines) => lines.place(&attempt).await,
            Way::Request(dial) => {
                match self.shared.egress.http_once(*dial, Millis(limits::CARRIER_REQUEST_MS_MAX)).await {
                    Ok(answer) => control.dial_reply(Some((answer.status, &answer.body))),
                    Err(lost) if lost.may_have_arrived => control.dial_reply(None),
                    Err(unsent) => DialReply::Refused(unplaced(unsent.failure)),
                }
            }
        };
        let id = call.id;
        match reply {
            DialReply::Accepted { carrier_ref } => {
                call.carrier_ref = Some(carrier_ref.clone());
                self.own(&scope, id).await;
                self.host(slot, scope, call, &agent, Vec::new());
                self.catch_up(&scope, id, carrier_ref).await;
                Ok(id)
            }
            DialReply::Refused(failure) => {
                self.shared.briefing_of(id);
                self.close_row(&scope, id, CallState::Failed, failure.class.name()).await;
                Err(DialError::Carrier(failure))
            }
            DialReply::Unknown(failure) => {
                // The phone may be ringing: the row stays open until the platform reports, and nobody dials again.
                tracing::warn!(call = %id, %failure, "nobody knows whether the platform dials");
                let data = serde_json::json!({ "class": failure.class.name() });
                let logged = self.shared.store.log_call(&scope, id, "dial_unknown", &data, crate::wall_ms()).await;
                if let Err(error) = logged {
                    tracing::error!(call = %id, %error, "the unknown dial was not logged");
                }
                Ok(id)
            }
        }
    }

    /// Writes the platform's id down, and tells the call what the platform reported before the call was hosted.
    async fn catch_up(&self, scope: &TenantScope, call: CallId, carrier_ref: String) {
        let update = store::CallUpdate { carrier_ref: Some(carrier_ref), ..store::CallUpdate::default() };
        match self.shared.store.update_call(scope, call, &update).await {
            Ok(row) => {
                self.tell(scope, call, Input::Carrier(CarrierInput::State { state: row.state })).await;
            }
            Err(error) => tracing::error!(%call, %error, "the platform's id of a call was not written"),
        }
    }

    async fn close_row(&self, scope: &TenantScope, call: CallId, state: CallState, reason: &str) {
        let update = store::CallUpdate {
            state: Some(state),
            ended_at_ms: Some(crate::wall_ms()),
            ended_reason: Some(reason.into()),
            ..store::CallUpdate::default()
        };
        if let Err(error) = self.shared.store.update_call(scope, call, &update).await {
            tracing::error!(%call, %error, "the end of a call was not written");
        }
    }
}

/// Why a call was certainly not placed: the platform was never asked. To others it is as one that is down, whatever kept us from
/// asking.
fn unplaced(failure: Failure) -> Failure {
    if engine::outgoing::next_may_try(failure.class) {
        return failure;
    }
    Failure { class: ErrorClass::Unavailable, ..failure }
}

/// What ties a webhook to the call it was written for.
fn address_mark(scope: &TenantScope, call: CallId) -> String {
    format!("business={}&call={call}", scope.business)
}

/// Reads [`address_mark`] back.
pub(super) fn call_in_address(url: &str) -> Option<(TenantScope, CallId)> {
    let (_, query) = url.split_once('?')?;
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let business = value("business")?.parse().ok()?;
    Some((TenantScope { business }, value("call")?.parse().ok()?))
}
