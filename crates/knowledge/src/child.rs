//! The parsers' leash. A document is read by a child process: the program itself, started again with [`SUBCOMMAND`], or
//! any program that calls [`run`].
//!
//! The child gets the bytes on its standard input and nothing else: no environment (so no keys), no open files, a folder
//! that is not ours. Before it reads the first byte it gives up the right to more memory, processor time, files and
//! processes. The parent reads a bounded answer within a deadline and kills what is left. So a document can cost its own
//! child, never the queue, a call, or another document.

use crate::document::Structured;
use crate::parse::parse;
use crate::recording::{self, Recording, is_recording};
use crate::refusal::Refusal;
use base::limits;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::Semaphore;

/// The hidden subcommand of the program that reads one document.
pub const SUBCOMMAND: &str = "read-document";

/// How a child is started and what it may use.
#[derive(Clone, Debug)]
pub struct Parser {
    program: PathBuf,
    args: Vec<String>,
    wall: Duration,
    memory_bytes: u64,
    slots: Arc<Semaphore>,
}

impl Parser {
    /// Children of this program. `args` come before the file's name.
    pub fn new(program: impl Into<PathBuf>, args: &[&str]) -> Self {
        Self {
            program: program.into(),
            args: args.iter().map(|one| (*one).to_owned()).collect(),
            wall: Duration::from_millis(limits::KNOWLEDGE_PARSE_MS_MAX),
            memory_bytes: limits::KNOWLEDGE_PARSE_MEMORY_BYTES_MAX,
            slots: Arc::new(Semaphore::new(limits::KNOWLEDGE_PARSERS_MAX)),
        }
    }

    /// Children of the running program, by [`SUBCOMMAND`].
    pub fn of_this_program() -> Result<Self, Refusal> {
        let program = std::env::current_exe().map_err(|error| Refusal::Parser(error.to_string()))?;
        Ok(Self::new(program, &[SUBCOMMAND]))
    }

    /// The same with other limits.
    #[must_use]
    pub const fn limited(mut self, wall: Duration, memory_bytes: u64) -> Self {
        (self.wall, self.memory_bytes) = (wall, memory_bytes);
        self
    }

    /// Reads a document. `name` is the file's name or the last part of its address.
    pub async fn parse(&self, bytes: &[u8], name: &str) -> Result<Structured, Refusal> {
        if is_recording(bytes) {
            // A child would decode it.
            return Err(crate::sniff::sniff(bytes, name).err().unwrap_or(Refusal::Deaf));
        }
        let answer = self.ask(bytes, name, limits::KNOWLEDGE_TEXT_BYTES_MAX).await?;
        in_words(&answer)
    }

    /// Decodes a recorded call.
    pub async fn hear(&self, bytes: &[u8], name: &str) -> Result<Recording, Refusal> {
        if !is_recording(bytes) {
            return Err(Refusal::Kind("the file is no recording that is known".into()));
        }
        let answer = self.ask(bytes, name, limits::KNOWLEDGE_RECORDING_BYTES_MAX).await?;
        match Recording::from_bytes(&answer) {
            Some(recording) => Ok(recording),
            None => Err(in_words(&answer).err().unwrap_or_else(|| Refusal::Crashed("it heard nothing".into()))),
        }
    }

    /// What a child answers, of at most so many bytes.
    async fn ask(&self, bytes: &[u8], name: &str, answer_bytes_max: usize) -> Result<Vec<u8>, Refusal> {
        let max = limits::KNOWLEDGE_FILE_BYTES_MAX as u64;
        if bytes.len() as u64 > max {
            return Err(Refusal::TooLarge { bytes: bytes.len() as u64, max });
        }
        let _slot = self.slots.acquire().await.map_err(|error| Refusal::Parser(error.to_string()))?;
        let mut child = Command::new(&self.program)
            .args(&self.args)
            .args(["--memory-bytes", &self.memory_bytes.to_string(), "--cpu-s", &(self.wall.as_secs() + 1).to_string()])
            .args(["--name", &short(name)])
            .env_clear()
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Refusal::Parser(error.to_string()))?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Refusal::Parser("it has no standard input and output".into()));
        };
        let mut answer = Vec::new();
        let talk = async {
            let write = async {
                // A child that stops reading has its reasons; they are in its answer.
                let _ = input.write_all(bytes).await;
                drop(input);
            };
            let mut bounded = output.take(answer_bytes_max as u64 + 1);
            let read = bounded.read_to_end(&mut answer);
            let ((), read) = tokio::join!(write, read);
            drop(bounded); // What would be written beyond the limit is not waited for.
            read?;
            child.wait().await
        };
        let status = match tokio::time::timeout(self.wall, talk).await {
            Ok(status) => status.map_err(|error| Refusal::Parser(error.to_string()))?,
            Err(_) => {
                let _ = child.kill().await;
                return Err(Refusal::Slow { ms: u64::try_from(self.wall.as_millis()).unwrap_or(u64::MAX) });
            }
        };
        if answer.len() > answer_bytes_max {
            return Err(Refusal::Long { max: answer_bytes_max as u64 });
        }
        ended_well(status, self.wall)?;
        Ok(answer)
    }
}

