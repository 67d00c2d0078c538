//! One call of a twin: webhooks, media legs, reports, and the handle by which a test plays the person.

use super::{Call, Callee, Hook, HookAnswer, Moment, Then, Verb, WordsLeg, World};
use carriers::playout::{HeardSpan, PlayedMark, Playout};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

const COMMANDS_MAX: usize = 64;
const REPORTS_MAX: usize = 32;
/// Answers that one call may follow, so that two servers cannot send a call in circles.
const WEBHOOKS_MAX: usize = 64;
/// Between two attempts at a webhook that refuses connections.
const RETRY_EVERY: Duration = Duration::from_millis(50);
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call that does nothing by itself waits for a command, in silence.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(20);

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
    /// The platform's id of the stream.
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
    /// Whether our side placed it.
    pub is_placed: bool,
    /// Webhooks in order, status reports not among them.
    pub webhooks: Vec<Webhook>,
    /// Status reports as sent: the state and the HTTP status of our answer (0 for none).
    pub reports: Vec<(String, u16)>,
    /// Media sockets in order.
    pub legs: Vec<Leg>,
    /// Sockets of words in order.
    pub words: Vec<WordsLeg>,
    /// What the platform's own voice said.
    pub said: Vec<String>,
    /// Numbers to which the caller was connected.
    pub dialled: Vec<String>,
    /// Keys that our side pressed.
    pub pressed: Vec<String>,
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

    /// The socket of words that was opened last.
    pub fn words_leg(&self) -> Option<&WordsLeg> {
        self.words.last()
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
    Say(String),
    Line(Line),
    Press(char),
    HangUp,
    Do(Vec<Verb>, serde_json::Value),
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
    /// The id by which our side knows it.
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

    /// Says this to a platform that recognises by itself.
    pub async fn say(&self, words: impl Into<String>) {
        self.send(Command::Say(words.into())).await;
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

    /// What a request to the API asks of it; a note of null leaves what is there.
    pub(super) fn command(&self, verbs: Vec<Verb>, note: serde_json::Value) {
        // A full queue belongs to a call that is not listening any more.
        let _ = self.commands.try_send(Command::Do(verbs, note));
    }

    async fn send(&self, command: Command) {
        // A call that is over listens to nobody; its record says so.
        let _ = self.commands.send(command).await;
    }
}

/// How a media leg, or a verb, ended.
pub(super) enum Next {
    GoOn,
    Do(Vec<Verb>),
    End(&'static str),
}

pub(super) struct Task {
    pub(super) world: Arc<World>,
    record: Arc<Mutex<CallRecord>>,
    changes: watch::Sender<u64>,
    pub(super) commands: mpsc::Receiver<Command>,
    reports: mpsc::Sender<Hook>,
    pub(super) call: Call,
    /// What was asked last; addresses in the answer are relative to it.
    base_url: String,
    since: Instant,
}

pub(super) fn inbound(world: Arc<World>, id: String, voice_url: String) -> TwinCall {
    let call = Call {
        id,
        from: world.options.caller.clone(),
        to: world.options.number.clone(),
        status: "ringing",
        status_url: world.options.status_url.clone(),
        ..Call::default()
    };
    let (handle, mut task, reporter) = open(world, call);
    tokio::spawn(async move {
        let status = task.follow(Moment::Incoming(&voice_url)).await;
        task.finish(status, reporter).await;
    });
    handle
}

pub(super) fn outbound(world: Arc<World>, call: Call, callee: Callee) -> TwinCall {
    let (handle, mut task, reporter) = open(world, Call { is_placed: true, status: "queued", ..call });
    tokio::spawn(async move {
        task.report(Moment::Initiated).await;
        task.set_status("ringing");
        task.report(Moment::Ringing).await;
        let status = match callee {
            Callee::Busy => "busy",
            Callee::Fails => "failed",
            Callee::NoAnswer(after) => task.ring(after).await.unwrap_or("no-answer"),
            Callee::Answers(after) => match task.ring(after).await {
                Some(status) => status,
                None => {
                    task.begin().await;
                    task.follow(Moment::Answered).await
                }
            },
        };
        task.finish(status, reporter).await;
    });
    handle
}

fn open(world: Arc<World>, call: Call) -> (TwinCall, Task, tokio::task::JoinHandle<()>) {
    let record = Arc::new(Mutex::new(CallRecord {
        status: call.status,
        from: call.from.clone(),
        to: call.to.clone(),
        is_placed: call.is_placed,
        ..CallRecord::default()
    }));
    let (commands, command_queue) = mpsc::channel(COMMANDS_MAX);
    let (changed, changes) = watch::channel(0);
    let (reports, report_queue) = mpsc::channel(REPORTS_MAX);
    let handle = TwinCall { sid: call.id.clone(), record: record.clone(), changes, commands };
    let reporter = tokio::spawn(deliver(world.clone(), record.clone(), report_queue));
    let task = Task {
        world,
        record,
        changes: changed,
        commands: command_queue,
        reports,
        call,
        base_url: String::new(),
        since: Instant::now(),
    };
    (handle, task, reporter)
}

/// Delivers reports beside the call, as the platform does.
async fn deliver(world: Arc<World>, record: Arc<Mutex<CallRecord>>, mut queue: mpsc::Receiver<Hook>) {
    let send = async |hook: &Hook| {
        let answer = request(&world, hook).timeout(STATUS_TIMEOUT).send().await;
        let status = answer.map_or(0, |answer| answer.status().as_u16());
        record.lock().unwrap_or_else(PoisonError::into_inner).reports.push((hook.state.clone(), status));
    };
    let mut held = Vec::new();
    while let Some(hook) = queue.recv().await {
        match world.options.delivery {
            StatusDelivery::InOrder => send(&hook).await,
            StatusDelivery::Twice => {
                send(&hook).await;
                send(&hook).await;
            }
            StatusDelivery::Backwards => held.push(hook),
        }
    }
    for hook in held.iter().rev() {
        send(hook).await;
    }
}

fn request(world: &World, hook: &Hook) -> reqwest::RequestBuilder {
    let request = match hook.method {
        "GET" => world.http.get(&hook.url),
        _ => world.http.post(&hook.url).body(hook.body.clone()),
    };
    hook.headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
}

impl Task {
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut CallRecord) -> T) -> T {
        let result = change(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|version| *version += 1);
        result
    }

    pub(super) fn fault(&self, fault: String) {
        self.change(|record| record.faults.push(fault));
    }

    fn set_status(&mut self, status: &'static str) {
        self.call.status = status;
        self.change(|record| record.status = status);
    }

    /// The call as it stands, for what is written about it now.
    fn now(&mut self) -> Call {
        self.call.hooks += 1;
        self.call.age_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.call.clone()
    }

    pub(super) async fn report(&mut self, moment: Moment<'_>) {
        let call = self.now();
        for hook in self.world.platform.reports(&call, moment) {
            self.call.reports += 1;
            // The queue is closed only after the last report.
            let _ = self.reports.send(hook).await;
        }
    }

    /// Somebody picked up.
    async fn begin(&mut self) {
        if self.call.status != "in-progress" {
            self.set_status("in-progress");
            self.report(Moment::Answered).await;
        }
    }

    fn take_note(&mut self, note: serde_json::Value) {
        if !note.is_null() {
            self.call.note = note;
        }
    }

    /// Rings; the status in which the call ended when it was called off meanwhile.
    async fn ring(&mut self, span: Duration) -> Option<&'static str> {
        let deadline = Instant::now() + span;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return None,
                command = self.commands.recv() => match command {
                    Some(Command::Do(verbs, _)) if verbs.contains(&Verb::Hangup) => return Some("canceled"),
                    Some(Command::HangUp) => return Some("no-answer"),
                    Some(_) => {}
                    None => return None,
                },
            }
        }
    }

    /// Follows our side's answers to the end of the call.
    async fn follow(&mut self, moment: Moment<'_>) -> &'static str {
        let mut next = self.after(moment).await;
        let mut verbs = VecDeque::new();
        loop {
            match next {
                Next::GoOn => {}
                Next::Do(new) => verbs = new.into(),
                Next::End(status) => return status,
            }
            next = match verbs.pop_front() {
                Some(verb) => self.perform(verb).await,
                None if self.world.platform.is_commanded() => self.obeyed().await,
                None => return "completed",
            };
        }
    }

    /// Waits for a command.
    async fn obeyed(&mut self) -> Next {
        let is_on = self.call.status == "in-progress";
        match tokio::time::timeout(COMMAND_TIMEOUT, self.commands.recv()).await {
            Ok(Some(Command::Do(verbs, note))) => {
                self.take_note(note);
                Next::Do(verbs)
            }
            Ok(Some(Command::HangUp) | None) => Next::End(if is_on { "completed" } else { "canceled" }),
            Ok(Some(_)) => Next::GoOn,
            Err(_) => {
                self.fault("the caller was left in silence".to_owned());
                Next::End("completed")
            }
        }
    }

    /// How the call goes on after a moment.
    async fn after(&mut self, moment: Moment<'_>) -> Next {
        // That somebody picked up was reported when they did.
        if moment != Moment::Answered {
            self.report(moment).await;
        }
        let call = self.now();
        let hook = match self.world.platform.then(&call, moment) {
            Then::GoOn => return Next::GoOn,
            Then::Do(verbs) => return Next::Do(verbs),
            Then::Ask(hook) => hook,
        };
        if self.change(|record| record.webhooks.len()) >= WEBHOOKS_MAX {
            self.fault("too many webhooks".to_owned());
            return Next::End("failed");
        }
        match self.ask(&call, hook).await {
            Ok(verbs) => Next::Do(verbs),
            Err(fault) => {
                // The platform says that an application error has occurred, and hangs up.
                self.fault(fault);
                Next::End("completed")
            }
        }
    }

    async fn ask(&mut self, call: &Call, hook: Hook) -> Result<Vec<Verb>, String> {
        let give_up = Instant::now() + self.world.options.webhook_retry;
        let answer = loop {
            match request(&self.world, &hook).send().await {
                Err(error) if error.is_timeout() => break Err("11205: no answer in time".to_owned()),
                // Refused, or reset by a process that died with the request in its hands.
                Err(error) if error.is_request() && Instant::now() < give_up => tokio::time::sleep(RETRY_EVERY).await,
                Err(error) => break Err(format!("11205: {error}")),
                Ok(answer) => break read(&hook.url, answer).await,
            }
        };
        let verbs = answer.and_then(|answer| self.world.platform.verbs(call, &answer));
        self.base_url.clone_from(&hook.url);
        let (url, form, answer) = (hook.url, hook.form, verbs.clone());
        let fault = verbs.as_ref().err().map(|error| format!("{url}: {error}"));
        self.change(|record| record.webhooks.push(Webhook { url, form, answer }));
        verbs.map_err(|_| fault.unwrap_or_default())
    }

    /// An address of an answer.
    fn absolute(&self, address: &str) -> String {
        let joined = url::Url::parse(&self.base_url).and_then(|base| base.join(address));
        joined.map_or_else(|_| address.to_owned(), String::from)
    }

    async fn perform(&mut self, verb: Verb) -> Next {
        if !matches!(verb, Verb::Reject(_)) {
            self.begin().await;
        }
        match verb {
            Verb::Answer => self.after(Moment::Answered).await,
            Verb::Say(text) => {
                self.change(|record| record.said.push(text));
                self.after(Moment::Said).await
            }
            Verb::Hangup => Next::End("completed"),
            Verb::Reject(reason) if reason == "busy" => Next::End("busy"),
            Verb::Reject(_) => Next::End("failed"),
            Verb::Redirect(url) => self.after(Moment::Redirected(&self.absolute(&url))).await,
            Verb::Dial { number, .. } => {
                self.change(|record| record.dialled.push(number));
                Next::GoOn
            }
            Verb::Press(keys) => {
                self.change(|record| record.pressed.push(keys));
                Next::GoOn
            }
            Verb::Relay { action, url, parameters, attributes } => {
                let action = action.map(|action| self.absolute(&action));
                match self.relay(action.as_deref(), &url, &parameters, attributes).await {
                    Next::GoOn => self.after(Moment::StreamEnded(action.as_deref())).await,
                    next => next,
                }
            }
            Verb::Connect { action, url, parameters } => {
                let action = action.map(|action| self.absolute(&action));
                match self.stream(action.as_deref(), &url, &parameters).await {
                    Next::GoOn => self.after(Moment::StreamEnded(action.as_deref())).await,
                    next => next,
                }
            }
        }
    }

    /// Something was asked of the call while it streams. `None`: the stream goes on.
    pub(super) fn interrupted(&mut self, verbs: Vec<Verb>, note: serde_json::Value) -> Option<Next> {
        self.take_note(note);
        let (keys, verbs): (Vec<Verb>, Vec<Verb>) = verbs.into_iter().partition(|verb| matches!(verb, Verb::Press(_)));
        for verb in keys {
            if let Verb::Press(keys) = verb {
                self.change(|record| record.pressed.push(keys));
            }
        }
        match verbs.first() {
            None => None,
            Some(Verb::Hangup) => Some(Next::End("completed")),
            Some(_) => Some(Next::Do(verbs)),
        }
    }

    async fn finish(mut self, status: &'static str, reporter: tokio::task::JoinHandle<()>) {
        self.set_status(status);
        self.report(Moment::Ended).await;
        let Self { reports, record, changes, .. } = self;
        drop(reports);
        // A reporter that panicked has left its trace; the call is over all the same.
        let _ = reporter.await;
        record.lock().unwrap_or_else(PoisonError::into_inner).finished = true;
        changes.send_modify(|version| *version += 1);
    }
}

async fn read(url: &str, answer: reqwest::Response) -> Result<HookAnswer, String> {
    let status = answer.status();
    let content_type = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let content_type = content_type.to_owned();
    let body = answer.text().await.map_err(|error| format!("11200: {error}"))?;
    Ok(HookAnswer { url: url.to_owned(), status: status.as_u16(), content_type, body })
}
