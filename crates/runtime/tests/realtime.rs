//! A model that hears and speaks, as the three services of a call, against the twins of the vendors: the same behaviour
//! whoever provides it.

use base::{BusinessId, ErrorClass};
use egress::{Egress, EgressConfig, Policy};
use model::agent::BrainChoice;
use model::generation::{ChatMessage, Finish, GenerationEvent, GenerationRequest};
use model::tool::{Parameter, ParameterKind, ToolAction, ToolSpec};
use providers::ProviderOptions;
use providers::stt::{SttEvent, SttOpen};
use providers::tts::{TtsEvent, TtsOpen};
use runtime::drivers::{Briefing, Realtime, StreamTts, Trio};
use runtime::service::{Bill, BrainSession, SttCommand, SttSession, TtsCommand, TtsService, TtsSession};
use serde_json::json;
use sim::twins::openai::{Reply, Rule};
use sim::twins::{Fault, Faults, Moment, Record, elevenlabs, gemini_live, openai_speech};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);
const INSTRUCTIONS: &str = "You answer for a shop.";

fn egress() -> Arc<Egress> {
    egress::install_crypto();
    Arc::new(Egress::new(EgressConfig::new(Policy::Operator)))
}

fn options(base_url: &str, key: &str) -> ProviderOptions {
    ProviderOptions { api_key: Some(key.into()), base_url: Some(base_url.to_owned()), ..ProviderOptions::default() }
}

fn order_status() -> ToolSpec {
    ToolSpec {
        name: "order_status".to_owned(),
        description: "Looks an order up.".to_owned(),
        parameters: vec![Parameter {
            name: "order".to_owned(),
            description: "Order number.".to_owned(),
            kind: ParameterKind::Text,
            required: true,
            ask: None,
        }],
        action: ToolAction::SearchKnowledge,
        changes_state: false,
        confirm: None,
        say_done: None,
        examples: Vec::new(),
        must_hold: Vec::new(),
    }
}

/// A running twin of whichever service.
struct Service {
    name: &'static str,
    base_url: String,
    key: String,
    faults: Faults,
    record: Record,
    _twin: Box<dyn Send>,
}

impl Service {
    fn trio(&self, ordinary: Option<Arc<dyn TtsService>>) -> Trio {
        let provider =
            providers::realtime::PROVIDERS.open(self.name, &options(&self.base_url, &self.key)).expect("usable");
        let model = provider.settings().model().to_owned();
        let realtime = Realtime::new(self.name, &model, Arc::new(move || provider.protocol()), egress());
        realtime.call(Briefing { instructions: INSTRUCTIONS.to_owned(), tools: vec![order_status()] }, ordinary)
    }
}

fn rules() -> Vec<Rule> {
    vec![
        Rule::on_user("order", Reply::calls("order_status", json!({"order": "A1"}))),
        Rule::on_tool("order_status", Reply::says("It was {result}.")),
        Rule::on_user("open", Reply::says("We are open from nine to five, every day but Sunday.")),
        Rule::on_user("sunday", Reply::says("On Sunday we rest.")),
    ]
}

async fn services(script: &[&str]) -> Vec<Service> {
    let script: Vec<String> = script.iter().map(|line| (*line).to_owned()).collect();
    let mut all = Vec::new();
    macro_rules! add {
        ($name:expr, $module:ident) => {{
            let behaviour = $module::Behaviour { script: script.clone(), rules: rules(), ..Default::default() };
            let twin = $module::start(behaviour).await.expect("a free port");
            all.push(Service {
                name: $name,
                base_url: twin.base_url.clone(),
                key: twin.key.clone(),
                faults: twin.faults.clone(),
                record: twin.record.clone(),
                _twin: Box::new(twin),
            });
        }};
    }
    add!("openai_speech", openai_speech);
    add!("gemini_live", gemini_live);
    all
}

fn open_stt(trio: &Trio, bill: &Bill) -> SttSession {
    let open = SttOpen { sample_rate_hz: 8_000, language: "en".to_owned(), hints: Vec::new(), now_unix_ms: 0 };
    trio.stt.open_billed(open, bill)
}

