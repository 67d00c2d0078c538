//! Several nodes behind one installation: who is there, who has a call, and how a call on one node is told, watched, ended and
//! gone on with through another.
//!
//! The database says which nodes are there (by lease) and which of them has a call (one row, changed on a condition). Nodes
//! ask each other directly over HTTP, signed with a key of the installation. Nothing here needs Redis: losing it cuts nobody
//! off from a call. A node is taken for dead about a call only when the database says that its lease is over *and* it does not
//! answer, or when the platform itself asks how to go on and the node does not answer; should it live after all, the
//! journal lets only one of two writers through.
//!
//! Start reading at [`Node::join`], then [`peer`].

pub mod peer;

use crate::host::HostMessage;
use crate::node::Node;
use base::wire::Wire;
use base::{AgentId, CallId, ErrorClass, Failure, Millis, NodeId, PhoneNumber, Pii, limits};
use bytes::BytesMut;
use carriers::protocol::{Answer, InboundCall};
use egress::{ByteStream, Egress, EgressConfig, Policy};
use engine::io::Input;
use model::business::TenantScope;
use model::journal::Entry;
use model::live::LiveEvent;
use model::node::{GENERATION, KnownNode, NodeRole, NodeRoles, TooFarApart, may_join, roomiest};
use peer::{Next, PeerAnswer, PeerError, PeerKeys, PeerRequest, Peers, Seen};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::{Store, StoreError};
use tokio::sync::{broadcast, oneshot};

/// How a node presents itself.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// What people call it.
    pub name: String,
    /// Where other nodes reach it, without a trailing slash. Empty: they do not, and its calls are its own.
    pub address: String,
    /// Where platforms bring the audio of its calls, without a trailing slash; `None`: where they bring everything.
    pub media_url: Option<String>,
    /// What it does.
    pub roles: NodeRoles,
    /// Version of the program.
    pub version: String,
}

/// Why a node did not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Another node's program is too old or too new.
    #[error(transparent)]
    TooFarApart(#[from] TooFarApart),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One node among others.
pub(crate) struct Cluster {
    pub(crate) me: NodeId,
    settings: ClusterSettings,
    store: Arc<dyn Store>,
    peers: Peers,
    /// Requests of other nodes that counted a moment ago.
    seen: Mutex<Seen>,
}

/// Where a call is.
enum Place {
    /// At a node that can be asked.
    At(NodeId, String),
    /// At no other node that could be asked; the node that its row names, if it names one.
    Nowhere(Option<NodeId>),
}

impl Cluster {
    pub(crate) fn media_url(&self) -> Option<&str> {
        self.settings.media_url.as_deref()
    }

    pub(crate) fn takes_calls(&self) -> bool {
        self.settings.roles.has(NodeRole::Media)
    }

    fn about(&self, node: &Node) -> model::node::Node {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        model::node::Node {
            id: self.me,
            name: self.settings.name.clone(),
            address: self.settings.address.clone(),
            roles: self.settings.roles.clone(),
            generation: GENERATION,
            version: self.settings.version.clone(),
            calls_live: count(node.calls_live()),
            calls_max: count(node.load().calls_max),
            draining: node.is_draining(),
        }
    }

    async fn place(&self, scope: &TenantScope, call: CallId) -> Place {
        let owner = match self.store.call_owner(scope, call).await {
            Ok(Some(owner)) if owner != self.me => owner,
            Ok(owner) => return Place::Nowhere(owner),
            Err(_) => return Place::Nowhere(None),
        };
        match self.address(owner).await {
            Some(address) => Place::At(owner, address),
            None => Place::Nowhere(Some(owner)),
        }
    }

    async fn address(&self, node: NodeId) -> Option<String> {
        let nodes = self.store.nodes().await.ok()?;
        nodes
            .into_iter()
            .find(|known| known.node.id == node)
            .map(|known| known.node.address)
            .filter(|at| !at.is_empty())
    }

    /// Notes that this node has a call. Without the database the call goes on, and others do not find it.
    pub(crate) async fn claim(&self, scope: &TenantScope, call: CallId, from: Option<NodeId>) -> bool {
        match self.store.claim_call(scope, call, self.me, from).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(%call, %error, "it was not written which node has a call");
                true
            }
        }
    }

    pub(crate) async fn release(&self, scope: &TenantScope, call: CallId) {
        if let Err(error) = self.store.release_call(scope, call, self.me).await {
            tracing::warn!(%call, %error, "a call's node was not forgotten; a sweep does it later");
        }
    }

    /// The node that could go on with calls of this one.
    async fn heir(&self) -> Option<KnownNode> {
        let nodes = self.store.nodes().await.unwrap_or_default();
        let others: Vec<KnownNode> = nodes.into_iter().filter(|known| known.node.id != self.me).collect();
        roomiest(&others).cloned()
    }

    /// Writes which node a ticket is of into the ticket, so that audio that arrives at another node finds its call.
    pub(crate) fn sign_ticket(&self, ticket: &str, scope: &TenantScope, call: CallId) -> String {
        format!("{ticket}.{}.{}.{}", self.me.0.as_simple(), scope.business.0.as_simple(), call.0.as_simple())
    }
}

