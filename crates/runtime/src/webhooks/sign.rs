//! Signatures of the Standard Webhooks specification 1.0: HMAC-SHA256 over `id.timestamp.body`, written `v1,BASE64`, several of
//! them with a space between. <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use aws_lc_rs::{hmac, rand};
use base::{ErrorClass, Failure, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::webhook::SECRET_PREFIX;

const KEY_BYTES: usize = 32;

/// A new secret: `whsec_` and 32 random bytes in base64.
///
/// # Errors
/// When the machine gives no random numbers.
pub fn new_secret() -> Result<Secret<String>, Failure> {
    let mut key = [0; KEY_BYTES];
    rand::fill(&mut key).map_err(|_| Failure::new(ErrorClass::Internal, "this machine gives no random numbers"))?;
    Ok(Secret::new(format!("{SECRET_PREFIX}{}", STANDARD.encode(key))))
}

/// The value of `webhook-signature` for a message, one signature for each secret.
///
/// # Errors
/// When a secret is not one that [`new_secret`] made.
pub fn signatures(secrets: &[Secret<String>], id: &str, timestamp_secs: i64, body: &str) -> Result<String, Failure> {
    let signed = format!("{id}.{timestamp_secs}.{body}");
    let sign = |secret: &Secret<String>| {
        let broken = || Failure::new(ErrorClass::Internal, "the secret of a webhook endpoint is not one");
        let key = secret.expose().strip_prefix(SECRET_PREFIX).ok_or_else(broken)?;
        let key = STANDARD.decode(key).map_err(|_| broken())?;
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
        Ok(format!("v1,{}", STANDARD.encode(tag.as_ref())))
    };
    let all: Result<Vec<String>, Failure> = secrets.iter().map(sign).collect();
    Ok(all?.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the specification's own libraries use.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let secret = Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = r#"{"test": 2432232314}"#;
        let signed = signatures(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).expect("signed");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_secret_is_replaced_both_sign() {
        let secrets = [new_secret().expect("a secret"), new_secret().expect("a secret")];
        let both = signatures(&secrets, "a", 1, "{}").expect("signed");
        let each: Vec<_> = secrets.iter().map(|one| signatures(std::slice::from_ref(one), "a", 1, "{}")).collect();
        assert_eq!(both.split(' ').map(|one| Ok(one.to_owned())).collect::<Vec<_>>(), each);
        assert!(signatures(&[Secret::from("plain")], "a", 1, "{}").is_err());
    }
}
