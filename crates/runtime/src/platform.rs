//! Asking a phone platform: the login where it wants one, the request, and what came of it.

use crate::wall_ms;
use base::wire::HttpRequest;
use base::{Failure, Millis, limits};
use carriers::protocol::{Answer, CallAction, CarrierControl, InboundCall, Way};
use egress::Egress;
use std::sync::Arc;

/// How often a request is sent that has to arrive and that the platform takes only once.
const TRIES_MAX: u32 = 3;

/// Makes sure that requests to this platform can be written.
pub(crate) async fn log_in(egress: &Egress, control: &dyn CarrierControl) -> Result<(), Failure> {
    let Some(request) = control.login(wall_ms()) else { return Ok(()) };
    let answer = egress.http(request, Millis(limits::CARRIER_REQUEST_MS_MAX)).await;
    control.login_reply(answer.as_ref().ok().map(|answer| (answer.status, &answer.body[..])), wall_ms())
}

/// Does something to a call by a request. `Ok(false)`: there is none, the next answer to the platform does it.
pub(crate) async fn act(
    egress: &Egress,
    control: &dyn CarrierControl,
    carrier_ref: &str,
    action: CallAction<'_>,
) -> Result<bool, Failure> {
    log_in(egress, control).await?;
    let request = match control.act(carrier_ref, action, wall_ms())? {
        Way::Request(request) => request,
        Way::NextAnswer => return Ok(false),
    };
    let answer = egress.http(request, Millis(limits::CARRIER_REQUEST_MS_MAX)).await;
    match answer {
        Ok(answer) => control.act_reply(action, Some((answer.status, &answer.body)))?,
        Err(failure) => {
            control.act_reply(action, None)?;
            return Err(failure);
        }
    }
    Ok(true)
}

/// Sends what has to follow the answer to a webhook.
pub(crate) async fn follow_up(
    egress: Arc<Egress>,
    control: Arc<dyn CarrierControl>,
    call: InboundCall,
    answer: Answer,
) {
    if let Err(failure) = log_in(&egress, control.as_ref()).await {
        tracing::error!(carrier = control.name(), %failure, "the platform lets us not log in");
        return;
    }
    let requests = control.follow_up(&call, &answer, wall_ms());
    send_in_order(&egress, control.name(), requests).await;
}

/// Sends requests that the platform takes only once, each until it was answered.
pub(crate) async fn send_in_order(egress: &Egress, carrier: &'static str, requests: Vec<HttpRequest>) {
    for request in requests {
        if !sent(egress, carrier, request).await {
            return; // What follows would mean something else without it.
        }
    }
}

async fn sent(egress: &Egress, carrier: &'static str, request: HttpRequest) -> bool {
    for attempt in 1..=TRIES_MAX {
        let answer = egress.http(request.clone(), Millis(limits::CARRIER_REQUEST_MS_MAX)).await;
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        if (200..300).contains(&status) {
            return true;
        }
        if matches!(status, 404 | 409 | 410 | 422) {
            tracing::info!(carrier, status, "the call was over before the answer to its webhook could be carried out");
            return false;
        }
        let may_help = matches!(status, 0 | 429 | 500..=599);
        if !may_help || attempt == TRIES_MAX {
            tracing::error!(carrier, status, "the platform did not do what the answer to its webhook asks for");
            return false;
        }
        tokio::time::sleep(std::time::Duration::from_millis(limits::CARRIER_AGAIN_MS)).await;
    }
    false
}
