//! SIP trunks: their configuration, and how their calls reach the node.

use crate::config::follow;
use async_trait::async_trait;
use base::{ErrorClass, Failure, PhoneNumber, Pii, Secret};
use carriers::protocol::{Answer, DialAttempt, DialReply, InboundCall};
use carriers::registry;
use carriers::sip::sdp::{Codec, Preference, Protection};
use runtime::Node;
use runtime::lines::Lines;
use runtime::recordings::Recordings;
use runtime::socket::WireSocket;
use serde::Deserialize;
use sip::config::{Certificate, Config, Listen, Transport, Trunk};
use sip::{Attestation, CommandError, DialError, DialPlan, Endpoint, Front, Invite, Line, Next, Report, Verdict};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Registry name.
pub(crate) const CARRIER: &str = "sip";

/// `[sip]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SipConfig {
    /// Where to listen, as `udp:ADDRESS:PORT`, `tcp:…`, `tls:…`, `ws:…` or `wss:…`; nothing switches SIP off.
    pub listen: Vec<String>,
    /// The address by which others reach us, where it is not the machine's.
    pub public_ip: String,
    /// Ports of audio, as `FIRST-LAST`.
    pub rtp_ports: String,
    /// Calls at once.
    pub calls_max: usize,
    /// Certificate chain for TLS, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub key: Secret<String>,
    /// Who vouches for trunks, PEM.
    pub authorities: String,
    /// Whether what goes over the wire for a call is kept for a day.
    pub trace: bool,
    /// Trunks, the preferred one first.
    pub trunks: Vec<TrunkConfig>,
}

/// `[[sip.trunks]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkConfig {
    /// How people and metrics call it.
    pub name: String,
    /// Name or address, with a port where it is not the usual one.
    pub host: String,
    /// `udp`, `tcp` or `tls`; `ws` or `wss` when it connects to us.
    #[serde(default = "udp")]
    pub transport: String,
    /// Our name there.
    #[serde(default)]
    pub user: Option<String>,
    /// Our password there.
    #[serde(default)]
    pub password: Option<Secret<String>>,
    /// Whether it learns from a registration where we are.
    #[serde(default)]
    pub register: bool,
    /// Whether it is asked every half minute if it is there; calls go over the other trunks while it is not.
    #[serde(default)]
    pub probe: bool,
    /// Networks from which it calls, besides its host.
    #[serde(default)]
    pub allowed: Vec<String>,
    /// Whether audio is protected: `never`, `allowed` or `required`.
    #[serde(default = "allowed")]
    pub srtp: String,
    /// `opus`, `g722`, `pcmu` and `pcma`, best first; all, in the order of whoever calls, when absent.
    #[serde(default)]
    pub codecs: Vec<String>,
    /// The number that was called when the trunk does not say one, but a name or an extension.
    #[serde(default)]
    pub number: Option<PhoneNumber>,
}

fn udp() -> String {
    "udp".into()
}

fn allowed() -> String {
    "allowed".into()
}

fn transport(text: &str) -> Result<Transport, String> {
    match text {
        "udp" => Ok(Transport::Udp),
        "tcp" => Ok(Transport::Tcp),
        "tls" => Ok(Transport::Tls),
        "ws" => Ok(Transport::Ws),
        "wss" => Ok(Transport::Wss),
        other => Err(format!("{other} is no transport: udp, tcp, tls, ws and wss are")),
    }
}

type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

