//! One call of the twin: webhooks, media legs, status reports, and the handle by which a test plays the person.

use super::twiml::{self, Verb};
use super::{Callee, World};
use carriers::playout::{HeardSpan, PlayedMark, Playout};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

mod media;

const COMMANDS_MAX: usize = 64;
const REPORTS_MAX: usize = 32;
/// Answers that one call may follow, so that two servers cannot send a call in circles.
const WEBHOOKS_MAX: usize = 64;
/// Between two attempts at a webhook that refuses connections.
const RETRY_EVERY: Duration = Duration::from_millis(50);
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);

/// How status reports travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusDelivery {
    /// As they happen.
    InOrder,
    /// As they happen, each twice, byte for byte.
    Twice,
    /// All at the end, the last one first.
    Backwards,
}

/// One request to our side and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where to.
    pub url: String,
    /// What was sent.
    pub form: Vec<(String, String)>,
    /// The verbs of the answer, or what was wrong with it.
    pub answer: Result<Vec<Verb>, String>,
}

/// One media socket, as the caller experienced it. Times are milliseconds since the leg began.
#[derive(Debug)]
pub struct Leg {
    /// `MZ…`.
    pub stream_sid: String,
    /// When it began.
    pub since: Instant,
    /// What was heard, and when.
    pub playout: Playout,
    /// Marks that were reached by playing.
    pub marks: Vec<PlayedMark>,
    /// Interruptions: when, and how much audio was thrown away.
    pub clears: Vec<(u64, u64)>,
    /// When the person spoke: from the beginning of the first frame to the sending of the last.
    pub spoken: Vec<HeardSpan>,
    /// Audio messages from our side.
    pub frames_received: u64,
    /// What our side sent that the platform would not take.
    pub errors: Vec<String>,
    /// Set when the leg ended: the close code of our side, if it closed.
    pub closed: Option<Option<u16>>,
}

/// All that happened on a call.
#[derive(Debug, Default)]
pub struct CallRecord {
    /// `queued`, `ringing`, `in-progress`, `completed`, `busy`, `failed`, `no-answer`, `canceled`.
    pub status: &'static str,
    /// Who was called.
    pub to: String,
    /// Who called.
    pub from: String,
    /// `inbound` or `outbound-api`.
    pub direction: &'static str,
    /// Webhooks in order, status reports not among them.
    pub webhooks: Vec<Webhook>,
    /// Status reports as sent: the state and the HTTP status of our answer (0 for none).
    pub reports: Vec<(String, u16)>,
    /// Media sockets in order.
    pub legs: Vec<Leg>,
    /// Texts of `<Say>`.
    pub said: Vec<String>,
    /// Numbers of `<Dial>`.
    pub dialled: Vec<String>,
    /// What the platform would have logged as an error.
    pub faults: Vec<String>,
    /// Everything is done, the last report too.
    pub finished: bool,
}

impl CallRecord {
    /// Whether the call has ended; the last report may still be on its way.
    pub fn is_over(&self) -> bool {
        matches!(self.status, "completed" | "busy" | "failed" | "no-answer" | "canceled")
    }

    /// The media socket that was opened last.
    pub fn leg(&self) -> Option<&Leg> {
        self.legs.last()
    }
}

/// What the caller's line adds to the caller's voice.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// 16-bit mono at 8 kHz, over and over.
    pub background: Arc<[i16]>,
    /// What comes back of what the caller hears.
    pub echo: Option<LineEcho>,
}

/// An echo of the agent's own voice.
#[derive(Clone, Copy, Debug)]
pub struct LineEcho {
    /// How long it is on its way.
    pub delay_ms: u64,
    /// Its amplitude as a share of what was heard.
    pub gain: f32,
}

/// What the person (or a fault) does.
#[derive(Debug)]
pub(super) enum Command {
    Speak(Vec<i16>),
    Line(Line),
    Press(char),
    HangUp,
    Complete,
    Redirect(String),
    Cut,
    Inject(String),
    InjectBinary(Vec<u8>),
}

/// A call in progress. Clones are the same call.
#[derive(Clone, Debug)]
pub struct TwinCall {
    sid: String,
    record: Arc<Mutex<CallRecord>>,
    changes: watch::Receiver<u64>,
    commands: mpsc::Sender<Command>,
}

