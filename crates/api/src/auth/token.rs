//! Access tokens: JSON Web Tokens (RFC 7519), signed with HMAC-SHA256 under a key that comes from the data key.
//!
//! A token says who and in which session, never what they may do: that is looked up with the session at each request, so a
//! session that ends and a role that changes count at once. After a change of the data key, tokens of the old one hold until
//! they expire. Only we read them, so a shared key is enough; the algorithm is pinned, whatever a token says.

use base::{AccessKeyId, CallId, SessionId, UserId, WidgetId, limits};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use model::business::TenantScope;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::Keyring;
use uuid::Uuid;

const AUDIENCE: &str = "frontdesk-api";
const PURPOSE: &str = "access tokens";
/// Clocks of nodes differ by less.
const LEEWAY_SECS: u64 = 5;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    exp: i64,
    nbf: i64,
    iat: i64,
    jti: Uuid,
    /// The business.
    biz: Uuid,
    /// The session of a person; none for a client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
    /// What a client asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// A visitor's token says which conversation it opens, and from which page.
const VISIT_AUDIENCE: &str = "frontdesk-visit";

/// What a visitor's token says. Another audience than that of the API: neither opens what the other one opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct VisitClaims {
    iss: String,
    aud: String,
    /// The conversation's call.
    sub: Uuid,
    exp: i64,
    nbf: i64,
    iat: i64,
    /// The business.
    biz: Uuid,
    /// The widget.
    wid: Uuid,
    /// The origin of the page.
    org: String,
}

/// What a visitor of a website was let in for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitPass {
    /// By which widget.
    pub widget: WidgetId,
    /// The conversation's call.
    pub call: CallId,
    /// From a page of this origin.
    pub origin: String,
}

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// A person in a session.
    User {
        /// Who.
        user: UserId,
        /// In which session.
        session: SessionId,
    },
    /// A client.
    Client {
        /// Which one.
        client: AccessKeyId,
        /// What it asked for.
        scope: String,
    },
}

/// Signs tokens and checks them.
#[derive(Clone)]
pub struct Signer {
    issuer: String,
    current: (String, EncodingKey),
    known: Vec<(String, DecodingKey)>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.current.0)
    }
}

impl Signer {
    /// Signs with a key from the current data key; checks with those of the old ones, too.
    pub fn new(keyring: &Keyring, issuer: String) -> Self {
        let keys = keyring.derive(PURPOSE);
        let known = keys.iter().map(|(id, key)| (id.to_string(), DecodingKey::from_secret(key.expose()))).collect();
        let (id, key) = keys.first().expect("a keyring has a current key");
        Self { issuer, current: (id.to_string(), EncodingKey::from_secret(key.expose())), known }
    }

