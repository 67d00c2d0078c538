//! How calls come in: voice webhooks, status webhooks, media sockets.

use super::duty::{self, Answerer};
use super::{Node, Plan, RefuseReason, customer_of, lock};
use crate::host::{HostMessage, Link};
use crate::socket::{self, Incoming, MediaSocket};
use base::wire::Wire;
use base::{CallId, NodeId, Pii, limits};
use carriers::protocol::{
    Answer, Authenticity, CarrierControl, Inbound, InboundCall, MediaEvent, MediaProtocol, MediaSink, MediaStart,
    Reply, WebhookKind,
};
use engine::io::{CarrierInput, Input};
use model::business::TenantScope;
use model::call::{CallState, Direction};
use std::collections::BTreeMap;
use std::time::Duration;
use store::{CallRoute, StoreError};
use tokio::time::Instant;

/// What the caller hears when we know the number but cannot connect anybody.
const APOLOGY: &str = "We are sorry, we cannot take your call right now. Please try again later.";

/// Why a media socket was not admitted. Each closes the socket with its own code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// It sent no start message in time.
    #[error("no start message came in time")]
    NoStart,
    /// It broke its protocol before it began.
    #[error("{why}")]
    Violation {
        /// Close code.
        code: u16,
        /// Why.
        why: &'static str,
    },
    /// Its token is unknown, used or expired.
    #[error("the token is unknown, used or expired")]
    Token,
    /// It asked for an agent that does not exist.
    #[error("there is no such agent")]
    NoAgent,
    /// The visitor's conversation is over, or another node has it.
    #[error("the conversation is over")]
    Over,
    /// The visitor may write and not speak, or the other way around.
    #[error("this is not offered here")]
    NotOffered,
    /// The node did not take the call.
    #[error(transparent)]
    Refused(#[from] RefuseReason),
    /// It went away.
    #[error("the socket went away")]
    Gone,
}

impl AttachError {
    /// The WebSocket close code (RFC 6455, 7.4.1) that says it.
    pub fn close_code(&self) -> u16 {
        match self {
            Self::Violation { code, .. } => *code,
            Self::NoStart | Self::Token | Self::NoAgent => 1008,
            Self::NotOffered => 4003,
            Self::Over => 4000,
            Self::Refused(RefuseReason::Store(_)) => 1011,
            Self::Refused(_) => 1013,
            Self::Gone => 1000,
        }
    }
}

/// Where there may be room for a new call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    /// At this node alone.
    Here,
    /// At another one, too.
    Anywhere,
}

/// Who comes with a media socket.
pub(super) enum Comer {
    /// A platform or a page of ours, in whose name it may begin a call.
    Carrier(Option<TenantScope>),
    /// A visitor of a website.
    Visitor(Box<super::Visit>),
}

impl Node {
    /// Answers a platform's voice webhook: a new call, a call that we placed and that was picked up, or a call whose media
    /// socket ended. Platforms with one address for everything may mean any other webhook.
    pub async fn voice_webhook(&self, carrier: &str, request: &Inbound<'_>, base_url: &str) -> Option<Reply> {
        self.webhook(carrier, request, base_url, WebhookKind::Voice).await
    }

    /// Takes a platform's report on a call.
    pub async fn status_webhook(&self, carrier: &str, request: &Inbound<'_>, base_url: &str) -> Option<Reply> {
        self.webhook(carrier, request, base_url, WebhookKind::Status).await
    }

    async fn webhook(
        &self,
        carrier: &str,
        request: &Inbound<'_>,
        base_url: &str,
        address: WebhookKind,
    ) -> Option<Reply> {
        let control = self.shared.control(carrier)?;
        self.shared.note_reached_at(base_url);
        if request.method != "POST" && !control.takes_queries() {
            return Some(Reply { headers: vec![("allow", "POST".into())], ..plain(405) });
        }
        let kind = control.webhook_kind(request).unwrap_or(address);
        if let Err(refusal) = self.genuine(control.as_ref(), request, kind == WebhookKind::Status).await {
            return Some(refusal);
        }
        match kind {
            WebhookKind::Voice => Some(self.voice(control, request, base_url).await),
            WebhookKind::Status => Some(self.report(control.as_ref(), request).await),
            WebhookKind::Done { reply, requests } => {
                if !requests.is_empty() {
                    let (egress, name) = (self.shared.egress.clone(), control.name());
                    self.shared
                        .tasks
                        .spawn(async move { crate::platform::send_in_order(&egress, name, requests).await });
                }
                Some(reply)
            }
        }
    }

