//! How the platform signs requests: HMAC over the URL and the sorted form, by the account's token (SHA-1) or by a shared
//! key (SHA-256). Source: twilio.com/docs/usage/security and the official client libraries, 9.13.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;

/// Which hash a signature uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// With the account's token.
    Sha1,
    /// With a shared key.
    Sha256,
}

/// The value of the signature header for a request to `url` with these form fields (none for a body that is not a form).
pub fn sign(key: &str, algorithm: Algorithm, url: &str, form: &[(String, String)]) -> String {
    STANDARD.encode(hmac::sign(&hmac_key(key, algorithm), &signed_text(url, form)))
}

/// Whether `signature` is the header for this request. Compares in constant time.
pub(super) fn verify(
    key: &str,
    algorithm: Algorithm,
    url: &str,
    form: &[(String, String)],
    signature: &[u8],
) -> Result<(), ()> {
    hmac::verify(&hmac_key(key, algorithm), &signed_text(url, form), signature).map_err(|_| ())
}

/// The bytes of a signature header.
pub(super) fn decode(header: &str) -> Option<Vec<u8>> {
    STANDARD.decode(header.trim()).ok()
}

/// The URL as it may have been signed: as it is, without its port, or with the scheme's usual one. The platform is not
/// consistent about it.
pub(super) fn url_variants(url: &str) -> Vec<String> {
    let mut variants = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return variants };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let bracket = authority.rfind(']').unwrap_or(0);
    match authority[bracket..].rfind(':') {
        Some(colon) => variants.push(format!("{scheme}://{}{path}", &authority[..bracket + colon])),
        None => {
            let port = if matches!(scheme, "https" | "wss") { 443 } else { 80 };
            variants.push(format!("{scheme}://{authority}:{port}{path}"));
        }
    }
    variants
}

fn hmac_key(key: &str, algorithm: Algorithm) -> hmac::Key {
    let algorithm = match algorithm {
        Algorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Algorithm::Sha256 => hmac::HMAC_SHA256,
    };
    hmac::Key::new(algorithm, key.as_bytes())
}

fn signed_text(url: &str, form: &[(String, String)]) -> Vec<u8> {
    let sorted: BTreeSet<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut text = url.as_bytes().to_vec();
    for (name, value) in sorted {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(value.as_bytes());
    }
    text
}
