//! How often somebody may try to sign in: some times at once, then with pauses that double.
//!
//! Counted for the account that is named, whether it exists or not, and for the address that asks. Attempts are counted
//! before they are judged, so that many at the same moment are not all free. What nodes share is where they are counted; if
//! that is away each node counts alone.

use super::secret::hash;
use crate::problem::Problem;
use base::{Millis, limits};
use std::net::IpAddr;
use std::sync::Arc;
use store::shared::{Held, Shared};

/// Counts attempts.
#[derive(Clone)]
pub struct Throttle {
    shared: Arc<dyn Shared>,
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Throttle")
    }
}

impl Throttle {
    /// Counts here.
    pub fn new(shared: Arc<dyn Shared>) -> Self {
        Self { shared }
    }

    /// Counts an attempt from this address, and on this account if it names one.
    ///
    /// # Errors
    /// `too_many_attempts`, with the pause that is left.
    pub async fn attempt(&self, what: &str, address: Option<IpAddr>, account: Option<&str>) -> Result<(), Problem> {
        if let Some(address) = address {
            let from = network(address);
            self.count(&format!("try:{what}:from:{from}"), limits::ATTEMPTS_PER_ADDRESS_FREE).await?;
        }
        if let Some(account) = account {
            let name = name(what, account);
            // A success begins a new count.
            let since = self.shared.get(&format!("{name}:since")).await.ok().flatten();
            let since = since.map(|since| String::from_utf8_lossy(&since).into_owned()).unwrap_or_default();
            self.count(&format!("{name}:{since}"), limits::ATTEMPTS_PER_ACCOUNT_FREE).await?;
        }
        Ok(())
    }

    /// Forgets the attempts on an account: the last one was right.
    pub async fn succeeded(&self, what: &str, account: &str, now_ms: i64) {
        let window = Millis(limits::ATTEMPT_WINDOW_MS);
        let (key, since) = (format!("{}:since", name(what, account)), now_ms.to_string());
        if let Err(error) = self.shared.put(&key, since.as_bytes(), window).await {
            tracing::debug!(%error, "earlier attempts to sign in go on counting");
        }
    }

    async fn count(&self, key: &str, free: u64) -> Result<(), Problem> {
        let window = Millis(limits::ATTEMPT_WINDOW_MS);
        let total = match self.shared.count(key, 1, window).await {
            Ok(count) => count.total,
            Err(error) => {
                tracing::warn!(%error, "attempts to sign in cannot be counted");
                return Err(Problem::unavailable("attempts to sign in cannot be counted"));
            }
        };
        if total <= free {
            return Ok(());
        }
        match self.shared.put_new(&format!("{key}:pause"), "one", pause(total - free)).await {
            Ok(Held::Ours(_)) => Ok(()), // The one attempt of this pause.
            Ok(Held::Theirs { left, .. }) => Err(Problem::too_many_attempts(left.0.div_ceil(1000).max(1))),
            Err(_) => Err(Problem::unavailable("attempts to sign in cannot be counted")),
        }
    }
}

/// Hashed, because an e-mail address is nobody's business where caches are read.
fn name(what: &str, account: &str) -> String {
    let hash: String = hash(account)[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("try:{what}:on:{hash}")
}

/// The pause after so many attempts beyond the free ones.
fn pause(beyond: u64) -> Millis {
    let doublings = u32::try_from(beyond.saturating_sub(1)).unwrap_or(u32::MAX).min(20);
    Millis((1_000 << doublings).min(limits::ATTEMPT_PAUSE_MS_MAX))
}

/// Who counts as one: an address of version 4, or the network of version 6 that a household or a server gets.
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::shared::Memory;

    #[tokio::test(start_paused = true)]
    async fn after_some_attempts_pauses_double_and_other_accounts_go_on() {
        let throttle = Throttle::new(Arc::new(Memory::default()));
        let try_it = async |account: &str| throttle.attempt("login", None, Some(account)).await;
        for _ in 0..limits::ATTEMPTS_PER_ACCOUNT_FREE {
            assert!(try_it("mira").await.is_ok());
        }
        assert!(try_it("mira").await.is_ok(), "one for each pause");
        let refused = try_it("mira").await.expect_err("too many");
        assert_eq!((refused.status, refused.code), (429, "too_many_attempts"));
        assert!(try_it("noor").await.is_ok());
        throttle.succeeded("login", "mira", 1).await;
        assert!(try_it("mira").await.is_ok(), "who signed in begins anew");
        assert_eq!([1, 2, 3, 40].map(|beyond| pause(beyond).0), [1_000, 2_000, 4_000, limits::ATTEMPT_PAUSE_MS_MAX]);
    }

    #[test]
    fn a_network_of_version_6_counts_as_one() {
        let of = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