    async fn voice(&self, control: std::sync::Arc<dyn CarrierControl>, request: &Inbound<'_>, base_url: &str) -> Reply {
        let carrier = control.name();
        let inbound = match control.inbound_call(request) {
            Ok(inbound) => inbound,
            Err(failure) => {
                tracing::warn!(carrier, %failure, "a voice webhook could not be read");
                return plain(400);
            }
        };
        if let Some(code) = &inbound.media_error {
            tracing::warn!(carrier, code, "the platform ended a media socket with an error");
        }
        let answer = match self.route(carrier, &inbound.carrier_ref, request.url).await {
            Ok(route) => self.go_on(control.name(), route, base_url).await,
            Err(StoreError::NotFound(_)) if inbound.resumed => Answer::HangUp,
            Err(StoreError::NotFound(_)) => {
                self.take_or_overflow(control.name(), inbound.clone(), base_url, Room::Anywhere).await
            }
            Err(error) => {
                tracing::error!(carrier, %error, "a call cannot be routed");
                Answer::SayAndHangUp { text: APOLOGY.into() }
            }
        };
        let reply = control.answer(&inbound, &answer);
        let egress = self.shared.egress.clone();
        self.shared.tasks.spawn(crate::platform::follow_up(egress, control, inbound, answer));
        reply
    }

    async fn report(&self, control: &dyn CarrierControl, request: &Inbound<'_>) -> Reply {
        let carrier = control.name();
        let report = match control.status(request) {
            Ok(Some(report)) => report,
            Ok(None) => return plain(204),
            Err(failure) => {
                tracing::warn!(carrier, %failure, "a status webhook could not be read");
                return plain(400);
            }
        };
        let route = match self.route(carrier, &report.carrier_ref, request.url).await {
            Ok(route) => route,
            Err(StoreError::NotFound(_)) => return plain(204), // Not ours, or dialled by a node that died early.
            Err(error) => {
                tracing::error!(carrier, %error, "a status report cannot be routed");
                return plain(503); // The platform tries again.
            }
        };
        let data = serde_json::json!({
            "state": report.raw_state,
            "sequence": report.sequence,
            "answered_by": report.answered_by.map(carriers::protocol::AnsweredBy::name),
            "recording_url": report.recording_url,
        });
        let (scope, id) = (route.scope, route.call.id);
        let logged = self.shared.store.log_call(&scope, id, "carrier_state", &data, crate::wall_ms()).await;
        match logged.and(self.report_state(route, report.state).await) {
            Ok(()) => plain(204),
            Err(error) => {
                tracing::error!(call = %id, %error, "a status report was not written");
                plain(503)
            }
        }
    }

    /// A call over a line of this process. It cannot be answered by another node: its audio is here.
    pub(crate) async fn take_from_line(&self, carrier: &str, inbound: InboundCall) -> Answer {
        match self.route(carrier, &inbound.carrier_ref, "").await {
            Err(StoreError::NotFound(_)) => self.take_or_overflow(carrier, inbound, "", Room::Here).await,
            // A name of a call is used once; who uses it again is not to meet somebody else's conversation.
            Ok(_) => Answer::Reject,
            Err(error) => {
                tracing::error!(carrier, %error, "a call cannot be routed");
                Answer::SayAndHangUp { text: APOLOGY.into() }
            }
        }
    }

    pub(crate) async fn go_on_with_line(&self, carrier: &str, carrier_ref: &str, mark: &str) -> Answer {
        match self.route(carrier, carrier_ref, mark).await {
            Ok(route) => self.go_on(carrier, route, "").await,
            Err(error) => {
                tracing::error!(carrier, %error, "a call cannot go on");
                Answer::HangUp
            }
        }
    }

    pub(crate) async fn take_word_of_line(
        &self,
        carrier: &str,
        carrier_ref: &str,
        mark: &str,
        facts: Pii<BTreeMap<String, String>>,
    ) {
        match self.route(carrier, carrier_ref, mark).await {
            Ok(route) => self.tell_facts(&route.scope, route.call.id, facts).await,
            Err(error) => tracing::error!(carrier, %error, "what a line says reached no call"),
        }
    }

