//! A twin of Twilio over real sockets: its REST API as a server, and its part of a call as a client of our webhooks and
//! our media socket.
//!
//! It plays by the real rules: requests are signed, answers are parsed as TwiML, audio is paced at 20 ms and played by a
//! first-in-first-out model, marks come back when they were played and at once after a clear, and when our side closes the
//! media socket the `action` of `<Connect>` is asked how to go on.

mod call;
mod rest;
mod twiml;

pub use call::{CallRecord, Leg, Line, LineEcho, StatusDelivery, TwinCall, Webhook};
pub use twiml::{Verb, parse};

use super::fault::Faults;
use super::server::FaultyListener;
use base::Secret;
use carriers::twilio::Algorithm;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Outbound calls that wait to be taken by the test.
const OUTBOUND_WAITING_MAX: usize = 256;
/// Ids are the platform's, whatever the account: no two calls have the same.
static LAST_ID: AtomicU64 = AtomicU64::new(1);

/// An account, and how the twin behaves.
#[derive(Clone, Debug)]
pub struct TwinOptions {
    /// `AC…`.
    pub account_sid: String,
    /// Signs webhooks, and is the password of the REST API.
    pub auth_token: Secret<String>,
    /// Signs webhooks with SHA-256 instead: id and secret of a shared key.
    pub shared_key: Option<(String, Secret<String>)>,
    /// The caller's number on inbound calls.
    pub caller: String,
    /// Our number on inbound calls.
    pub number: String,
    /// Where the end of inbound calls is reported, as configured at a number.
    pub status_url: Option<String>,
    /// How reports travel.
    pub delivery: StatusDelivery,
    /// How long a webhook that refuses connections is tried again: a load balancer in front of several nodes.
    pub webhook_retry: Duration,
    /// How long a webhook may take.
    pub webhook_timeout: Duration,
}

impl TwinOptions {
    /// An account with this id and token, and the platform's own deadlines.
    pub fn new(account_sid: &str, auth_token: &str) -> Self {
        Self {
            account_sid: account_sid.to_owned(),
            auth_token: auth_token.into(),
            shared_key: None,
            caller: "+14155550100".to_owned(),
            number: "+14155550199".to_owned(),
            status_url: None,
            delivery: StatusDelivery::InOrder,
            webhook_retry: Duration::ZERO,
            webhook_timeout: Duration::from_secs(15),
        }
    }

    /// The headers that sign a request to `url` with these form fields.
    pub fn signature_headers(&self, url: &str, form: &[(String, String)]) -> Vec<(&'static str, String)> {
        match &self.shared_key {
            None => {
                let signature = carriers::twilio::sign(self.auth_token.expose(), Algorithm::Sha1, url, form);
                vec![("x-twilio-signature", signature)]
            }
            Some((id, secret)) => vec![
                ("x-twilio-signature", carriers::twilio::sign(secret.expose(), Algorithm::Sha256, url, form)),
                ("x-twilio-webhooks-signature-settings", format!("key={id},algorithm=HMAC_SHA256")),
            ],
        }
    }
}

/// What goes wrong with one request to the REST API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestFault {
    /// 429, code 20429.
    RateLimited,
    /// 503; nothing was done.
    Unavailable,
    /// 200 with a page that is not JSON; nothing was done.
    Garbage,
    /// The request is carried out (the phone rings), but no answer comes.
    DoneButSilent,
    /// Nothing is done and no answer comes.
    Silent,
    /// This status with this error code.
    Error {
        /// HTTP status.
        status: u16,
        /// The platform's code.
        code: u32,
    },
}

/// What the person does who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// Picks up after this.
    Answers(Duration),
    /// Is on another call.
    Busy,
    /// Lets it ring this long; shorter than the request's `Timeout`, which the twin does not wait for.
    NoAnswer(Duration),
    /// Cannot be reached.
    Fails,
}

/// One request that reached the REST API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestRequest {
    /// `POST`, ….
    pub method: String,
    /// Path without the host.
    pub path: String,
    /// Form fields in order.
    pub form: Vec<(String, String)>,
    /// Whether the credential was right.
    pub authorized: bool,
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<RestRequest>,
    faults: VecDeque<RestFault>,
    callees: VecDeque<Callee>,
    calls: HashMap<String, TwinCall>,
}

#[derive(Debug)]
struct World {
    options: TwinOptions,
    faults: Faults,
    http: reqwest::Client,
    state: Mutex<State>,
    outbound: mpsc::Sender<TwinCall>,
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_sid(&self, prefix: &str) -> String {
        format!("{prefix}{:032x}", LAST_ID.fetch_add(1, Ordering::Relaxed))
    }
}

/// The platform. Its server ends when this is dropped; its calls end with their tasks.
#[derive(Debug)]
pub struct TwilioTwin {
    /// What is wrong with its REST API. At the start, nothing of the request is done; in the middle, it is done and the
    /// answer breaks.
    pub faults: Faults,
    address: SocketAddr,
    world: Arc<World>,
    outbound: tokio::sync::Mutex<mpsc::Receiver<TwinCall>>,
    server: JoinHandle<()>,
}

impl Drop for TwilioTwin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl TwilioTwin {
    /// Starts the REST server on a free port of the loopback interface.
    pub async fn start(options: TwinOptions) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(options.webhook_timeout)
            .build()
            .map_err(io::Error::other)?;
        let (sender, outbound) = mpsc::channel(OUTBOUND_WAITING_MAX);
        let faults = Faults::default();
        let world =
            Arc::new(World { options, faults: faults.clone(), http, state: Mutex::default(), outbound: sender });
        let router = rest::router(world.clone());
        let listening = faults.clone();
        let server = tokio::spawn(async move {
            // It only returns when the task is aborted.
            let _ = axum::serve(FaultyListener::new(listener, listening), router).await;
        });
        Ok(Self { faults, address, world, outbound: tokio::sync::Mutex::new(outbound), server })
    }

    /// The base of the REST API: `http://127.0.0.1:PORT`.
    pub fn api_base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The account and behaviour it was started with.
    pub fn options(&self) -> &TwinOptions {
        &self.world.options
    }

    /// Lets the next requests to the REST API fail like this, one each.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = RestFault>) {
        self.world.state().faults.extend(faults);
    }

    /// What the next people do who are called, one each; afterwards they answer at once.
    pub fn next_callees(&self, callees: impl IntoIterator<Item = Callee>) {
        self.world.state().callees.extend(callees);
    }

    /// Every request that reached the REST API.
    pub fn requests(&self) -> Vec<RestRequest> {
        self.world.state().requests.clone()
    }

    /// A customer calls our number, whose voice webhook is `voice_url`. Returns at once; the call goes on by itself.
    pub fn place_call(&self, voice_url: &str) -> TwinCall {
        let sid = self.world.next_sid("CA");
        let call = call::inbound(self.world.clone(), sid.clone(), voice_url.to_owned());
        self.world.state().calls.insert(sid, call.clone());
        call
    }

    /// Keeps nothing of a call that is over, whose record is known to whoever placed it.
    pub fn forget(&self, call: &TwinCall) {
        self.world.state().calls.remove(call.sid());
    }

    /// The next call that our side placed by the REST API; `None` when none comes within `within`.
    pub async fn outbound_call(&self, within: Duration) -> Option<TwinCall> {
        let mut outbound = self.outbound.lock().await;
        tokio::time::timeout(within, outbound.recv()).await.ok().flatten()
    }
}
