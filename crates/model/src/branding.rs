//! How a business looks to its own people: its name, colours, logo and domain instead of the product's.

use base::BusinessId;
use serde::{Deserialize, Serialize};

/// Characters of a name.
pub const NAME_CHARS_MAX: usize = 60;
/// Characters of a domain (RFC 1035, 2.3.4).
pub const DOMAIN_CHARS_MAX: usize = 253;

/// What is set. `None`: as the product has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Branding {
    /// What stands where the product's name would.
    pub name: Option<String>,
    /// Of what can be pressed, as `#rrggbb`.
    pub primary_color: Option<String>,
    /// Of what is highlighted, as `#rrggbb`.
    pub accent_color: Option<String>,
    /// Under which its people reach us, in lower case.
    pub domain: Option<String>,
}

/// A logo: what kind of image it is, and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    /// Such as `image/png`.
    pub media_type: String,
    /// The image.
    pub bytes: Vec<u8>,
}

/// A branding as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownBranding {
    /// What is set.
    pub branding: Branding,
    /// Media type and size of the logo.
    pub logo: Option<(String, u64)>,
    /// Whether it was shown that the domain is the business's: only then is it used.
    pub is_proven: bool,
    /// From 1; one more with each change. 0: nothing was ever set.
    pub version: u32,
}

/// Where a domain holds the proof that it is a business's.
pub const PROOF_PATH: &str = "/.well-known/frontdesk-challenge";

/// What stands there: whoever rules the domain says by it that this business may have it. No secret, since nobody else can put
/// it there.
pub fn proof_of(business: BusinessId) -> String {
    format!("frontdesk={}", business.0)
}

/// Whether an answer of a domain is the proof.
pub fn is_proof(answer: &[u8], business: BusinessId) -> bool {
    std::str::from_utf8(answer).is_ok_and(|text| text.lines().any(|line| line.trim() == proof_of(business)))
}

impl Branding {
    /// Checks what is set.
    ///
    /// # Errors
    /// What is wrong, with its place.
    pub fn check(&self) -> Result<(), String> {
        if let Some(name) = &self.name {
            let fits = !name.trim().is_empty() && name.chars().count() <= NAME_CHARS_MAX;
            if !fits || name.chars().any(char::is_control) {
                return Err(format!("name: 1 to {NAME_CHARS_MAX} characters are needed"));
            }
        }
        for (place, color) in [("primary_color", &self.primary_color), ("accent_color", &self.accent_color)] {
            let is_color = |text: &String| {
                text.len() == 7 && text.starts_with('#') && text[1..].bytes().all(|byte| byte.is_ascii_hexdigit())
            };
            if color.as_ref().is_some_and(|text| !text.is_ascii() || !is_color(text)) {
                return Err(format!("{place}: a colour such as #0f766e is needed"));
            }
        }
        match &self.domain {
            Some(domain) if !is_domain(domain) => Err("domain: a name such as calls.example.com is needed".into()),
            _ => Ok(()),
        }
    }
}

/// Whether this is a domain as browsers send it: in lower case, with a dot, without a port.
pub fn is_domain(text: &str) -> bool {
    let label = |part: &str| {
        let good = |sign: u8| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == b'-';
        (1..=63).contains(&part.len()) && part.bytes().all(good) && !part.starts_with('-') && !part.ends_with('-')
    };
    let has_letter = text.rsplit('.').next().is_some_and(|last| last.bytes().any(|sign| sign.is_ascii_lowercase()));
    text.len() <= DOMAIN_CHARS_MAX && text.contains('.') && has_letter && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_one_and_nothing_else() {
        for good in ["calls.example.com", "a.b", "xn--bcher-kva.example", "1.example"] {
            assert!(is_domain(good), "{good}");
        }
        for bad in ["", "localhost", "127.0.0.1", "a.b:80", "A.example", "-a.example", "a..b", "a b.example", "a.b/"] {
            assert!(!is_domain(bad), "{bad}");
        }
    }

    #[test]
    fn the_proof_of_one_business_is_none_of_another() {
        let (one, other) = (BusinessId(uuid::Uuid::from_u128(1)), BusinessId(uuid::Uuid::from_u128(2)));
        let file = format!("# ours\r\n{}\r\n", proof_of(one));
        assert!(is_proof(file.as_bytes(), one) && !is_proof(file.as_bytes(), other));
        assert!(!is_proof(b"\xff", one) && !is_proof(format!("x{}", proof_of(one)).as_bytes(), one));
    }

    #[test]
    fn colours_are_six_digits() {
        let with = |color: &str| Branding { primary_color: Some(color.into()), ..Branding::default() }.check();
        assert_eq!(with("#0F766e"), Ok(()));
        for bad in ["", "red", "#fff", "#0f766g", "#0f766e;", "#äöüa"] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}