impl SipConfig {
    /// What the endpoint is configured with; `None` when SIP is switched off.
    ///
    /// # Errors
    /// In one line, naming the key.
    pub fn endpoint(&self, env: Env<'_>) -> Result<Option<Config>, String> {
        if self.listen.is_empty() {
            let off = self.trunks.is_empty();
            return if off { Ok(None) } else { Err("sip.listen names no address, but there are trunks".into()) };
        }
        let listen = self.listen.iter().map(|text| {
            let (kind, address) = text.split_once(':').ok_or("sip.listen: write udp:0.0.0.0:5060")?;
            let transport = transport(kind).map_err(|why| format!("sip.listen: {why}"))?;
            let address = address.parse().map_err(|_| format!("sip.listen: {address} is no address with a port"))?;
            Ok(Listen { transport, address })
        });
        let public_ip = match self.public_ip.as_str() {
            "" => None,
            ip => Some(ip.parse().map_err(|_| format!("sip.public_ip: {ip} is no address"))?),
        };
        let ports =
            self.rtp_ports.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
        let (first, last) = ports.ok_or("sip.rtp_ports: write 20000-20999")?;
        let read = |key: &str, text: &str| match text {
            "" => Ok(None),
            text => follow(text, &|name| env(name)).map(Some).map_err(|why| format!("sip.{key}: {why}")),
        };
        let chain = read("certificate", &self.certificate)?;
        let key = read("key", self.key.expose())?;
        let certificate = chain.zip(key).map(|(chain, key)| Certificate {
            chain: chain.expose().clone().into_bytes(),
            key: Secret::new(key.expose().clone().into_bytes()),
        });
        let authorities = read("authorities", &self.authorities)?.map(|pem| pem.expose().clone().into_bytes());
        let config = Config {
            listen: listen.collect::<Result<_, String>>()?,
            public_ip,
            rtp_ports: first..=last,
            calls_max: self.calls_max,
            certificate,
            authorities,
            tap: None,
            trunks: self.trunks.iter().map(|trunk| trunk.trunk(env)).collect::<Result<_, _>>()?,
        };
        config.check()?;
        Ok(Some(config))
    }
}

impl TrunkConfig {
    fn trunk(&self, env: Env<'_>) -> Result<Trunk, String> {
        let at = |why: String| format!("sip.trunks.{}: {why}", self.name);
        let password = match &self.password {
            Some(text) => Some(follow(text.expose(), &|name| env(name)).map_err(at)?),
            None => None,
        };
        let protection = match self.srtp.as_str() {
            "never" => Protection::Never,
            "allowed" => Protection::Allowed,
            "required" => Protection::Required,
            other => return Err(at(format!("srtp is never, allowed or required, not {other}"))),
        };
        let allowed = self.allowed.iter().map(|text| {
            let net = text.parse().or_else(|_| text.parse::<std::net::IpAddr>().map(Into::into));
            net.map_err(|_| at(format!("{text} is no network")))
        });
        let codecs = self.codecs.iter().map(|text| {
            let codec = Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(text));
            codec.ok_or_else(|| at(format!("{text} is no codec: opus, g722, pcmu and pcma are")))
        });
        let codecs: Vec<Codec> = codecs.collect::<Result<_, _>>()?;
        Ok(Trunk {
            name: self.name.clone(),
            host: self.host.clone(),
            transport: transport(&self.transport).map_err(at)?,
            user: self.user.clone(),
            password,
            registers: self.register,
            is_probed: self.probe,
            allowed: allowed.collect::<Result<_, _>>()?,
            protection,
            preference: if codecs.is_empty() { Preference::Theirs } else { Preference::Ours },
            codecs: if codecs.is_empty() { Codec::ALL.to_vec() } else { codecs },
        })
    }
}

/// What the node and the endpoint know of each other's calls.
struct Desk {
    node: Node,
    /// The number that a trunk's own names stand for.
    numbers: HashMap<String, PhoneNumber>,
    /// Calls that we placed: where their answers are asked for, which says whose they are.
    placed: Mutex<HashMap<String, String>>,
}

impl Desk {
    fn placed(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.placed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark(&self, call_ref: &str) -> String {
        self.placed().get(call_ref).cloned().unwrap_or_default()
    }

    /// The number that was called. Trunks write it in E.164 form, with the plus or without, or call us by a name.
    fn number(&self, invite: &Invite) -> Option<PhoneNumber> {
        let written = invite.to.parse().or_else(|_| format!("+{}", invite.to).parse());
        written.ok().or_else(|| self.numbers.get(&invite.trunk).cloned())
    }
}

#[async_trait]
impl Front for Desk {
    async fn invited(&self, invite: Invite) -> Verdict {
        let Some(to) = self.number(&invite) else { return Verdict::NoSuchNumber };
        let facts = facts_of(&invite);
        let (carrier_ref, from) = (invite.call_ref, invite.from);
        let inbound = InboundCall { carrier_ref, from, to: Some(to), facts, ..InboundCall::default() };
        match self.node.line_rings(CARRIER, inbound).await {
            Answer::Connect { token, .. } => Verdict::Answer { token },
            Answer::Busy => Verdict::Busy,
            Answer::Reject => Verdict::NoSuchNumber,
            Answer::HangUp => Verdict::Declined,
            Answer::Transfer { to, .. } => Verdict::Moved { to },
            Answer::SayAndHangUp { .. } => Verdict::Unavailable,
        }
    }