    pub(crate) async fn take_report_of_line(
        &self,
        carrier: &str,
        carrier_ref: &str,
        mark: &str,
        state: CallState,
        raw: &str,
    ) {
        let written = async {
            let route = self.route(carrier, carrier_ref, mark).await?;
            let data = serde_json::json!({ "state": raw });
            let (scope, id) = (route.scope, route.call.id);
            self.shared.store.log_call(&scope, id, "carrier_state", &data, crate::wall_ms()).await?;
            self.report_state(route, state).await
        };
        if let Err(error) = written.await
            && !matches!(error, StoreError::NotFound(_))
        {
            tracing::error!(carrier, %error, "a line's report was not written");
        }
    }

    /// Whose call a webhook speaks of: by the platform's id, or, for a call we placed and whose id we never learned, by
    /// what we wrote into the webhook's own address. The platform's signature covers that address.
    async fn route(&self, carrier: &str, carrier_ref: &str, url: &str) -> Result<CallRoute, StoreError> {
        let unknown = match self.shared.store.route_call(carrier, carrier_ref).await {
            Err(error @ StoreError::NotFound(_)) => error,
            other => return other,
        };
        let Some((scope, id)) = super::outbound::call_in_address(url) else { return Err(unknown) };
        let update = store::CallUpdate { carrier_ref: Some(carrier_ref.into()), ..store::CallUpdate::default() };
        let call = self.shared.store.update_call(&scope, id, &update).await?;
        if call.carrier == carrier { Ok(CallRoute { scope, call }) } else { Err(unknown) }
    }

