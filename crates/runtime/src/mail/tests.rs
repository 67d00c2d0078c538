//! Mails to a real mail server (aiosmtpd) on loopback, and to one that falls silent.

use super::*;
use crate::work::{Handler as _, Outcome};
use model::people::Role;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use store::contract::desk::{Dispatch, MaySend};
use store::contract::mail::{ALERT_MAIL_JOB, MAIL_JOB};
use store::laws::{Tenant, call_of, tenant};
use store::people::NewUser;
use store::{After, Job, NewJob, SqlStore, SqliteOptions};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const SENDER: &str = "Frontdesk <calls@frontdesk.example>";
const USER: &str = "frontdesk";
const PASSWORD: &str = "correct horse";

/// A mail server in a process of its own, ended with the test.
struct Server {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u64,
    authority: Option<String>,
}

impl Server {
    async fn start(args: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let named = std::env::var_os("FRONTDESK_CONFORMANCE_PYTHON").map(std::path::PathBuf::from);
        let python = named.unwrap_or_else(|| root.join(".frontdesk/conformance/bin/python"));
        let why = "it holds the official packages, and `cargo xtask test` installs it";
        assert!(python.exists(), "{} is missing: {why}", python.display());
        let mut child = Command::new(python)
            .arg(root.join("fixtures/conformance/mail_server.py"))
            .args(args)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("it runs");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut server = Self { _child: child, lines, port: 0, authority: None };
        let said = server.next().await;
        server.port = said["port"].as_u64().expect("a port");
        server.authority = said["authority"].as_str().map(str::to_owned);
        server
    }

    /// The next mail that it took.
    async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(60), self.lines.next_line()).await.expect("in time");
        serde_json::from_str(&line.expect("text").expect("a line")).expect("JSON")
    }

    fn settings(&self, url: &str, password: &str) -> Result<RelaySettings, String> {
        let url = url.replace("PORT", &self.port.to_string());
        let user = if password.is_empty() { "" } else { USER };
        let roots = self.authority.as_ref().map(String::as_bytes);
        RelaySettings::read(&url, (user, password.into()), SENDER, roots)
    }

    fn mailer(&self, url: &str, password: &str) -> Mailer {
        egress::install_crypto();
        Mailer::new(self.settings(url, password).expect("settings"), "https://desk.example/").expect("a mailer")
    }
}

/// A business, and the workers of its mails.
struct Office {
    _folder: tempfile::TempDir,
    store: Arc<dyn Store>,
    shop: Tenant,
}

