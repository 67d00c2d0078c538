//! Whether trunks answer: a question now and then (OPTIONS; RFC 3261, 11), so that calls go where somebody is.

use crate::config::Trunk;
use crate::endpoint::Shared;
use crate::registrar::{pause, server_of};
use base::limits;
use rsipstack::sip::{Method, SipMessage, Uri, typed};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::make_tag;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::SipAddr;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

const EVERY_SECS: u64 = 30;
/// One question may be lost on its way with all its repetitions; who is silent twice is not there.
const MISSES_MAX: u32 = 2;

/// The trunks that do not answer.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<BTreeSet<String>>);

impl Health {
    pub(crate) fn is_up(&self, trunk: &str) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(trunk)
    }

    fn set(&self, trunk: &str, is_up: bool) {
        let mut down = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_changed = if is_up { down.remove(trunk) } else { down.insert(trunk.to_owned()) };
        metrics::gauge!("frontdesk_sip_trunk_up", "trunk" => trunk.to_owned()).set(if is_up { 1.0 } else { 0.0 });
        match (has_changed, is_up) {
            (true, true) => tracing::info!(trunk, "a trunk answers again"),
            (true, false) => tracing::warn!(trunk, "a trunk does not answer; calls go over the others"),
            (false, _) => {}
        }
    }
}

/// Asks every trunk that wants to be asked.
pub(crate) fn start(shared: &Arc<Shared>) {
    for trunk in shared.guard.trunks().iter().filter(|trunk| trunk.is_probed) {
        tokio::spawn(watch(Arc::clone(shared), Arc::clone(trunk)));
    }
}

async fn watch(shared: Arc<Shared>, trunk: Arc<Trunk>) {
    let Some(server) = server_of(&trunk) else { return };
    let mut misses = 0;
    loop {
        let answered = timeout(Duration::from_millis(limits::SIP_PROBE_MS_MAX), ask(&shared, server.clone()));
        // Whatever it answers, somebody is there; 503 is somebody who wants no calls.
        let is_up = matches!(answered.await, Ok(Ok(Some(status))) if status != 503 && status != 408);
        misses = if is_up { 0 } else { misses + 1 };
        if is_up || misses >= MISSES_MAX {
            shared.health.set(&trunk.name, is_up);
        }
        let every = if misses == 1 { 0 } else { EVERY_SECS };
        if pause(&shared, Duration::from_secs(every)).await {
            return;
        }
    }
}

/// Asks once, and gives the status of the answer.
async fn ask(shared: &Shared, server: Uri) -> rsipstack::Result<Option<u16>> {
    let library = shared.dialogs.endpoint.clone();
    let (connection, _) = library.transport_layer.lookup(&SipAddr::try_from(&server)?, None).await?;
    let via = library.get_via(Some(connection.get_addr().clone()), None)?;
    let to = typed::To { display_name: None, uri: server.clone(), params: Vec::new() };
    let from = typed::From { display_name: None, uri: server.clone(), params: Vec::new() }.with_tag(make_tag());
    let request = library.make_request(Method::Options, server, via, from, to, 1, None);
    let key = TransactionKey::from_request(&request, TransactionRole::Client)?;
    let mut transaction = Transaction::new_client(key, request, library, Some(connection));
    transaction.send().await?;
    while let Some(message) = transaction.receive().await {
        if let SipMessage::Response(response) = message
            && response.status_code.code() >= 200
        {
            return Ok(Some(response.status_code.code()));
        }
    }
    Ok(None)
}
