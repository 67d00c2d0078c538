//! People sign in at their company's identity provider: a twin of one, on this machine.

use crate::rig::{Owner, Reply, Rig, on_both};
use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Json;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

on_both!(
    a_person_signs_in_where_their_company_says_who_they_are,
    a_token_that_is_not_for_this_sign_in_is_refused,
    a_directory_with_policies_and_its_own_issuer_is_understood,
);

struct SigningKey {
    id: String,
    sign: EncodingKey,
    public: Value,
}

fn signing_key(id: &str) -> SigningKey {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).expect("a key");
    let point = pair.public_key().as_ref().to_vec();
    let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(&point[from..from + 32]);
    let public = json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "alg": "ES256",
        "x": coordinate(1), "y": coordinate(33)});
    SigningKey { id: id.into(), sign: EncodingKey::from_ec_der(document.as_ref()), public }
}

/// What the twin says of the next person.
struct Says {
    key: SigningKey,
    published: Vec<Value>,
    issuer: String,
    claims: Value,
    /// What the browser was sent with: challenge of the code and nonce.
    challenge: String,
    nonce: String,
}

#[derive(Clone)]
struct Twin {
    url: String,
    says: Arc<Mutex<Says>>,
}

impl Twin {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let key = signing_key("one");
        let published = vec![key.public.clone()];
        let claims = json!({"sub": "subject", "email": "Mira@Shop.example", "email_verified": true, "name": "Mira"});
        let says = Says { key, published, issuer: url.clone(), claims, challenge: String::new(), nonce: String::new() };
        let twin = Self { url, says: Arc::new(Mutex::new(says)) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(document))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(twin.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        twin
    }

    fn with<T>(&self, change: impl FnOnce(&mut Says) -> T) -> T {
        change(&mut self.says.lock().expect("nobody panicked"))
    }
}

async fn document(State(twin): State<Twin>) -> Json<Value> {
    let (url, issuer) = (&twin.url, twin.with(|says| says.issuer.clone()));
    Json(json!({"issuer": issuer, "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post"]}))
}

async fn keys(State(twin): State<Twin>) -> Json<Value> {
    Json(json!({"keys": twin.with(|says| says.published.clone())}))
}

async fn token(State(twin): State<Twin>, form: String) -> (StatusCode, Json<Value>) {
    let form: HashMap<String, String> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, field("code_verifier").as_bytes()));
    let known = field("client_secret") == "s3cret" && field("code") == "good" && field("client_id") == "frontdesk";
    twin.with(|says| {
        if !known || challenge != says.challenge {
            return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"})));
        }
        let now = runtime::wall_ms() / 1000;
        let mut claims =
            json!({"iss": says.issuer, "aud": "frontdesk", "exp": now + 300, "iat": now, "nonce": says.nonce});
        for (name, value) in says.claims.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        let header = Header { kid: Some(says.key.id.clone()), ..Header::new(Algorithm::ES256) };
        let signed = encode(&header, &claims, &says.key.sign).expect("signed");
        (StatusCode::OK, Json(json!({"id_token": signed, "access_token": "x", "token_type": "Bearer"})))
    })
}

/// Sets a provider up and answers its id.
async fn set_up(rig: &Rig, owner: &Owner, twin: &Twin, more: Value) -> String {
    let mut wish =
        json!({"name": "Work", "discovery_url": twin.url, "client_id": "frontdesk", "client_secret": "s3cret"});
    for (name, value) in more.as_object().expect("fields") {
        wish[name] = value.clone();
    }
    let made = rig.ask(&owner.token, "POST", "/api/v1/identity-providers", Some(wish)).await.good();
    assert!(!made.text.contains("s3cret"));
    made.json()["id"].as_str().expect("an id").to_owned()
}

/// Goes to the provider and comes back, as a browser does.
async fn sign_in(rig: &Rig, twin: &Twin, provider: &str) -> Reply {
    let start = rig.send("GET", &format!("/api/v1/auth/oidc/{provider}/start?return_to=/calls"), &[], None).await;
    assert_eq!(start.status, StatusCode::SEE_OTHER, "{start:?}");
    let address = url::Url::parse(start.header("location")).expect("an address");
    let sent: HashMap<String, String> = address.query_pairs().into_owned().collect();
    assert_eq!((sent["code_challenge_method"].as_str(), sent["response_type"].as_str()), ("S256", "code"));
    twin.with(|says| {
        says.challenge.clone_from(&sent["code_challenge"]);
        says.nonce.clone_from(&sent["nonce"]);
    });
    let cookie = start.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let back = format!("/api/v1/auth/oidc/callback?code=good&state={}", sent["state"]);
    rig.send("GET", &back, &[("cookie", &cookie)], None).await
}