    async fn picked_up(&self, call_ref: &str) -> Option<String> {
        match self.node.line_goes_on(CARRIER, call_ref, &self.mark(call_ref)).await {
            Answer::Connect { token, .. } => Some(token),
            _ => None,
        }
    }

    async fn connected(&self, _call_ref: &str, line: Line) {
        let Some(media) = registry::media(CARRIER) else { return };
        let socket = Box::new(WireSocket::new(line.from_leg, line.to_leg));
        if let Err(error) = self.node.attach(CARRIER, None, media, socket).await {
            tracing::warn!(%error, "the line of a call was not taken");
        }
    }

    async fn line_ended(&self, call_ref: &str) -> Next {
        match self.node.line_goes_on(CARRIER, call_ref, &self.mark(call_ref)).await {
            Answer::Connect { token, .. } => Next::Connect { token },
            _ => Next::HangUp,
        }
    }

    async fn replaced(&self, call_ref: &str, by: Invite) {
        let mut facts = facts_of(&by).map(Pii::into_inner).unwrap_or_default();
        let number = by.from.as_ref().map_or("a number that is withheld", |number| number.expose());
        facts.insert(SOMEBODY_ELSE.to_owned(), number.to_owned());
        self.node.line_says(CARRIER, call_ref, &self.mark(call_ref), Pii::new(facts)).await;
    }

    async fn reported(&self, report: Report) {
        let mark = self.mark(&report.call_ref);
        let raw = report.status.map_or_else(|| report.state.name().to_owned(), |status| status.to_string());
        self.node.line_reports(CARRIER, &report.call_ref, &mark, report.state, &raw).await;
        if let Some(quality) = report.quality {
            let sip::Quality { lost, late, jitter_ms, round_trip_ms, mos, .. } = quality;
            tracing::info!(lost, late, jitter_ms, round_trip_ms, mos, "the audio of a call");
            if let Some(mos) = mos {
                self.node.note_sound(CARRIER, mos as f32);
            }
        }
        if report.state.is_terminal() {
            self.placed().remove(&report.call_ref);
        }
    }
}

/// What the agent is told of whoever took the place of the caller: it has spoken with somebody else.
const SOMEBODY_ELSE: &str = "somebody else has taken the caller's place, and may not be whom you spoke with";

/// What a trunk says about a call besides who calls whom.
fn facts_of(invite: &Invite) -> Option<Pii<BTreeMap<String, String>>> {
    let headers = invite.headers.iter().map(|(name, value)| (name.clone(), value.expose().clone()));
    let diverted = invite.diverted_from.iter().map(|number| ("diverted from".to_owned(), number.expose().clone()));
    let attested = invite.attestation.map(|attestation| {
        let text = match attestation {
            Attestation::Full => "the telephone company says that the number is the caller's",
            Attestation::Partial => "the telephone company knows the caller, not whether the number is theirs",
            Attestation::Gateway => "nobody says whose the number is",
        };
        ("number".to_owned(), text.to_owned())
    });
    let facts: BTreeMap<_, _> = headers.chain(diverted).chain(attested).collect();
    (!facts.is_empty()).then(|| Pii::new(facts))
}

/// Trunks in use.
pub struct Trunks {
    desk: Arc<Desk>,
    endpoint: Endpoint,
    names: Vec<String>,
}

impl Trunks {
    /// Listens, registers, and takes calls for the node from now on.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub async fn start(
        mut config: Config,
        table: &SipConfig,
        node: &Node,
        recordings: &Recordings,
    ) -> anyhow::Result<Arc<Self>> {
        crate::traces::forget_open(&recordings.traces())?;
        if table.trace {
            config.tap = Some(crate::traces::start(node, recordings.traces())?);
        }
        let numbers = table.trunks.iter().filter_map(|trunk| Some((trunk.name.clone(), trunk.number.clone()?)));
        let desk = Arc::new(Desk { node: node.clone(), numbers: numbers.collect(), placed: Mutex::default() });
        let names = config.trunks.iter().map(|trunk| trunk.name.clone()).collect();
        let endpoint = Endpoint::start(config, Arc::clone(&desk) as Arc<dyn Front>).await?;
        for (transport, address) in endpoint.listens() {
            tracing::info!(?transport, %address, "listening for SIP");
        }
        let trunks = Arc::new(Self { desk, endpoint, names });
        node.add_lines(CARRIER, Arc::clone(&trunks) as Arc<dyn Lines>);
        Ok(trunks)
    }