impl Office {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqlStore::open(SqliteOptions::new(folder.path().join("a.db"))).await.expect("a store");
        let shop = tenant(&store, "shop", "+49405550170").await;
        Self { _folder: folder, store: Arc::new(store), shop }
    }

    async fn named(&self, name: &str, email: &str) {
        let known = self.store.profile(&self.shop.scope).await.expect("a profile");
        let business = Business { name: name.into(), ..known.business };
        let profile = model::business::Profile { email: Some(email.into()), ..known.profile };
        self.store.put_profile(&self.shop.scope, &business, &profile, None).await.expect("named");
    }

    async fn sender(&self, language: Option<&str>) -> Sender {
        Sender::of(self.store.as_ref(), &self.shop.scope, language).await.expect("a business")
    }

    /// Does the jobs of a kind that are due, and answers what became of each.
    async fn work(&self, kind: &str, mailer: Option<&Mailer>) -> Vec<Outcome> {
        let (store, mailer) = (Arc::clone(&self.store), mailer.cloned());
        let now_ms = store.now_ms().await.expect("a clock") + 60 * 60 * 1_000;
        let mut outcomes = Vec::new();
        for job in store.claim(kind, 10, 60_000, now_ms).await.expect("jobs") {
            let outcome = if kind == MAIL_JOB {
                MailWorker { store: Arc::clone(&store), mailer: mailer.clone() }.run(&job).await
            } else {
                AlertMails { store: Arc::clone(&store), mailer: mailer.clone() }.run(&job).await
            };
            self.note(&job, &outcome).await;
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn note(&self, job: &Job, outcome: &Outcome) {
        let noted = match outcome {
            Outcome::Done => self.store.complete(job).await,
            Outcome::Dead(why) => self.store.fail(job, why, After::Dead, 0).await,
            Outcome::Retry(why) => self.store.fail(job, why, After::Retry(0), 0).await,
            Outcome::Again(at_ms) => self.store.fail(job, "", After::Again(*at_ms), 0).await,
        };
        assert_eq!(noted, Ok(true));
    }

    /// A message of an agent in a call of its own, as the tool writes it down.
    async fn message(&self, mailer: &Mailer, to: &str) -> (base::CallId, Uuid) {
        let call = call_of(&self.shop, 1);
        self.store.create_call(&self.shop.scope, &call).await.expect("a call");
        let dispatch = Dispatch {
            id: Uuid::now_v7(),
            key: call.id.to_string(),
            channel: "email",
            recipient: Pii::new(to.to_owned()),
            call: call.id,
            at_ms: crate::wall_ms(),
            per_call_max: 2,
            per_day_max: 5,
        };
        assert_eq!(self.store.intend_dispatch(&self.shop.scope, &dispatch).await, Ok(MaySend::Yes));
        let letter = Letter { purpose: MailPurpose::Message, dispatch: Some(dispatch.id), ..plain(to) };
        let mail = mailer.post(self.store.as_ref(), &self.shop.scope, letter).await.expect("posted");
        (call.id, mail)
    }

    async fn state(&self, call: base::CallId) -> String {
        let sent = self.store.dispatches(&self.shop.scope, call).await.expect("messages");
        sent.into_iter().map(|one| one.state).collect::<Vec<_>>().join(", ")
    }

    async fn waits(&self, mail: Uuid) -> bool {
        self.store.mail(&self.shop.scope, mail).await.is_ok()
    }
}

use model::business::Business;

fn plain(to: &str) -> Letter {
    Letter {
        purpose: MailPurpose::PasswordReset,
        to: Pii::new(to.to_owned()),
        subject: Pii::new("Hello".into()),
        text: Secret::new("Some words.".into()),
        tongue: Tongue::English,
        dispatch: None,
    }
}

#[tokio::test]
async fn an_invitation_reaches_its_one_recipient_from_the_business_by_name() {
    let (office, mut server) = (Office::open().await, Server::start(&["plain"]).await);
    office.named("Café Grün", "hello@shop.example").await;
    let mailer = server.mailer("smtp://localhost:PORT?tls=none", "");
    let link = mailer.link("invitation", &Secret::new("fdo_secret".into()));
    assert_eq!(link.expose(), "https://desk.example/invitation#token=fdo_secret");
    let to = Pii::new("noor@people.example".to_owned());
    let letter = invitation(&office.sender(None).await, &to, Role::Operator, &link, 1_800_000_000_000);
    let mail = mailer.post(office.store.as_ref(), &office.shop.scope, letter).await.expect("posted");
    assert_eq!(office.work(MAIL_JOB, Some(&mailer)).await, [Outcome::Done]);
    let got = server.next().await;
    assert_eq!((&got["from"], &got["to"]), (&json!("calls@frontdesk.example"), &json!(["noor@people.example"])));
    let headers = &got["headers"];
    assert_eq!(headers["from"], "Café Grün <calls@frontdesk.example>");
    assert_eq!((&headers["to"], &headers["reply-to"]), (&json!("noor@people.example"), &json!("hello@shop.example")));
    assert_eq!(headers["subject"], "You are invited to Café Grün");
    assert_eq!(headers["message-id"], format!("<{mail}@frontdesk.example>"));
    assert_eq!(headers["auto-submitted"], "auto-generated");
    let text = got["text"].as_str().expect("text");
    assert!(text.contains("as operator") && text.contains(link.expose()), "{text}");
    assert!(text.contains("15 January 2027, 08:00"), "{text}");
    let html = got["html"].as_str().expect("HTML");
    assert!(html.contains("Café Grün") && html.contains("href=\"https://desk.example/invitation#token="), "{html}");
    assert!(got["lines_max"].as_u64().is_some_and(|longest| longest <= 998), "RFC 5322, 2.1.1");
    assert!(!office.waits(mail).await, "what has gone is not kept");
}

#[tokio::test]
async fn a_mail_speaks_the_language_of_whom_it_is_for_under_the_name_and_colour_of_the_business() {
    let (office, mut server) = (Office::open().await, Server::start(&["plain"]).await);
    let looks = model::branding::Branding {
        name: Some("Leaf Voice".into()),
        primary_color: Some("#7c2d12".into()),
        ..model::branding::Branding::default()
    };
    office.store.put_branding(&office.shop.scope, &looks, None).await.expect("set");
    let mailer = server.mailer("smtp://localhost:PORT?tls=none", "");
    let link = mailer.link("reset", &Secret::new("fdo_secret".into()));
    let to = Pii::new("noor@people.example".to_owned());
    let letter = password_reset(&office.sender(Some("hi-IN")).await, &to, &link, 1_800_000_000_000);
    mailer.post(office.store.as_ref(), &office.shop.scope, letter).await.expect("posted");
    assert_eq!(office.work(MAIL_JOB, Some(&mailer)).await, [Outcome::Done]);
    let got = server.next().await;
    assert!(got["headers"]["subject"].as_str().is_some_and(|subject| subject.contains("नया पासवर्ड")), "{got}");
    let (text, html) = (got["text"].as_str().expect("text"), got["html"].as_str().expect("HTML"));
    assert!(text.contains("Leaf Voice") && text.contains(link.expose()) && !text.contains("Frontdesk"), "{text}");
    assert!(html.contains("lang=\"hi\"") && html.contains("#7c2d12") && html.contains("Leaf Voice"), "{html}");
}

#[tokio::test]
async fn a_message_of_an_agent_is_text_alone() {
    let (office, mut server) = (Office::open().await, Server::start(&["plain"]).await);
    let mailer = server.mailer("smtp://localhost:PORT?tls=none", "");
    office.message(&mailer, "mira@example.com").await;
    assert_eq!(office.work(MAIL_JOB, Some(&mailer)).await, [Outcome::Done]);
    let got = server.next().await;
    assert_eq!((got["text"].as_str().map(str::trim), &got["html"]), (Some("Some words."), &Value::Null));
}

#[tokio::test]
async fn a_name_or_a_subject_with_line_breaks_adds_no_header_and_no_recipient() {
    let (office, mut server) = (Office::open().await, Server::start(&["plain"]).await);
    office.named("Shop\r\nBcc: thief@evil.example", "x@shop.example\r\nBcc: thief@evil.example").await;
    let mailer = server.mailer("smtp://localhost:PORT?tls=none", "");
    let letter = Letter {
        subject: Pii::new("Hello\r\nBcc: thief@evil.example\r\n\r\nOther text".into()),
        text: Secret::new("One.\r\n.\r\nMAIL FROM:<x@evil.example>\r\n".into()),
        ..plain("mira@example.com")
    };
    mailer.post(office.store.as_ref(), &office.shop.scope, letter).await.expect("posted");
    assert_eq!(office.work(MAIL_JOB, Some(&mailer)).await, [Outcome::Done]);
    let got = server.next().await;
    assert_eq!(got["to"], json!(["mira@example.com"]));
    let headers = got["headers"].as_object().expect("headers");
    assert!(!headers.contains_key("bcc") && !headers.contains_key("reply-to"), "{headers:?}");
    assert_eq!(headers["subject"], "Hello Bcc: thief@evil.example Other text");
    assert!(got["text"].as_str().is_some_and(|text| text.contains("MAIL FROM:<x@evil.example>")), "{got}");
}

#[test]
fn nothing_that_could_be_more_than_one_address_is_one() {
    for good in ["mira@example.com", " mira@example.com ", "a.b+c_d@sub.example.co.uk", "o'neil@example.com"] {
        assert!(read_address(good).is_ok(), "{good}");
    }
    let long = format!("{}@example.com", "a".repeat(250));
    for bad in [
        "",
        "mira",
        "@example.com",
        "mira@",
        "mira@localhost",
        "a@example.com,b@example.com",
        "a@example.com;b@example.com",
        "a@example.com b@example.com",
        "a@example.com\r\nRCPT TO:<b@example.com>",
        "a@example.com\nBcc: b@example.com",
        "Mira <a@example.com>",
        "\"a b\"@example.com",
        "a@b@example.com",
        "a@example.com\0",
        "mirá@example.com",
        "a@[127.0.0.1]",
        long.as_str(),
    ] {
        assert!(read_address(bad).is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn a_password_goes_over_tls_to_a_server_that_proves_who_it_is_and_nowhere_else() {
    for (way, url) in [("starttls", "smtp://localhost:PORT"), ("tls", "smtps://localhost:PORT")] {
        let (office, mut server) = (Office::open().await, Server::start(&[way, USER, PASSWORD]).await);
        let mailer = server.mailer(url, PASSWORD);
        assert_eq!(mailer.check().await, Ok(()), "{way}");
        mailer.post(office.store.as_ref(), &office.shop.scope, plain("mira@example.com")).await.expect("posted");
        assert_eq!(office.work(MAIL_JOB, Some(&mailer)).await, [Outcome::Done], "{way}");
        let got = server.next().await;
        assert_eq!((&got["encrypted"], &got["to"]), (&json!(true), &json!(["mira@example.com"])), "{way}");
        let wrong = server.mailer(url, "wrong").check().await.expect_err("a wrong password");
        assert_eq!((wrong.fate, wrong.step), (Fate::Later, "login"), "{wrong}");
        assert!(!wrong.to_string().contains("wrong"), "{wrong}");
        server.authority = None;
        let stranger = server.mailer(url, PASSWORD).check().await.expect_err("an unknown authority");
        assert!(matches!(stranger.step, "connect" | "starttls") && stranger.fate == Fate::Later, "{stranger}");
    }
    let open = Server::start(&["plain"]).await;
    let refused = open.mailer("smtp://localhost:PORT", PASSWORD).check().await.expect_err("no encryption");
    assert_eq!((refused.step, refused.fate), ("starttls", Fate::Later), "nothing is said in the clear");
}

#[tokio::test]
async fn who_is_refused_is_not_asked_again_and_who_has_to_wait_is() {
    let (office, mut server) = (Office::open().await, Server::start(&["plain"]).await);
    let mailer = server.mailer("smtp://localhost:PORT?tls=none", "");
    let (call, gone) = office.message(&mailer, "nobody@example.com").await;
    let outcomes = office.work(MAIL_JOB, Some(&mailer)).await;
    assert!(
        matches!(&outcomes[..], [Outcome::Dead(why)] if why == "recipient: the server answered 550"),
        "{outcomes:?}"
    );
    assert_eq!((office.state(call).await.as_str(), office.waits(gone).await), ("refused", false));
    let scope = &office.shop.scope;
    let later = mailer.post(office.store.as_ref(), scope, plain("later@example.com")).await.expect("posted");
    let outcomes = office.work(MAIL_JOB, Some(&mailer)).await;
    assert!(matches!(&outcomes[..], [Outcome::Retry(why)] if why.contains("451")), "{outcomes:?}");
    assert!(office.waits(later).await);
    assert_eq!(office.work(MAIL_JOB, None).await, [Outcome::Retry("this node knows no mail server".into())]);
    assert_eq!(office.work(MAIL_JOB, Some(&mailer)).await, [Outcome::Done]);
    let got = server.next().await;
    assert_eq!(got["headers"]["message-id"], format!("<{later}@frontdesk.example>"), "the same at each attempt");
}

/// A server that says all the right things until it comes to a step, and then nothing more.
async fn silent_at(step: &'static str) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, step));
        }
    });
    port
}

async fn converse(stream: tokio::net::TcpStream, silent: &'static str) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    if silent != "connect" {
        write.write_all(b"220 here\r\n").await.expect("said");
    }
    let mut is_content = false;
    while let Ok(Some(line)) = lines.next_line().await {
        let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let (step, answer) = match word.as_str() {
            _ if is_content && line == "." => {
                is_content = false;
                ("content", "250 OK")
            }
            _ if is_content => continue,
            "EHLO" => ("connect", "250 here"),
            "MAIL" => ("sender", "250 OK"),
            "RCPT" => ("recipient", "250 OK"),
            "DATA" => ("data", "354 go on"),
            _ => ("quit", "221 bye"),
        };
        if step == silent {
            // It stays connected, and says nothing.
            std::future::pending::<()>().await;
        }
        is_content |= step == "data";
        write.write_all(format!("{answer}\r\n").as_bytes()).await.expect("said");
    }
}

