//! The real program as a child process, the platforms and providers around it as twins, and a person on the phone.

use reqwest::StatusCode;
use serde_json::Value;
use sim::twins::phone::{PhoneOptions, PhoneTwin};
use sim::twins::twilio::{CallRecord, Leg, StatusDelivery, TwilioTwin, TwinCall, TwinOptions};
use sim::twins::{deepgram, elevenlabs, openai};
use std::f64::consts::TAU;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// The number of the demonstration business.
pub const NUMBER: &str = "+49405550170";
/// The customer.
pub const CALLER: &str = "+4915735550123";
/// What the agent says first.
pub const GREETING: &str = "Brightleaf Cycles, this is Robin, the automated assistant. How can I help you?";
pub const GOODBYE: &str = "Thank you for calling Brightleaf Cycles. Goodbye.";

const ACCOUNT: &str = "AC00000000000000000000000000000f5d";
const AUTH_TOKEN: &str = "rig-auth-token-3f9c";
const STT_KEY: &str = "rig-stt-key-71ab";
pub const LLM_KEY: &str = "rig-llm-key-92cd";
pub const TTS_KEY: &str = "rig-tts-key-53ef";
/// None of these may ever be in a log.
pub const SECRETS: [&str; 4] = [AUTH_TOKEN, STT_KEY, LLM_KEY, TTS_KEY];

/// How fast the twin's voice speaks.
pub const CHAR_MS: u64 = 30;
/// Quiet after which the agent has finished.
const QUIET_MS: u64 = 900;
const START_MAX: Duration = Duration::from_secs(20);
const POLL_EVERY: Duration = Duration::from_millis(20);

/// Asks again and again until there is an answer or the time is over.
pub async fn poll<T>(within: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    let mut ticks = tokio::time::interval(POLL_EVERY);
    loop {
        ticks.tick().await;
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen within {within:?}");
    }
}

/// Where a server listens and keeps its data, over several lives of the process.
pub struct Place {
    port: u16,
    dir: TempDir,
}

impl Place {
    /// A free port of the loopback interface and an empty folder.
    pub fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        Self { port, dir: TempDir::new().expect("a folder") }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The program with only this environment.
    fn command(&self, env: &[(String, String)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_frontdesk"));
        command.env_clear().env("HOME", self.dir.path()).env("NO_COLOR", "1").current_dir(self.dir.path());
        command.env("FRONTDESK_DATA_DIR", self.dir.path().join("data"));
        command.env("FRONTDESK_SERVER_LISTEN", format!("127.0.0.1:{}", self.port));
        command.envs(env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs a command of the program to its end and gives what it printed.
    pub async fn run(&self, env: &[(String, String)], args: &[&str]) -> Result<String, String> {
        let child = self.command(env).args(args).output();
        let output = tokio::time::timeout(Duration::from_secs(30), child).await.expect("ends in time").expect("starts");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(text) } else { Err(text) }
    }
}

/// A running `frontdesk serve`. Dropping it kills the process.
pub struct Server {
    child: Child,
    base_url: String,
    log: Arc<Mutex<String>>,
    http: reqwest::Client,
}

impl Server {
    /// Starts it and waits until it takes calls.
    pub async fn start(place: &Place, env: &[(String, String)]) -> Self {
        let mut child = place.command(env).arg("serve").spawn().expect("the program starts");
        let log = Arc::new(Mutex::new(String::new()));
        collect(child.stderr.take().expect("stderr"), Arc::clone(&log));
        collect(child.stdout.take().expect("stdout"), Arc::clone(&log));
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().expect("a client");
        let mut server = Self { child, base_url: place.base_url(), log, http };
        let ready = format!("{}/readyz", server.base_url);
        let deadline = Instant::now() + START_MAX;
        let mut ticks = tokio::time::interval(POLL_EVERY);
        loop {
            ticks.tick().await;
            let answer = server.http.get(&ready).timeout(Duration::from_secs(1)).send().await;
            if answer.is_ok_and(|answer| answer.status() == StatusCode::OK) {
                return server;
            }
            let exit = server.child.try_wait().expect("a child's state");
            assert!(exit.is_none(), "the server ended with {exit:?}:\n{}", server.log());
            assert!(Instant::now() < deadline, "the server was not ready in time:\n{}", server.log());
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Everything it logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `kill -9`: no goodbye, no last write.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("the process is killed");
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        answered(self.http.get(self.url(path))).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answered(self.http.post(self.url(path)).json(body)).await
    }

    /// The call with this id of the platform.
    pub async fn find_call(&self, carrier_ref: &str) -> Option<Value> {
        let (status, list) = self.get("/api/v1/calls?limit=100").await;
        assert_eq!(status, StatusCode::OK, "{list}");
        list["items"].as_array().expect("a list").iter().find(|call| call["carrier_ref"] == carrier_ref).cloned()
    }

    /// The call with this id of the platform, as soon as its row says that it is over, with its journal.
    pub async fn ended_call(&self, carrier_ref: &str) -> Detail {
        let id = poll(Duration::from_secs(15), "the end of the call in its row", async || {
            let call = self.find_call(carrier_ref).await?;
            call["ended_at_ms"].is_i64().then(|| call["id"].as_str().expect("an id").to_owned())
        });
        self.detail(&id.await).await
    }

    pub async fn detail(&self, id: &str) -> Detail {
        let (status, detail) = self.get(&format!("/api/v1/calls/{id}")).await;
        assert_eq!(status, StatusCode::OK, "{detail}");
        Detail(detail)
    }

    /// The sum of all series of a metric whose labels contain these.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = self.http.get(self.url("/metrics")).send().await.expect("metrics").text().await.expect("text");
        let series = text.lines().filter(|line| {
            let rest = line.strip_prefix(name).unwrap_or("-");
            let wanted = labels.iter().all(|(key, value)| rest.contains(&format!("{key}=\"{value}\"")));
            rest.starts_with(['{', ' ']) && wanted
        });
        series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// No call is left behind.
    pub async fn is_idle_again(&self) {
        poll(Duration::from_secs(10), "the end of the last call", async || {
            (self.metric("frontdesk_calls_active", &[]).await == 0.0).then_some(())
        })
        .await;
    }
}

async fn answered(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn collect(pipe: impl AsyncRead + Unpin + Send + 'static, log: Arc<Mutex<String>>) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push_str(&line);
            log.push('\n');
        }
    });
}

/// A call as the API shows it.
pub struct Detail(pub Value);

impl Detail {
    pub fn id(&self) -> &str {
        self.0["call"]["id"].as_str().expect("an id")
    }

