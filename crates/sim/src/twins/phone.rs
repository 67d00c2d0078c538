//! What the twins of phone platforms have in common, over real sockets: an API as a server, and their part of a call as a
//! client of our webhooks and our media socket.
//!
//! They play by the real rules: requests are signed, answers are read as strictly as the platform reads them, audio is paced
//! at 20 ms and played by a first-in-first-out model, marks come back when they were played. A platform is one file: a
//! [`Platform`] says how its webhooks, its API and its answers are written, its [`Frames`] how its media socket is.

mod call;
mod media;
mod relay;
mod rest;
pub(crate) mod xml;

pub use call::{CallRecord, Leg, Line, LineEcho, StatusDelivery, TwinCall, Webhook};
pub use relay::WordsLeg;

use super::fault::Faults;
use super::server::FaultyListener;
use axum::http::HeaderMap;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// Outbound calls that wait to be taken by the test.
const OUTBOUND_WAITING_MAX: usize = 256;
/// Ids are the platform's, whatever the account: no two calls have the same.
static LAST_ID: AtomicU64 = AtomicU64::new(1);

/// How a platform is set up at our number, and how it behaves.
#[derive(Clone, Debug)]
pub struct PhoneOptions {
    /// The caller's number on inbound calls.
    pub caller: String,
    /// Our number on inbound calls.
    pub number: String,
    /// Where inbound calls are reported, as configured at a number.
    pub status_url: Option<String>,
    /// How reports travel.
    pub delivery: StatusDelivery,
    /// How long a webhook that refuses connections is tried again: a load balancer in front of several nodes.
    pub webhook_retry: Duration,
    /// How long a webhook may take.
    pub webhook_timeout: Duration,
}

impl Default for PhoneOptions {
    fn default() -> Self {
        Self {
            caller: "+14155550100".to_owned(),
            number: "+14155550199".to_owned(),
            status_url: None,
            delivery: StatusDelivery::InOrder,
            webhook_retry: Duration::ZERO,
            webhook_timeout: Duration::from_secs(15),
        }
    }
}

/// One instruction to the platform, whatever it is written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Pick up. Platforms without it pick up with the first verb that needs it.
    Answer,
    /// Bring the audio to a media socket.
    Connect {
        /// Asked when the stream ends.
        action: Option<String>,
        /// The media socket.
        url: String,
        /// Travel to the media socket.
        parameters: Vec<(String, String)>,
    },
    /// Recognise and speak, and bring the words to a socket.
    Relay {
        /// Asked when the socket ends.
        action: Option<String>,
        /// The socket.
        url: String,
        /// Travel to the socket.
        parameters: Vec<(String, String)>,
        /// How to recognise and speak.
        attributes: Vec<(String, String)>,
    },
    /// Speak.
    Say(String),
    /// End the call.
    Hangup,
    /// Refuse the call, with a reason.
    Reject(String),
    /// Connect the caller to a number.
    Dial {
        /// Who is called.
        number: String,
        /// What their phone shows.
        caller_id: Option<String>,
    },
    /// Ask this address how to go on.
    Redirect(String),
    /// Press keys.
    Press(String),
}