/// Reads [`Cluster::sign_ticket`] back.
fn ticket_parts(ticket: &str) -> Option<(NodeId, TenantScope, CallId)> {
    let mut parts = ticket.split('.').skip(1);
    let (node, business, call) =
        (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((node, TenantScope { business }, call))
}

/// Watches a live call, wherever it is.
pub enum Follow {
    /// Here.
    Here(broadcast::Receiver<LiveEvent>),
    /// At another node.
    There(Box<ByteStream>, BytesMut),
}

impl Follow {
    /// What comes next. `None` when the call is over, or nobody knows any more.
    pub async fn next(&mut self) -> Option<LiveEvent> {
        match self {
            Self::Here(events) => loop {
                match events.recv().await {
                    Ok(event) => return Some(event),
                    Err(broadcast::error::RecvError::Lagged(_)) => {} // The journal has what a slow watcher missed.
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            },
            Self::There(stream, kept) => loop {
                while let Some(end) = kept.iter().position(|byte| *byte == b'\n') {
                    let line = kept.split_to(end + 1);
                    // An empty line says that the other node is there; one of a newer program may say what we do not know.
                    if let Ok(event) = serde_json::from_slice(&line) {
                        return Some(event);
                    }
                }
                let more = stream.next(Millis(limits::PEER_WATCH_ALIVE_MS * 2)).await;
                kept.extend_from_slice(&more.ok().flatten()?);
            },
        }
    }
}

impl Node {
    /// Joins the nodes of this installation. To be called once, before the first call.
    ///
    /// # Errors
    /// When a node is there that is too far apart, or the store does not answer.
    pub async fn join(&self, settings: ClusterSettings) -> Result<NodeId, JoinError> {
        let store = Arc::clone(self.store());
        let me = NodeId::generate();
        let nodes = store.nodes().await?;
        // A process that listened where we listen is gone.
        let others: Vec<KnownNode> = nodes
            .into_iter()
            .filter(|known| known.node.address != settings.address || settings.address.is_empty())
            .collect();
        may_join(GENERATION, &others)?;
        let keys = PeerKeys::new(&store.peer_keys());
        let egress = Egress::new(EgressConfig::new(Policy::Peer));
        let peers = Peers { me, keys, egress, signed_ms: AtomicI64::new(0) };
        let cluster = Arc::new(Cluster { me, settings, store, peers, seen: Mutex::default() });
        cluster.store.beat(&cluster.about(self), Millis(limits::NODE_LEASE_MS)).await?;
        if !cluster.settings.address.is_empty() {
            cluster.store.replace_nodes_at(&cluster.settings.address, me).await?;
        }
        tracing::info!(node = %me, name = cluster.settings.name, roles = %cluster.settings.roles, "joined");
        self.enter(cluster);
        Ok(me)
    }

    /// Says again and again that this node is there, does what an operator asks of it, and takes over the calls of nodes that
    /// are not there any more. Runs until it is dropped.
    pub async fn stay(&self) {
        let Some(cluster) = self.cluster().cloned() else { return };
        let mut ticks = tokio::time::interval(Duration::from_millis(limits::NODE_BEAT_MS));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match cluster.store.beat(&cluster.about(self), Millis(limits::NODE_LEASE_MS)).await {
                Ok(drain) => self.cordon(drain),
                Err(error) => {
                    metrics::counter!("frontdesk_node_beats_failed_total").increment(1);
                    tracing::warn!(%error, "this node could not say that it is there");
                    continue;
                }
            }
            if cluster.takes_calls() && !self.is_draining() {
                self.take_orphans(&cluster).await;
            }
            if let Err(error) = cluster.store.prune_nodes(Millis(limits::NODE_REMEMBERED_MS)).await {
                tracing::debug!(%error, "nodes that are long gone were not forgotten");
            }
        }
    }

    /// Says that this node goes.
    pub async fn leave(&self) {
        if let Some(cluster) = self.cluster()
            && let Err(error) = cluster.store.leave(cluster.me).await
        {
            tracing::warn!(%error, "this node could not say that it goes; its lease ends by itself");
        }
    }

    async fn take_orphans(&self, cluster: &Cluster) {
        let orphans = match cluster.store.orphans().await {
            Ok(orphans) => orphans,
            Err(error) => return tracing::warn!(%error, "nobody looked for calls of dead nodes"),
        };
        for orphan in orphans {
            let call = match cluster.store.call(&orphan.scope, orphan.call).await {
                Ok(call) if !call.state.is_terminal() => call,
                Ok(_) | Err(StoreError::NotFound(_)) => {
                    let _ = cluster.store.release_call(&orphan.scope, orphan.call, orphan.node).await; // The next sweep, then.
                    continue;
                }
                Err(_) => return,
            };
            // The database has not heard of the node; that does not mean that its calls have ended.
            if let Some(address) = cluster.address(orphan.node).await {
                let ask = PeerRequest::Has { business: orphan.scope.business, call: orphan.call };
                if cluster.peers.ask(orphan.node, &address, &ask).await == Ok(PeerAnswer::Done) {
                    continue;
                }
            }
            let route = store::CallRoute { scope: orphan.scope, call };
            match self.resume(&route, Some(orphan.node)).await {
                Ok(true) => {}
                Ok(false) => self.close_over(cluster, &orphan).await,
                Err(error) => {
                    tracing::warn!(call = %orphan.call, %error, "a call of a dead node could not be taken over")
                }
            }
        }
    }

    /// The journal says that a call is over and its row does not: its node died in between.
    async fn close_over(&self, cluster: &Cluster, orphan: &store::nodes::Orphan) {
        let Ok(journal) = cluster.store.journal(&orphan.scope, orphan.call).await else { return };
        let Some(Entry::Ended { reason, state, .. }) = journal.last().map(|record| &record.entry) else { return };
        let update = store::CallUpdate {
            state: Some(*state),
            ended_at_ms: Some(crate::wall_ms()),
            ended_reason: Some(reason.clone()),
            ..store::CallUpdate::default()
        };
        // The next sweep finds a row that is closed, and forgets who had it.
        if let Err(error) = cluster.store.update_call(&orphan.scope, orphan.call, &update).await {
            tracing::warn!(call = %orphan.call, %error, "the end of a call of a dead node could not be written");
        }
    }

    /// What the node that has a call says about how a platform goes on; otherwise whom the call may be taken from.
    pub(crate) async fn go_on_elsewhere(
        &self,
        scope: &TenantScope,
        call: CallId,
        base_url: &str,
    ) -> Result<Answer, Option<NodeId>> {
        let Some(cluster) = self.cluster() else { return Err(None) };
        let (owner, address) = match cluster.place(scope, call).await {
            Place::At(owner, address) => (owner, address),
            Place::Nowhere(owner) => return Err(owner),
        };
        let ask = PeerRequest::GoOn { business: scope.business, call, base_url: base_url.to_owned() };
        match cluster.peers.ask(owner, &address, &ask).await {
            Ok(PeerAnswer::Next(next)) => Ok(next.into()),
            Ok(_) => Err(Some(owner)),
            Err(error) => {
                // The platform asks about a call whose audio is with us no more: whoever has it does nothing for it.
                tracing::warn!(%call, %error, "the node of a call is taken for dead");
                Err(Some(owner))
            }
        }
    }

    /// Has another node go on with a call that this one, which stops, has left: a platform that keeps its connection open still
    /// asks here. `None` when there is no node that can.
    pub(crate) async fn go_on_at_heir(&self, scope: &TenantScope, call: CallId, base_url: &str) -> Option<Answer> {
        let cluster = self.cluster()?;
        let heir = cluster.heir().await?.node;
        let ask = PeerRequest::Inherit { business: scope.business, call, base_url: base_url.to_owned() };
        match cluster.peers.ask(heir.id, &heir.address, &ask).await {
            Ok(PeerAnswer::Next(next)) => Some(next.into()),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%call, %error, "a call could not be left to another node");
                None
            }
        }
    }

    /// Gives a live call an input, wherever it is. `Ok(false)`: there is no such live call.
    ///
    /// # Errors
    /// When another node has the call and does not answer.
    pub async fn tell_anywhere(&self, scope: &TenantScope, call: CallId, input: Input) -> Result<bool, PeerError> {
        if self.tell(scope, call, input.clone()).await {
            return Ok(true);
        }
        let Some(cluster) = self.cluster() else { return Ok(false) };
        let Place::At(owner, address) = cluster.place(scope, call).await else { return Ok(false) };
        let ask = PeerRequest::Tell { business: scope.business, call, input: Box::new(input) };
        Ok(cluster.peers.ask(owner, &address, &ask).await? == PeerAnswer::Done)
    }

    /// Whether a call lives, wherever it is, as far as the database knows.
    pub async fn is_live(&self, scope: &TenantScope, call: CallId) -> bool {
        if self.watch(scope, call).is_some() {
            return true;
        }
        match self.cluster() {
            Some(cluster) => matches!(cluster.place(scope, call).await, Place::At(..)),
            None => false,
        }
    }

    /// Which other node has a call, and where that node is.
    pub(crate) async fn elsewhere(&self, scope: &TenantScope, call: CallId) -> Option<(NodeId, String)> {
        match self.cluster()?.place(scope, call).await {
            Place::At(node, address) => Some((node, address)),
            Place::Nowhere(_) => None,
        }
    }

    /// Watches a live call, wherever it is. `Ok(None)`: there is no such live call.
    ///
    /// # Errors
    /// When another node has the call and does not answer.
    pub async fn follow(&self, scope: &TenantScope, call: CallId) -> Result<Option<Follow>, PeerError> {
        if let Some(events) = self.watch(scope, call) {
            return Ok(Some(Follow::Here(events)));
        }
        let Some(cluster) = self.cluster() else { return Ok(None) };
        let Place::At(owner, address) = cluster.place(scope, call).await else { return Ok(None) };
        let ask = PeerRequest::Watch { business: scope.business, call };
        let stream = cluster.peers.watch(owner, &address, &ask).await?;
        Ok(stream.map(|stream| Follow::There(Box::new(stream), BytesMut::new())))
    }

    /// Places a call at a node that takes calls, when this one does not.
    pub(crate) async fn dial_elsewhere(
        &self,
        scope: &TenantScope,
        request: &crate::DialRequest,
    ) -> Option<Result<CallId, crate::DialError>> {
        let cluster = self.cluster().filter(|cluster| !cluster.takes_calls())?;
        let nodes = cluster.store.nodes().await.unwrap_or_default();
        let Some(to) = roomiest(&nodes).filter(|known| !known.node.address.is_empty()) else {
            return Some(Err(crate::RefuseReason::Busy.into()));
        };
        let ask = PeerRequest::Dial {
            business: scope.business,
            carrier: request.carrier.clone(),
            agent: request.agent,
            to: request.to.clone(),
            from: request.from.clone(),
            base_url: request.base_url.clone(),
        };
        let carrier = |class, detail: String| Err(crate::DialError::Carrier(Failure::new(class, detail)));
        Some(match cluster.peers.ask(to.node.id, &to.node.address, &ask).await {
            Ok(PeerAnswer::Dialled { call }) => Ok(call),
            Ok(PeerAnswer::Refused { why, detail }) => match why.as_str() {
                "no_carrier" => Err(crate::DialError::NoCarrier),
                "off_duty" => Err(crate::DialError::OffDuty),
                "busy" | "draining" => Err(crate::RefuseReason::Busy.into()),
                _ => carrier(ErrorClass::Unavailable, detail),
            },
            // Whether the phone rings is unknown; nobody dials again by himself.
            Ok(_) => carrier(ErrorClass::Internal, "another node gave no answer".into()),
            Err(error) => carrier(ErrorClass::Timeout, error.to_string()),
        })
    }

    /// Takes a call over whose audio has arrived here, from the node that made this ticket.
    pub(crate) async fn adopt(&self, ticket: &str) -> Option<CallId> {
        let cluster = self.cluster().filter(|cluster| cluster.takes_calls())?;
        let (owner, scope, call) = ticket_parts(ticket).filter(|(owner, ..)| *owner != cluster.me)?;
        let address = cluster.address(owner).await?;
        let ask = PeerRequest::Yield { business: scope.business, call, ticket: Pii::new(ticket.to_owned()) };
        match cluster.peers.ask(owner, &address, &ask).await {
            Ok(PeerAnswer::Done) => {}
            Ok(_) => return None,
            Err(error) => {
                tracing::warn!(%call, %error, "a call whose audio is here is at a node that does not answer");
                return None;
            }
        }
        let row = cluster.store.call(&scope, call).await.ok()?;
        let resumed = self.resume(&store::CallRoute { scope, call: row }, Some(owner)).await;
        (resumed == Ok(true)).then_some(call)
    }

    /// Who among the nodes asks, if one does.
    pub fn known_peer(&self, path: &str, signature: &str, body: &[u8]) -> Option<NodeId> {
        let cluster = self.cluster()?;
        let now_ms = crate::wall_ms();
        let from = cluster.peers.keys.check(path, cluster.me, now_ms, signature, body)?;
        let is_new = cluster.seen.lock().unwrap_or_else(PoisonError::into_inner).is_new(signature, now_ms);
        if !is_new {
            tracing::warn!(node = %from, "a request of another node was sent again");
        }
        is_new.then_some(from)
    }

    /// Whether this node serves what people and programs ask, beside calls.
    pub fn serves_api(&self) -> bool {
        self.cluster().is_none_or(|cluster| cluster.settings.roles.has(NodeRole::Api))
    }

    /// Has a node with room take a new call, when this one has none and platforms can be pointed to that node. `None`: nobody
    /// could.
    pub(crate) async fn take_elsewhere(&self, carrier: &str, inbound: &InboundCall, base_url: &str) -> Option<Answer> {
        let cluster = self.cluster().filter(|cluster| cluster.media_url().is_some() || !cluster.takes_calls())?;
        let other = cluster.heir().await.filter(|known| !known.node.address.is_empty())?.node;
        let ask = PeerRequest::Take {
            carrier: carrier.to_owned(),
            carrier_ref: inbound.carrier_ref.clone(),
            caller: inbound.from.clone(),
            number: inbound.to.clone()?,
            base_url: base_url.to_owned(),
        };
        match cluster.peers.ask(other.id, &other.address, &ask).await {
            Ok(PeerAnswer::Next(next)) => {
                metrics::counter!("frontdesk_calls_passed_on_total").increment(1);
                Some(next.into())
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, "a call that this node has no room for could not be passed on");
                None
            }
        }
    }

    /// Answers another node, which [`Node::known_peer`] knows.
    pub async fn answer_peer(&self, request: PeerRequest) -> PeerAnswer {
        let yes = |is_so: bool| if is_so { PeerAnswer::Done } else { PeerAnswer::Gone };
        match request {
            PeerRequest::Has { business, call } | PeerRequest::Watch { business, call } => {
                yes(self.watch(&TenantScope { business }, call).is_some())
            }
            PeerRequest::Tell { business, call, input } => {
                yes(self.tell(&TenantScope { business }, call, *input).await)
            }
            PeerRequest::GoOn { business, call, base_url } => {
                match self.go_on_here(&TenantScope { business }, call, &base_url).await {
                    Some(answer) => PeerAnswer::Next(Next::from(answer)),
                    None => PeerAnswer::Gone,
                }
            }
            PeerRequest::Inherit { business, call, base_url } => {
                match self.inherit(&TenantScope { business }, call, &base_url).await {
                    Some(answer) => PeerAnswer::Next(Next::from(answer)),
                    None => PeerAnswer::Gone,
                }
            }
            PeerRequest::Take { carrier, carrier_ref, caller, number, base_url } => {
                let inbound = InboundCall { carrier_ref, from: caller, to: Some(number), ..InboundCall::default() };
                match Box::pin(self.take_for_peer(&carrier, inbound, &base_url)).await {
                    Some(answer) => PeerAnswer::Next(Next::from(answer)),
                    None => PeerAnswer::Gone,
                }
            }
            PeerRequest::Yield { business, call, ticket } => {
                let admitted = self.take_ticket(ticket.expose(), call);
                yes(admitted && self.hand_over(&TenantScope { business }, call).await)
            }
            PeerRequest::Dial { business, carrier, agent, to, from, base_url } => {
                self.dial_for_peer(TenantScope { business }, carrier, agent, to, from, base_url).await
            }
        }
    }

    async fn dial_for_peer(
        &self,
        scope: TenantScope,
        carrier: String,
        agent: AgentId,
        to: PhoneNumber,
        from: PhoneNumber,
        base_url: String,
    ) -> PeerAnswer {
        let refused = |why: &str, detail: String| PeerAnswer::Refused { why: why.into(), detail };
        if !self.takes_calls() {
            return refused("draining", "this node takes no calls".into());
        }
        match Box::pin(self.dial(scope, crate::DialRequest { carrier, agent, to, from, base_url })).await {
            Ok(call) => PeerAnswer::Dialled { call },
            Err(crate::DialError::NoCarrier) => refused("no_carrier", String::new()),
            Err(crate::DialError::OffDuty) => refused("off_duty", String::new()),
            Err(crate::DialError::Refused(reason @ crate::RefuseReason::Store(_))) => {
                refused("store", reason.to_string())
            }
            Err(crate::DialError::Refused(reason)) => refused("busy", reason.to_string()),
            Err(crate::DialError::Carrier(failure)) => refused("carrier", failure.to_string()),
        }
    }

    /// Gives a live call up, so that another node can go on with it: its journal is written, its row stays open. `false` when
    /// there is no such call, or it took too long.
    pub(crate) async fn hand_over(&self, scope: &TenantScope, call: CallId) -> bool {
        let Some(messages) = self.messages(scope, call) else { return false };
        let (done, is_done) = oneshot::channel();
        if messages.send(HostMessage::Yield(done)).await.is_err() {
            return false;
        }
        let patience = Duration::from_millis(limits::PEER_YIELD_MS_MAX);
        matches!(tokio::time::timeout(patience, is_done).await, Ok(Ok(())))
    }

    /// Whether calls that can come back are handed over when this node stops.
    pub(crate) async fn has_heir(&self) -> bool {
        match self.cluster() {
            Some(cluster) => cluster.heir().await.is_some(),
            None => false,
        }
    }
}

/// What tells a platform's audio that another node goes on.
pub(crate) fn goodbye() -> Wire {
    Wire::Close(1000, "another node goes on".into())
}