fn ended_well(status: ExitStatus, wall: Duration) -> Result<(), Refusal> {
    if !status.success() {
        #[cfg(unix)]
        if std::os::unix::process::ExitStatusExt::signal(&status) == Some(SIGXCPU) {
            return Err(Refusal::Slow { ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX) });
        }
        return Err(Refusal::Crashed(status.to_string()));
    }
    Ok(())
}

fn in_words(answer: &[u8]) -> Result<Structured, Refusal> {
    serde_json::from_slice::<Result<Structured, Refusal>>(answer)
        .unwrap_or_else(|error| Err(Refusal::Crashed(format!("its answer makes no sense: {error}"))))
}

/// The signal of a process that used up its processor time, the same number on all systems we run on.
#[cfg(unix)]
const SIGXCPU: i32 = 24;

/// A name that fits a command line.
fn short(name: &str) -> String {
    let safe: String = name.chars().filter(|c| !c.is_control()).collect();
    let skip = safe.chars().count().saturating_sub(120);
    safe.chars().skip(skip).collect()
}

/// What a child may use.
#[derive(Clone, Debug)]
pub struct ChildLimits {
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Seconds of processor time.
    pub cpu_s: u64,
}

/// The child: reads a document from standard input and writes what it understood, or why not, to standard output.
/// `name` is the file's name.
pub fn run(name: &str, allowed: &ChildLimits) -> ExitCode {
    if let Err(error) = renounce(allowed) {
        return say(&Err(Refusal::Parser(format!("its limits cannot be set: {error}"))));
    }
    let mut bytes = Vec::new();
    let input = std::io::stdin().lock().take(limits::KNOWLEDGE_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    if let Err(error) = input {
        return say(&Err(Refusal::Parser(error.to_string())));
    }
    // Parsers panic on broken files; the parent hears of it in words.
    std::panic::set_hook(Box::new(|_| {}));
    let name = name.to_owned();
    let work = move || std::panic::catch_unwind(|| Said::of(&bytes, &name));
    // Deeply nested files need a deep stack; what needs more than this is an attack.
    let worker = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work);
    let outcome = worker.map_err(|error| Refusal::Parser(error.to_string())).and_then(|worker| match worker.join() {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) | Err(_) => Err(Refusal::Broken("its structure makes no sense".into())),
    });
    say(&outcome)
}

const STACK_BYTES: usize = 64 * 1024 * 1024;

/// What the child understood.
enum Said {
    Text(Structured),
    Sound(Recording),
}

impl Said {
    fn of(bytes: &[u8], name: &str) -> Result<Self, Refusal> {
        if is_recording(bytes) { recording::read(bytes).map(Self::Sound) } else { parse(bytes, name).map(Self::Text) }
    }
}

fn say(outcome: &Result<Said, Refusal>) -> ExitCode {
    let text = match outcome {
        Ok(Said::Sound(recording)) => recording.to_bytes(),
        Ok(Said::Text(document)) => serde_json::to_vec(&Ok::<_, Refusal>(document)).unwrap_or_default(),
        Err(refusal) => serde_json::to_vec(&Err::<(), _>(refusal)).unwrap_or_default(),
    };
    match std::io::stdout().lock().write_all(&text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Gives up, for good, the right to more than this.
#[cfg(unix)]
fn renounce(allowed: &ChildLimits) -> std::io::Result<()> {
    use rlimit::Resource;
    Resource::CORE.set(0, 0)?;
    Resource::FSIZE.set(0, 0)?;
    Resource::CPU.set(allowed.cpu_s, allowed.cpu_s)?;
    #[cfg(target_os = "linux")]
    {
        // What the program and its allocator have reserved already is not the document's.
        let most = mapped_bytes().saturating_add(allowed.memory_bytes);
        Resource::AS.set(most, most)?;
    }
    // What is open stays open; nothing more.
    Resource::NOFILE.set(FILES_MAX, FILES_MAX)
}

/// Bytes of addresses that this process has reserved; proc_pid_status(5).
#[cfg(target_os = "linux")]
fn mapped_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0).saturating_mul(1024)
}

#[cfg(unix)]
const FILES_MAX: u64 = 8;

#[cfg(not(unix))]
fn renounce(_allowed: &ChildLimits) -> std::io::Result<()> {
    Ok(())
}
