//! Whole calls in which the agent leaves something behind: a ticket, a message, digits that were typed. What the caller hears,
//! what is kept, and what happens when it fails or is not allowed.

use base::{AgentId, BusinessId, CallId, CustomerId, PhoneNumber, Pii, Secret, TurnId};
use carriers::loopback::{CallerEvent, LoopbackCaller};
use carriers::protocol::{
    Answer, Authenticity, CallAction, CannotDo, Capability, CarrierControl, DialAttempt, DialReply, Inbound,
    InboundCall, StatusReport, TextMessage, Way,
};
use egress::{Egress, EgressConfig, Policy};
use engine::io::DeskInput;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use model::agent::{Agent, BrainChoice, Handoff, HandoffMode, Lines};
use model::business::{Business, Number, TenantScope};
use model::customer::Customer;
use model::hours::{AgentHours, Closed, Hours, HoursRoute, Outside, Overflow};
use model::journal::{Entry, QueueOutcome, Record};
use model::live::{LiveEvent, LiveKind, NamedValue, Understood};
use model::seed::SeedAgent;
use model::ticket::TicketPriority;
use model::tool::{Channel, Parameter, ParameterKind, ToolAction, ToolSpec};
use providers::ProviderOptions;
use runtime::documents::understood_in;
use runtime::drivers::{HttpBrain, StreamStt, StreamTts};
use runtime::mail::{Mailer, RelaySettings};
use runtime::service::Understanding;
use runtime::socket::{ChannelPeer, ChannelSocket, Incoming};
use runtime::{Node, NodeSettings, PlaceRequest, Services};
use serde_json::{Value, json};
use sim::twins::openai::{self, Reply, Rule};
use sim::twins::{deepgram, elevenlabs};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::contract::desk::TicketFilter;
use store::contract::lines::{LineFilter, LineRow};
use store::contract::mail::MAIL_JOB;
use store::{SqlStore, SqliteOptions, Store};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

const CALLER: &str = "+4915735550123";
const OURS: &str = "+49405550170";
const ADDRESS: &str = "mira@example.com";
/// How fast the twin's voice speaks, so that a test does not take long.
const CHAR_MS: usize = 10;

/// A phone platform that is only a line to this process, and sends text messages through the API of a real platform's form.
struct Platform {
    messages: Arc<dyn CarrierControl>,
}

impl CarrierControl for Platform {
    fn name(&self) -> &'static str {
        "loopback"
    }
    fn authenticate(&self, _: &Inbound<'_>) -> Authenticity {
        Authenticity::Genuine { replay_key: None }
    }
    fn inbound_call(&self, request: &Inbound<'_>) -> Result<InboundCall, base::Failure> {
        let from = Some(Pii::new(CALLER.to_owned()));
        let carrier_ref = String::from_utf8_lossy(request.body).into_owned();
        Ok(InboundCall { carrier_ref, from, to: OURS.parse().ok(), ..InboundCall::default() })
    }
    fn answer(&self, _: &InboundCall, answer: &Answer) -> carriers::protocol::Reply {
        let body = match answer {
            Answer::Connect { token, .. } => token.clone(),
            other => panic!("not connected: {other:?}"),
        };
        carriers::protocol::Reply::new(200, "text/plain", body)
    }
    fn status(&self, _: &Inbound<'_>) -> Result<Option<StatusReport>, base::Failure> {
        Ok(None)
    }
    fn dial(&self, _: &DialAttempt) -> Result<base::wire::HttpRequest, CannotDo> {
        Err(CannotDo::at_all(Capability::Place))
    }
    fn dial_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        self.messages.dial_reply(answer)
    }
    fn text_message(&self, message: &TextMessage<'_>) -> Result<base::wire::HttpRequest, CannotDo> {
        self.messages.text_message(message)
    }
    fn text_message_reply(&self, answer: Option<(u16, &[u8])>) -> DialReply {
        self.messages.text_message_reply(answer)
    }
    fn act(&self, _: &str, _: CallAction<'_>, _: i64) -> Result<Way, CannotDo> {
        Ok(Way::NextAnswer)
    }
    fn act_reply(&self, _: CallAction<'_>, _: Option<(u16, &[u8])>) -> Result<(), base::Failure> {
        Ok(())
    }
}

/// Takes text messages, answers with a status, and keeps what it was asked.
async fn messages(status: u16) -> (String, Arc<Mutex<Vec<String>>>) {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", socket.local_addr().expect("an address"));
    let kept: Arc<Mutex<Vec<String>>> = Arc::default();
    let taken = Arc::clone(&kept);
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let taken = Arc::clone(&taken);
            let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let taken = Arc::clone(&taken);
                async move {
                    let path = request.uri().path().to_owned();
                    let body = request.into_body().collect().await?.to_bytes();
                    taken.lock().expect("whole").push(format!("{path} {}", String::from_utf8_lossy(&body)));
                    let answer = hyper::Response::builder().status(status);
                    let body = r#"{"sid": "SM1", "code": 21610, "message": "no"}"#;
                    Ok::<_, hyper::Error>(answer.body(Full::<bytes::Bytes>::from(body)).expect("an answer"))
                }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    (url, kept)
}