/// What happened to a call that the platform may tell us, or ask us about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment<'a> {
    /// Somebody calls our number, whose voice webhook is this.
    Incoming(&'a str),
    /// A call that we placed is on its way.
    Initiated,
    /// It rings.
    Ringing,
    /// Somebody, or our side, picked up.
    Answered,
    /// The media socket is open; the address is that of the verb which asked for it.
    StreamBegan(Option<&'a str>),
    /// The media socket is closed, and the call goes on.
    StreamEnded(Option<&'a str>),
    /// The platform's own voice has said everything.
    Said,
    /// A verb says to ask this address.
    Redirected(&'a str),
    /// The call is over.
    Ended,
}

/// A request to our side.
#[derive(Clone, Debug)]
pub struct Hook {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Where to.
    pub url: String,
    /// Signature, content type.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent.
    pub body: String,
    /// The fields of the body or the query, for the record.
    pub form: Vec<(String, String)>,
    /// What it is about, for the record.
    pub state: String,
}

/// How a call goes on after a moment.
#[derive(Clone, Debug)]
pub enum Then {
    /// As it would have.
    GoOn,
    /// As the answer to this says.
    Ask(Hook),
    /// Like this.
    Do(Vec<Verb>),
}

/// A call as its platform sees it.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// The platform's id.
    pub id: String,
    /// Who calls.
    pub from: String,
    /// Who is called.
    pub to: String,
    /// Whether our side placed it.
    pub is_placed: bool,
    /// `queued`, `ringing`, `in-progress`, `completed`, `busy`, `failed`, `no-answer`, `canceled`.
    pub status: &'static str,
    /// What our side asked for when it placed the call: a form as an object.
    pub asked: Value,
    /// What our side wrote to the call, where the platform keeps such a note.
    pub note: Value,
    /// Where it is reported.
    pub status_url: Option<String>,
    /// Milliseconds since it began.
    pub age_ms: u64,
    /// Moments before this one.
    pub hooks: u64,
    /// Reports before this one.
    pub reports: u64,
}

/// An answer to a webhook.
#[derive(Clone, Debug)]
pub struct HookAnswer {
    /// What was asked.
    pub url: String,
    /// HTTP status.
    pub status: u16,
    /// Content type, empty for none.
    pub content_type: String,
    /// Body.
    pub body: String,
}

/// One request that reached the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestRequest {
    /// `POST`, ….
    pub method: String,
    /// Path without the host.
    pub path: String,
    /// Form fields in order.
    pub form: Vec<(String, String)>,
    /// The body, where it is JSON.
    pub json: Value,
    /// Whether the credential was right.
    pub authorized: bool,
}

impl RestRequest {
    /// The first field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What a request to the API asks for.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Place a call.
    Dial {
        /// Who is called.
        to: String,
        /// What their phone shows.
        from: String,
        /// Where its states are reported.
        status_url: Option<String>,
        /// The whole request, for later.
        asked: Value,
        /// What is written to the call.
        note: Value,
    },
    /// Do something to a call.
    Do {
        /// Its id.
        call: String,
        /// What.
        verbs: Vec<Verb>,
        /// What is written to the call; null for what is there.
        note: Value,
    },
    /// Show a call.
    Show {
        /// Its id.
        call: String,
    },
    /// Something that it will not do, with the status and the platform's code for that.
    Not(u16, u32),
}

/// How a request to the API ended.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// The call is on its way.
    Dialled(&'a str, &'a CallRecord),
    /// It was done to this call.
    Done(&'a str, &'a CallRecord),
    /// There is no such call.
    Missing,
    /// The call is over.
    Over,
    /// The credential is wrong.
    Unauthorized,
    /// Refused, with the status and the platform's code for that; 0 for the usual one.
    Refused(u16, u32),
}

