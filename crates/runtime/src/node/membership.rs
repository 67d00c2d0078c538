//! The node as one of several: what it has, gives up and takes over, and how it stops.

use super::{LiveSettings, Load, Node, Shared, lock};
use crate::cluster::Cluster;
use crate::host::HostMessage;
use base::{CallId, NodeId, limits};
use carriers::protocol::Answer;
use model::business::TenantScope;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

impl Shared {
    /// What holds now of what can be changed while calls go on.
    pub(crate) fn live(&self) -> LiveSettings {
        *lock(&self.live)
    }

    /// A call is left to another node: nobody finds it here any more.
    pub(crate) async fn forget(&self, scope: &TenantScope, call: CallId) {
        lock(&self.calls).remove(&call);
        if let Some(cluster) = self.cluster.get() {
            cluster.release(scope, call).await;
        }
    }
}

impl Node {
    pub(crate) fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.shared.cluster.get()
    }

    pub(crate) fn enter(&self, cluster: Arc<Cluster>) {
        if self.shared.cluster.set(cluster).is_err() {
            tracing::error!("this node has joined already");
        }
    }

    /// Which of the nodes this one is, once it has joined them.
    pub fn node_id(&self) -> Option<NodeId> {
        self.cluster().map(|cluster| cluster.me)
    }

    /// Where platforms bring the audio of this node's calls, when it is a place of its own.
    pub fn media_url(&self) -> Option<String> {
        self.cluster().and_then(|cluster| cluster.media_url()).map(str::to_owned)
    }

    /// Takes no new calls while an operator wants it so.
    pub(crate) fn cordon(&self, cordoned: bool) {
        if self.shared.cordoned.swap(cordoned, Ordering::AcqRel) != cordoned {
            tracing::info!(cordoned, "an operator says whether this node takes new calls");
        }
    }

    /// Whether this node is one that takes calls at all.
    pub(crate) fn takes_calls(&self) -> bool {
        self.cluster().is_none_or(|cluster| cluster.takes_calls())
    }

    /// Notes that a new call is here.
    pub(crate) async fn own(&self, scope: &TenantScope, call: CallId) {
        self.take(scope, call, None).await;
    }

    /// Takes a call from a node that had it. `false` when somebody else was faster.
    pub(crate) async fn take(&self, scope: &TenantScope, call: CallId, from: Option<NodeId>) -> bool {
        match self.cluster() {
            Some(cluster) => cluster.claim(scope, call, from).await,
            None => true,
        }
    }

    /// Changes what can be changed while calls go on. Calls in progress keep what they began with.
    pub fn set_live(&self, settings: LiveSettings) {
        *lock(&self.shared.live) = settings;
    }

    /// What it has, and takes as things are.
    pub fn load(&self) -> Load {
        self.shared.admission.load(self.shared.live().calls_max)
    }

    /// Whether a call lives here, whoever's it is.
    pub fn has_call(&self, call: CallId) -> bool {
        lock(&self.shared.calls).contains_key(&call)
    }

    /// Returns when a call here is over, also one that ended since the last look.
    pub async fn call_closed(&self) {
        self.shared.closed.notified().await;
    }

    /// How a live call of the tenant is reached.
    pub(crate) fn messages(&self, scope: &TenantScope, call: CallId) -> Option<mpsc::Sender<HostMessage>> {
        let calls = lock(&self.shared.calls);
        calls.get(&call).filter(|live| live.scope == *scope).map(|live| live.channels.messages.clone())
    }

    /// Takes a ticket back. `false` when it admits nobody to this call.
    pub(crate) fn take_ticket(&self, ticket: &str, call: CallId) -> bool {
        let taken = lock(&self.shared.tickets).remove(ticket);
        taken.is_some_and(|ticket| ticket.call == call && ticket.expires > Instant::now())
    }

    /// How to go on with a call that another node is asked about, as far as this one knows.
    pub(crate) async fn go_on_here(&self, scope: &TenantScope, call: CallId, base_url: &str) -> Option<Answer> {
        let row = self.shared.store.call(scope, call).await.ok()?;
        let route = store::CallRoute { scope: *scope, call: row };
        let carrier = route.call.carrier.clone();
        self.go_on_by_plan(&carrier, &route, base_url).await
    }

    /// Goes on with a call that a node which stops has left, and says what to tell the platform. `None` when it cannot.
    pub(crate) async fn inherit(&self, scope: &TenantScope, call: CallId, base_url: &str) -> Option<Answer> {
        let row = self.shared.store.call(scope, call).await.ok()?;
        let route = store::CallRoute { scope: *scope, call: row };
        let resumed = self.resume(&route, None).await;
        (resumed == Ok(true)).then(|| self.connect(&route.call.carrier, scope, call, base_url))
    }

    /// Stops taking calls and returns when none is left here, at the latest after `grace`: they finish by themselves; just
    /// before the end those that can come back are handed over to another node, and the others say goodbye.
    pub async fn drain(&self, grace: Duration) {
        self.shared.draining.store(true, Ordering::Release);
        let heir = self.has_heir().await;
        let (lasting, ending): (Vec<_>, Vec<_>) = lock(&self.shared.calls)
            .iter()
            .map(|(id, live)| (*id, live.scope, live.channels.messages.clone(), self.comes_back(&live.carrier)))
            .partition(|(.., comes_back)| heir && *comes_back);
        tracing::info!(calls = ending.len() + lasting.len(), grace_secs = grace.as_secs(), heir, "draining");
        for (_, _, messages, _) in ending {
            let _ = messages.send(HostMessage::Drain(grace)).await; // A call that ends right now needs no telling.
        }
        self.shared.tasks.close();
        if !lasting.is_empty() {
            let early = Duration::from_millis(limits::HAND_OVER_MS);
            let first = tokio::time::timeout(grace.saturating_sub(early), self.shared.tasks.wait()).await;
            if first.is_err() {
                // Whoever could go on a while ago may be gone, too.
                let heir = self.has_heir().await;
                let calls = lasting.into_iter().map(|(id, scope, messages, _)| async move {
                    if !heir || !self.hand_over(&scope, id).await {
                        let _ = messages.send(HostMessage::Drain(early)).await; // As above.
                    }
                });
                futures_util::future::join_all(calls).await;
            }
        }
        // Each call ends itself before the deadline; the rest of the time is for the last writes.
        let patience = grace + Duration::from_millis(limits::STATEMENT_MS_MAX * 2);
        if tokio::time::timeout(patience, self.shared.tasks.wait()).await.is_err() {
            tracing::error!(calls = self.calls_live(), "calls were still alive at the end of the drain");
        }
    }

    /// Whether a platform asks how to go on when the audio of a call ends.
    fn comes_back(&self, carrier: &str) -> bool {
        self.shared.control(carrier).is_some()
    }
}