/// The caller speaks for a while, and the end of it is noticed.
async fn speak(stt: &SttSession, ms: usize) {
    stt.commands.send(SttCommand::Speech(true)).await.expect("listening");
    for frame in 0..ms / 20 {
        let pcm: Box<[i16]> = (0..160).map(|n| if (frame * 160 + n) % 40 < 20 { 6_000 } else { -6_000 }).collect();
        stt.commands.send(SttCommand::Audio(pcm)).await.expect("listening");
    }
    stt.commands.send(SttCommand::Speech(false)).await.expect("listening");
    stt.commands.send(SttCommand::Finalize).await.expect("listening");
}

async fn next<T>(events: &mut mpsc::Receiver<T>) -> Option<T> {
    timeout(PATIENCE, events.recv()).await.expect("an event in time")
}

/// The final transcript that was asked for.
async fn heard(stt: &mut SttSession) -> String {
    loop {
        match next(&mut stt.events).await {
            Some(SttEvent::Final { text, finalized: true }) => return text,
            Some(SttEvent::Started | SttEvent::Partial { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn request(messages: &[ChatMessage]) -> GenerationRequest {
    let mut all = vec![ChatMessage::System { text: INSTRUCTIONS.to_owned() }];
    all.extend_from_slice(messages);
    GenerationRequest {
        brain: BrainChoice::Llm { provider: None, model: None },
        messages: all,
        tools: vec![order_status()],
        awaiting: None,
        language: "en".to_owned(),
        tokens_max: 300,
    }
}

fn ask(trio: &Trio, messages: &[ChatMessage], bill: &Bill) -> BrainSession {
    trio.brain.generate_billed(BusinessId::generate(), request(messages), bill)
}

async fn answer(session: &mut BrainSession) -> Vec<GenerationEvent> {
    let mut events = Vec::new();
    while let Some(event) = next(&mut session.events).await {
        events.push(event);
    }
    events
}

fn text(events: &[GenerationEvent]) -> String {
    let delta = |event: &GenerationEvent| match event {
        GenerationEvent::Text { delta } => Some(delta.clone()),
        _ => None,
    };
    events.iter().filter_map(delta).collect()
}

fn open_tts(trio: &Trio) -> TtsSession {
    trio.tts.open(TtsOpen { sample_rate_hz: 8_000, language: "en".to_owned(), voice: None, now_unix_ms: 0 })
}

/// All audio of an utterance, in milliseconds.
async fn spoken_ms(tts: &mut TtsSession) -> usize {
    let mut samples = 0;
    loop {
        match next(&mut tts.events).await {
            Some(TtsEvent::Audio { pcm }) => samples += pcm.len(),
            Some(TtsEvent::Done) => return samples * 1_000 / tts.sample_rate_hz as usize,
            Some(TtsEvent::Failed(failure)) => panic!("{failure}"),
            Some(_) => {}
            None => panic!("no end"),
        }
    }
}

async fn say(tts: &TtsSession, segments: &[&str]) {
    for segment in segments {
        tts.commands.send(TtsCommand::Segment((*segment).to_owned())).await.expect("taken");
    }
    tts.commands.send(TtsCommand::Flush).await.expect("taken");
}

fn customer(text: &str) -> ChatMessage {
    ChatMessage::Customer { text: text.into() }
}

fn agent(text: &str) -> ChatMessage {
    ChatMessage::Agent { text: text.to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_caller_is_heard_answered_with_a_tool_and_in_the_models_own_voice() {
    for service in services(&["Where is my order?"]).await {
        let (trio, bill) = (service.trio(None), Bill::default());
        let mut stt = open_stt(&trio, &bill);
        speak(&stt, 600).await;
        assert_eq!(heard(&mut stt).await, "Where is my order?", "{}", service.name);

        let mut messages = vec![customer("Where is my order?")];
        let events = answer(&mut ask(&trio, &messages, &bill)).await;
        let Some(GenerationEvent::ToolCall { id, name, args }) =
            events.iter().find(|event| matches!(event, GenerationEvent::ToolCall { .. }))
        else {
            panic!("{}: {events:?}", service.name)
        };
        assert_eq!((name.as_str(), args), ("order_status", &json!({"order": "A1"})));
        assert!(matches!(events.last(), Some(GenerationEvent::Done { finish: Finish::ToolCalls })), "{events:?}");
        messages.push(ChatMessage::ToolCall { id: id.clone(), name: name.clone(), args: args.clone() });
        let (id, name) = (id.clone(), name.clone());
        messages.push(ChatMessage::ToolResult { id, name, text: "shipped on Monday".to_owned() });

        let events = answer(&mut ask(&trio, &messages, &bill)).await;
        assert_eq!(text(&events), "It was shipped on Monday.", "{}", service.name);
        assert!(matches!(events.last(), Some(GenerationEvent::Done { finish: Finish::Stop })), "{events:?}");
        let mut tts = open_tts(&trio);
        say(&tts, &["It was shipped on Monday."]).await;
        assert_eq!(spoken_ms(&mut tts).await, 25 * 60, "all of its own audio: {}", service.name);
        assert!(bill.total().usd_micros > 0, "{} is paid for", service.name);
        assert_eq!(service.record.count("result order_status shipped on Monday"), 1);
        assert_eq!(service.record.count("told user"), 0, "the caller was heard, not told");
        assert!(!service.record.lines().join("\n").contains(&service.key));
        drop((stt, trio));
        let closed = async {
            while service.record.count("closed") == 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, closed).await.expect("the end of the call ends the conversation");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_caller_did_not_hear_was_not_said() {
    for service in services(&["When are you open?", "And on Sunday?"]).await {
        let (trio, bill) = (service.trio(None), Bill::default());
        let mut stt = open_stt(&trio, &bill);
        speak(&stt, 600).await;
        heard(&mut stt).await;
        let mut messages = vec![customer("When are you open?")];
        let events = answer(&mut ask(&trio, &messages, &bill)).await;
        assert!(text(&events).starts_with("We are open from nine"));
        let mut tts = open_tts(&trio);
        tts.commands.send(TtsCommand::Segment("We are open from nine to five,".to_owned())).await.expect("taken");
        while !matches!(next(&mut tts.events).await, Some(TtsEvent::Audio { .. })) {}
        drop(tts); // The caller interrupts.
        speak(&stt, 600).await;
        assert_eq!(heard(&mut stt).await, "And on Sunday?");
        messages.extend([agent("We are open"), customer("And on Sunday?")]);
        let events = answer(&mut ask(&trio, &messages, &bill)).await;
        assert_eq!(text(&events), "On Sunday we rest.", "{}", service.name);
        let known = match service.name {
            "openai_speech" => service.record.count("truncate"),
            _ => 0, // It is told in words, with the turn after this one.
        };
        if service.name == "openai_speech" {
            assert_eq!(known, 1);
            let lines = service.record.lines();
            let truncated = lines.iter().find(|line| line.starts_with("truncate")).expect("shortened");
            assert!(truncated.ends_with("We are ope") || truncated.ends_with("We are open"), "{truncated}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_nobody_wants_any_more_is_called_off_and_the_next_one_is_heard() {
    for service in services(&["When are you open", "on Sunday?"]).await {
        let (trio, bill) = (service.trio(None), Bill::default());
        let mut stt = open_stt(&trio, &bill);
        speak(&stt, 400).await;
        heard(&mut stt).await;
        // A guess: the caller goes on.
        let mut guess = ask(&trio, &[customer("When are you open")], &bill);
        while !matches!(next(&mut guess.events).await, Some(GenerationEvent::Text { .. })) {}
        drop(guess);
        speak(&stt, 400).await;
        assert_eq!(heard(&mut stt).await, "on Sunday?", "{}", service.name);
        let events = answer(&mut ask(&trio, &[customer("When are you open on Sunday?")], &bill)).await;
        let said = text(&events);
        assert_eq!(said, "On Sunday we rest.", "{}", service.name);
        let mut tts = open_tts(&trio);
        say(&tts, &[&said]).await;
        assert_eq!(spoken_ms(&mut tts).await, said.len() * 60, "{}: nothing of the guess", service.name);
        assert_eq!(service.record.count("told user When"), 0, "both pieces were heard");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_no_answer_holds_are_spoken_by_an_ordinary_voice() {
    let ordinary = elevenlabs::start(elevenlabs::Behaviour::default()).await.expect("a port");
    for service in services(&["When are you open?"]).await {
        let provider =
            providers::tts::PROVIDERS.open("elevenlabs", &options(&ordinary.base_url, &ordinary.key)).expect("usable");
        let voice = StreamTts::new("elevenlabs", Arc::new(move || provider.protocol()), egress());
        let trio = service.trio(Some(Arc::new(voice)));
        let mut tts = open_tts(&trio);
        say(&tts, &["Hello there."]).await;
        let greeting_ms = spoken_ms(&mut tts).await;
        assert!((700..=800).contains(&greeting_ms), "{}: {greeting_ms}", service.name);

        let bill = Bill::default();
        let mut stt = open_stt(&trio, &bill);
        speak(&stt, 600).await;
        heard(&mut stt).await;
        let messages = [agent("Hello there."), customer("When are you open?")];
        let said = text(&answer(&mut ask(&trio, &messages, &bill)).await);
        let mut tts = open_tts(&trio);
        // The engine adds words of its own.
        say(&tts, &[&said, "Goodbye."]).await;
        let all_ms = spoken_ms(&mut tts).await;
        assert!(all_ms > said.len() * 60 + 400, "{}: {all_ms}", service.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_is_wrong_or_gone_fails_in_time_and_another_conversation_is_told_what_was_said() {
    for service in services(&["When are you open?"]).await {
        for (fault, classes) in [
            (Fault::Refuse, vec![ErrorClass::Unavailable, ErrorClass::Protocol]),
            (Fault::Status { status: 503, retry_after_s: None }, vec![ErrorClass::Unavailable]),
            (Fault::Silent, vec![ErrorClass::Timeout]),
            (Fault::Garbage, vec![ErrorClass::Protocol]),
        ] {
            service.faults.set_times(Moment::Start, fault.clone(), 1);
            let trio = service.trio(None);
            let bill = Bill::default();
            let mut stt = open_stt(&trio, &bill);
            let failed = loop {
                match next(&mut stt.events).await {
                    Some(SttEvent::Failed(failure)) => break failure,
                    Some(_) => {}
                    None => panic!("{} {fault:?}: no reason", service.name),
                }
            };
            assert!(classes.contains(&failed.class), "{} {fault:?}: {failed}", service.name);
            // The next question opens another conversation, which is told all of it.
            let messages = [customer("Hello?"), agent("Yes?"), customer("When are you open?")];
            let events = answer(&mut ask(&trio, &messages, &bill)).await;
            assert!(text(&events).starts_with("We are open"), "{} {fault:?}: {events:?}", service.name);
        }
        assert_eq!(service.record.count("told user Hello?"), 4);
        assert!(service.record.count("told assistant Yes?") + service.record.count("told model Yes?") == 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_goes_on_over_another_connection_when_the_service_must_leave() {
    let script = ["When are you open?", "And on Sunday?"].map(str::to_owned).to_vec();
    let behaviour = gemini_live::Behaviour { script, rules: rules(), leaves_after: Some(1), ..Default::default() };
    let twin = gemini_live::start(behaviour).await.expect("a free port");
    let (faults, record) = (twin.faults.clone(), twin.record.clone());
    let service = Service {
        name: "gemini_live",
        base_url: twin.base_url.clone(),
        key: twin.key.clone(),
        faults,
        record,
        _twin: Box::new(twin),
    };
    let (trio, bill) = (service.trio(None), Bill::default());
    let mut stt = open_stt(&trio, &bill);
    speak(&stt, 600).await;
    assert_eq!(heard(&mut stt).await, "When are you open?");
    let mut messages = vec![customer("When are you open?")];
    let said = text(&answer(&mut ask(&trio, &messages, &bill)).await);
    messages.extend([agent(&said), customer("And on Sunday?")]);
    let moved = async {
        while service.record.count("setup") < 2 || service.record.count("closed") == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, moved).await.expect("another connection");
    speak(&stt, 600).await;
    assert_eq!(heard(&mut stt).await, "And on Sunday?", "the same listener hears the second line");
    let events = answer(&mut ask(&trio, &messages, &bill)).await;
    assert_eq!(text(&events), "On Sunday we rest.");
    let lines = service.record.lines();
    assert!(lines.iter().any(|line| line.starts_with("setup") && line.contains("\"handle\"")), "{lines:?}");
    assert_eq!(service.record.count("told"), 0, "nothing is told that the service knows: {lines:?}");
}