/// One platform: how it writes and reads everything that is not audio.
pub trait Platform: Send + Sync + 'static {
    /// What the operator puts into the environment for this account.
    fn env(&self, api_base: &str) -> Vec<(&'static str, String)>;
    /// The id of the `n`th call.
    fn call_id(&self, n: u64) -> String;
    /// Whether a request to the API shows the right credential.
    fn is_authorized(&self, headers: &HeaderMap) -> bool;
    /// Reads a request to the API.
    fn asked(&self, request: &RestRequest) -> Asked;
    /// The answer to it.
    fn outcome(&self, outcome: Outcome<'_>) -> (u16, Value);
    /// Whether a call does what it is told by requests, and nothing by itself.
    fn is_commanded(&self) -> bool {
        false
    }
    /// What is reported of a moment.
    fn reports(&self, call: &Call, moment: Moment<'_>) -> Vec<Hook>;
    /// How the call goes on after it.
    fn then(&self, call: &Call, moment: Moment<'_>) -> Then;
    /// Reads the answer to a webhook that asked how to go on.
    fn verbs(&self, call: &Call, answer: &HookAnswer) -> Result<Vec<Verb>, String>;
    /// Headers of the upgrade to a media socket.
    fn upgrade(&self, _url: &str) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// The messages of the `n`th media socket, which a verb asked for with this address and these parameters.
    fn frames(
        &self,
        call: &Call,
        n: u64,
        url: &str,
        parameters: &[(String, String)],
    ) -> Result<Box<dyn Frames>, String>;
}

/// A message that the platform does not take: how it closes the socket, and what it logs.
pub type Broken = (CloseCode, String);

/// What our side said on a media socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Play this, at the rate of the stream.
    Audio(Vec<i16>),
    /// Tell when everything before was played.
    Mark(String),
    /// Throw away what was not played.
    Clear,
}

/// The messages of one media socket.
pub trait Frames: Send {
    /// The platform's id of the stream.
    fn id(&self) -> &str;
    /// Samples per second, both ways: a multiple of 8000.
    fn rate_hz(&self) -> u32;
    /// What is sent first.
    fn open(&mut self) -> Vec<Message>;
    /// The next 20 ms of the person. Platforms that send longer pieces keep it.
    fn audio(&mut self, pcm: &[i16]) -> Option<Message>;
    /// A key was pressed.
    fn key(&mut self, key: char) -> Message;
    /// A mark was reached by playing.
    fn played(&mut self, mark: &str) -> Message;
    /// Everything was thrown away, these marks with it.
    fn cleared(&mut self, marks: &[String]) -> Vec<Message>;
    /// The call ends, or leaves the stream.
    fn stop(&mut self) -> Option<Message>;
    /// Reads one message of our side.
    fn read(&mut self, message: &Message) -> Result<Told, Broken>;
}

/// What goes wrong with one request to the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestFault {
    /// 429, with `Retry-After: 1`.
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
    /// Lets it ring this long; shorter than what the request asks for, which the twin does not wait for.
    NoAnswer(Duration),
    /// Cannot be reached.
    Fails,
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<RestRequest>,
    faults: VecDeque<RestFault>,
    callees: VecDeque<Callee>,
    calls: HashMap<String, TwinCall>,
}

struct World {
    platform: Box<dyn Platform>,
    options: PhoneOptions,
    faults: Faults,
    http: reqwest::Client,
    state: Mutex<State>,
    outbound: mpsc::Sender<TwinCall>,
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn next_id() -> u64 {
    LAST_ID.fetch_add(1, Ordering::Relaxed)
}

/// A platform. Its server ends when this is dropped; its calls end with their tasks.
pub struct PhoneTwin {
    /// What is wrong with its API. At the start, nothing of the request is done; in the middle, it is done and the answer
    /// breaks.
    pub faults: Faults,
    address: SocketAddr,
    world: Arc<World>,
    outbound: tokio::sync::Mutex<mpsc::Receiver<TwinCall>>,
    server: JoinHandle<()>,
}

impl std::fmt::Debug for PhoneTwin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PhoneTwin").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for PhoneTwin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl PhoneTwin {
    /// Starts the API's server on a free port of the loopback interface.
    pub async fn start(platform: impl Platform, options: PhoneOptions) -> io::Result<Self> {
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
        let world = Arc::new(World {
            platform: Box::new(platform),
            options,
            faults: faults.clone(),
            http,
            state: Mutex::default(),
            outbound: sender,
        });
        let router = rest::router(world.clone());
        let listening = faults.clone();
        let server = tokio::spawn(async move {
            // It only returns when the task is aborted.
            let _ = axum::serve(FaultyListener::new(listener, listening), router).await;
        });
        Ok(Self { faults, address, world, outbound: tokio::sync::Mutex::new(outbound), server })
    }

    /// The base of the API: `http://127.0.0.1:PORT`.
    pub fn api_base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the operator puts into the environment for its account.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        self.world.platform.env(&self.api_base())
    }

    /// Lets the next requests to the API fail like this, one each.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = RestFault>) {
        self.world.state().faults.extend(faults);
    }

    /// What the next people do who are called, one each; afterwards they answer at once.
    pub fn next_callees(&self, callees: impl IntoIterator<Item = Callee>) {
        self.world.state().callees.extend(callees);
    }

    /// Every request that reached the API.
    pub fn requests(&self) -> Vec<RestRequest> {
        self.world.state().requests.clone()
    }

    /// A customer calls our number, whose voice webhook is `voice_url`. Returns at once; the call goes on by itself.
    pub fn place_call(&self, voice_url: &str) -> TwinCall {
        let id = self.world.platform.call_id(next_id());
        let call = call::inbound(self.world.clone(), id.clone(), voice_url.to_owned());
        self.world.state().calls.insert(id, call.clone());
        call
    }

    /// Keeps nothing of a call that is over, whose record is known to whoever placed it.
    pub fn forget(&self, call: &TwinCall) {
        self.world.state().calls.remove(call.sid());
    }

    /// The next call that our side placed by the API; `None` when none comes within `within`.
    pub async fn outbound_call(&self, within: Duration) -> Option<TwinCall> {
        let mut outbound = self.outbound.lock().await;
        tokio::time::timeout(within, outbound.recv()).await.ok().flatten()
    }
}

/// A form as a body or a query.
pub(crate) fn encoded(form: &[(String, String)]) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(form);
    text.finish()
}

/// Names and values of a form.
pub(crate) fn fields<const N: usize>(fields: [(&str, &str); N]) -> Vec<(String, String)> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Unix seconds, for what is signed with the time.
pub(crate) fn unix_secs() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
