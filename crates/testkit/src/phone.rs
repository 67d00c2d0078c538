//! A telephone: PJSIP in a process of its own, `fixtures/conformance/sip_phone.py`, as an independent reading of the standards.

use crate::ports;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

/// Its interpreter loads a library of some megabytes, on a machine that runs other tests.
const START_MAX: Duration = Duration::from_secs(40);
const QUIT_MAX: Duration = Duration::from_secs(20);

/// How a telephone is.
#[derive(Clone, Debug)]
pub struct Options {
    /// `udp`, `tcp` or `tls`.
    pub transport: &'static str,
    /// Whether it speaks protected audio alone.
    pub is_protected: bool,
    /// The only codec, as PJSIP names it; what it likes when empty.
    pub codec: &'static str,
    /// A file with who vouches for the other side of TLS; nobody is asked when absent.
    pub authority: Option<PathBuf>,
    /// Its own number.
    pub user: String,
    /// Whether it insists on reliable provisional answers.
    pub is_reliable: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            transport: "udp",
            is_protected: false,
            codec: "",
            authority: None,
            user: "+4915735550123".into(),
            is_reliable: false,
        }
    }
}

/// A stretch of time in which something was heard, in milliseconds of the telephone's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    /// When it began.
    pub from_ms: u64,
    /// When it ended; absent while it lasts.
    pub to_ms: Option<u64>,
}

/// What a telephone recorded, in frames of 20 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Frames in which something was heard.
    pub loud: u64,
    /// Frames between the first and the last of them in which nothing was.
    pub gaps: u64,
}

/// A telephone that runs. Dropping it kills the process.
pub struct Phone {
    child: Child,
    stdin: tokio::sync::Mutex<ChildStdin>,
    events: Arc<Mutex<Vec<Value>>>,
    changed: watch::Receiver<usize>,
    port: u16,
    folder: TempDir,
}

impl Phone {
    /// Starts one and waits until it can call and be called.
    ///
    /// # Panics
    /// When the packages of the conformance tests are missing or it does not start.
    pub async fn start(options: Options) -> Self {
        let folder = TempDir::new().expect("a folder");
        let port = ports::free(16);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/conformance/sip_phone.py");
        let mut command = Command::new(python());
        command.arg(script).args(["--port", &port.to_string(), "--transport", options.transport]);
        command.arg("--folder").arg(folder.path()).args(["--user", &options.user]);
        command.args(["--protection", if options.is_protected { "protected" } else { "plain" }]);
        command.args(["--codec", options.codec]);
        if let Some(authority) = &options.authority {
            command.arg("--authority").arg(authority);
        }
        if options.is_reliable {
            command.arg("--reliable");
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("the telephone starts");
        let stdin = tokio::sync::Mutex::new(child.stdin.take().expect("its input"));
        let events = Arc::new(Mutex::new(Vec::new()));
        let (change, changed) = watch::channel(0);
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let seen = Arc::clone(&events);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                // The library prints lines of its own before it can be told not to.
                if let Ok(event @ Value::Object(_)) = serde_json::from_str(&line) {
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push(event);
                    change.send_modify(|count| *count += 1);
                }
            }
        });
        let phone = Self { child, stdin, events, changed, port, folder };
        phone.until(START_MAX, "the telephone is ready", |phone| phone.last("ready")).await;
        phone
    }

    /// `ADDRESS:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A folder of its own, for files that it shall play.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything that happened to it.
    pub fn events(&self) -> Vec<Value> {
        self.all().clone()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Value>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last event of this kind.
    pub fn last(&self, kind: &str) -> Option<Value> {
        self.all().iter().rev().find(|event| event["event"] == kind).cloned()
    }

    /// How many there were of this kind.
    pub fn count(&self, kind: &str) -> usize {
        self.all().iter().filter(|event| event["event"] == kind).count()
    }

    /// The keys that were pressed for it.
    pub fn keys(&self) -> String {
        self.all().iter().filter(|event| event["event"] == "key").filter_map(|event| event["key"].as_str()).collect()
    }

    /// What was heard.
    pub fn sounds(&self) -> Vec<Sound> {
        let mut sounds: Vec<Sound> = Vec::new();
        for event in self.all().iter() {
            match (event["event"].as_str(), event["at_ms"].as_u64()) {
                (Some("sound"), Some(from_ms)) => sounds.push(Sound { from_ms, to_ms: None }),
                (Some("quiet"), at_ms) => sounds.iter_mut().for_each(|sound| sound.to_ms = sound.to_ms.or(at_ms)),
                _ => {}
            }
        }
        sounds
    }

    /// Waits until there is an answer.
    ///
    /// # Panics
    /// When there is none in time.
    pub async fn until<T>(&self, within: Duration, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let mut changed = self.changed.clone();
        let wait = async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = look(self) {
                    return Some(found);
                }
                changed.changed().await.ok()?;
            }
        };
        match tokio::time::timeout(within, wait).await {
            Ok(Some(found)) => found,
            other => panic!(
                "{what}: not within {within:?} ({}); {:#?}",
                if other.is_ok() { "it ended" } else { "late" },
                self.events()
            ),
        }
    }

    /// Waits for the next event of this kind after `seen` of them.
    pub async fn next(&self, kind: &str, seen: usize, within: Duration) -> Value {
        self.until(within, kind, |phone| if phone.count(kind) > seen { phone.last(kind) } else { None }).await
    }

    /// Tells it to do something; gives the time of its clock at which it does.
    pub async fn tell(&self, line: &str) -> u64 {
        let before = self.count("told");
        self.stdin.lock().await.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
        let told = self.next("told", before, QUIT_MAX).await;
        told["at_ms"].as_u64().expect("a time")
    }

    /// Ends it, and its calls, and says what it recorded.
    pub async fn quit(self) -> Recording {
        self.quit_to(None).await
    }

    /// The same, and its recording is here afterwards: a WAV file at the rate of the telephone.
    pub async fn quit_with(self, recording: &Path) -> Recording {
        self.quit_to(Some(recording)).await
    }

    async fn quit_to(mut self, recording: Option<&Path>) -> Recording {
        self.stdin.lock().await.write_all(b"quit\n").await.expect("it reads");
        let recorded = self.next("recording", 0, QUIT_MAX).await;
        let _ = tokio::time::timeout(QUIT_MAX, self.child.wait()).await; // Else it is killed.
        if let Some(to) = recording {
            std::fs::copy(self.folder.path().join("heard.wav"), to).expect("its recording");
        }
        let field = |name: &str| recorded[name].as_u64().expect("a number");
        Recording { loud: field("loud"), gaps: field("gaps") }
    }
}

fn python() -> PathBuf {
    let named = std::env::var_os("FRONTDESK_CONFORMANCE_PYTHON").map(PathBuf::from);
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.frontdesk/conformance/bin/python");
    let python = named.unwrap_or_else(own);
    assert!(python.exists(), "{} is missing: `cargo xtask test` installs it", python.display());
    python
}