    pub fn call(&self) -> &Value {
        &self.0["call"]
    }

    /// The entries of this kind.
    pub fn entries(&self, kind: &str) -> Vec<&Value> {
        let journal = self.0["journal"].as_array().expect("a journal");
        journal.iter().map(|record| &record["entry"]).filter(|entry| entry["entry"] == kind).collect()
    }

    /// One text of every entry of this kind.
    pub fn texts(&self, kind: &str, field: &str) -> Vec<&str> {
        self.entries(kind).into_iter().map(|entry| entry[field].as_str().expect("a text")).collect()
    }

    /// What the caller heard, utterance by utterance.
    pub fn heard(&self) -> Vec<&str> {
        self.texts("agent_turn", "heard")
    }

    /// Laws of every journal: it begins with a start, has no gaps, never goes back in time, and uses no id twice.
    pub fn assert_sound(&self) {
        let journal = self.0["journal"].as_array().expect("a journal");
        assert_eq!(journal[0]["entry"]["entry"], "started", "{journal:#?}");
        for (at, record) in journal.iter().enumerate() {
            assert_eq!(record["seq"], at as u64 + 1, "{journal:#?}");
            assert!(at == 0 || record["at"].as_u64() >= journal[at - 1]["at"].as_u64(), "{journal:#?}");
        }
        for (kind, id) in [("caller_turn", "turn"), ("agent_turn", "utterance"), ("tool_started", "id")] {
            let ids: Vec<_> = self.entries(kind).into_iter().map(|entry| entry[id].to_string()).collect();
            let mut once = ids.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), ids.len(), "an id of {kind} is used twice: {ids:?}");
        }
    }
}

/// The platforms around a server: one that brings calls, and the providers.
pub struct World<P = TwilioTwin> {
    /// What else is in the server's environment.
    pub more_env: Vec<(String, String)>,
    pub place: Place,
    pub stt: sim::twins::Twin,
    pub llm: sim::twins::Twin,
    pub tts: sim::twins::Twin,
    pub phone: P,
    /// The name of the platform that brings calls.
    pub carrier: &'static str,
}

