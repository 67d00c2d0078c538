//! A router over a database of its own, and requests as clients make them.

use api::auth::{Auth, AuthSettings, Peer};
use api::{Access, App, HttpSettings};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use base::{SessionId, UserId};
use http_body_util::BodyExt as _;
use model::business::TenantScope;
use model::people::Role;
use runtime::{Budgets, Node, NodeSettings, Services};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::Store;
use store::people::{NewUser, Session};
use testkit::stores::Guard;
use tower::ServiceExt as _;

/// The server's own token.
pub const SERVER: &str = "the server's own token";
pub const PASSWORD: &str = "correct horse battery";

/// Makes every test one on each engine.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::rig::Rig::new(testkit::stores::sqlite().await).await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::rig::Rig::new(testkit::stores::on_postgres().await).await).await;
            })*
        }
    };
}
pub(crate) use on_both;

pub struct Rig {
    pub router: Router,
    pub store: Arc<dyn Store>,
    guard: Guard,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// What a client can see of it that depends on more than the moment.
    pub fn seen(&self) -> (StatusCode, Value) {
        let mut body = serde_json::from_str(&self.text).unwrap_or(Value::String(self.text.clone()));
        if let Some(body) = body.as_object_mut() {
            body.remove("request_id");
        }
        (self.status, body)
    }

    /// Passes on an answer of success, and shows any other.
    pub fn good(self) -> Self {
        assert!(self.status.is_success(), "{self:?}");
        self
    }
}

/// A business with an owner who has signed in.
pub struct Owner {
    pub scope: TenantScope,
    pub user: UserId,
    pub token: String,
}

impl Rig {
    pub async fn new(opened: (Arc<dyn Store>, Guard)) -> Self {
        Self::with(opened, AuthSettings { issuer: "https://desk.example".into(), registration: true }).await
    }

    pub async fn with(opened: (Arc<dyn Store>, Guard), settings: AuthSettings) -> Self {
        Self::serving(opened, settings, Services::default()).await
    }

    pub async fn serving((store, guard): (Arc<dyn Store>, Guard), settings: AuthSettings, services: Services) -> Self {
        egress::install_crypto();
        let folder = guard.folder.path().join("recordings");
        let node_settings = NodeSettings {
            public_url: None,
            recordings_dir: folder.clone(),
            calls_max: 4,
            inbound_reserve: 0,
            record: false,
            record_inputs: false,
            budgets: Budgets::default(),
        };
        // A twin of an identity provider is on this machine.
        let egress = Arc::new(egress::Egress::new(egress::EgressConfig::new(egress::Policy::Operator)));
        let node = Node::new(node_settings, Arc::clone(&store), services, Arc::clone(&egress), BTreeMap::new());
        let shared: Arc<dyn store::shared::Shared> = Arc::new(store::shared::Memory::default());
        let home = TenantScope { business: base::BusinessId::generate() };
        let business = model::business::Business {
            id: home.business,
            slug: "home".into(),
            name: "Home".into(),
            time_zone: "UTC".into(),
        };
        store.put_business(&home, &business).await.expect("a business");
        let away = Arc::new(egress::Egress::new(egress::EgressConfig::new(egress::Policy::Tenant)));
        let live = runtime::Live::new(&store, away);
        let place = store::objects::ObjectPlace::Memory;
        let objects = store::objects::Objects::open(&place, store.keyring().clone()).expect("storage");
        let rtc = webrtc::Settings {
            listen: "127.0.0.1:0".parse().expect("an address"),
            public_addresses: Vec::new(),
            ice_servers: Vec::new(),
            sessions_max: 8,
        };
        let stop = tokio_util::sync::CancellationToken::new();
        let webrtc = webrtc::Gateway::bind(rtc, stop).await.expect("a free port");
        let app = App {
            live,
            auth: Arc::new(Auth::new(settings, store.keyring(), Arc::clone(&shared), egress)),
            node,
            home,
            access: Arc::new(Access { token: Some(SERVER.into()), trust_proxy: true, ..Access::default() }),
            metrics: metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle(),
            recordings: runtime::recordings::Recordings::new(folder, objects),
            http: Arc::new(HttpSettings { requests_per_minute: 0, ..HttpSettings::default() }),
            shared,
            documents: None,
            test_caller: None,
            webrtc: Some(webrtc),
        };
        Self { router: api::router(app), store, guard }
    }