async fn stalling(step: &'static str) -> Mailer {
    egress::install_crypto();
    let url = format!("smtp://127.0.0.1:{}?tls=none", silent_at(step).await);
    let mut settings = RelaySettings::read(&url, ("", Secret::default()), SENDER, None).expect("settings");
    let short = base::Millis(300);
    settings.deadlines = Deadlines { connect: short, step: short, content: short };
    Mailer::new(settings, "https://desk.example").expect("a mailer")
}

#[tokio::test]
async fn a_server_that_falls_silent_at_any_step_holds_nobody_up() {
    for step in ["connect", "sender", "recipient", "data", "content"] {
        let (office, mailer) = (Office::open().await, stalling(step).await);
        mailer.post(office.store.as_ref(), &office.shop.scope, plain("mira@example.com")).await.expect("posted");
        let working = office.work(MAIL_JOB, Some(&mailer));
        let outcomes = tokio::time::timeout(Duration::from_secs(20), working).await.expect("in time");
        let why = format!("{step}: no answer within 300 ms");
        assert_eq!(outcomes, [Outcome::Retry(why)]);
    }
}

#[tokio::test]
async fn a_message_of_an_agent_that_a_server_may_have_is_never_sent_again() {
    let (office, mailer) = (Office::open().await, stalling("content").await);
    let (call, mail) = office.message(&mailer, "mira@example.com").await;
    assert_eq!(office.state(call).await, "intended");
    let outcomes = office.work(MAIL_JOB, Some(&mailer)).await;
    assert!(matches!(&outcomes[..], [Outcome::Dead(_)]), "{outcomes:?}");
    assert_eq!((office.state(call).await.as_str(), office.waits(mail).await), ("unknown", false));
    // The same when the worker died in between: all that is left is the note that it had begun.
    let office = Office::open().await;
    let (call, mail) = office.message(&mailer, "mira@example.com").await;
    office.store.begin_mail(&office.shop.scope, mail, 1).await.expect("noted");
    let mut server = Server::start(&["plain"]).await;
    let mailer = server.mailer("smtp://localhost:PORT?tls=none", "");
    let outcomes = office.work(MAIL_JOB, Some(&mailer)).await;
    assert!(matches!(&outcomes[..], [Outcome::Dead(_)]), "{outcomes:?}");
    assert_eq!(office.state(call).await, "unknown");
    // And one that reached no server is sent later.
    let office = Office::open().await;
    let waiting = stalling("recipient").await;
    let (call, _) = office.message(&waiting, "mira@example.com").await;
    assert!(matches!(&office.work(MAIL_JOB, Some(&waiting)).await[..], [Outcome::Retry(_)]));
    assert_eq!(office.state(call).await, "intended");
    assert_eq!(office.work(MAIL_JOB, Some(&mailer)).await, [Outcome::Done]);
    assert_eq!(
        (office.state(call).await.as_str(), server.next().await["to"][0].as_str()),
        ("sent", Some("mira@example.com"))
    );
}