    /// A token for this bearer, from now on for [`limits::ACCESS_TOKEN_MS`]. `None` when it cannot be signed.
    pub fn sign(&self, scope: &TenantScope, bearer: &Bearer, now_ms: i64) -> Option<String> {
        let now = now_ms / 1000;
        let (sub, sid, asked) = match bearer {
            Bearer::User { user, session } => (user.0, Some(session.0), None),
            Bearer::Client { client, scope } => (client.0, None, Some(scope.clone())),
        };
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.into(),
            sub,
            exp: now + limits::ACCESS_TOKEN_MS / 1000,
            nbf: now,
            iat: now,
            jti: Uuid::new_v4(),
            biz: scope.business.0,
            sid,
            scope: asked,
        };
        self.signed(&claims)
    }

    /// A visitor's token, from now on for [`limits::VISIT_MS_MAX`]. `None` when it cannot be signed.
    pub fn sign_visit(&self, scope: &TenantScope, pass: &VisitPass, now_ms: i64) -> Option<String> {
        let now = now_ms / 1000;
        self.signed(&VisitClaims {
            iss: self.issuer.clone(),
            aud: VISIT_AUDIENCE.into(),
            sub: pass.call.0,
            exp: now + limits::VISIT_MS_MAX / 1000,
            nbf: now,
            iat: now,
            biz: scope.business.0,
            wid: pass.widget.0,
            org: pass.origin.clone(),
        })
    }

    fn signed(&self, claims: &impl Serialize) -> Option<String> {
        let header = Header { kid: Some(self.current.0.clone()), ..Header::new(Algorithm::HS256) };
        encode(&header, claims, &self.current.1).ok()
    }

    fn opened<C: DeserializeOwned + Clone>(&self, token: &str, audience: &str) -> Option<C> {
        let kid = decode_header(token).ok()?.kid?;
        let (_, key) = self.known.iter().find(|(id, _)| *id == kid)?;
        let mut rules = Validation::new(Algorithm::HS256);
        rules.leeway = LEEWAY_SECS;
        rules.validate_nbf = true;
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[audience]);
        rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        Some(decode(token, key, &rules).ok()?.claims)
    }

    /// What a visitor's token opens, if it is one of ours and holds now.
    pub fn check_visit(&self, token: &str) -> Option<(TenantScope, VisitPass)> {
        let claims: VisitClaims = self.opened(token, VISIT_AUDIENCE)?;
        let pass = VisitPass { widget: WidgetId(claims.wid), call: CallId(claims.sub), origin: claims.org };
        Some((TenantScope { business: base::BusinessId(claims.biz) }, pass))
    }

    /// Whose a token is, if it is one of ours and holds now.
    pub fn check(&self, token: &str) -> Option<(TenantScope, Bearer)> {
        let claims: Claims = self.opened(token, AUDIENCE)?;
        let scope = TenantScope { business: base::BusinessId(claims.biz) };
        let bearer = match (claims.sid, claims.scope) {
            (Some(session), None) => Bearer::User { user: UserId(claims.sub), session: SessionId(session) },
            (None, Some(scope)) => Bearer::Client { client: AccessKeyId(claims.sub), scope },
            _ => return None,
        };
        Some((scope, bearer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{BusinessId, Secret};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use store::DataKey;

    fn key(digit: char) -> DataKey {
        DataKey::parse(&Secret::new(digit.to_string().repeat(64))).expect("a key")
    }

    fn signer(current: char, old: &[char]) -> Signer {
        let old = old.iter().map(|digit| key(*digit)).collect();
        Signer::new(&Keyring::new(key(current), old), "https://desk.example".into())
    }

    fn someone() -> (TenantScope, Bearer) {
        let bearer = Bearer::User { user: UserId::generate(), session: SessionId::generate() };
        (TenantScope { business: BusinessId::generate() }, bearer)
    }

    fn now_ms() -> i64 {
        runtime::wall_ms()
    }

    #[test]
    fn a_token_says_who_and_survives_a_change_of_the_data_key() {
        let (scope, bearer) = someone();
        let token = signer('a', &[]).sign(&scope, &bearer, now_ms()).expect("signed");
        assert_eq!(signer('a', &[]).check(&token), Some((scope, bearer.clone())));
        assert_eq!(signer('b', &['a']).check(&token), Some((scope, bearer)));
        assert_eq!(signer('b', &[]).check(&token), None);
    }

    #[test]
    fn a_token_of_another_time_place_or_algorithm_opens_nothing() {
        let (scope, bearer) = someone();
        let ours = signer('a', &[]);
        let late = ours.sign(&scope, &bearer, now_ms() - limits::ACCESS_TOKEN_MS - 60_000).expect("signed");
        let early = ours.sign(&scope, &bearer, now_ms() + 60_000).expect("signed");
        let elsewhere = Signer { issuer: "https://other.example".into(), ..ours.clone() };
        let foreign = elsewhere.sign(&scope, &bearer, now_ms()).expect("signed");
        let good = ours.sign(&scope, &bearer, now_ms()).expect("signed");
        let [_, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
        let head = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let kid = &ours.current.0;
        let unsigned = format!("{}.{claims}.", head(&format!(r#"{{"alg":"none","kid":"{kid}"}}"#)));
        let longer = format!("{}.{claims}.{signature}", head(&format!(r#"{{"alg":"HS512","kid":"{kid}"}}"#)));
        let nameless = format!("{}.{claims}.{signature}", head(r#"{"alg":"HS256"}"#));
        for bad in [late, early, foreign, unsigned, longer, nameless, format!("{good}x"), String::new()] {
            assert_eq!(ours.check(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_visitors_token_opens_its_conversation_and_nothing_of_the_api() {
        let (scope, bearer) = someone();
        let ours = signer('a', &[]);
        let pass =
            VisitPass { widget: WidgetId::generate(), call: CallId::generate(), origin: "https://a.example".into() };
        let token = ours.sign_visit(&scope, &pass, now_ms()).expect("signed");
        assert_eq!(ours.check_visit(&token), Some((scope, pass.clone())));
        assert_eq!(ours.check(&token), None);
        let late = ours.sign_visit(&scope, &pass, now_ms() - limits::VISIT_MS_MAX - 60_000).expect("signed");
        assert_eq!(ours.check_visit(&late), None);
        let theirs = ours.sign(&scope, &bearer, now_ms()).expect("signed");
        assert_eq!(ours.check_visit(&theirs), None);
    }
}
