//! The one mail server that takes our mails (RFC 5321, submission as in RFC 6409 and RFC 8314): connect, prove, address, hand
//! over, each step with a deadline of its own. lettre speaks the protocol; here is which step it was that failed, because what
//! follows depends on it.

use base::{Millis, Secret, limits};
use lettre::Address;
use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use std::future::Future;
use std::time::Duration;
use url::Url;

/// The goodbye is a courtesy.
const QUIT_MS_MAX: u64 = 1_000;

/// How the way to the server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protection {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything is said that matters, or nothing is said.
    StartTls,
    /// None.
    Plain,
}

/// How long each step may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Until the server has greeted us, TLS and all.
    pub connect: Millis,
    /// For each command.
    pub step: Millis,
    /// For the content.
    pub content: Millis,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Millis(limits::MAIL_CONNECT_MS_MAX),
            step: Millis(limits::MAIL_STEP_MS_MAX),
            content: Millis(limits::MAIL_CONTENT_MS_MAX),
        }
    }
}

/// Where the server is and how it knows us.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    host: String,
    port: u16,
    protection: Protection,
    login: Option<(String, Secret<String>)>,
    sender: Mailbox,
    roots: Vec<Certificate>,
    /// How long each step may take.
    pub deadlines: Deadlines,
}

impl RelaySettings {
    /// Reads what an operator wrote: `smtps://host:465` (TLS from the start), `smtp://host:587` (STARTTLS, and nothing without
    /// it) or `smtp://host:25?tls=none`; a user and a password, both or neither; the sender as `Name <name@example.com>` or an
    /// address; and certificates (PEM) to trust beside the machine's.
    ///
    /// # Errors
    /// Says which of them is wrong, without quoting a secret.
    pub fn read(
        url: &str,
        (user, password): (&str, Secret<String>),
        sender: &str,
        roots: Option<&[u8]>,
    ) -> Result<Self, String> {
        let parsed = Url::parse(url).map_err(|_| "mail.url: an address such as smtps://mail.example.com is needed")?;
        let none = parsed.query() == Some("tls=none");
        let (protection, port) = match parsed.scheme() {
            "smtps" if parsed.query().is_none() => (Protection::Tls, 465),
            "smtp" if none => (Protection::Plain, 25),
            "smtp" if parsed.query().is_none() => (Protection::StartTls, 587),
            _ => return Err("mail.url: smtps://HOST, smtp://HOST or smtp://HOST?tls=none is needed".into()),
        };
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("mail.url: user and password go into mail.user and mail.password".into());
        }
        let host = parsed.host_str().filter(|host| !host.is_empty()).ok_or("mail.url: it names no host")?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let login = match (user, password.expose().is_empty()) {
            ("", true) => None,
            ("", false) => return Err("mail.user: mail.password is set, so this is needed, too".into()),
            (_, true) => return Err("mail.password: mail.user is set, so this is needed, too".into()),
            (user, false) => Some((user.to_owned(), password)),
        };
        let here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        if protection == Protection::Plain && login.is_some() && !here {
            return Err("mail.url: without TLS a password goes to this machine only".into());
        }
        let sender: Mailbox = sender
            .parse()
            .map_err(|_| "mail.sender: an address such as \"Frontdesk <calls@example.com>\" is needed".to_owned())?;
        super::read_address(sender.email.as_ref()).map_err(|_| "mail.sender: this address cannot be sent from")?;
        let roots = roots.map(Certificate::from_pem).transpose();
        let roots = roots.map_err(|_| "mail.ca_file: certificates in PEM form are needed")?.into_iter().collect();
        let port = parsed.port().unwrap_or(port);
        Ok(Self { host, port, protection, login, sender, roots, deadlines: Deadlines::default() })
    }
}

/// What became of a mail that the server has not said it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The server will never take it.
    Refused,
    /// It was not handed over; later may do.
    Later,
    /// It was handed over, and what became of it is not known.
    Unknown,
}

/// Why a mail was not delivered. Names the step and the server's code, and never quotes its text, which holds addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// What became of it.
    pub fate: Fate,
    /// At which step.
    pub step: &'static str,
    /// Why.
    pub why: String,
}

impl std::fmt::Display for Undelivered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.step, self.why)
    }
}

/// The server.
pub(super) struct Relay {
    settings: RelaySettings,
    tls: Option<TlsParameters>,
    hello: ClientId,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Relay").field(&self.place()).finish()
    }
}

impl Relay {
    pub(super) fn new(settings: RelaySettings) -> Result<Self, String> {
        let tls = match settings.protection {
            Protection::Plain => None,
            Protection::Tls | Protection::StartTls => {
                let builder = TlsParameters::builder(settings.host.clone());
                let builder =
                    settings.roots.iter().fold(builder, |builder, root| builder.add_root_certificate(root.clone()));
                Some(builder.build_rustls().map_err(|error| format!("mail.url: TLS cannot be used: {error}"))?)
            }
        };
        let hello = ClientId::Domain(settings.sender.email.domain().to_owned());
        Ok(Self { settings, tls, hello })
    }

