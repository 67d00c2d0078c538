//! The pages in a real browser against the real binary.

use crate::run;
use crate::shell::{Outcome, cargo, cmd};
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

/// From start to ready; models load on the way.
const READY_SECS_MAX: u64 = 90;
/// One request to the health route.
const REQUEST_SECS_MAX: u64 = 2;
/// What the microphone hears; the demo shop's documents answer it.
const QUESTION: &str = "When are you open on Saturday?";
/// What a supervisor says who takes a call over.
const SUPERVISOR: &str = "Hello, this is Kim from the workshop. Your bicycle is ready.";

/// Serves from an empty data folder on a free loopback port and talks to it through the page; then visits every page.
pub fn browser_test(root: &Path, frontdesk: &Path) -> Result<Outcome> {
    let home = Scratch::new("browser")?;
    let wav = home.0.join("question.wav");
    let path = wav.to_string_lossy().into_owned();
    let supervisor = home.0.join("supervisor.wav").to_string_lossy().into_owned();
    cargo(root, &["build", "--quiet", "--locked", "--workspace", "--example", "say"]).run()?;
    let say = run::built(root, "debug/examples/say")?;
    for (text, file) in [(QUESTION, &path), (SUPERVISOR, &supervisor)] {
        cmd(root, &say, &[text, file]).run()?;
    }
    // The same conversation over either transport.
    for webrtc in ["1", "0"] {
        talk(root, frontdesk, &home, &path, webrtc)?;
    }
    // They start servers of their own: as on somebody's own machine, and with people.
    let program = frontdesk.to_string_lossy();
    cmd(&root.join("web"), "node", &["test/pages.mjs", &program]).run()?;
    cmd(&root.join("web"), "node", &["test/supervise.mjs", &program, &path, &supervisor]).run()?;
    // What two hundred live calls add to the same hands on a still wall.
    cmd(&root.join("web"), "node", &["test/load.mjs", &program]).run()?;
    // A telephone in a page, over a trunk.
    cmd(&root.join("web"), "node", &["test/softphone.mjs", &program, &path]).run()?;
    // Pages of other origins, with the widget on them.
    cmd(&root.join("web"), "node", &["test/widget.mjs", &program, &path]).run()?;
    Ok(Outcome::Done)
}

/// One conversation through the page, with WebRTC switched on (`1`) or off (`0`).
fn talk(root: &Path, frontdesk: &Path, home: &Scratch, question: &str, webrtc: &str) -> Result<()> {
    let address = free_address()?;
    let log = home.0.join(format!("serve-{webrtc}.log"));
    let data = home.0.join(format!("data-{webrtc}"));
    fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
    let switched = if webrtc == "1" { "true" } else { "false" };
    let server = Server::start(root, frontdesk, address, &data, &log, &[("FRONTDESK_WEBRTC_ENABLED", switched)])?;
    let tested = server.wait_until_ready().and_then(|()| {
        let talk = cmd(&root.join("web"), "node", &["test/talk.mjs", question]);
        talk.env("BASE_URL", format!("http://{address}")).env("WEBRTC", webrtc).run()
    });
    drop(server);
    if tested.is_err() {
        last_lines(&log);
    }
    tested
}

/// Prints the end of a server's log.
pub fn last_lines(log: &Path) {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    println!("    the last lines of the server:");
    lines[lines.len().saturating_sub(40)..].iter().for_each(|line| println!("    {line}"));
}

/// A port of the loopback interface that nobody has.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").context("no free loopback port")?.local_addr()?)
}

/// A folder that is removed again.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new one for this purpose.
    pub fn new(purpose: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("frontdesk-{purpose}-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running server, killed when dropped.
pub struct Server {
    child: std::cell::RefCell<Child>,
    address: SocketAddr,
}

impl Server {
    /// Starts it with an empty data folder; its log goes to a file. With a token, its API asks for that.
    pub fn start(
        root: &Path,
        frontdesk: &Path,
        address: SocketAddr,
        home: &Path,
        log: &Path,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let log = fs::File::create(log)?;
        let mut serve = cmd(root, frontdesk, &["serve"])
            .env("FRONTDESK_SERVER_LISTEN", address.to_string())
            .env("FRONTDESK_DATA_DIR", home.join("data"))
            .env("FRONTDESK_SERVER_API_TOKEN", "");
        for (name, value) in settings {
            serve = serve.env(name, *value);
        }
        let child = serve.std().stdout(log.try_clone()?).stderr(log).spawn();
        let child = child.with_context(|| format!("cannot start `{}`", serve.line()))?;
        Ok(Self { child: std::cell::RefCell::new(child), address })
    }

    /// Waits until it takes calls.
    pub fn wait_until_ready(&self) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(READY_SECS_MAX);
        while !self.is_ready() {
            if let Some(status) = self.child.borrow_mut().try_wait()? {
                bail!("the server ended before it was ready ({status})");
            }
            if Instant::now() > until {
                bail!("the server was not ready after {READY_SECS_MAX} s");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        let limit = Duration::from_secs(REQUEST_SECS_MAX);
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect_timeout(&self.address, limit)?;
            stream.set_read_timeout(Some(limit))?;
            write!(stream, "GET /readyz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)?;
            let mut answer = String::new();
            stream.take(4_096).read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        let _ = child.kill();
        let _ = child.wait();
    }
}
