//! An owner that echoes what it hears, and peers: sipp (Debian package `sip-tester`) with the scenarios of `fixtures/sipp`.

#![allow(dead_code)]

use base::wire::Wire;
use base::{Pii, Secret};
use base64::Engine as _;
use carriers::sip::sdp::{Codec, Preference, Protection};
use carriers::sip::{self as framing, Told};
use model::call::CallState;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use sip::config::Certificate;
use sip::{Config, DialPlan, Endpoint, Front, Invite, Line, Listen, Next, Report, Transport, Trunk, Verdict};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
pub use testkit::ports::free as ports;
use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio::sync::watch;

pub const LONG: Duration = Duration::from_secs(60);
/// What an owner noticed.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub invites: Vec<Invite>,
    /// Who took the place of somebody else, by the call that they took.
    pub successors: Vec<(String, Invite)>,
    pub reports: Vec<Report>,
    pub words: Vec<String>,
    pub frames: usize,
    pub loud_frames: usize,
}

impl Seen {
    pub fn states(&self) -> Vec<CallState> {
        self.reports.iter().map(|report| report.state).collect()
    }

    pub fn is_over(&self) -> bool {
        self.reports.last().is_some_and(|report| report.state.is_terminal())
    }
}

/// What an owner does.
#[derive(Clone, Debug)]
pub struct Manners {
    pub verdict: Verdict,
    /// How long it rings before it is answered: until the caller is gone when absent.
    pub answers: bool,
    /// After how many frames the owner closes the line.
    pub frames_max: usize,
    /// The owner presses each key that it hears.
    pub presses_keys: bool,
    pub next: Next,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            verdict: Verdict::Answer { token: "t-1".into() },
            answers: true,
            frames_max: usize::MAX,
            presses_keys: false,
            next: Next::HangUp,
        }
    }
}

pub struct Office {
    pub manners: Manners,
    pub seen: Mutex<Seen>,
    changed: watch::Sender<u64>,
}

impl Office {
    pub fn new(manners: Manners) -> Arc<Self> {
        Arc::new(Self { manners, seen: Mutex::default(), changed: watch::channel(0).0 })
    }

    fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock().unwrap());
        self.changed.send_modify(|count| *count += 1);
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until what was seen is so.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Seen) -> bool) -> Seen {
        let mut changes = self.changed.subscribe();
        let wait = async {
            while !is_so(&self.seen.lock().unwrap()) {
                changes.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(LONG, wait).await.is_err() {
            panic!("never: {what}; seen: {:?}", self.seen());
        }
        self.seen()
    }
}

/// The owner behind a shared handle, so that a test can look at it.
pub struct Door(pub Arc<Office>);

#[async_trait::async_trait]
impl Front for Door {
    async fn invited(&self, invite: Invite) -> Verdict {
        self.0.note(|seen| seen.invites.push(invite));
        if !self.0.manners.answers {
            std::future::pending::<()>().await;
        }
        self.0.manners.verdict.clone()
    }

    async fn picked_up(&self, _call_ref: &str) -> Option<String> {
        Some("t-2".into())
    }

    async fn connected(&self, _call_ref: &str, line: Line) {
        tokio::spawn(echo(Arc::clone(&self.0), line));
    }

    async fn line_ended(&self, _call_ref: &str) -> Next {
        self.0.manners.next.clone()
    }

    async fn replaced(&self, call_ref: &str, by: Invite) {
        self.0.note(|seen| seen.successors.push((call_ref.to_owned(), by)));
    }

    async fn reported(&self, report: Report) {
        self.0.note(|seen| seen.reports.push(report));
    }
}

async fn echo(office: Arc<Office>, mut line: Line) {
    let mut count = 0;
    while let Some(wire) = line.from_leg.recv().await {
        match &wire {
            Wire::Binary(bytes) => {
                let is_loud = framing::samples(bytes).any(|sample| sample.unsigned_abs() > 1_000);
                office.note(|seen| {
                    seen.frames += 1;
                    seen.loud_frames += usize::from(is_loud);
                });
                count += 1;
                let _ = line.to_leg.try_send(Wire::Binary(bytes.clone()));
                let _ = line.to_leg.try_send(framing::mark(&count.to_string()));
            }
            Wire::Text(text) => {
                office.note(|seen| seen.words.push(text.clone()));
                if let Some(key) = text.strip_prefix("dtmf ").filter(|_| office.manners.presses_keys) {
                    let _ = line.to_leg.try_send(Wire::Text(format!("press {key}")));
                }
            }
            _ => {}
        }
        if count >= office.manners.frames_max {
            return;
        }
    }
    assert_eq!(framing::told(&Wire::End), Some(Told::Close));
}

pub fn trunk() -> Trunk {
    Trunk {
        name: "test".into(),
        host: "127.0.0.1".into(),
        transport: Transport::Udp,
        user: None,
        password: None,
        registers: false,
        is_probed: false,
        allowed: Vec::new(),
        protection: Protection::Allowed,
        codecs: Codec::ALL.to_vec(),
        preference: Preference::Theirs,
    }
}

/// A call that goes out over the trunk.
pub fn plan() -> DialPlan {
    DialPlan {
        call_ref: "call-of-the-test".into(),
        trunks: vec!["test".into()],
        to: Pii::new("+4930123456".into()),
        from: "+4940555000".into(),
        ring: Duration::from_secs(20),
        headers: vec![("X-Campaign".into(), "spring".into())],
    }
}

/// An endpoint of one test. `change` says what is unusual about it.
pub async fn endpoint(office: &Arc<Office>, change: impl FnOnce(&mut Config)) -> (Endpoint, SocketAddr) {
    let first = ports(24);
    let address = SocketAddr::from(([127, 0, 0, 1], first));
    let mut config = Config {
        listen: vec![Listen { transport: Transport::Udp, address }, Listen { transport: Transport::Tcp, address }],
        public_ip: None,
        rtp_ports: first + 2..=first + 21,
        calls_max: 8,
        certificate: None,
        authorities: None,
        tap: None,
        trunks: vec![trunk()],
    };
    change(&mut config);
    let endpoint = Endpoint::start(config, Arc::new(Door(Arc::clone(office)))).await.unwrap();
    (endpoint, address)
}

pub fn scenario(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/sipp").join(format!("{name}.xml"));
    assert!(path.is_file(), "no scenario {name}");
    path
}

/// Runs sipp until its scenario is over.
pub struct Sipp {
    child: tokio::process::Child,
    pub port: u16,
}

impl Sipp {
    /// A caller.
    pub fn calls(target: SocketAddr, name: &str, more: &[&str]) -> Self {
        Self::start(Some(target), name, more)
    }

    /// Somebody who waits for requests.
    pub fn waits(name: &str, more: &[&str]) -> Self {
        Self::start(None, name, more)
    }

    fn start(target: Option<SocketAddr>, name: &str, more: &[&str]) -> Self {
        let port = ports(8);
        let mut command = Command::new("sipp");
        let ip = if target.is_some_and(|target| target.is_ipv6()) { "::1" } else { "127.0.0.1" };
        command.arg("-sf").arg(scenario(name)).args(["-i", ip, "-mi", ip, "-nostdin"]);
        command.args(["-p", &port.to_string(), "-mp", &(port + 2).to_string(), "-rtp_echo"]);
        if !more.contains(&"-m") {
            command.args(["-m", "1"]);
        }
        command.args(["-s", "+4940555000", "-timeout", "50s", "-timeout_error", "-recv_timeout", "20000"]).args(more);
        if let Some(target) = target {
            command.arg(target.to_string());
        }
        command.current_dir(std::env::temp_dir()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.kill_on_drop(true).spawn().expect("sipp is installed: apt-get install sip-tester");
        Self { child, port }
    }

    /// The scenario went as it is written.
    pub async fn succeeds(self) {
        let output = tokio::time::timeout(LONG, self.child.wait_with_output()).await.expect("sipp ends").unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let tail: String = told.chars().rev().take(3_000).collect::<Vec<_>>().into_iter().rev().collect();
        assert!(output.status.success(), "{}: {}\n{tail}", output.status, String::from_utf8_lossy(&output.stderr));
    }
}

/// Somebody whose every message the test writes.
pub struct Party {
    socket: UdpSocket,
    pub here: SocketAddr,
    pub peer: SocketAddr,
    pub call_id: String,
}

impl Party {
    pub async fn new(here: SocketAddr, call_id: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let peer = socket.local_addr().unwrap();
        Self { socket, here, peer, call_id: call_id.into() }
    }

    pub fn offer(&self) -> String {
        format!(
            "v=0\r\no=p 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n",
            self.peer.port()
        )
    }

    /// Sends a request. Its own tag is its Call-ID; `to` is the other one, absent before there is one.
    pub async fn ask(&self, method: &str, cseq: u32, to: &str, more: &str, body: &str) {
        let (here, peer, id) = (self.here, self.peer, &self.call_id);
        let to = if to.is_empty() { String::new() } else { format!(";tag={to}") };
        self.send(&format!(
            "{method} sip:+4940555000@{here} SIP/2.0\r\nVia: SIP/2.0/UDP {peer};branch=z9hG4bK{id}{cseq};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+4940555017@{peer}>;tag={id}\r\nTo: <sip:+4940555000@{here}>{to}\r\n\
             Call-ID: {id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:peer@{peer}>\r\n{more}\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    }

    /// Answers a request.
    pub async fn answer(&self, request: &str, status: &str, to: &str) {
        let [via, from, called, id, cseq] =
            ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", value(request, name)));
        let called = if called.contains("tag=") { called } else { called.replace("\r\n", &format!(";tag={to}\r\n")) };
        let peer = self.peer;
        self.send(&format!(
            "SIP/2.0 {status}\r\n{via}{from}{called}{id}{cseq}Contact: <sip:peer@{peer}>\r\nContent-Length: 0\r\n\r\n"
        ))
        .await;
    }

    pub async fn send(&self, message: &str) {
        self.socket.send_to(message.as_bytes(), self.here).await.unwrap();
    }

    /// The next message that is neither `100 Trying` nor audio.
    pub async fn next(&self) -> String {
        let mut datagram = [0; 4_096];
        loop {
            let (bytes, _) =
                tokio::time::timeout(LONG, self.socket.recv_from(&mut datagram)).await.expect("a message").unwrap();
            if !datagram[0].is_ascii_uppercase() || datagram.starts_with(b"SIP/2.0 100") {
                continue;
            }
            return String::from_utf8_lossy(&datagram[..bytes]).into_owned();
        }
    }

    /// The next message that begins so.
    pub async fn until(&self, beginning: &str) -> String {
        loop {
            let message = self.next().await;
            if message.starts_with(beginning) {
                return message;
            }
        }
    }
}

/// The value of a message's header.
pub fn value(message: &str, name: &str) -> String {
    let value = |line: &str| {
        line.split_once(": ").filter(|(of, _)| of.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    message.split("\r\n").find_map(value).unwrap_or_else(|| panic!("no {name} in {message}"))
}

/// The tag in a value of From or To.
pub fn tag(value: &str) -> String {
    value.split_once("tag=").unwrap().1.split(';').next().unwrap().to_owned()
}

/// A certificate for this machine, its key, and who vouches for it.
pub fn certificate() -> (Certificate, Vec<u8>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // With the name that both would have otherwise, the one certificate would seem to vouch for itself.
    params.distinguished_name.push(DnType::CommonName, "authority of a test");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let chain = pem("CERTIFICATE", params.signed_by(&key, &authority).unwrap().der());
    let key = Secret::new(pem("PRIVATE KEY", &key.serialize_der()));
    (Certificate { chain, key }, pem("CERTIFICATE", authority.der()))
}

fn pem(kind: &str, bytes: &[u8]) -> Vec<u8> {
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n")).into_bytes()
}