#[tokio::test]
async fn every_owner_is_told_once_how_much_of_the_plan_is_used() {
    let (office, mut server) = (Office::open().await, Server::start(&["plain"]).await);
    let mailer = server.mailer("smtp://localhost:PORT?tls=none", "");
    let scope = &office.shop.scope;
    for (name, role) in [("one", Role::Owner), ("two", Role::Owner), ("three", Role::Operator)] {
        let user = NewUser {
            id: base::UserId::generate(),
            email: format!("{name}@people.example").into(),
            name: name.to_owned().into(),
            role,
            password_hash: None,
            verified: true,
        };
        office.store.create_user(scope, &user, 1).await.expect("a person");
    }
    let facts = model::plan::AlertFacts {
        metric: "calls_month".into(),
        percent: 80,
        used: 80,
        limit: 100,
        month: "2026-11".into(),
    };
    let payload = serde_json::to_value(&facts).expect("JSON");
    let job = NewJob { business: Some(scope.business), ..NewJob::now(ALERT_MAIL_JOB, payload, 1) };
    // Done twice, as after a worker's death: each owner still gets one mail.
    office.store.enqueue(&job, 1).await.expect("asked");
    let claimed = office.store.claim(ALERT_MAIL_JOB, 1, 1, 1).await.expect("a job").remove(0);
    let alerts = AlertMails { store: Arc::clone(&office.store), mailer: Some(mailer.clone()) };
    assert_eq!(alerts.run(&claimed).await, Outcome::Done);
    assert_eq!(office.work(ALERT_MAIL_JOB, Some(&mailer)).await, [Outcome::Done]);
    assert_eq!(office.work(MAIL_JOB, Some(&mailer)).await, [Outcome::Done, Outcome::Done]);
    let mut to = Vec::new();
    for _ in 0..2 {
        let got = server.next().await;
        to.push(got["to"][0].as_str().unwrap_or_default().to_owned());
        assert!(
            got["headers"]["subject"].as_str().is_some_and(|text| text.contains("80 % of this month's calls")),
            "{got}"
        );
        assert!(got["text"].as_str().is_some_and(|text| text.contains("80 of the 100 calls")), "{got}");
    }
    to.sort_unstable();
    assert_eq!(to, ["one@people.example", "two@people.example"]);
}