    pub(super) const fn sender(&self) -> &Mailbox {
        &self.settings.sender
    }

    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.settings.host, self.settings.port)
    }

    pub(super) async fn check(&self) -> Result<(), Undelivered> {
        let mut connection = self.connect().await?;
        quit(&mut connection).await;
        Ok(())
    }

    /// Goes as far as the server wants the content.
    pub(super) async fn address(&self, envelope: &Envelope) -> Result<Addressed, Undelivered> {
        let Deadlines { step, content, .. } = self.settings.deadlines;
        let mut connection = self.connect().await?;
        let from = Mail::new(envelope.from().cloned(), Vec::new());
        within("sender", step, Later, connection.command(from)).await?;
        for to in envelope.to() {
            let to: Address = to.clone();
            within("recipient", step, ByCode, connection.command(Rcpt::new(to, Vec::new()))).await?;
        }
        within("data", step, ByCode, connection.command(Data)).await?;
        Ok(Addressed { connection, content })
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Undelivered> {
        let RelaySettings { host, port, protection, login, deadlines, .. } = &self.settings;
        let wrapped = self.tls.clone().filter(|_| *protection == Protection::Tls);
        let connecting = AsyncSmtpConnection::connect_tokio1((host.as_str(), *port), None, &self.hello, wrapped, None);
        let mut connection = within("connect", deadlines.connect, Later, connecting).await?;
        if let (Protection::StartTls, Some(tls)) = (protection, &self.tls) {
            if !connection.can_starttls() {
                return Err(later("starttls", "the server offers no encryption".into()));
            }
            within("starttls", deadlines.connect, Later, connection.starttls(tls.clone(), &self.hello)).await?;
        }
        if let Some((user, password)) = login {
            let known_by = Credentials::new(user.clone(), password.expose().clone());
            let ways = [Mechanism::Plain, Mechanism::Login];
            within("login", deadlines.step, Later, connection.auth(&ways, &known_by)).await?;
        }
        Ok(connection)
    }
}

/// A mail whose recipient the server has accepted.
pub(super) struct Addressed {
    connection: AsyncSmtpConnection,
    content: Millis,
}

impl Addressed {
    /// Hands the content over.
    pub(super) async fn deliver(mut self, content: &[u8]) -> Result<(), Undelivered> {
        within("content", self.content, Judge::Unknown, self.connection.message(content)).await?;
        quit(&mut self.connection).await;
        Ok(())
    }
}

async fn quit(connection: &mut AsyncSmtpConnection) {
    // What the server says to a goodbye changes nothing.
    let _ = tokio::time::timeout(Duration::from_millis(QUIT_MS_MAX), connection.quit()).await;
}

/// What a failure at a step means for the mail.
#[derive(Clone, Copy)]
enum Judge {
    /// It is ours or the server's, not this mail's: whatever it says, later may do.
    Later,
    /// The server speaks of this mail: a code of 500 or more is final.
    ByCode,
    /// The same, and without a code nobody knows.
    Unknown,
}
use Judge::{ByCode, Later};

async fn within<T>(
    step: &'static str,
    deadline: Millis,
    judge: Judge,
    work: impl Future<Output = Result<T, SmtpError>>,
) -> Result<T, Undelivered> {
    let done = tokio::time::timeout(Duration::from_millis(deadline.0), work).await;
    let (fate, why) = match done {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => judged(judge, &error),
        Err(_) => (no_answer(judge), format!("no answer within {} ms", deadline.0)),
    };
    Err(Undelivered { fate, step, why })
}

fn judged(judge: Judge, error: &SmtpError) -> (Fate, String) {
    match error.status() {
        Some(code) => {
            let is_final = error.is_permanent() && !matches!(judge, Later);
            (if is_final { Fate::Refused } else { Fate::Later }, format!("the server answered {code}"))
        }
        None if error.is_tls() => (no_answer(judge), "the server's certificate or its TLS was not accepted".into()),
        None if error.is_client() => (no_answer(judge), "the server offers no way to sign in that we know".into()),
        None if error.is_response() => (no_answer(judge), "the server broke the protocol or off".into()),
        None => (no_answer(judge), "the server cannot be reached, or the connection broke".into()),
    }
}

const fn no_answer(judge: Judge) -> Fate {
    match judge {
        Judge::Unknown => Fate::Unknown,
        Later | ByCode => Fate::Later,
    }
}

fn later(step: &'static str, why: String) -> Undelivered {
    Undelivered { fate: Fate::Later, step, why }
}