    /// From now on no line of the audit log can be written.
    pub async fn break_audit_log(&self) {
        self.sql(
            "CREATE TRIGGER no_lines BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'no room'); END",
            "ALTER TABLE audit_log ADD CONSTRAINT no_lines CHECK (false) NOT VALID",
        )
        .await;
    }

    /// From now on lines can be written again.
    pub async fn mend_audit_log(&self) {
        self.sql("DROP TRIGGER no_lines", "ALTER TABLE audit_log DROP CONSTRAINT no_lines").await;
    }

    async fn sql(&self, sqlite: &'static str, postgres: &str) {
        if let Some(database) = &self.guard.database {
            database.ask(testkit::postgres::OWNER, postgres);
            return;
        }
        let file = self.guard.folder.path().join("frontdesk.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        let pool = sqlx::SqlitePool::connect_with(options).await.expect("the file");
        sqlx::query(sqlite).execute(&pool).await.expect("done");
        pool.close().await;
    }

    /// Sends a request from this machine.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Reply {
        let text = body.map(Value::to_string);
        self.send_text(method, path, headers, text.as_deref().map(|text| ("application/json", text))).await
    }

    pub async fn send_text(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, &str)>,
    ) -> Reply {
        let answer = self.begin(method, path, headers, body).await;
        let (head, body) = answer.into_parts();
        // A stream of events has no end; what counts is that it began.
        let streams =
            head.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let bytes = if streams { Default::default() } else { body.collect().await.expect("a body").to_bytes() };
        Reply { status: head.status, headers: head.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// Sends a request and leaves the body of the answer to be read.
    pub async fn begin(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, &str)>,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path).header("host", "desk.example");
        if let Some((kind, _)) = body {
            request = request.header("content-type", kind);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |(_, text)| Body::from(text.to_owned()));
        let mut request = request.body(body).expect("a request");
        request.extensions_mut().insert(Peer("127.0.0.1".parse().expect("an address")));
        self.router.clone().oneshot(request).await.expect("an answer")
    }

    /// Sends a request with this token.
    pub async fn ask(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Reply {
        let bearer = format!("Bearer {token}");
        self.send(method, path, &[("authorization", &bearer)], body.as_ref()).await
    }

    /// Sends a request without any credential.
    pub async fn open(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, &[], Some(&body)).await
    }

    /// Registers a business and signs its owner in with a password.
    pub async fn owner(&self, slug: &str) -> Owner {
        let email = format!("owner@{slug}.example");
        let wish = json!({"business_name": slug, "slug": slug, "email": email, "name": "Mira", "password": PASSWORD});
        let made = self.open("/api/v1/auth/register", wish).await.good().json();
        let id = |name: &str| made[name].as_str().expect("an id").parse().expect("an id");
        let scope = TenantScope { business: base::BusinessId(id("business")) };
        let token = self.sign_in(&email, PASSWORD).await;
        Owner { scope, user: UserId(id("user")), token }
    }

    /// Signs in and answers the access token.
    pub async fn sign_in(&self, email: &str, password: &str) -> String {
        let reply = self.open("/api/v1/auth/login", json!({"email": email, "password": password})).await.good();
        reply.json()["access_token"].as_str().expect("a token").to_owned()
    }

    /// A person of this role with a session, without the cost of a password.
    pub async fn person(&self, scope: &TenantScope, role: Role) -> UserId {
        let id = UserId::generate();
        let user = NewUser {
            id,
            email: format!("{role}.{id}@people.example").into(),
            name: role.name().into(),
            role,
            password_hash: None,
            verified: true,
        };
        self.store.create_user(scope, &user, now_ms()).await.expect("a person");
        id
    }

    /// An access token of a new session of this person.
    pub async fn session(&self, scope: &TenantScope, user: UserId) -> String {
        let refresh = format!("fdr_{}", SessionId::generate());
        let at_ms = now_ms();
        let session = Session {
            id: SessionId::generate(),
            user,
            method: "password".into(),
            user_agent: String::new(),
            address: "127.0.0.1".into(),
            created_at_ms: at_ms,
            seen_at_ms: at_ms,
            expires_at_ms: at_ms + 60 * 60 * 1000,
        };
        self.store.open_session(scope, &session, &api::auth::secret::hash(&refresh)).await.expect("a session");
        let reply = self.open("/api/v1/auth/refresh", json!({"refresh_token": refresh})).await.good();
        reply.json()["access_token"].as_str().expect("a token").to_owned()
    }
}

pub fn now_ms() -> i64 {
    runtime::wall_ms()
}