impl TwinCall {
    /// `CA…`.
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// Looks at what happened so far.
    pub fn record<T>(&self, look: impl FnOnce(&CallRecord) -> T) -> T {
        look(&self.record.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until `condition` holds; an error names what was waited for and tells how the call stands.
    pub async fn until(
        &self,
        within: Duration,
        what: &str,
        condition: impl Fn(&CallRecord) -> bool,
    ) -> Result<(), String> {
        let mut changes = self.changes.clone();
        let waited = tokio::time::timeout(within, async {
            while !self.record(&condition) && changes.changed().await.is_ok() {}
        });
        let _ = waited.await;
        if self.record(&condition) {
            return Ok(());
        }
        let standing = self.record(|record| {
            let leg = record.leg().map(|leg| (leg.frames_received, leg.closed, leg.errors.clone()));
            format!("status {}, faults {:?}, last leg {leg:?}", record.status, record.faults)
        });
        Err(format!("{what} did not happen within {within:?}: {standing}"))
    }

    /// Waits until the call is over and everything about it was reported.
    pub async fn finished(&self, within: Duration) -> Result<(), String> {
        self.until(within, "the end of the call", |record| record.finished).await
    }

    /// Speaks: 16-bit mono at 8 kHz, sent in real time behind what is being said.
    pub async fn speak(&self, pcm: Vec<i16>) {
        self.send(Command::Speak(pcm)).await;
    }

    /// From now on the line sounds like this.
    pub async fn set_line(&self, line: Line) {
        self.send(Command::Line(line)).await;
    }

    /// Presses a key.
    pub async fn press(&self, key: char) {
        self.send(Command::Press(key)).await;
    }

    /// The person puts the phone down.
    pub async fn hang_up(&self) {
        self.send(Command::HangUp).await;
    }

    /// The media connection breaks, without a word.
    pub async fn cut_media(&self) {
        self.send(Command::Cut).await;
    }

    /// Sends this text on the media socket as it is.
    pub async fn inject(&self, text: impl Into<String>) {
        self.send(Command::Inject(text.into())).await;
    }

    /// Sends these bytes on the media socket as they are.
    pub async fn inject_binary(&self, bytes: Vec<u8>) {
        self.send(Command::InjectBinary(bytes)).await;
    }

    pub(super) fn complete(&self) {
        // A full queue belongs to a call that is not listening any more.
        let _ = self.commands.try_send(Command::Complete);
    }

    pub(super) fn redirect(&self, url: &str) {
        let _ = self.commands.try_send(Command::Redirect(url.to_owned()));
    }

    async fn send(&self, command: Command) {
        // A call that is over listens to nobody; its record says so.
        let _ = self.commands.send(command).await;
    }
}

/// What a request to place a call asked for.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) to: String,
    pub(super) from: String,
    pub(super) url: String,
    pub(super) status_url: Option<String>,
    pub(super) events: Vec<String>,
    pub(super) callee: Callee,
}

/// How a media leg, or a list of verbs, ended.
enum Next {
    /// The verbs go on, or the call ends behind the last one.
    GoOn,
    Ask(String),
    End(&'static str),
}

struct Task {
    world: Arc<World>,
    sid: String,
    record: Arc<Mutex<CallRecord>>,
    changes: watch::Sender<u64>,
    commands: mpsc::Receiver<Command>,
    reports: mpsc::Sender<Vec<(String, String)>>,
    events: Vec<String>,
    sequence: u64,
    deliveries: u64,
    since: Instant,
}

pub(super) fn inbound(world: Arc<World>, sid: String, voice_url: String) -> TwinCall {
    let options = &world.options;
    let record = CallRecord {
        status: "ringing",
        from: options.caller.clone(),
        to: options.number.clone(),
        direction: "inbound",
        ..CallRecord::default()
    };
    let (status_url, events) = (options.status_url.clone(), vec!["completed".to_owned()]);
    let (call, mut task, reporter) = open(world, sid, record, status_url, events);
    tokio::spawn(async move {
        let status = task.follow(voice_url).await;
        task.finish(status, reporter).await;
    });
    call
}

pub(super) fn outbound(world: Arc<World>, sid: String, asked: Outbound) -> TwinCall {
    let record = CallRecord {
        status: "queued",
        from: asked.from,
        to: asked.to,
        direction: "outbound-api",
        ..CallRecord::default()
    };
    let (call, mut task, reporter) = open(world, sid, record, asked.status_url, asked.events);
    let (url, callee) = (asked.url, asked.callee);
    tokio::spawn(async move {
        task.report("initiated", "initiated").await;
        task.set_status("ringing");
        task.report("ringing", "ringing").await;
        let status = match callee {
            Callee::Busy => "busy",
            Callee::Fails => "failed",
            Callee::NoAnswer(after) => task.ring(after).await.unwrap_or("no-answer"),
            Callee::Answers(after) => match task.ring(after).await {
                Some(status) => status,
                None => {
                    task.set_status("in-progress");
                    task.report("answered", "in-progress").await;
                    task.follow(url).await
                }
            },
        };
        task.finish(status, reporter).await;
    });
    call
}

fn open(
    world: Arc<World>,
    sid: String,
    record: CallRecord,
    status_url: Option<String>,
    events: Vec<String>,
) -> (TwinCall, Task, tokio::task::JoinHandle<()>) {
    let record = Arc::new(Mutex::new(record));
    let (commands, command_queue) = mpsc::channel(COMMANDS_MAX);
    let (changed, changes) = watch::channel(0);
    let (reports, report_queue) = mpsc::channel(REPORTS_MAX);
    let call = TwinCall { sid: sid.clone(), record: record.clone(), changes, commands };
    let reporter = tokio::spawn(deliver(world.clone(), record.clone(), status_url, report_queue));
    let task = Task {
        world,
        sid,
        record,
        changes: changed,
        commands: command_queue,
        reports,
        events,
        sequence: 0,
        deliveries: 0,
        since: Instant::now(),
    };
    (call, task, reporter)
}

/// Delivers status reports beside the call, as the platform does.
async fn deliver(
    world: Arc<World>,
    record: Arc<Mutex<CallRecord>>,
    url: Option<String>,
    mut queue: mpsc::Receiver<Vec<(String, String)>>,
) {
    let send = async |form: &[(String, String)]| {
        let Some(url) = &url else { return };
        let sequence = form.iter().find(|(name, _)| name == "SequenceNumber").map_or("", |(_, value)| value);
        let request = signed(&world, url, form, sequence).timeout(STATUS_TIMEOUT);
        let status = request.send().await.map_or(0, |answer| answer.status().as_u16());
        let state = form.iter().find(|(name, _)| name == "CallStatus").map_or("", |(_, value)| value);
        record.lock().unwrap_or_else(PoisonError::into_inner).reports.push((state.to_owned(), status));
    };
    let mut held = Vec::new();
    while let Some(form) = queue.recv().await {
        match world.options.delivery {
            StatusDelivery::InOrder => send(&form).await,
            StatusDelivery::Twice => {
                send(&form).await;
                send(&form).await;
            }
            StatusDelivery::Backwards => held.push(form),
        }
    }
    for form in held.iter().rev() {
        send(form).await;
    }
}

fn signed(world: &World, url: &str, form: &[(String, String)], token: &str) -> reqwest::RequestBuilder {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(form);
    let mut request = world
        .http
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .header("user-agent", "TwilioProxy/1.1")
        .header("i-twilio-idempotency-token", token)
        .body(body.finish());
    for (name, value) in world.options.signature_headers(url, form) {
        request = request.header(name, value);
    }
    request
}

impl Task {
    fn change<T>(&self, change: impl FnOnce(&mut CallRecord) -> T) -> T {
        let result = change(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|version| *version += 1);
        result
    }