fn platform(api: &str) -> Arc<dyn CarrierControl> {
    let configured = |key: &str| match key {
        "account_sid" => Some(format!("AC{:032x}", 1)),
        "auth_token" => Some("token".to_owned()),
        "base_url" => Some(api.to_owned()),
        _ => None,
    };
    let descriptor = carriers::registry::descriptor("twilio").expect("it is listed");
    let settings = carriers::registry::Settings { configured: &|key| configured(key).map(Into::into), env: &|_| None };
    let messages = (descriptor.control)(&settings).expect("settings that fit").expect("a control");
    Arc::new(Platform { messages })
}

fn spec(name: &str, action: ToolAction) -> ToolSpec {
    ToolSpec {
        name: name.into(),
        description: format!("The tool {name}."),
        parameters: Vec::new(),
        action,
        changes_state: false,
        confirm: None,
        say_done: None,
        examples: Vec::new(),
        must_hold: Vec::new(),
    }
}

fn parameter(name: &str, kind: ParameterKind) -> Parameter {
    Parameter { name: name.into(), description: format!("The {name}."), kind, required: true, ask: None }
}

fn message(name: &str, channel: Channel, to: Option<&str>) -> ToolSpec {
    let subject = (channel == Channel::Email).then(|| "Your link, {what}".to_owned());
    let action = ToolAction::SendMessage {
        channel,
        to: to.map(str::to_owned),
        subject,
        text: "Here is the link to {what}: https://shop.example/x".into(),
        per_call_max: 1,
        per_day_max: 5,
    };
    let mut parameters = vec![parameter("what", ParameterKind::Text)];
    parameters.extend(to.map(|to| parameter(to, ParameterKind::Text)));
    ToolSpec { parameters, changes_state: true, confirm: Some("Shall I send it?".into()), ..spec(name, action) }
}

fn tools() -> Vec<ToolSpec> {
    let texts = vec![parameter("subject", ParameterKind::Text), parameter("text", ParameterKind::Text)];
    let ticket = spec("raise_ticket", ToolAction::CreateTicket { priority: TicketPriority::High });
    let card = spec("card", ToolAction::CollectDigits { digits_max: 4 });
    vec![
        ToolSpec { parameters: texts, ..ticket },
        message("mail_link", Channel::Email, None),
        message("mail_link_to", Channel::Email, Some("address")),
        message("text_link", Channel::Sms, None),
        spec("person", ToolAction::Handoff),
        ToolSpec { parameters: vec![parameter("digits", ParameterKind::Pattern { regex: r"\d{4}".into() })], ..card },
    ]
}

/// What the model says and asks for.
fn rules() -> Vec<Rule> {
    let what = json!({"what": "the lamp"});
    let ticket = json!({"subject": "A broken lamp", "text": "It flickers since Monday."});
    let to = |address: &str| json!({"what": "the lamp", "address": address});
    vec![
        Rule::on_user("to a person", Reply::calls("person", json!({"brief": "Her lamp flickers."}))),
        Rule::on_user("rent a bike", Reply::says("We rent bikes.")),
        Rule::on_user("lamp is broken", Reply::calls("raise_ticket", ticket)),
        Rule::on_tool("raise_ticket", Reply::says("I wrote it down: {result}")),
        Rule::on_user("mail me the lamp", Reply::calls("mail_link", what.clone())),
        Rule::on_tool("mail_link", Reply::says("The mail: {result}")),
        Rule::on_user("mail the lamp to mira", Reply::calls("mail_link_to", to(ADDRESS))),
        Rule::on_user("mail the lamp to my wife", Reply::calls("mail_link_to", to("thief@evil.example"))),
        Rule::on_tool("mail_link_to", Reply::says("Your mail: {result}")),
        Rule::on_user("text me the lamp", Reply::calls("text_link", what)),
        Rule::on_tool("text_link", Reply::says("The text: {result}")),
        Rule::on_user("check my card", Reply::calls("card", json!({}))),
        Rule::on_user("4821", Reply::calls("card", json!({"digits": "4821"}))),
        Rule::on_tool("card", Reply::says("Your card: {result}")),
    ]
}

