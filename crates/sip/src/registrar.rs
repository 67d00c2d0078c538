//! Trunks that learn from a registration where we are (RFC 3261, 10), and where the hosts of all trunks are.

use crate::config::Trunk;
use crate::dial::{addresses, credential};
use crate::endpoint::{Shared, library_transport};
use rsipstack::dialog::registration::Registration;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Response, Uri, typed};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const EXPIRES_SECS: u32 = 600;
/// A registrar that wants us to come back later than this has a fault.
const EXPIRES_SECS_MAX: u32 = 86_400;
const RETRY_SECS_MAX: u64 = 300;
/// How often the hosts of trunks are looked up again.
const LOOKUP_SECS: u64 = 300;
const UNREGISTER_MS_MAX: u64 = 2_000;

/// Looks the trunks' hosts up, once before calls are taken, and keeps registered what registers.
pub(crate) async fn start(shared: &Arc<Shared>) {
    look_up(shared).await;
    let looking = Arc::clone(shared);
    tokio::spawn(async move {
        while !pause(&looking, Duration::from_secs(LOOKUP_SECS)).await {
            look_up(&looking).await;
        }
    });
    for trunk in shared.guard.trunks().iter().filter(|trunk| trunk.registers) {
        tokio::spawn(keep(Arc::clone(shared), Arc::clone(trunk)));
    }
}

async fn look_up(shared: &Shared) {
    for trunk in shared.guard.trunks() {
        let found = addresses(trunk).await;
        // What was found before stays: a name server that is away does not stop calls.
        if !found.is_empty() {
            shared.guard.found(&trunk.name, found);
        }
    }
}

/// Waits; `true` when the endpoint stops meanwhile.
pub(crate) async fn pause(shared: &Shared, how_long: Duration) -> bool {
    timeout(how_long, shared.stop.cancelled()).await.is_ok()
}

async fn keep(shared: Arc<Shared>, trunk: Arc<Trunk>) {
    let Some(server) = server_of(&trunk) else {
        tracing::error!(trunk = trunk.name, "the host of a trunk is no address");
        return;
    };
    let mut registration = registration(&shared, &trunk);
    let mut wanted_secs = EXPIRES_SECS;
    let mut failures = 0;
    loop {
        let answered = registration.register(server.clone(), Some(wanted_secs)).await;
        let wait_secs = match answered {
            Ok(response) if response.status_code.code() == 200 => {
                set_registered(&trunk, true);
                failures = 0;
                refresh_secs(registration.expires())
            }
            Ok(response) if response.status_code.code() == 423 && least(&response) > wanted_secs => {
                wanted_secs = least(&response);
                0
            }
            Ok(response) => {
                set_registered(&trunk, false);
                failures += 1;
                let status = response.status_code.code();
                tracing::warn!(trunk = trunk.name, status, "a registration was refused");
                // A wrong password does not become right, and asking often locks accounts.
                if matches!(status, 401 | 403 | 407) { RETRY_SECS_MAX } else { retry_secs(failures) }
            }
            Err(error) => {
                set_registered(&trunk, false);
                failures += 1;
                tracing::warn!(trunk = trunk.name, %error, "a registrar did not answer");
                retry_secs(failures)
            }
        };
        if pause(&shared, Duration::from_secs(wait_secs)).await {
            return;
        }
    }
}

/// Gives registrations back, so that calls do not ring where nobody is.
pub(crate) async fn stop(shared: &Arc<Shared>) {
    for trunk in shared.guard.trunks().iter().filter(|trunk| trunk.registers) {
        let Some(server) = server_of(trunk) else { continue };
        let mut registration = registration(shared, trunk);
        let given_back = timeout(Duration::from_millis(UNREGISTER_MS_MAX), registration.register(server, Some(0)));
        if given_back.await.is_err() {
            tracing::warn!(trunk = trunk.name, "a registration was not given back");
        }
        set_registered(trunk, false);
    }
}

fn registration(shared: &Arc<Shared>, trunk: &Trunk) -> Registration {
    let mut registration = Registration::new(shared.dialogs.endpoint.clone(), credential(trunk));
    let peer = shared.guard.address_of(&trunk.name).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let user = trunk.user.clone().unwrap_or_default();
    let uri = shared.contact(&user, shared.ip_towards(peer), library_transport(trunk.transport));
    registration.contact = Some(typed::Contact { display_name: None, uri, params: Vec::new() });
    registration
}

pub(crate) fn server_of(trunk: &Trunk) -> Option<Uri> {
    Uri::try_from(format!("sip:{}{}", trunk.host, trunk.transport.parameter())).ok()
}

fn least(response: &Response) -> u32 {
    let least = response.min_expires_header().and_then(|header| header.value().trim().parse().ok());
    least.unwrap_or(0).min(EXPIRES_SECS_MAX)
}

/// Before it ends, by half a minute or by half of it.
fn refresh_secs(granted_secs: u32) -> u64 {
    let granted = u64::from(granted_secs.clamp(2, EXPIRES_SECS_MAX));
    granted - (granted / 2).min(30)
}

fn retry_secs(failures: u32) -> u64 {
    (1 << failures.min(8)).min(RETRY_SECS_MAX)
}

fn set_registered(trunk: &Trunk, is_registered: bool) {
    metrics::gauge!("frontdesk_sip_registered", "trunk" => trunk.name.clone()).set(if is_registered {
        1.0
    } else {
        0.0
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_is_refreshed_before_it_ends() {
        assert_eq!([60, 3_600, 30, 2].map(refresh_secs), [30, 3_570, 15, 1]);
        assert_eq!([1, 3, 20].map(retry_secs), [2, 8, 256]);
    }
}
