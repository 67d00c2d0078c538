//! Passwords: Argon2id (RFC 9106), on threads of their own, few at once.
//!
//! A hash costs 20 ms and 19 MiB on purpose. So only a few run at once and few wait; beyond that a request is told to come
//! again, instead of the whole process running out of memory. Checking the password of an account that does not exist costs
//! the same, so that the time of an answer tells nothing.

use super::secret::random;
use crate::problem::Problem;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base::{Secret, limits};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// A hash that no password has, of the same cost as all others.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IG5vYm9keQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const SALT_BYTES: usize = 16;

/// Hashes and checks passwords.
#[derive(Clone, Debug)]
pub struct Passwords {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            running: Arc::new(Semaphore::new(limits::PASSWORDS_AT_ONCE_MAX)),
            waiting: Arc::new(Semaphore::new(limits::PASSWORDS_WAITING_MAX)),
        }
    }
}

impl Passwords {
    /// The hash of a new password, in the form of PHC strings.
    ///
    /// # Errors
    /// When too many wait already.
    pub async fn hash(&self, password: Secret<String>) -> Result<Secret<String>, Problem> {
        let salt = random::<SALT_BYTES>()?;
        let work = move || {
            let hash: Result<PasswordHash, _> =
                Argon2::default().hash_password_with_salt(password.expose().as_bytes(), &salt);
            hash.map(|hash| Secret::new(hash.to_string()))
        };
        self.run(work).await?.map_err(|error| {
            tracing::error!(%error, "a password could not be hashed");
            Problem::internal()
        })
    }

    /// Whether this is the password. Of nobody it never is, and that takes as long.
    ///
    /// # Errors
    /// When too many wait already.
    pub async fn matches(&self, password: Secret<String>, hash: Option<Secret<String>>) -> Result<bool, Problem> {
        let work = move || {
            let known = hash.as_ref().map_or(NOBODY, |hash| hash.expose().as_str());
            Argon2::default().verify_password(password.expose().as_bytes(), known).is_ok() && hash.is_some()
        };
        self.run(work).await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let busy = || Problem::unavailable("too many people are signing in");
        let _place = self.waiting.try_acquire().map_err(|_| busy())?;
        let wait = Duration::from_millis(limits::PASSWORD_WAIT_MS_MAX);
        let running = tokio::time::timeout(wait, Arc::clone(&self.running).acquire_owned()).await;
        let slot = running.map_err(|_| busy())?.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || {
            let _slot = slot; // Held by the work itself: whoever asked may have gone.
            work()
        });
        done.await.map_err(|_| Problem::internal())
    }
}

/// Whether a new password may be used.
///
/// # Errors
/// What is wrong with it.
pub fn check_new(password: &Secret<String>, email: &str) -> Result<(), Problem> {
    let text = password.expose();
    let least = limits::PASSWORD_CHARS_MIN;
    if text.chars().count() < least || text.len() > limits::PASSWORD_BYTES_MAX {
        let most = limits::PASSWORD_BYTES_MAX;
        return Err(Problem::invalid(format!("password: at least {least} characters and at most {most} bytes")));
    }
    let name = email.split('@').next().unwrap_or_default();
    let plain = text.to_lowercase();
    let one_character = text.chars().all(|one| text.starts_with(one));
    if plain == email || (name.len() > 3 && plain.contains(name)) || one_character {
        return Err(Problem::invalid("password: it is too easy to guess"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_hash_and_nobody_has_one() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse".into()).await.expect("hashed");
        assert!(passwords.matches("correct horse".into(), Some(hash.clone())).await.expect("checked"));
        assert!(!passwords.matches("correct hors".into(), Some(hash.clone())).await.expect("checked"));
        assert!(!passwords.matches("correct horse".into(), None).await.expect("checked"));
        let cost = |hash: &str| hash.split('$').nth(3).map(str::to_owned);
        assert_eq!(cost(hash.expose()), cost(NOBODY), "an account that does not exist costs the same");
        assert!(PasswordHash::new(NOBODY).is_ok(), "and is really computed");
    }

    #[test]
    fn passwords_that_are_guessed_first_are_refused() {
        for bad in ["short", "aaaaaaaaaaaaaaaa", "mira.lindqvist@a.example", "mira.lindqvist1"] {
            assert!(check_new(&bad.into(), "mira.lindqvist@a.example").is_err(), "{bad}");
        }
        assert!(check_new(&"correct horse battery".into(), "mira.lindqvist@a.example").is_ok());
        assert!(check_new(&Secret::new("x y".repeat(1000)), "m@a.example").is_err());
    }
}
