//! Secrets that we hand out, and their hashes, which are all that is kept.

use crate::problem::Problem;
use aws_lc_rs::{digest, rand};
use base::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::people::SecretHash;

/// What a secret is for, as its first letters say: whoever finds one knows what it is, and scanners of code find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// An API key.
    Key,
    /// The secret of a client of OAuth 2.0.
    Client,
    /// A refresh token.
    Refresh,
    /// An invitation or a password reset.
    OneTime,
    /// A link to a call.
    Link,
}

impl SecretKind {
    /// How it begins.
    pub const fn letters(self) -> &'static str {
        match self {
            Self::Key => "fdk_",
            Self::Client => "fdc_",
            Self::Refresh => "fdr_",
            Self::OneTime => "fdo_",
            Self::Link => "fdl_",
        }
    }
}

/// A secret that was just made.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// The secret, to be shown once.
    pub text: Secret<String>,
    /// Its beginning, by which people tell it from others.
    pub prefix: String,
    /// What is kept.
    pub hash: SecretHash,
}

/// Makes a secret: its letters, eight digits that may be seen, and 256 random bits.
///
/// # Errors
/// When the machine gives no random numbers.
pub fn fresh(kind: SecretKind) -> Result<Fresh, Problem> {
    let seen = random::<4>()?;
    let secret = URL_SAFE_NO_PAD.encode(random::<32>()?);
    let seen: String = seen.iter().map(|byte| format!("{byte:02x}")).collect();
    let prefix = format!("{}{seen}", kind.letters());
    let text = format!("{prefix}_{secret}");
    let hash = hash(&text);
    Ok(Fresh { text: Secret::new(text), prefix, hash })
}

/// What keys of widgets begin with. They stand in the source of pages and are no secrets.
pub(crate) const WIDGET_LETTERS: &str = "fdw_";

/// Makes the key of a widget: it names one and cannot be guessed, and whoever has it has nothing but that.
///
/// # Errors
/// When the machine gives no random numbers.
pub(crate) fn publishable() -> Result<String, Problem> {
    Ok(format!("{WIDGET_LETTERS}{}", URL_SAFE_NO_PAD.encode(random::<18>()?)))
}

/// SHA-256 of a secret. Enough for what is random: there is nothing to guess that a slow hash would protect.
pub fn hash(text: &str) -> SecretHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    hash
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| {
        tracing::error!("this machine gives no random numbers");
        Problem::internal()
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_says_what_it_is_and_is_never_made_twice() {
        let (one, other) = (fresh(SecretKind::Key).expect("made"), fresh(SecretKind::Key).expect("made"));
        assert!(one.text.expose().starts_with(&one.prefix) && one.prefix.starts_with("fdk_"));
        assert_eq!(one.prefix.len(), 12);
        assert_eq!(one.text.expose().len(), 12 + 1 + 43);
        assert_eq!(hash(one.text.expose()), one.hash);
        assert_ne!(one.hash, other.hash);
    }
}