fn agent(id: AgentId, business: BusinessId) -> Agent {
    let seed = SeedAgent {
        slug: "robin".into(),
        name: "Robin".into(),
        business_name: "Brightleaf".into(),
        persona: "You are Robin.".into(),
        language: "en".into(),
        brain: BrainChoice::Llm { provider: None, model: None },
        voice: None,
        providers: Default::default(),
        lines: Lines { greeting: "Hello.".into(), ..Lines::default() },
        timing: Default::default(),
        turns: Default::default(),
        sound: Default::default(),
        outbound: Default::default(),
        tools: tools(),
        handoff_to: None,
        handoff: Handoff { mode: HandoffMode::Queue, ..Handoff::default() },
        hours: None,
        guardrails: Default::default(),
        record: false,
        flow: None,
    };
    seed.agent(id, business)
}

/// A business with one agent whose providers are twins.
struct Shop {
    _dir: tempfile::TempDir,
    _twins: Vec<sim::twins::Twin>,
    node: Node,
    store: Arc<dyn Store>,
    scope: TenantScope,
}

impl Shop {
    async fn open(mailer: Option<Mailer>, api: &str) -> Self {
        egress::install_crypto();
        let dir = tempfile::tempdir().expect("a folder");
        let egress = Arc::new(Egress::new(EgressConfig::new(Policy::Operator)));
        let store = SqlStore::open(SqliteOptions::new(dir.path().join("frontdesk.db"))).await.expect("a database");
        let store: Arc<dyn Store> = Arc::new(store);
        let (business, id) = (BusinessId::generate(), AgentId::generate());
        let scope = TenantScope { business };
        let row = Business { id: business, slug: "shop".into(), name: "Brightleaf".into(), time_zone: "UTC".into() };
        store.put_business(&scope, &row).await.expect("a business");
        store.put_agent(&scope, &agent(id, business), None).await.expect("an agent");
        let number = OURS.parse().expect("a number");
        let number = Number { id: base::NumberId::generate(), business, number, carrier: "loopback".into(), agent: id };
        store.put_number(&scope, &number).await.expect("a number");
        let (services, twins) = services(&egress, mailer).await;
        let settings = NodeSettings {
            public_url: None,
            recordings_dir: dir.path().to_owned(),
            calls_max: 4,
            inbound_reserve: 0,
            record: false,
            record_inputs: false,
            budgets: Default::default(),
        };
        let controls = BTreeMap::from([("loopback".to_owned(), platform(api))]);
        let node = Node::new(settings, Arc::clone(&store), services, egress, controls);
        Self { _dir: dir, _twins: twins, node, store, scope }
    }

    async fn knows(&self, email: &str) {
        let customer = Customer {
            id: CustomerId::generate(),
            business: self.scope.business,
            phone: CALLER.parse().ok(),
            email: Some(Pii::new(email.to_owned())),
            name: None,
            language: None,
            tags: Default::default(),
            attributes: Default::default(),
            notes: None,
            created_at_ms: 1,
            updated_at_ms: 1,
        };
        self.store.create_customer(&self.scope, &customer).await.expect("a customer");
    }

    async fn route(&self, change: impl FnOnce(&mut LineRow)) {
        let lines = self.store.lines(&self.scope, LineFilter::default(), None, 1).await.expect("lines");
        let mut line = lines.into_iter().next().expect("a line");
        change(&mut line);
        self.store.update_line(&self.scope, &line, None).await.expect("changed");
    }

    /// What somebody is answered who calls over a line of the process.
    async fn rings(&self, at: u32) -> Answer {
        let inbound =
            InboundCall { carrier_ref: format!("call-{at}"), to: OURS.parse().ok(), ..InboundCall::default() };
        self.node.line_rings("loopback", inbound).await
    }