    /// Whether a request is the platform's. A replayed report has no effect twice; a repeated voice webhook is answered
    /// again, since its first answer may have been lost.
    async fn genuine(&self, control: &dyn CarrierControl, request: &Inbound<'_>, once: bool) -> Result<(), Reply> {
        let name = control.name();
        let refused = |outcome: &'static str| {
            metrics::counter!("frontdesk_webhooks_refused_total", "carrier" => name, "outcome" => outcome).increment(1);
        };
        match control.authenticate(request) {
            Authenticity::Genuine { replay_key: Some(key) } if once => {
                match self.shared.store.see_delivery(name, &key, request.received_at_ms).await {
                    Ok(true) => Ok(()),
                    Ok(false) => {
                        refused("replayed");
                        Err(plain(204))
                    }
                    // Without the database a replay cannot be told; reports are idempotent, so taking it is safe.
                    Err(_) => Ok(()),
                }
            }
            Authenticity::Genuine { .. } => Ok(()),
            Authenticity::Forged { why } => {
                refused("forged");
                tracing::warn!(carrier = name, why, "a webhook was forged");
                Err(plain(403))
            }
            Authenticity::Stale => {
                refused("stale");
                Err(plain(403))
            }
        }
    }

    /// Takes a new call that a platform brought to another node. `None` when there is no room here either.
    pub(crate) async fn take_for_peer(&self, carrier: &str, inbound: InboundCall, base_url: &str) -> Option<Answer> {
        let control = self.shared.control(carrier)?;
        let answer = self.take_new(control.name(), inbound, base_url, Room::Here).await;
        (answer != Answer::Busy).then_some(answer)
    }

    /// A call we have not heard of, at the node that its platform asked.
    async fn take_or_overflow(&self, carrier: &str, inbound: InboundCall, base_url: &str, room: Room) -> Answer {
        let number = inbound.to.clone();
        match (self.take_new(carrier, inbound, base_url, room).await, number) {
            (Answer::Busy, Some(number)) => self.overflow(carrier, &number).await,
            (answer, _) => answer,
        }
    }

    /// A call we have not heard of.
    async fn take_new(&self, carrier: &str, inbound: InboundCall, base_url: &str, room: Room) -> Answer {
        let Some(number) = inbound.to.clone() else { return Answer::Reject };
        let route = match self.shared.store.route_number(carrier, &number).await {
            Ok(route) => route,
            Err(StoreError::NotFound(_)) => {
                tracing::warn!(carrier, %number, "nobody answers this number");
                return Answer::Reject;
            }
            Err(_) => return Answer::SayAndHangUp { text: APOLOGY.into() },
        };
        let answerer = match self.who_answers(&route).await {
            Ok(Some(answerer)) => answerer,
            Ok(None) | Err(_) => return Answer::SayAndHangUp { text: APOLOGY.into() },
        };
        // Whom nobody here talks with takes no line.
        let (agent, message) = match answerer {
            Answerer::Forward(to) => return duty::forward(to, &number),
            Answerer::Message(text, None) => return Answer::SayAndHangUp { text },
            Answerer::Message(text, Some(speaker)) => (speaker, Some(text)),
            Answerer::Agent(agent) => (agent, None),
        };
        let admitted = match self.plan_admits(&route.scope, Direction::Inbound).await {
            Ok(()) => self.admit(&route.scope, Direction::Inbound),
            Err(over) => Err(over),
        };
        let slot = match admitted {
            Ok(slot) => slot,
            // Another node may have room; the plan of the business is the same everywhere.
            Err(RefuseReason::Busy | RefuseReason::Draining) if room == Room::Anywhere => {
                return self.take_elsewhere(carrier, &inbound, base_url).await.unwrap_or(Answer::Busy);
            }
            Err(_) => return Answer::Busy,
        };
        let mut call = self.new_call(&route.scope, agent.agent.id, Direction::Inbound, carrier);
        call.carrier_ref = Some(inbound.carrier_ref);
        call.customer = customer_of(inbound.from);
        call.number = Some(number.expose().to_owned());
        call.state = CallState::Ringing;
        let agent = self.version_for(&route.scope, *agent, &mut call).await;
        let (agent, is_outside) = match message {
            Some(text) => (duty::speaker(agent, text), true),
            None => {
                let is_outside = self.is_outside_hours(&route.scope, &agent).await;
                (agent, is_outside)
            }
        };
        match self.shared.store.create_call(&route.scope, &call).await {
            Ok(()) => {}
            // The platform repeated its request while the first one was being answered.
            Err(StoreError::Conflict(_)) => {
                let Some(carrier_ref) = &call.carrier_ref else { return Answer::Reject };
                return match self.shared.store.route_call(carrier, carrier_ref).await {
                    Ok(known) => self.connect(carrier, &known.scope, known.call.id, base_url),
                    Err(_) => Answer::SayAndHangUp { text: APOLOGY.into() },
                };
            }
            Err(error) => {
                tracing::error!(%error, "an inbound call could not be written");
                return Answer::SayAndHangUp { text: APOLOGY.into() };
            }
        }
        let id = call.id;
        self.own(&route.scope, id).await;
        self.host(slot, route.scope, call, &agent, Vec::new());
        if let Some(facts) = inbound.facts {
            self.tell_facts(&route.scope, id, facts).await;
        }
        if is_outside {
            self.tell_outside_hours(&route.scope, id).await;
        }
        self.connect(carrier, &route.scope, id, base_url)
    }

    /// A call we know: its audio ended and the platform asks how to go on, or somebody picked up a call we placed.
    async fn go_on(&self, carrier: &str, route: CallRoute, base_url: &str) -> Answer {
        let id = route.call.id;
        if let Some(answer) = self.go_on_by_plan(carrier, &route, base_url).await {
            return answer;
        }
        if route.call.state.is_terminal() {
            return Answer::HangUp;
        }
        // Another node may have it; and while this one asks, yet another may take it.
        let from = match self.go_on_elsewhere(&route.scope, id, base_url).await {
            Ok(answer) => return answer,
            Err(from) => from,
        };
        match self.resume(&route, from).await {
            Ok(true) => self.connect(carrier, &route.scope, id, base_url),
            Ok(false) => Answer::HangUp,
            Err(error) => {
                let heir = error == RefuseReason::Draining;
                if heir && let Some(answer) = self.go_on_at_heir(&route.scope, id, base_url).await {
                    return answer;
                }
                tracing::error!(call = %id, %error, "a call could not be resumed");
                Answer::SayAndHangUp { text: APOLOGY.into() }
            }
        }
    }

    /// What this node knows about how to go on with a call: a plan, or the live call itself. `None`: nothing.
    pub(crate) async fn go_on_by_plan(&self, carrier: &str, route: &CallRoute, base_url: &str) -> Option<Answer> {
        let id = route.call.id;
        let carrier_ref = route.call.carrier_ref.clone().unwrap_or_default();
        let plan = lock(&self.shared.plans).remove(&(carrier.to_owned(), carrier_ref));
        match plan {
            Some(Plan::HangUp { unsaid: Some(text) }) => return Some(Answer::SayAndHangUp { text }),
            Some(Plan::HangUp { unsaid: None }) => return Some(Answer::HangUp),
            Some(Plan::Transfer { to, tell }) => {
                let done = HostMessage::Input(Input::Carrier(CarrierInput::TransferDone { ok: true }));
                let _ = tell.send(done).await; // The call may have ended meanwhile; the caller is still connected.
                let caller_id = route.call.number.as_ref().and_then(|number| number.parse().ok());
                return Some(Answer::Transfer { to, caller_id });
            }
            None => {}
        }
        let is_over = lock(&self.shared.calls).get(&id).map(|live| live.is_over);
        match is_over {
            Some(true) => Some(Answer::HangUp),
            Some(false) => Some(self.connect(carrier, &route.scope, id, base_url)),
            None => None,
        }
    }

    /// Rebuilds a call whose process died from its journal. `false` when the journal says that it is over.
    /// `from` is the node that had it, as the database says.
    pub(crate) async fn resume(&self, route: &CallRoute, from: Option<NodeId>) -> Result<bool, RefuseReason> {
        let past = self.shared.store.journal(&route.scope, route.call.id).await?;
        if matches!(past.last().map(|record| &record.entry), Some(model::journal::Entry::Ended { .. })) {
            return Ok(false);
        }
        let slot = self.admit(&route.scope, Direction::Inbound)?;
        let agent = self.shared.store.agent_of_call(&route.scope, route.call.id).await?;
        if !self.take(&route.scope, route.call.id, from).await {
            tracing::info!(call = %route.call.id, "another node was faster");
            return Ok(true);
        }
        tracing::info!(call = %route.call.id, entries = past.len(), "a call goes on from its journal");
        metrics::counter!("frontdesk_calls_resumed_total").increment(1);
        self.host(slot, route.scope, route.call.clone(), &agent.agent, past);
        Ok(true)
    }

    pub(super) fn connect(&self, carrier: &str, scope: &TenantScope, call: CallId, base_url: &str) -> Answer {
        let base_url = self.shared.settings.public_url.as_deref().unwrap_or(base_url);
        let media_base = self.cluster().and_then(|cluster| cluster.media_url()).unwrap_or(base_url);
        let media_base = media_base.replacen("http", "ws", 1);
        Answer::Connect {
            media_url: format!("{media_base}/carriers/{carrier}/media"),
            token: self.ticket(scope, call),
            next_url: format!("{base_url}/carriers/{carrier}/voice"),
        }
    }

    /// Whether a media socket's upgrade request is the platform's. Carriers without signatures admit by their start.
    pub fn media_upgrade_genuine(&self, carrier: &str, request: &Inbound<'_>) -> bool {
        match self.shared.control(carrier).map(|control| control.authenticate_media(request)) {
            None | Some(Authenticity::Genuine { .. }) => true,
            Some(Authenticity::Forged { why }) => {
                tracing::warn!(carrier, why, "a media socket was forged");
                false
            }
            Some(Authenticity::Stale) => false,
        }
    }

    /// Takes a media socket: waits for its start, finds its call, and hands it over. Returns as soon as the call has it.
    ///
    /// # Errors
    /// Says why it was not admitted, after closing the socket with the code that says so.
    pub async fn attach(
        &self,
        carrier: &str,
        scope: Option<TenantScope>,
        protocol: Box<dyn MediaProtocol>,
        media: Box<dyn MediaSocket>,
    ) -> Result<CallId, AttachError> {
        self.let_in(carrier, Comer::Carrier(scope), protocol, media).await
    }

    pub(super) async fn let_in(
        &self,
        carrier: &str,
        comer: Comer,
        mut protocol: Box<dyn MediaProtocol>,
        mut media: Box<dyn MediaSocket>,
    ) -> Result<CallId, AttachError> {
        let admitted = match await_start(protocol.as_mut(), media.as_mut()).await {
            Ok((start, sink)) => {
                let found = match &comer {
                    Comer::Carrier(scope) => self.find_call(carrier, *scope, &start).await,
                    Comer::Visitor(visit) => self.find_visit(carrier, visit, &start).await,
                };
                found.map(|call| (call, sink, start))
            }
            Err(error) => Err(error),
        };
        let (call, sink, start) = match admitted {
            Ok(admitted) => admitted,
            Err(error) => {
                tracing::warn!(carrier, %error, "a media socket was not admitted");
                refuse(media, &error).await;
                return Err(error);
            }
        };
        let messages = lock(&self.shared.calls).get(&call).map(|live| live.channels.messages.clone());
        let MediaStart { is_written, relays, .. } = start;
        let join = HostMessage::Join(Box::new(Link { socket: media, protocol, sink, is_written, relays }));
        let unsent = match messages {
            Some(messages) => messages.send(join).await.err().map(|unsent| unsent.0),
            None => Some(join),
        };
        match unsent {
            None => Ok(call), // Should it end just now, the call itself refuses the socket.
            Some(unsent) => {
                if let HostMessage::Join(link) = unsent {
                    refuse(link.socket, &AttachError::Token).await;
                }
                Err(AttachError::Token)
            }
        }
    }

    async fn find_call(
        &self,
        carrier: &str,
        scope: Option<TenantScope>,
        start: &MediaStart,
    ) -> Result<CallId, AttachError> {
        if let Some(token) = &start.token {
            let ticket = lock(&self.shared.tickets).remove(token);
            let Some(ticket) = ticket else { return self.adopt(token).await.ok_or(AttachError::Token) };
            let meant_for_it = {
                let calls = lock(&self.shared.calls);
                calls.get(&ticket.call).is_some_and(|live| {
                    !live.is_over
                        && live.carrier == carrier
                        && (live.carrier_ref.is_none() || live.carrier_ref == start.carrier_ref)
                })
            };
            return (ticket.expires > Instant::now() && meant_for_it).then_some(ticket.call).ok_or(AttachError::Token);
        }
        // Without a token only sockets whose place in the server says whose they are may begin a call.
        let scope = scope.ok_or(AttachError::Token)?;
        let agents = self.shared.store.agents(&scope, None).await.map_err(RefuseReason::from)?;
        let mut agents = agents.into_iter().filter(store::VersionedAgent::is_on_duty);
        let agent = match &start.agent {
            Some(slug) => agents.find(|one| one.agent.slug == *slug),
            None => agents.next(),
        };
        let agent = agent.ok_or(AttachError::NoAgent)?;
        self.plan_admits(&scope, Direction::Inbound).await?;
        let slot = self.admit(&scope, Direction::Inbound)?;
        let mut call = self.new_call(&scope, agent.agent.id, Direction::Inbound, carrier);
        call.state = CallState::Answered;
        call.answered_at_ms = Some(call.started_at_ms);
        let agent = self.version_for(&scope, agent, &mut call).await;
        self.shared.store.create_call(&scope, &call).await.map_err(RefuseReason::from)?;
        let id = call.id;
        self.own(&scope, id).await;
        self.host(slot, scope, call, &agent, Vec::new());
        Ok(id)
    }
}