/// How the world is.
pub struct Setting {
    /// What the caller's utterances say, in order.
    pub script: Vec<&'static str>,
    /// What the model answers.
    pub rules: Vec<openai::Rule>,
    /// How status reports travel.
    pub delivery: StatusDelivery,
    /// How long a webhook is tried again while nobody listens.
    pub webhook_retry: Duration,
}

impl Setting {
    pub fn new(script: &[&'static str], rules: Vec<openai::Rule>) -> Self {
        Self { script: script.to_vec(), rules, delivery: StatusDelivery::InOrder, webhook_retry: Duration::ZERO }
    }
}

impl World<TwilioTwin> {
    pub async fn new(setting: Setting) -> Self {
        World::around("twilio", setting, async |phone| {
            let options = TwinOptions {
                caller: phone.caller,
                number: phone.number,
                status_url: phone.status_url,
                delivery: phone.delivery,
                webhook_retry: phone.webhook_retry,
                ..TwinOptions::new(ACCOUNT, AUTH_TOKEN)
            };
            TwilioTwin::start(options).await.expect("a twin")
        })
        .await
    }
}

impl<P: Deref<Target = PhoneTwin>> World<P> {
    /// A world whose calls come over the platform of this name.
    pub async fn around(carrier: &'static str, setting: Setting, phone: impl AsyncFnOnce(PhoneOptions) -> P) -> Self {
        let place = Place::new();
        let stt = deepgram::Behaviour {
            key: STT_KEY.to_owned(),
            script_per_connection: false,
            ..deepgram::Behaviour::script(setting.script)
        };
        let llm = openai::Behaviour { key: LLM_KEY.to_owned(), rules: setting.rules, ..openai::Behaviour::default() };
        let tts =
            elevenlabs::Behaviour { key: TTS_KEY.to_owned(), voice: quick_voice(), ..elevenlabs::Behaviour::default() };
        let options = PhoneOptions {
            caller: CALLER.to_owned(),
            number: NUMBER.to_owned(),
            status_url: Some(format!("{}/carriers/{carrier}/status", place.base_url())),
            delivery: setting.delivery,
            webhook_retry: setting.webhook_retry,
            ..PhoneOptions::default()
        };
        Self {
            more_env: Vec::new(),
            place,
            stt: deepgram::start(stt).await.expect("a twin"),
            llm: openai::start(llm).await.expect("a twin"),
            tts: elevenlabs::start(tts).await.expect("a twin"),
            phone: phone(options).await,
            carrier,
        }
    }

    /// What the operator would put into the environment.
    pub fn env(&self) -> Vec<(String, String)> {
        let pairs = [
            ("DEEPGRAM_API_KEY", STT_KEY),
            ("DEEPGRAM_BASE_URL", &self.stt.base_url),
            ("OPENAI_API_KEY", LLM_KEY),
            ("OPENAI_BASE_URL", &self.llm.base_url),
            ("ELEVENLABS_API_KEY", TTS_KEY),
            ("ELEVENLABS_BASE_URL", &self.tts.base_url),
            ("ELEVENLABS_VOICE_ID", "rig-voice"),
            ("FRONTDESK_STT_FALLBACK", ""),
            ("FRONTDESK_TTS_FALLBACK", ""),
            ("FRONTDESK_BRAIN_FALLBACK", ""),
            ("FRONTDESK_LOG_FORMAT", "json"),
            ("FRONTDESK_LOG_FILTER", "debug,hyper=info,reqwest=info,h2=info,sqlx=info"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let phone = self.phone.env().into_iter().map(|(name, value)| (name.to_owned(), value));
        pairs.into_iter().chain(phone).chain(self.more_env.clone()).collect()
    }

    pub async fn serve(&self) -> Server {
        Server::start(&self.place, &self.env()).await
    }

    /// The customer calls the business.
    pub fn call_in(&self) -> Person {
        Person(self.phone.place_call(&format!("{}/carriers/{}/voice", self.place.base_url(), self.carrier)))
    }

    /// The recorded inputs of a call, written to a file.
    pub async fn inputs(&self, id: &str) -> PathBuf {
        let file = self.place.path().join(format!("{id}.jsonl"));
        let path = file.to_str().expect("a path");
        self.place.run(&self.env(), &["inputs", id, "--out", path]).await.expect("the inputs were recorded");
        file
    }

    /// A fresh engine does the same again.
    pub async fn assert_replays(&self, id: &str) {
        let file = self.inputs(id).await;
        let said = self.place.run(&[], &["replay", file.to_str().expect("a path")]).await.expect("it replays");
        assert!(said.contains("identical"), "{said}");
    }
}

/// A stretch of agent audio on the leg's clock, and how long the caller waited for it.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub from_ms: u64,
    /// From the last sound of the question to the first of the answer.
    pub waited_ms: u64,
}

/// The person on the phone.
pub struct Person(pub TwinCall);

impl Person {
    pub fn leg<T>(&self, look: impl FnOnce(&Leg) -> T) -> T {
        self.0.record(|record| look(record.leg().expect("a media socket")))
    }