    /// A call in which the caller says these things, each when the agent has said what stands before it, and hangs up when it
    /// has said the last words.
    async fn call(&self, steps: &[(&'static str, Act)], last: &'static str) -> Talk {
        let call = CallId::generate().to_string();
        let body = call.as_bytes();
        let request = Inbound { method: "POST", url: "http://here/voice", headers: &[], body, received_at_ms: 1 };
        let reply = self.node.voice_webhook("loopback", &request, "http://here").await.expect("an answer");
        let (socket, peer) = ChannelSocket::pair();
        let mut line = Line {
            caller: LoopbackCaller::announced(&reply.body, &call),
            peer,
            began: Instant::now(),
            said: String::new(),
            listens: false,
        };
        line.exchange().await;
        let protocol = carriers::registry::media("loopback").expect("listed");
        let id = self.node.attach("loopback", None, protocol, Box::new(socket)).await.expect("taken");
        let talk = line.talk(steps.iter().copied().collect(), last);
        if timeout(Duration::from_secs(60), talk).await.is_err() {
            let records = self.store.journal(&self.scope, id).await.expect("a journal");
            panic!("the call does not come to its end: {:#?}", Talk { id, records }.heard());
        }
        let records = timeout(Duration::from_secs(20), self.journal(id)).await.expect("written");
        Talk { id, records }
    }

    async fn journal(&self, call: CallId) -> Vec<Record> {
        loop {
            let records = self.store.journal(&self.scope, call).await.expect("a journal");
            if records.iter().any(|record| matches!(record.entry, Entry::Ended { .. })) {
                return records;
            }
            tokio::task::yield_now().await;
        }
    }

    /// The messages of a call: how, to whom, and what became of them.
    async fn sent(&self, call: CallId) -> Vec<(String, String, String)> {
        let sent = self.store.dispatches(&self.scope, call).await.expect("messages");
        sent.into_iter().map(|one| (one.channel, one.recipient.into_inner(), one.state)).collect()
    }

    /// The mails that wait: whom to, about what, what they say.
    async fn mails(&self) -> Vec<(String, String, String)> {
        let now_ms = self.store.now_ms().await.expect("a clock");
        let mut mails = Vec::new();
        for job in self.store.claim(MAIL_JOB, 10, 1_000, now_ms).await.expect("jobs") {
            let id = job.payload["mail"].as_str().and_then(|id| id.parse().ok()).expect("a mail");
            let (mail, _) = self.store.mail(&self.scope, id).await.expect("it waits");
            mails.push((mail.to.into_inner(), mail.subject.into_inner(), mail.text.expose().clone()));
        }
        mails
    }
}

async fn services(egress: &Arc<Egress>, mailer: Option<Mailer>) -> (Services, Vec<sim::twins::Twin>) {
    let voice: elevenlabs::Voice = Arc::new(|text, rate_hz| {
        let tone = elevenlabs::tone(text, rate_hz);
        let per_char = (tone.len() / text.chars().count().max(1)).max(1);
        let kept = per_char * CHAR_MS / elevenlabs::CHAR_MS as usize;
        tone.chunks(per_char).flat_map(|char| &char[..kept.min(char.len())]).copied().collect()
    });
    let nothing: [&str; 0] = [];
    let stt = deepgram::start(deepgram::Behaviour::script(nothing)).await.expect("a recogniser");
    let llm = openai::start(openai::Behaviour { rules: rules(), ..Default::default() }).await.expect("a model");
    let tts = elevenlabs::start(elevenlabs::Behaviour { voice, ..Default::default() }).await.expect("a voice");
    let options = |twin: &sim::twins::Twin| ProviderOptions {
        api_key: Some(twin.key.clone().into()),
        base_url: Some(twin.base_url.clone()),
        ..ProviderOptions::default()
    };
    let hears = providers::stt::PROVIDERS.open("deepgram", &options(&stt)).expect("usable");
    let thinks = providers::llm::PROVIDERS.open("openai", &options(&llm)).expect("usable");
    let speaks = providers::tts::PROVIDERS.open("elevenlabs", &options(&tts)).expect("usable");
    let services = Services {
        stt: vec![Arc::new(StreamStt::new("ears", Arc::new(move || hears.protocol()), Arc::clone(egress)))],
        brains: vec![Arc::new(HttpBrain::new("brain", Arc::new(move || thinks.protocol()), Arc::clone(egress)))],
        tts: vec![Arc::new(StreamTts::new("voice", Arc::new(move || speaks.protocol()), Arc::clone(egress)))],
        mailer,
        understanding: Some(Arc::new(Taught)),
        ..Services::default()
    };
    (services, vec![stt, llm, tts])
}

/// An agent that was taught what somebody says who wants to rent something.
struct Taught;

impl Understanding for Taught {
    fn understand(
        &self,
        _: TenantScope,
        _: AgentId,
        turn: TurnId,
        text: Pii<String>,
    ) -> BoxFuture<'static, Option<Understood>> {
        let entities = vec![NamedValue { entity: "bike".into(), value: "bike".to_owned().into() }];
        let rent = Understood { turn, intent: Some("rent".into()), probability: 0.9, entities, training: 3 };
        Box::pin(std::future::ready(text.expose().contains("rent a bike").then_some(rent)))
    }
}

/// What a caller does.
#[derive(Clone, Copy)]
enum Act {
    Says(&'static str),
    Presses(&'static str),
}
use Act::{Presses, Says};

struct Line {
    caller: LoopbackCaller,
    peer: ChannelPeer,
    began: Instant,
    said: String,
    listens: bool,
}

impl Line {
    async fn exchange(&mut self) {
        let mut out = Vec::new();
        self.caller.advance(self.began.elapsed().as_millis() as u64, &mut out);
        for wire in out {
            let message = match wire {
                base::wire::Wire::Text(text) => Incoming::Text(text.into()),
                base::wire::Wire::Binary(bytes) => Incoming::Binary(bytes.into()),
                _ => continue,
            };
            let _ = self.peer.to_host.send(message).await; // The host may have hung up.
        }
        for event in self.caller.take_events() {
            let CallerEvent::Live(json) = event else { continue };
            let event: LiveEvent = serde_json::from_str(&json).expect("a live event");
            match event.kind {
                LiveKind::Phase { phase } => {
                    self.listens = matches!(phase.as_str(), "listening" | "queued" | "with_human");
                }
                LiveKind::AgentTurn { text, .. } => self.said = text.into_inner(),
                _ => {}
            }
        }
    }

    async fn talk(mut self, mut steps: VecDeque<(&'static str, Act)>, last: &'static str) {
        let mut tick = interval(Duration::from_millis(20));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                wire = self.peer.from_host.recv() => match wire {
                    Some(wire) => self.caller.on_wire(self.began.elapsed().as_millis() as u64, &wire),
                    None => return,
                },
            }
            self.exchange().await;
            let awaited = steps.front().map_or(last, |(awaited, _)| *awaited);
            let is_quiet = self.listens && self.caller.playout().queued_voice_ms() == 0;
            if self.caller.is_closed() || !is_quiet || !self.said.contains(awaited) {
                continue;
            }
            self.said.clear();
            match steps.pop_front() {
                Some((_, Says(text))) => self.caller.write(text),
                Some((_, Presses(keys))) => keys.chars().for_each(|key| self.caller.press(key)),
                None => self.caller.hang_up(),
            }
        }
    }
}

/// A call that is over.
struct Talk {
    id: CallId,
    records: Vec<Record>,
}

impl Talk {
    fn heard(&self) -> Vec<String> {
        let heard = self.records.iter().filter_map(|record| match &record.entry {
            Entry::AgentTurn { heard, .. } => Some(heard.expose().clone()),
            _ => None,
        });
        heard.collect()
    }