/// Closes a media socket with the code that says why.
pub(crate) async fn refuse(mut media: Box<dyn MediaSocket>, error: &AttachError) {
    let mut close = vec![Wire::Close(error.close_code(), error.to_string().into())];
    let _ = socket::send_all(media.as_mut(), &mut close).await; // It may be gone already.
}

/// Reads until the start message, within its deadline.
async fn await_start(
    protocol: &mut dyn MediaProtocol,
    media: &mut dyn MediaSocket,
) -> Result<(MediaStart, MediaSink), AttachError> {
    let deadline = Instant::now() + Duration::from_millis(limits::MEDIA_START_MS_MAX);
    let mut sink = MediaSink::default();
    loop {
        let incoming = tokio::time::timeout_at(deadline, socket::recv(media)).await;
        match incoming.map_err(|_elapsed| AttachError::NoStart)?.ok_or(AttachError::Gone)? {
            Incoming::Text(bytes) => match std::str::from_utf8(&bytes) {
                Ok(text) => protocol.on_text(text, &mut sink),
                Err(_) => return Err(AttachError::Violation { code: 1007, why: "text that is not UTF-8" }),
            },
            Incoming::Binary(bytes) => protocol.on_binary(&bytes, &mut sink),
            Incoming::Violation { code, why } => return Err(AttachError::Violation { code, why }),
        }
        let mut start = None;
        for event in std::mem::take(&mut sink.events) {
            match event {
                MediaEvent::Started(begun) => start = Some(begun),
                MediaEvent::Violation { code, why } => return Err(AttachError::Violation { code, why }),
                MediaEvent::Stopped | MediaEvent::HangUp if start.is_none() => return Err(AttachError::Gone),
                other => sink.events.push(other),
            }
        }
        if let Some(start) = start {
            return Ok((start, sink));
        }
    }
}

fn plain(status: u16) -> Reply {
    Reply::empty(status)
}
