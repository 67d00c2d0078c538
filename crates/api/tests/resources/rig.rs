//! A router over a database in a folder of its own, and requests as clients make them.

use api::{Access, App, HttpSettings};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use base::{AgentId, BusinessId};
use http_body_util::BodyExt as _;
use model::agent::{Agent, BrainChoice};
use model::business::{Business, TenantScope};
use runtime::{Budgets, Node, NodeSettings, Services};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{SqlStore, SqliteOptions, Store};
use tempfile::TempDir;
use tower::ServiceExt as _;

/// The two businesses.
pub const SHOP: &str = "shop";
pub const RIVAL: &str = "rival";

pub struct Rig {
    pub router: Router,
    pub store: Arc<dyn Store>,
    pub shop: TenantScope,
    _folder: TempDir,
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

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The code of a problem document, after looking at its form.
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        problem["code"].as_str().expect("a code").to_owned()
    }
}

async fn business(store: &dyn Store, slug: &str) -> TenantScope {
    let scope = TenantScope { business: BusinessId::generate() };
    let business =
        Business { id: scope.business, slug: slug.into(), name: format!("The {slug}"), time_zone: "UTC".into() };
    store.put_business(&scope, &business).await.expect("a business");
    scope
}

impl Rig {
    pub async fn new() -> Self {
        Self::with(HttpSettings::default()).await
    }

    pub async fn with(http: HttpSettings) -> Self {
        egress::install_crypto();
        let folder = tempfile::tempdir().expect("a folder");
        let options = SqliteOptions::new(folder.path().join("frontdesk.db"));
        let store: Arc<dyn Store> = Arc::new(SqlStore::open(options).await.expect("a store"));
        let shop = business(store.as_ref(), SHOP).await;
        business(store.as_ref(), RIVAL).await;
        let settings = NodeSettings {
            public_url: None,
            recordings_dir: folder.path().join("recordings"),
            calls_max: 4,
            inbound_reserve: 0,
            record: false,
            record_inputs: false,
            budgets: Budgets::default(),
        };
        let egress = Arc::new(egress::Egress::new(egress::EgressConfig::new(egress::Policy::Operator)));
        let node = Node::new(settings, Arc::clone(&store), Services::default(), Arc::clone(&egress), BTreeMap::new());
        let shared: Arc<dyn store::shared::Shared> = Arc::new(store::shared::Memory::default());
        let auth = api::auth::Auth::new(Default::default(), store.keyring(), Arc::clone(&shared), egress);
        let away = Arc::new(egress::Egress::new(egress::EgressConfig::new(egress::Policy::Tenant)));
        let live = runtime::Live::new(&store, away);
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let place = store::objects::ObjectPlace::Memory;
        let objects = store::objects::Objects::open(&place, store.keyring().clone()).expect("storage");
        let app = App {
            auth: Arc::new(auth),
            node,
            home: shop,
            access: Arc::new(Access { origins: http.origins.clone(), ..Access::default() }),
            live,
            metrics: recorder.handle(),
            recordings: runtime::recordings::Recordings::new(folder.path().join("recordings"), objects),
            http: Arc::new(http),
            shared,
            documents: None,
            test_caller: None,
        };
        Self { router: api::router(app), store, shop, _folder: folder }
    }

    /// A published agent of the shop.
    pub async fn agent(&self) -> Agent {
        let agent = Agent {
            id: AgentId::generate(),
            business: self.shop.business,
            slug: "front".into(),
            name: "Front".into(),
            business_name: "The shop".into(),
            persona: String::new(),
            language: "en".into(),
            brain: BrainChoice::Local,
            voice: None,
            providers: Default::default(),
            lines: Default::default(),
            timing: Default::default(),
            turns: Default::default(),
            sound: Default::default(),
            outbound: Default::default(),
            tools: Vec::new(),
            handoff_to: None,
            record: false,
        };
        self.store.put_agent(&self.shop, &agent, Some(0)).await.expect("an agent");
        agent
    }

    /// Sends a request; `who` is the short name of the business.
    pub async fn send(
        &self,
        who: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Reply {
        let method: Method = method.parse().expect("a method");
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost:8080");
        request = request.header("frontdesk-business", who);
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |text| Body::from(text.to_owned()));
        let answer = self.router.clone().oneshot(request.body(body).expect("a request")).await.expect("an answer");
        let (head, body) = answer.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        Reply { status: head.status, headers: head.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(SHOP, "GET", path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(SHOP, "POST", path, &[], Some(&body.to_string())).await
    }

    /// A change based on whatever is there.
    pub async fn change(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.send(SHOP, method, path, &[("if-match", "*")], Some(&body.to_string())).await
    }
}