    fn last_heard(&self) -> String {
        self.heard().pop().unwrap_or_default()
    }

    /// Why a tool was refused by the policy, if one was.
    fn refused(&self) -> Vec<String> {
        let refused = self.records.iter().filter_map(|record| match &record.entry {
            Entry::ToolRefused { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        refused.collect()
    }

    /// Of each tool that ran whether it did what it should.
    fn ran(&self) -> Vec<bool> {
        let ran = self.records.iter().filter_map(|record| match &record.entry {
            Entry::ToolFinished { ok, .. } => Some(*ok),
            _ => None,
        });
        ran.collect()
    }
}

fn mailer() -> Option<Mailer> {
    egress::install_crypto();
    // Nobody listens there: a call does not wait for a mail server.
    let relay =
        RelaySettings::read("smtp://127.0.0.1:9?tls=none", ("", Secret::default()), "a@frontdesk.example", None);
    Mailer::new(relay.expect("settings"), "https://desk.example").ok()
}

fn triple(one: &str, two: &str, three: &str) -> (String, String, String) {
    (one.to_owned(), two.to_owned(), three.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_gets_a_ticket_and_hears_its_number() {
    let shop = Shop::open(None, "http://127.0.0.1:9").await;
    let talk = shop.call(&[("Hello", Says("My lamp is broken."))], "I wrote it down").await;
    assert_eq!(talk.last_heard(), r#"I wrote it down: {"ticket":1}"#);
    let tickets = shop.store.tickets(&shop.scope, &TicketFilter::default(), None, 10).await.expect("tickets");
    let [ticket] = &tickets[..] else { panic!("{tickets:?}") };
    assert_eq!((ticket.number, ticket.priority, ticket.call), (1, TicketPriority::High, Some(talk.id)));
    assert_eq!(
        (ticket.subject.expose().as_str(), ticket.text.expose().as_str()),
        ("A broken lamp", "It flickers since Monday.")
    );
    assert_eq!(ticket.customer.as_ref().map(|customer| customer.expose().as_str()), Some(CALLER));
    assert_eq!((talk.refused(), talk.ran()), (vec![], vec![true]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_caller_wants_is_kept_with_the_call_and_stands_in_the_ticket() {
    let shop = Shop::open(None, "http://127.0.0.1:9").await;
    let steps = [("Hello", Says("I want to rent a bike.")), ("We rent", Says("My lamp is broken."))];
    let talk = shop.call(&steps, "I wrote it down").await;
    let understood = understood_in(shop.store.as_ref(), &shop.scope, talk.id).await.expect("the log");
    let [rent] = &understood[..] else { panic!("{understood:?}") };
    assert_eq!((rent.intent.as_deref(), rent.training, rent.entities.len()), (Some("rent"), 3, 1));
    let tickets = shop.store.tickets(&shop.scope, &TicketFilter::default(), None, 10).await.expect("tickets");
    assert_eq!(tickets[0].text.expose(), "It flickers since Monday.\nintent: rent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_goes_after_a_yes_to_the_address_that_is_known_and_the_caller_does_not_wait_for_it() {
    let shop = Shop::open(mailer(), "http://127.0.0.1:9").await;
    shop.knows(ADDRESS).await;
    let steps = [("Hello", Says("Please mail me the lamp.")), ("Shall I send it?", Says("Yes, please."))];
    let talk = shop.call(&steps, "The mail").await;
    assert_eq!(talk.last_heard(), "The mail: The message is on its way.");
    assert_eq!(shop.sent(talk.id).await, [triple("email", ADDRESS, "intended")]);
    let text = "Here is the link to the lamp: https://shop.example/x";
    assert_eq!(shop.mails().await, [triple(ADDRESS, "Your link, the lamp", text)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_goes_to_an_address_that_the_caller_says_and_to_no_other() {
    let shop = Shop::open(mailer(), "http://127.0.0.1:9").await;
    let steps = [
        ("Hello", Says("Mail the lamp to my wife.")),
        ("Your mail", Says("Then mail the lamp to mira at example dot com.")),
        ("Shall I send it?", Says("Yes, please.")),
    ];
    let talk = shop.call(&steps, "Your mail: The message").await;
    assert_eq!(talk.refused(), ["not_said"], "nobody said that address");
    assert_eq!(talk.last_heard(), "Your mail: The message is on its way.");
    assert_eq!(shop.sent(talk.id).await, [triple("email", ADDRESS, "intended")]);
    assert_eq!(shop.mails().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_after_a_no_without_an_address_without_a_mail_server_or_too_often() {
    let shop = Shop::open(mailer(), "http://127.0.0.1:9").await;
    let ask = [("Hello", Says("Please mail me the lamp.")), ("Shall I send it?", Says("Yes, please."))];
    let talk = shop.call(&ask, "The mail").await;
    assert!(talk.last_heard().contains("there is no e-mail address to send it to"), "{}", talk.last_heard());
    assert_eq!((talk.ran(), shop.sent(talk.id).await), (vec![false], vec![]));

    let shop = Shop::open(None, "http://127.0.0.1:9").await;
    shop.knows(ADDRESS).await;
    let talk = shop.call(&ask, "The mail").await;
    assert!(talk.last_heard().contains("this installation sends no mail"), "{}", talk.last_heard());
    assert_eq!((talk.ran(), shop.sent(talk.id).await), (vec![false], vec![]));

    let shop = Shop::open(mailer(), "http://127.0.0.1:9").await;
    shop.knows(ADDRESS).await;
    let steps = [
        ("Hello", Says("Please mail me the lamp.")),
        ("Shall I send it?", Says("No.")),
        ("", Says("Now mail me the lamp.")),
        ("Shall I send it?", Says("Yes.")),
        ("on its way", Says("Again, mail me the lamp.")),
        ("Shall I send it?", Says("Yes.")),
    ];
    let talk = shop.call(&steps, "The mail").await;
    assert!(talk.last_heard().contains("this call has sent enough messages"), "{}", talk.last_heard());
    assert_eq!(talk.ran(), [true, false], "after a no nothing ran");
    assert_eq!((shop.sent(talk.id).await.len(), shop.mails().await.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_message_goes_from_the_number_of_the_call_and_a_refusal_is_told() {
    let ask = [("Hello", Says("Please text me the lamp.")), ("Shall I send it?", Says("Yes, please."))];
    for (status, state, heard) in [(201, "sent", "The message is on its way."), (400, "refused", "Failed")] {
        let (api, asked) = messages(status).await;
        let shop = Shop::open(None, &api).await;
        let talk = shop.call(&ask, "The text").await;
        assert!(talk.last_heard().contains(heard), "{}", talk.last_heard());
        assert_eq!(shop.sent(talk.id).await, [triple("sms", CALLER, state)]);
        let asked = asked.lock().expect("whole").clone();
        let [one] = &asked[..] else { panic!("asked once: {asked:?}") };
        let form: BTreeMap<String, String> = url_form(one.split_once(' ').expect("a body").1).into_iter().collect();
        assert!(one.contains("/Messages.json"), "{one}");
        assert_eq!((form["To"].as_str(), form["From"].as_str()), (CALLER, OURS));
        assert_eq!(form["Body"], "Here is the link to the lamp: https://shop.example/x");
    }
    // Nobody answers: it may have arrived, so it is not sent again, and the caller hears that it is not certain.
    let shop = Shop::open(None, "http://127.0.0.1:9").await;
    let talk = shop.call(&ask, "The text").await;
    assert_eq!(shop.sent(talk.id).await, [triple("sms", CALLER, "unknown")]);
    assert!(talk.last_heard().contains("Failed"), "{}", talk.last_heard());
}

fn url_form(body: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn digits_are_typed_when_they_are_asked_for_and_never_made_up() {
    let shop = Shop::open(None, "http://127.0.0.1:9").await;
    let steps = [("Hello", Says("I want to check my card.")), ("Your card", Presses("4821"))];
    let talk = shop.call(&steps, r#""4821""#).await;
    assert_eq!(talk.refused(), ["keys_wanted"]);
    assert_eq!((talk.last_heard().as_str(), talk.ran()), (r#"Your card: {"digits":"4821"}"#, vec![true]));
    // Too few keys end with a pause, and are no card: nothing runs.
    let steps = [("Hello", Says("I want to check my card.")), ("Your card", Presses("48#"))];
    let talk = shop.call(&steps, "").await;
    assert_eq!(talk.ran(), Vec::<bool>::new());
    let said: Vec<Value> = talk.records.iter().map(|record| json!(record.entry)).collect();
    assert!(said.iter().any(|entry| entry.to_string().contains("48")), "what was typed is part of the conversation");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outside_its_hours_an_agent_says_so_and_hangs_up() {
    let shop = Shop::open(None, "http://127.0.0.1:9").await;
    let known = shop.store.agent_by_slug(&shop.scope, "robin").await.expect("an agent").agent;
    let closed = Outside::Message { text: "We are closed today.".into() };
    let hours = AgentHours { time_zone: Some("Asia/Kolkata".into()), week: vec![], special: vec![], outside: closed };
    let agent = Agent { hours: Some(hours), ..known };
    shop.store.put_agent(&shop.scope, &agent, None).await.expect("changed");
    let talk = shop.call(&[], "never said").await;
    assert_eq!(talk.heard(), ["We are closed today."]);
    assert!(talk.records.iter().any(|record| record.entry == Entry::OutsideHours));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_without_a_voice_has_the_message_of_a_closed_number_said_by_the_agent() {
    let shop = Shop::open(None, "http://127.0.0.1:9").await;
    shop.route(|line| line.hours = Some(never(Closed::Message { text: "The shop is closed.".into() }))).await;
    assert_eq!(shop.call(&[], "never said").await.heard(), ["The shop is closed."]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_without_a_free_line_are_forwarded_and_the_closed_number_needs_none() {
    let shop = Shop::open(None, "http://127.0.0.1:9").await;
    let (office, night): (PhoneNumber, PhoneNumber) = ("+4940555017".parse().unwrap(), "+4940555018".parse().unwrap());
    for at in 0..4 {
        assert!(matches!(shop.rings(at).await, Answer::Connect { .. }), "a line is free");
    }
    assert_eq!(shop.rings(4).await, Answer::Busy, "nothing is said about it");
    shop.route(|line| line.overflow = Some(Overflow::Forward { to: office.clone() })).await;
    let forwarded = |to: &PhoneNumber| Answer::Transfer { to: to.clone(), caller_id: OURS.parse().ok() };
    assert_eq!(shop.rings(5).await, forwarded(&office));
    shop.route(|line| line.overflow = Some(Overflow::Message { text: "All lines are taken.".into() })).await;
    assert_eq!(shop.rings(6).await, Answer::Busy, "nobody can say it: the platform has no voice, and no line is free");
    shop.route(|line| line.hours = Some(never(Closed::Forward { to: night.clone() }))).await;
    assert_eq!(shop.rings(7).await, forwarded(&night));
}

/// A platform as it is configured to ask an API at this address.
fn control_of(name: &str, api: &str) -> Arc<dyn CarrierControl> {
    let configured = |key: &str| match key {
        "account_sid" => Some(format!("AC{:032x}", 1)),
        "auth_id" => Some("MA1".to_owned()),
        "auth_token" => Some("token".to_owned()),
        "base_url" => Some(api.to_owned()),
        _ => None,
    };
    let descriptor = carriers::registry::descriptor(name).expect("it is listed");
    let settings = carriers::registry::Settings { configured: &|key| configured(key).map(Into::into), env: &|_| None };
    (descriptor.control)(&settings).expect("settings that fit").expect("a control")
}

/// What became of a call that may go out over two platforms, of which the one with a number of the country answers so: what
/// the other one was asked, and what the log says about the way.
async fn goes_out(first: &str) -> (usize, Option<Value>) {
    let (second, asked) = messages(201).await;
    let shop = Shop::open(None, "http://127.0.0.1:9").await;
    let (to, base_url) = (CALLER.parse().expect("a number"), "http://here".to_owned());
    let agent = shop.store.agent_by_slug(&shop.scope, "robin").await.expect("an agent").agent.id;
    for (carrier, number) in [("plivo", "+4940555001"), ("twilio", "+15550100200")] {
        let (id, number) = (base::NumberId::generate(), number.parse().expect("a number"));
        let row = Number { id, business: shop.scope.business, number, carrier: carrier.into(), agent };
        shop.store.put_number(&shop.scope, &row).await.expect("a number");
    }
    let settings = NodeSettings {
        public_url: None,
        recordings_dir: shop._dir.path().to_owned(),
        calls_max: 4,
        inbound_reserve: 0,
        record: false,
        record_inputs: false,
        budgets: Default::default(),
    };
    let egress = Arc::new(Egress::new(EgressConfig::new(Policy::Operator)));
    let controls = BTreeMap::from([
        ("plivo".to_owned(), control_of("plivo", first)),
        ("twilio".to_owned(), control_of("twilio", &second)),
    ]);
    let node = Node::new(settings, Arc::clone(&shop.store), Services::default(), egress, controls);
    let request = PlaceRequest { agent, to, from: None, carrier: None, base_url };
    let placed = node.place(shop.scope, request).await;
    let log = match placed {
        Ok(call) => shop.store.call_log(&shop.scope, call, 0).await.expect("a log"),
        Err(_) => Vec::new(),
    };
    let asked = asked.lock().expect("whole").len();
    (asked, log.into_iter().find(|entry| entry.kind == "way_out").map(|entry| entry.data))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_goes_out_elsewhere_only_when_it_was_certainly_not_placed() {
    let (no_credit, _) = messages(402).await;
    let (asked, log) = goes_out(&no_credit).await;
    let log = log.expect("the way is in the log");
    assert_eq!((asked, &log["way"]["carrier"], &log["way"]["from"]), (1, &json!("twilio"), &json!("+15550100200")));
    assert_eq!(log["tried"], json!([{ "carrier": "plivo", "class": "quota" }]));
    // Nobody is there to be asked.
    let (asked, log) = goes_out("http://127.0.0.1:9").await;
    let log = log.expect("the way is in the log");
    assert_eq!((asked, &log["way"]["carrier"]), (1, &json!("twilio")));
    assert_eq!(log["tried"], json!([{ "carrier": "plivo", "class": "unavailable" }]));
    // It was asked, and broke: the phone may be ringing.
    let (broken, _) = messages(503).await;
    let (asked, log) = goes_out(&broken).await;
    assert_eq!((asked, &log.expect("it may be placed")["way"]["carrier"]), (0, &json!("plivo")));
    // A number that is nonsense is nonsense elsewhere, too.
    let (nonsense, _) = messages(400).await;
    assert_eq!(goes_out(&nonsense).await, (0, None));
}

/// A number that is never open.
fn never(closed: Closed) -> HoursRoute {
    HoursRoute { hours: Some(Hours::default()), time_zone: Some("Asia/Kolkata".into()), closed }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_is_written_down_with_how_the_caller_sounds() {
    let shop = Shop::open(None, "http://127.0.0.1:9").await;
    let talk = shop.call(&[("Hello", Says("This is terrible, my lamp is broken."))], "I wrote it down").await;
    let mood = talk.records.iter().find_map(|record| match record.entry {
        Entry::CallerTurn { sentiment, .. } => Some(sentiment),
        _ => None,
    });
    assert!(mood.flatten().is_some_and(|mood| mood < -0.5), "{mood:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_waits_knows_their_place_and_goes_to_one_of_two_who_take_the_next() {
    let shop = Shop::open(None, "http://127.0.0.1:9").await;
    let desk = async {
        let mut look = interval(Duration::from_millis(50));
        let call = loop {
            look.tick().await;
            let waiting = shop.store.waiting(&shop.scope).await.expect("who waits");
            let Some(caller) = waiting.into_iter().next() else { continue };
            assert_eq!((caller.reason.as_str(), caller.brief), ("asked", Some("Her lamp flickers.".into())));
            let journal = shop.store.journal(&shop.scope, caller.call).await.expect("a journal");
            let knows = |record: &Record| matches!(&record.entry, Entry::AgentTurn { heard, .. } if heard.expose().contains("number 1"));
            if journal.iter().any(knows) {
                break caller.call;
            }
        };
        let take = |by: &'static str| shop.node.take_next(&shop.scope, by);
        let (kim, ada) = tokio::join!(take("user:kim"), take("user:ada"));
        let (kim, ada) = (kim.expect("an answer"), ada.expect("an answer"));
        assert_eq!(kim.or(ada), Some(call));
        assert!(kim.is_none() || ada.is_none(), "one caller for two people");
        let says = DeskInput::Say { text: "This is Kim.".into() };
        assert_eq!(shop.node.ask_desk(&shop.scope, call, says).await, Ok(true));
    };
    let (talk, ()) = tokio::join!(shop.call(&[("Hello", Says("Put me through to a person."))], "This is Kim."), desk);
    assert!(talk.heard().iter().any(|heard| heard.contains("You are number 1")), "{:?}", talk.heard());
    let left = talk.records.iter().filter_map(|record| match &record.entry {
        Entry::LeftQueue { outcome, .. } => Some(*outcome),
        _ => None,
    });
    assert_eq!(left.collect::<Vec<_>>(), [QueueOutcome::Taken]);
    assert_eq!(shop.store.waiting(&shop.scope).await, Ok(Vec::new()));
}