    fn set_status(&self, status: &'static str) {
        self.change(|record| record.status = status);
    }

    fn form(&self) -> Vec<(String, String)> {
        let account = self.world.options.account_sid.clone();
        self.change(|record| {
            let fields = [
                ("CallSid", self.sid.clone()),
                ("AccountSid", account),
                ("From", record.from.clone()),
                ("To", record.to.clone()),
                ("Caller", record.from.clone()),
                ("Called", record.to.clone()),
                ("CallStatus", record.status.to_owned()),
                ("Direction", record.direction.to_owned()),
                ("ApiVersion", "2010-04-01".to_owned()),
                ("FromCity", "SÃO PAULO & CO".to_owned()),
                ("CallerName", String::new()),
            ];
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
        })
    }

    /// Reports a state if this event was asked for.
    async fn report(&mut self, event: &str, state: &str) {
        if !self.events.iter().any(|asked| asked == event) {
            return;
        }
        let mut form = self.form();
        form.iter_mut().filter(|(name, _)| name == "CallStatus").for_each(|(_, value)| *value = state.to_owned());
        form.push(("CallbackSource".to_owned(), "call-progress-events".to_owned()));
        form.push(("SequenceNumber".to_owned(), self.sequence.to_string()));
        if event == "completed" {
            form.push(("CallDuration".to_owned(), self.since.elapsed().as_secs().to_string()));
        }
        self.sequence += 1;
        // The queue is closed only after the last report.
        let _ = self.reports.send(form).await;
    }

