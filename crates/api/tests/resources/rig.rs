//! A router over a database of its own, two businesses, and requests as clients make them.

use api::{Access, App, HttpSettings};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use base::{AgentId, BusinessId};
use http_body_util::BodyExt as _;
use model::agent::{Agent, BrainChoice};
use model::business::{Business, TenantScope};
use runtime::{Budgets, Node, NodeSettings, Services};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::Store;
use testkit::stores::Guard;
use tower::ServiceExt as _;

/// A store, and what lives as long as the test.
pub type Opened = (Arc<dyn Store>, Guard);

/// Makes every test one on each engine.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(testkit::stores::sqlite().await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(testkit::stores::on_postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both;

/// The two businesses.
pub const SHOP: &str = "shop";
pub const RIVAL: &str = "rival";

pub struct Rig {
    pub router: Router,
    pub store: Arc<dyn Store>,
    pub shop: TenantScope,
    _guard: Guard,
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
    pub async fn new(opened: Opened) -> Self {
        Self::with(opened, HttpSettings::default()).await
    }

    pub async fn with((store, guard): Opened, http: HttpSettings) -> Self {
        egress::install_crypto();
        let folder = guard.folder.path().join("recordings");
        let shop = business(store.as_ref(), SHOP).await;
        business(store.as_ref(), RIVAL).await;
        let settings = NodeSettings {
            public_url: None,
            recordings_dir: folder.clone(),
            calls_max: 4,
            inbound_reserve: 0,
            record: false,
            record_inputs: false,
            budgets: Budgets::default(),
        };
        let egress = Arc::new(egress::Egress::new(egress::EgressConfig::new(egress::Policy::Operator)));
        let node = Node::new(settings, Arc::clone(&store), Services::default(), Arc::clone(&egress), BTreeMap::new());
        let shared: Arc<dyn store::shared::Shared> = Arc::new(store::shared::Memory::default());
        let live = runtime::Live::new(&store, Arc::clone(&egress));
        let auth = api::auth::Auth::new(Default::default(), store.keyring(), Arc::clone(&shared), egress);
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
            recordings: runtime::recordings::Recordings::new(folder, objects),
            http: Arc::new(http),
            shared,
            documents: None,
            test_caller: None,
            webrtc: None,
        };
        Self { router: api::router(app), store, shop, _guard: guard }
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
            flow: None,
            handoff_to: None,
            handoff: Default::default(),
            is_briefing: false,
            hours: None,
            guardrails: Default::default(),
            record: false,
        };
        self.store.put_agent(&self.shop, &agent, Some(0)).await.expect("an agent");
        agent
    }

    /// Sends a request and answers before the body has come; `who` is the short name of the business.
    async fn ask(
        &self,
        who: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Response<Body> {
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
        self.router.clone().oneshot(request.body(body).expect("a request")).await.expect("an answer")
    }

    /// Opens a stream.
    pub async fn open(&self, who: &str, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        self.ask(who, "GET", path, headers, None).await
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
        let (head, body) = self.ask(who, method, path, headers, body).await.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        Reply { status: head.status, headers: head.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// A request of somebody who has no credential, not even that of being on this machine.
    pub async fn open_to_anybody(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let headers: Vec<_> = headers.iter().copied().chain([("x-forwarded-for", "192.0.2.7")]).collect();
        self.send(SHOP, "GET", path, &headers, None).await
    }

    /// Where recordings are while they are made.
    pub fn recordings(&self) -> std::path::PathBuf {
        self._guard.folder.path().join("recordings")
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