    pub fn now_ms(&self) -> u64 {
        self.leg(|leg| leg.playout.now_ms())
    }

    /// Waits until the agent has said something from `since_ms` on and is quiet again.
    pub async fn hears_out(&self, since_ms: u64, within: Duration, what: &str) -> Answer {
        let settled = |record: &CallRecord| {
            record.leg().and_then(|leg| {
                let first = leg.playout.spans().iter().find(|span| span.from_ms >= since_ms)?;
                let last = leg.playout.spans().last()?;
                let is_quiet = leg.playout.now_ms() >= last.to_ms + QUIET_MS || leg.closed.is_some();
                is_quiet.then_some(Answer { from_ms: first.from_ms, waited_ms: 0 })
            })
        };
        let waited = self.0.until(within, what, |record| settled(record).is_some()).await;
        waited.unwrap_or_else(|why| panic!("{why}; heard {:?}", self.leg(|leg| leg.playout.spans().to_vec())));
        self.0.record(|record| settled(record).expect("it was there a moment ago"))
    }

    /// Waits for the first words of the call.
    pub async fn hears_greeting(&self) -> Answer {
        let joined = self.0.until(Duration::from_secs(5), "the media socket", |record| record.leg().is_some()).await;
        joined.unwrap_or_else(|why| panic!("{why}"));
        self.hears_out(0, Duration::from_secs(12), "the greeting").await
    }

    /// Speaks as long as a person would for this line; what is understood is the recogniser's affair. Gives the times at
    /// which it begins and ends.
    pub async fn says(&self, line: &str) -> (u64, u64) {
        let words = line.split_whitespace().count() as u64;
        let pcm = voice((words * 260).max(700));
        let from_ms = self.now_ms();
        let to_ms = from_ms + pcm.len() as u64 / 8;
        self.0.speak(pcm).await;
        (from_ms, to_ms)
    }

    /// Asks and hears the answer out.
    pub async fn asks(&self, line: &str) -> Answer {
        let (_, to_ms) = self.says(line).await;
        let answer = self.hears_out(to_ms, Duration::from_secs(25), line).await;
        Answer { waited_ms: answer.from_ms - to_ms, ..answer }
    }
}

/// The twin's voice, speaking a character in [`CHAR_MS`].
pub fn quick_voice() -> elevenlabs::Voice {
    Arc::new(|text, rate_hz| {
        let tone = elevenlabs::tone(text, rate_hz);
        let per_char = tone.len() / text.chars().count().max(1);
        let kept = per_char * CHAR_MS as usize / elevenlabs::CHAR_MS as usize;
        tone.chunks(per_char.max(1)).flat_map(|char| &char[..kept.min(char.len())]).copied().collect()
    })
}

/// Something like a voice at 8 kHz: a gliding pitch whose harmonics pass through moving resonances, in syllables.
pub fn voice(ms: u64) -> Vec<i16> {
    const RATE: f64 = 8_000.0;
    let mut phase = 0.0;
    let raw = (0..ms * 8).map(|n| {
        let t = n as f64 / RATE;
        let pitch = 125.0 + 20.0 * (TAU * 1.9 * t).sin();
        phase += pitch / RATE;
        let resonances = [(600.0 + 180.0 * (TAU * 2.7 * t).sin(), 1.0), (1_600.0 + 400.0 * (TAU * 1.7 * t).cos(), 0.5)];
        let harmonics = (1..=24).map(|k| {
            let hz = pitch * f64::from(k);
            let gain: f64 = resonances.iter().map(|(at, gain)| gain / (1.0 + ((hz - at) / 110.0).powi(2))).sum();
            gain * (TAU * phase * f64::from(k)).sin()
        });
        harmonics.sum::<f64>() * (0.45 + 0.55 * (TAU * 2.1 * t).sin().abs())
    });
    raw.map(|value| (value * 5_000.0).clamp(-30_000.0, 30_000.0) as i16).collect()
}