async fn a_person_signs_in_where_their_company_says_who_they_are(rig: Rig) {
    let (owner, twin) = (rig.owner("shop").await, Twin::start().await);
    let provider = set_up(&rig, &owner, &twin, json!({})).await;
    let stranger = sign_in(&rig, &twin, &provider).await;
    assert_eq!((stranger.status, stranger.code().as_str()), (StatusCode::UNAUTHORIZED, "sign_in_failed"));
    let joining = json!({"name": "Work", "discovery_url": twin.url, "client_id": "frontdesk", "join_domains": ["shop.example"],
        "join_role": "operator"});
    rig.ask(&owner.token, "PUT", &format!("/api/v1/identity-providers/{provider}"), Some(joining)).await.good();
    let joined = sign_in(&rig, &twin, &provider).await;
    assert_eq!((joined.status, joined.header("location")), (StatusCode::SEE_OTHER, "/calls"));
    let jar: Vec<&str> = joined.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()).collect();
    let jar: Vec<&str> = jar.iter().filter_map(|cookie| cookie.split(';').next()).collect();
    let me = rig.send("GET", "/api/v1/auth/me", &[("cookie", &jar.join("; "))], None).await.good().json();
    assert_eq!(
        (me["user"]["email"].as_str(), me["user"]["role"].as_str()),
        (Some("mira@shop.example"), Some("operator"))
    );
    let log = rig.ask(&owner.token, "GET", "/api/v1/audit?limit=100", None).await.good().json();
    let user = me["user"]["id"].as_str().expect("an id");
    let line = |action: &str| {
        let lines = log["items"].as_array().expect("lines").iter();
        lines.clone().find(|line| line["action"] == action).cloned().unwrap_or_else(|| panic!("{action}: {log}"))
    };
    for action in ["join_by_identity_provider", "link_identity"] {
        assert_eq!(line(action)["subject"], format!("users/{user}"));
    }
    let came = line("finish_oidc");
    assert_eq!((&came["actor_id"], &came["address"]), (&json!(user), &json!("127.0.0.1")), "{came}");
    assert_eq!(came["details"]["provider"], json!(provider));
    // The subject is who it is from now on, whatever becomes of the address.
    twin.with(|says| says.claims["email"] = json!("new@elsewhere.example"));
    assert_eq!(sign_in(&rig, &twin, &provider).await.status, StatusCode::SEE_OTHER);
    rig.ask(&owner.token, "PATCH", &format!("/api/v1/users/{user}"), Some(json!({"active": false}))).await.good();
    assert_eq!(sign_in(&rig, &twin, &provider).await.status, StatusCode::UNAUTHORIZED);
}

async fn a_token_that_is_not_for_this_sign_in_is_refused(rig: Rig) {
    let (owner, twin) = (rig.owner("shop").await, Twin::start().await);
    let provider = set_up(&rig, &owner, &twin, json!({"join_domains": ["shop.example"]})).await;
    let good = twin.with(|says| says.claims.clone());
    let refused = [
        json!({"nonce": "another"}),
        json!({"aud": "somebody else"}),
        json!({"iss": "https://elsewhere.example"}),
        json!({"exp": 1}),
        json!({"azp": "somebody else"}),
        json!({"email_verified": false}),
    ];
    for wrong in refused {
        twin.with(|says| {
            says.claims = good.clone();
            for (name, value) in wrong.as_object().expect("claims") {
                says.claims[name] = value.clone();
            }
        });
        let reply = sign_in(&rig, &twin, &provider).await;
        assert_eq!((reply.status, reply.code().as_str()), (StatusCode::UNAUTHORIZED, "sign_in_failed"), "{wrong}");
    }
    twin.with(|says| {
        says.claims = good.clone();
        says.key = signing_key("one"); // Another key under the same name.
    });
    assert_eq!(sign_in(&rig, &twin, &provider).await.status, StatusCode::UNAUTHORIZED);
    let without_cookie = rig.send("GET", "/api/v1/auth/oidc/callback?code=good&state=x", &[], None).await;
    assert_eq!(without_cookie.status, StatusCode::UNAUTHORIZED);
    let away =
        rig.send("GET", &format!("/api/v1/auth/oidc/{provider}/start?return_to=//evil.example"), &[], None).await;
    assert_eq!(away.status, StatusCode::UNPROCESSABLE_ENTITY);
}

async fn a_directory_with_policies_and_its_own_issuer_is_understood(rig: Rig) {
    let (owner, twin) = (rig.owner("shop").await, Twin::start().await);
    let issuer = "https://directory.example/6f1c/v2.0/";
    twin.with(|says| {
        says.issuer = issuer.into();
        says.claims = json!({"sub": "Not supported currently. Use oid claim.", "oid": "7c11", "emails": ["mira@shop.example"],
            "tfp": "B2C_1_SignIn"});
    });
    let unnamed = set_up(&rig, &owner, &twin, json!({"join_domains": ["shop.example"]})).await;
    let start = rig.send("GET", &format!("/api/v1/auth/oidc/{unnamed}/start"), &[], None).await;
    assert_eq!(start.status, StatusCode::UNAUTHORIZED, "another issuer has to be named");
    let named =
        json!({"issuer": issuer, "policy": "b2c_1_signin", "trust_email": true, "join_domains": ["shop.example"]});
    let provider = set_up(&rig, &owner, &twin, named).await;
    assert_eq!(sign_in(&rig, &twin, &provider).await.status, StatusCode::SEE_OTHER);
    twin.with(|says| says.claims["tfp"] = json!("B2C_1_PasswordReset"));
    assert_eq!(sign_in(&rig, &twin, &provider).await.status, StatusCode::UNAUTHORIZED);
}