    /// Rings; the status in which the call ended when it was called off meanwhile.
    async fn ring(&mut self, span: Duration) -> Option<&'static str> {
        let deadline = Instant::now() + span;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return None,
                command = self.commands.recv() => match command {
                    Some(Command::Complete) => return Some("canceled"),
                    Some(Command::HangUp) => return Some("no-answer"),
                    Some(_) => {}
                    None => return None,
                },
            }
        }
    }

    /// Follows the answers from this URL to the end of the call.
    async fn follow(&mut self, mut url: String) -> &'static str {
        for _ in 0..WEBHOOKS_MAX {
            let verbs = match self.ask(&url).await {
                Ok(verbs) => verbs,
                Err(error) => {
                    // The platform says that an application error has occurred, and hangs up.
                    self.change(|record| record.faults.push(format!("{url}: {error}")));
                    return "completed";
                }
            };
            match self.perform(verbs).await {
                Next::GoOn => return "completed",
                Next::End(status) => return status,
                Next::Ask(next) => {
                    let base = url::Url::parse(&url).and_then(|base| base.join(&next));
                    url = base.map_or(next, String::from);
                }
            }
        }
        self.change(|record| record.faults.push("too many webhooks".to_owned()));
        "failed"
    }

    async fn ask(&mut self, url: &str) -> Result<Vec<Verb>, String> {
        let form = self.form();
        self.deliveries += 1;
        let token = format!("{}-{}", self.sid, self.deliveries);
        let give_up = Instant::now() + self.world.options.webhook_retry;
        let answer = loop {
            match signed(&self.world, url, &form, &token).send().await {
                Err(error) if error.is_timeout() => break Err("11205: no answer in time".to_owned()),
                // Refused, or reset by a process that died with the request in its hands.
                Err(error) if error.is_request() && Instant::now() < give_up => tokio::time::sleep(RETRY_EVERY).await,
                Err(error) => break Err(format!("11205: {error}")),
                Ok(answer) if !answer.status().is_success() => break Err(format!("11200: HTTP {}", answer.status())),
                Ok(answer) => {
                    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
                    let kind = kind.unwrap_or_default().to_owned();
                    if !kind.starts_with("text/xml") && !kind.starts_with("application/xml") {
                        break Err(format!("12300: content type {kind:?}"));
                    }
                    let text = answer.text().await.map_err(|error| format!("11200: {error}"));
                    break text.and_then(|text| twiml::parse(&text).map_err(|error| format!("12100: {error}")));
                }
            }
        };
        self.change(|record| {
            record.webhooks.push(Webhook { url: url.to_owned(), form, answer: answer.clone() });
        });
        answer
    }

    async fn perform(&mut self, verbs: Vec<Verb>) -> Next {
        let rejected = matches!(verbs.first(), Some(Verb::Reject(_)));
        if !rejected {
            self.set_status("in-progress");
        }
        for verb in verbs {
            match verb {
                Verb::Say(text) => self.change(|record| record.said.push(text)),
                Verb::Hangup => return Next::End("completed"),
                Verb::Reject(reason) if reason == "busy" => return Next::End("busy"),
                Verb::Reject(_) => return Next::End("failed"),
                Verb::Redirect(url) => return Next::Ask(url),
                Verb::Dial { number, .. } => self.change(|record| record.dialled.push(number)),
                Verb::Connect { action, url, parameters } => match self.stream(&url, &parameters).await {
                    Next::GoOn => {
                        if let Some(action) = action {
                            return Next::Ask(action);
                        }
                    }
                    next => return next,
                },
            }
        }
        Next::GoOn
    }

    async fn finish(mut self, status: &'static str, reporter: tokio::task::JoinHandle<()>) {
        self.set_status(status);
        self.report("completed", status).await;
        let Self { reports, record, changes, .. } = self;
        drop(reports);
        // A reporter that panicked has left its trace; the call is over all the same.
        let _ = reporter.await;
        record.lock().unwrap_or_else(PoisonError::into_inner).finished = true;
        changes.send_modify(|version| *version += 1);
    }
}