    /// Takes no new calls.
    pub fn drain(&self) {
        self.endpoint.drain();
    }

    /// Ends what is left and gives registrations back.
    pub async fn stop(&self) {
        self.endpoint.stop().await;
    }
}

#[async_trait]
impl Lines for Trunks {
    async fn place(&self, attempt: &DialAttempt) -> DialReply {
        let call_ref = format!("{}", uuid::Uuid::new_v4().as_simple());
        self.desk.placed().insert(call_ref.clone(), attempt.answer_url.clone());
        let plan = DialPlan {
            call_ref: call_ref.clone(),
            trunks: self.names.clone(),
            to: Pii::new(attempt.to.expose().to_owned()),
            from: attempt.from.expose().to_owned(),
            ring: Duration::from_millis(attempt.ring.0),
            headers: Vec::new(),
        };
        let Err(refusal) = self.endpoint.dial(plan).await else {
            return DialReply::Accepted { carrier_ref: call_ref };
        };
        self.desk.placed().remove(&call_ref);
        let class = match refusal {
            DialError::Full | DialError::Unreachable(_) | DialError::Stack(_) => ErrorClass::Unavailable,
            DialError::NoTrunk | DialError::Unwritable => ErrorClass::Invalid,
        };
        DialReply::Refused(Failure::new(class, refusal.to_string()))
    }

    async fn hang_up(&self, carrier_ref: &str) {
        if let Err(error) = self.endpoint.hang_up(carrier_ref).await {
            tracing::debug!(%error, "a call was over before it was hung up");
        }
    }

    async fn transfer(&self, carrier_ref: &str, to: &PhoneNumber) -> Result<(), Failure> {
        self.endpoint.transfer(carrier_ref, to.expose()).await.map_err(|error| {
            let class = match error {
                CommandError::NoCall => ErrorClass::Invalid,
                CommandError::Refused(_) => ErrorClass::Refused,
                CommandError::Timeout => ErrorClass::Timeout,
            };
            Failure::new(class, error.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Option<Config>, String> {
        let head = "listen = [\"udp:127.0.0.1:5060\"]\npublic_ip = \"\"\nrtp_ports = \"20000-20999\"\ncalls_max = 100\n\
                    certificate = \"\"\nkey = \"\"\nauthorities = \"\"\ntrace = false\ntrunks = []\n";
        let text = if text.contains("[[trunks]]") { head.replace("trunks = []\n", "") + text } else { head.to_owned() };
        let table: SipConfig = toml::from_str(&text).map_err(|error| error.message().to_owned())?;
        table.endpoint(&|name| (name == "TRUNK").then(|| "secret".to_owned()))
    }

    #[test]
    fn a_trunk_needs_little_and_its_password_may_stand_elsewhere() {
        let config = parsed(
            "[[trunks]]\nname = \"main\"\nhost = \"sip.example.com\"\nuser = \"u\"\npassword = \"env:TRUNK\"\nregister = true\n\
             allowed = [\"192.0.2.0/24\", \"198.51.100.7\"]\n",
        );
        let config = config.expect("well formed").expect("switched on");
        let trunk = &config.trunks[0];
        assert_eq!(trunk.password.as_ref().map(|word| word.expose().as_str()), Some("secret"));
        assert_eq!((trunk.allowed.len(), trunk.codecs.len(), trunk.protection), (2, 4, Protection::Allowed));
        assert_eq!(trunk.preference, Preference::Theirs);
    }

    #[test]
    fn what_cannot_work_is_said_with_its_place() {
        for (line, why) in [
            ("srtp = \"maybe\"", "sip.trunks.main: srtp is never, allowed or required"),
            ("allowed = [\"here\"]", "sip.trunks.main: here is no network"),
            ("codecs = [\"speex\"]", "sip.trunks.main: speex is no codec"),
            ("register = true", "needs a user and a password"),
            ("transport = \"tcp\"", "nothing listens with the transport of the trunk main"),
            ("srtp = \"required\"", "needs TLS or WSS to protect audio"),
            ("password = \"env:NOTHING\"", "the environment has no NOTHING"),
        ] {
            let problem = parsed(&format!("[[trunks]]\nname = \"main\"\nhost = \"a\"\n{line}\n"))
                .map(|_| ())
                .expect_err("it cannot work");
            assert!(problem.contains(why), "{line}: {problem}");
        }
    }
}
