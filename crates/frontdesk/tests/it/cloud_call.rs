//! Whole calls over the phone platform with every provider in the cloud, by the real program.

use crate::rig::{
    Answer, CALLER, CHAR_MS, Detail, GOODBYE, GREETING, NUMBER, Person, SECRETS, Server, Setting, World, poll,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sim::twins::openai::{Reply, Rule};
use sim::twins::twilio::{Callee, RestFault, StatusDelivery};
use sim::twins::{Fault, Moment};
use std::time::Duration;

const APOLOGY: &str = "I'm sorry, I didn't get that. Could you say it again?";
const FILLER: &str = "One moment, please.";
const SATURDAY: &str = "When are you open on Saturday?";
const OPENING: &str = "On Saturday we are open from ten to four.";

fn opening_hours() -> Rule {
    Rule::on_user("open on saturday", Reply::says(OPENING))
}

fn goodbye() -> Rule {
    Rule::on_user("goodbye", Reply::calls("end_call", json!({})))
}

/// The caller says goodbye, the agent too, and the platform was told to hang up.
async fn say_goodbye(person: &Person) {
    person.says("Thank you, goodbye.").await;
    person.0.finished(Duration::from_secs(15)).await.expect("the agent hangs up");
}

/// The whole script of the demonstration.
fn demonstration() -> Setting {
    let returns = "You can send anything back within thirty days. The parcel must hold everything that was in it. We pay \
                   the money back within one week after it has arrived in our workshop.";
    Setting::new(
        &[
            SATURDAY,
            "Where is my order 48213?",
            "I would like to book a basic service for Tuesday.",
            "Yes, please.",
            "How can I return something?",
            "Sorry, stop, do you repair electric bikes?",
            "Thank you, goodbye.",
        ],
        vec![
            opening_hours(),
            Rule::on_user("order 48213", Reply::calls("order_status", json!({"order_id": "48213"}))),
            Rule::on_tool("order_status", Reply::says("Your order is on its way and arrives within two days.")),
            Rule::on_user("basic service", Reply::calls("book_repair", json!({"service": "basic", "day": "Tuesday"}))),
            Rule::on_tool("book_repair", Reply::says("Done, your basic service is booked for Tuesday.")),
            Rule::on_user("return something", Reply::says(returns)),
            Rule::on_user("electric bikes", Reply::says("Yes, we repair most electric bikes.")),
            goodbye(),
        ],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_asks_books_interrupts_and_says_goodbye() {
    let world = World::new(demonstration()).await;
    let server = world.serve().await;
    let person = world.call_in();

    person.hears_greeting().await;
    let mut answers: Vec<Answer> = Vec::new();
    for line in
        [SATURDAY, "Where is my order 48213?", "I would like to book a basic service for Tuesday.", "Yes, please."]
    {
        answers.push(person.asks(line).await);
    }
    let cut_at = interrupt_the_next_answer(&person).await;
    say_goodbye(&person).await;

    let waits: Vec<u64> = answers.iter().map(|answer| answer.waited_ms).collect();
    assert!(waits.iter().all(|ms| *ms <= 2_500), "the caller waited {waits:?} ms");
    println!("waits from the last sound of a question to the first of its answer: {waits:?} ms");
    assert_eq!(person.0.record(|record| record.faults.clone()), Vec::<String>::new());
    assert_eq!(person.leg(|leg| leg.errors.clone()), Vec::<String>::new());
    let hung_up = world.phone.requests().into_iter().filter(|request| request.path.contains(person.0.sid()));
    let hung_up: Vec<_> = hung_up.flat_map(|request| request.form).collect();
    assert_eq!(hung_up, [("Status".to_owned(), "completed".to_owned())], "hung up once, by us");

    let detail = server.ended_call(person.0.sid()).await;
    detail.assert_sound();
    assert_conversation(&detail);
    assert_heard_exactly(&world, &person, &detail, cut_at);
    assert_recording(&server, &detail).await;
    world.assert_replays(detail.id()).await;
    assert_measured(&server).await;
    assert_discreet(&server, &detail);
    server.is_idle_again().await;
}

/// Asks for something long and speaks into the answer. Gives the time at which the platform threw our audio away.
async fn interrupt_the_next_answer(person: &Person) -> u64 {
    let (_, to_ms) = person.says("How can I return something?").await;
    let speaking = person.0.until(Duration::from_secs(5), "the long answer", |record| {
        let leg = record.leg().expect("a leg");
        leg.playout
            .spans()
            .last()
            .is_some_and(|span| span.from_ms > to_ms && leg.playout.now_ms() >= span.from_ms + 2_000)
    });
    speaking.await.unwrap_or_else(|why| panic!("{why}"));
    let before = person.leg(|leg| leg.clears.len());
    let (onset_ms, to_ms) = person.says("Sorry, stop, do you repair electric bikes?").await;
    let cleared = person
        .0
        .until(Duration::from_secs(3), "a clear", |record| record.leg().is_some_and(|leg| leg.clears.len() > before));
    cleared.await.unwrap_or_else(|why| panic!("{why}"));
    let (cut_at, _) = person.leg(|leg| leg.clears[before]);
    println!("interrupted {} ms after the caller began to speak", cut_at - onset_ms);
    assert!(cut_at - onset_ms <= 500, "the caller talked against the agent for {} ms", cut_at - onset_ms);
    person.hears_out(to_ms, Duration::from_secs(10), "the answer to the interruption").await;
    cut_at
}

fn assert_conversation(detail: &Detail) {
    let call = detail.call();
    assert_eq!(call["state"], "completed", "{call}");
    assert_eq!(call["direction"], "inbound");
    assert_eq!((&call["customer"], &call["number"]), (&json!(CALLER), &json!(NUMBER)));
    assert!(call["cost_usd_micros"].as_i64().expect("a cost") > 0, "{call}");
    let said = [
        SATURDAY,
        "Where is my order 48213?",
        "I would like to book a basic service for Tuesday.",
        "Yes, please.",
        "How can I return something?",
        "Sorry, stop, do you repair electric bikes?",
        "Thank you, goodbye.",
    ];
    assert_eq!(detail.texts("caller_turn", "text"), said);
    let heard = detail.heard();
    let whole = [
        GREETING,
        OPENING,
        "Your order is on its way and arrives within two days.",
        "Shall I book a basic service for Tuesday?",
        "Done, your basic service is booked for Tuesday.",
    ];
    assert_eq!(heard[..5], whole, "{heard:#?}");
    assert!(heard[5].starts_with("You can send anything back"), "{heard:#?}");
    assert_eq!(heard[6..], ["Yes, we repair most electric bikes.", GOODBYE], "{heard:#?}");
    let complete: Vec<_> = detail.entries("agent_turn").iter().map(|turn| turn["complete"] == true).collect();
    assert_eq!(complete, [true, true, true, true, true, false, true, true]);
    assert_eq!(detail.texts("tool_started", "name"), ["order_status", "book_repair"]);
    assert!(detail.entries("tool_finished").iter().all(|tool| tool["ok"] == true));
    assert_eq!(detail.entries("confirmation_answered").len(), 1);
    assert!(detail.entries("fault").is_empty(), "{:#?}", detail.entries("fault"));
}

/// The journal holds of the interrupted answer exactly the words that the caller heard to their end: by the times of the
/// twin's voice, and as finely as the platform's marks can tell.
fn assert_heard_exactly(world: &World, person: &Person, detail: &Detail, cut_at: u64) {
    const MARK_MS: u64 = 100;
    const ROUND_TRIP_MS: u64 = 60;
    let spoken: Vec<String> = world
        .tts
        .record
        .lines()
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("text ")?).ok())
        .filter_map(|message| message["text"].as_str().map(str::to_owned))
        .collect();
    let first = spoken.iter().position(|text| text.starts_with("You can send anything")).expect("it was spoken");
    let whole: String = spoken[first..].iter().take_while(|text| !text.is_empty() && *text != " ").cloned().collect();
    let from_ms = person.leg(|leg| {
        let cut = leg.playout.spans().iter().find(|span| (span.to_ms).abs_diff(cut_at) <= 20).expect("the cut span");
        cut.from_ms
    });
    let played_ms = cut_at - from_ms;
    let heard = detail.heard()[5];
    assert!(whole.starts_with(heard), "{heard:?} is no beginning of {whole:?}");
    let end_ms = |text: &str| text.chars().count() as u64 * CHAR_MS;
    assert!(end_ms(heard) <= played_ms, "{heard:?} takes {} ms, and {played_ms} ms were heard", end_ms(heard));
    let rest = whole[heard.len()..].trim_start();
    let next = rest.split_whitespace().next().expect("the answer was cut");
    let with_next = whole.len() - rest.len() + next.len();
    let known_ms = played_ms.saturating_sub(MARK_MS + ROUND_TRIP_MS);
    let next_ms = end_ms(&whole[..with_next + 1]);
    println!(
        "of {} ms heard the journal has {} ms: …{:?}, next {next:?}",
        played_ms,
        end_ms(heard),
        &heard[heard.len() - 12..]
    );
    assert!(next_ms > known_ms, "{next:?} was heard by {next_ms} ms of {played_ms} and is not in {heard:?}");
}

async fn assert_recording(server: &Server, detail: &Detail) {
    assert_eq!(detail.call()["recorded"], true);
    let url = server.url(&format!("/api/v1/calls/{}/recording", detail.id()));
    let whole = server.http().get(&url).send().await.expect("an answer");
    assert_eq!(whole.status(), StatusCode::OK);
    let whole = whole.bytes().await.expect("a body");
    assert_eq!((&whole[..4], &whole[8..12]), (&b"RIFF"[..], &b"WAVE"[..]));
    let part = server.http().get(&url).header("range", "bytes=100-1123").send().await.expect("an answer");
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    let range = part.headers()["content-range"].to_str().expect("text").to_owned();
    assert_eq!(range, format!("bytes 100-1123/{}", whole.len()));
    assert_eq!(part.bytes().await.expect("a body")[..], whole[100..=1123]);
    // Two channels of 16 bits at 8 kHz, as long as the conversation.
    let secs = whole.len() / (8_000 * 4);
    assert!(secs >= 20, "the recording has {secs} s");
    let is_loud = |side: usize| {
        whole[44..]
            .chunks_exact(4)
            .filter(|pair| i16::from_le_bytes([pair[side], pair[side + 1]]).abs() > 1_000)
            .count()
    };
    assert!(is_loud(0) > 8_000 && is_loud(2) > 8_000, "one side is silent: {} {}", is_loud(0), is_loud(2));
}

async fn assert_measured(server: &Server) {
    for (stage, provider) in [("stt", "deepgram"), ("llm", "openai"), ("tts", "elevenlabs")] {
        let labels = [("stage", stage), ("provider", provider)];
        let requests = server.metric("frontdesk_provider_requests_total", &labels).await;
        assert!(requests > 0.0, "{provider} was asked {requests} times");
        let cost = server.metric("frontdesk_provider_cost_usd_micros_total", &labels).await;
        assert!(cost > 0.0, "{provider} cost {cost}");
        assert_eq!(server.metric("frontdesk_provider_errors_total", &labels).await, 0.0);
    }
    for stage in ["endpoint", "transcript", "first_token", "first_audio", "heard"] {
        let turns = server.metric("frontdesk_turn_latency_seconds_count", &[("stage", stage)]).await;
        assert!(turns >= 4.0, "{turns} turns with {stage}");
    }
    assert_eq!(server.metric("frontdesk_barge_ins_total", &[]).await, 1.0);
}

/// Neither a key nor a word of the conversation nor a number is in the log.
fn assert_discreet(server: &Server, detail: &Detail) {
    let log = server.log();
    assert!(log.contains(detail.id()), "the log is not the server's");
    for secret in SECRETS {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    for words in detail.texts("caller_turn", "text").into_iter().chain(detail.heard()).chain([CALLER, "48213"]) {
        assert!(!log.contains(words), "{words:?} is in the log:\n{log}");
    }
}

/// What the API is asked to place a call to the customer.
fn dial() -> Value {
    json!({"to": CALLER, "from": NUMBER, "agent": "robin"})
}

fn dials(world: &World) -> usize {
    world.phone.requests().iter().filter(|request| request.path.ends_with("/Calls.json")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placed_call_is_answered_and_the_agent_hangs_up() {
    for delivery in [StatusDelivery::InOrder, StatusDelivery::Twice, StatusDelivery::Backwards] {
        let mut setting = Setting::new(&[SATURDAY, "Thank you, goodbye."], vec![opening_hours(), goodbye()]);
        setting.delivery = delivery;
        let world = World::new(setting).await;
        let server = world.serve().await;
        world.phone.next_callees([Callee::Answers(Duration::from_millis(200))]);

        let (status, placed) = server.post("/api/v1/calls", &dial()).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{placed}");
        let person = Person(world.phone.outbound_call(Duration::from_secs(5)).await.expect("the phone rings"));
        person.hears_greeting().await;
        person.asks(SATURDAY).await;
        say_goodbye(&person).await;

        let detail = server.ended_call(person.0.sid()).await;
        assert_eq!(detail.id(), placed["id"]);
        assert_eq!(detail.call()["state"], "completed", "{delivery:?}");
        assert_eq!(detail.call()["direction"], "outbound");
        assert_eq!(detail.heard(), [GREETING, OPENING, GOODBYE], "{delivery:?}");
        detail.assert_sound();
        assert_eq!(dials(&world), 1);
        let completed = world.phone.requests().into_iter().filter(|request| {
            request.path.contains(person.0.sid()) && request.form == [("Status".to_owned(), "completed".to_owned())]
        });
        assert_eq!(completed.count(), 1, "hung up once");
        let reports = person.0.record(|record| record.reports.clone());
        let expected = if delivery == StatusDelivery::Twice { 8 } else { 4 };
        assert_eq!(reports.len(), expected, "{reports:?}");
        assert!(reports.iter().all(|(_, status)| *status == 204), "{reports:?}");
        server.is_idle_again().await;
        // Reports that come after the end change nothing.
        assert_eq!(server.detail(detail.id()).await.call()["state"], "completed", "{delivery:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_that_are_not_answered_end_the_call_as_the_platform_reports() {
    let world = World::new(Setting::new(&[], vec![])).await;
    let server = world.serve().await;
    let cases = [
        (Callee::Busy, "busy"),
        (Callee::NoAnswer(Duration::from_millis(300)), "no_answer"),
        (Callee::Fails, "failed"),
    ];
    for (callee, state) in cases {
        world.phone.next_callees([callee]);
        let (status, placed) = server.post("/api/v1/calls", &dial()).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{placed}");
        let person = world.phone.outbound_call(Duration::from_secs(5)).await.expect("the phone rings");
        person.finished(Duration::from_secs(5)).await.expect("nobody answers");
        let detail = server.ended_call(person.sid()).await;
        assert_eq!((detail.id(), &detail.call()["state"]), (placed["id"].as_str().expect("an id"), &json!(state)));
    }
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_platform_refuses_is_a_problem_and_never_rings() {
    let world = World::new(Setting::new(&[], vec![])).await;
    let server = world.serve().await;
    world.phone.fail_next([RestFault::Error { status: 400, code: 21211 }]);
    let (status, problem) = server.post("/api/v1/calls", &dial()).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{problem}");
    assert_eq!(problem["status"], 502, "{problem}");
    assert!(!problem.to_string().contains(CALLER), "{problem}");
    let (_, list) = server.get("/api/v1/calls").await;
    assert_eq!(list["items"][0]["state"], "failed", "{list}");
    assert!(world.phone.outbound_call(Duration::from_millis(200)).await.is_none());
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_without_an_answer_is_never_dialled_twice_and_its_call_connects() {
    let world = World::new(Setting::new(&["Thank you, goodbye."], vec![goodbye()])).await;
    let server = world.serve().await;
    world.phone.fail_next([RestFault::DoneButSilent]);
    // Picked up after we have given up on the platform's answer.
    world.phone.next_callees([Callee::Answers(Duration::from_secs(6))]);
    let (status, placed) = server.post("/api/v1/calls", &dial()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{placed}");
    let open = server.detail(placed["id"].as_str().expect("an id")).await;
    assert_eq!(open.call()["ended_at_ms"], Value::Null, "the row stays open");

    let person = Person(world.phone.outbound_call(Duration::from_secs(1)).await.expect("it rings"));
    person.hears_greeting().await;
    say_goodbye(&person).await;
    let detail = server.ended_call(person.0.sid()).await;
    assert_eq!(detail.id(), placed["id"]);
    assert_eq!(detail.call()["state"], "completed");
    assert_eq!(detail.heard(), [GREETING, GOODBYE]);
    detail.assert_sound();
    assert_eq!(dials(&world), 1, "nobody is called twice");
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_picks_up_before_the_platform_has_answered_us_has_one_call() {
    let world = World::new(Setting::new(&["Thank you, goodbye."], vec![goodbye()])).await;
    let server = world.serve().await;
    world.phone.fail_next([RestFault::DoneButSilent]);
    world.phone.next_callees([Callee::Answers(Duration::ZERO)]);
    let asked = dial();
    let place = server.post("/api/v1/calls", &asked);
    let talk = async {
        let person = Person(world.phone.outbound_call(Duration::from_secs(5)).await.expect("it rings"));
        person.hears_greeting().await;
        person
    };
    let ((status, placed), person) = tokio::join!(place, talk);
    assert_eq!(status, StatusCode::ACCEPTED, "{placed}");
    say_goodbye(&person).await;
    let detail = server.ended_call(person.0.sid()).await;
    assert_eq!(detail.id(), placed["id"]);
    assert_eq!(detail.heard(), [GREETING, GOODBYE]);
    detail.assert_sound();
    assert_eq!((dials(&world), person.0.record(|record| record.legs.len())), (1, 1));
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_webhooks_are_refused_and_replayed_ones_have_no_second_effect() {
    let world = World::new(Setting::new(&[], vec![])).await;
    let server = world.serve().await;
    let person = world.call_in();
    person.hears_greeting().await;
    person.0.hang_up().await;
    person.0.finished(Duration::from_secs(5)).await.expect("it is over");
    let detail = server.ended_call(person.0.sid()).await;
    assert_eq!(detail.call()["state"], "completed");

    let voice = person.0.record(|record| record.webhooks[0].clone());
    let send = async |url: &str, form: &[(String, String)], headers: Vec<(&'static str, String)>| {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let request = server.http().post(url).header("content-type", "application/x-www-form-urlencoded");
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let answer = request.body(body.finish()).send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("a body"))
    };
    let signed = |url: &str, form: &[(String, String)]| world.phone.options().signature_headers(url, form);

    // The same request again: the call is over, so the platform is told to hang up, and no second call begins.
    let (status, body) = send(&voice.url, &voice.form, signed(&voice.url, &voice.form)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("<Hangup"), "{body}");
    let (_, list) = server.get("/api/v1/calls").await;
    assert_eq!(list["items"].as_array().expect("a list").len(), 1, "{list}");

    // Another caller under the old signature, no signature, a wrong address.
    let mut form = voice.form.clone();
    form.iter_mut().filter(|(name, _)| name == "CallSid").for_each(|(_, sid)| *sid = format!("CA{:032x}", 0xbad));
    assert_eq!(send(&voice.url, &form, signed(&voice.url, &voice.form)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(send(&voice.url, &form, Vec::new()).await.0, StatusCode::FORBIDDEN);
    let elsewhere = voice.url.replace("voice", "status");
    assert_eq!(send(&elsewhere, &voice.form, signed(&voice.url, &voice.form)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(server.metric("frontdesk_webhooks_refused_total", &[("outcome", "forged")]).await, 3.0);

    // A report that was sent before: taken once.
    let mut report = voice.form.clone();
    report.iter_mut().filter(|(name, _)| name == "CallStatus").for_each(|(_, state)| *state = "ringing".to_owned());
    for _ in 0..2 {
        let mut headers = signed(&elsewhere, &report);
        headers.push(("i-twilio-idempotency-token", "one-delivery".to_owned()));
        assert_eq!(send(&elsewhere, &report, headers).await.0, StatusCode::NO_CONTENT);
    }
    assert_eq!(server.metric("frontdesk_webhooks_refused_total", &[("outcome", "replayed")]).await, 1.0);
    assert_eq!(server.detail(detail.id()).await.call()["state"], "completed");

    // A media socket without a signature or a ticket is not let in.
    let media = server.url("/carriers/twilio/media");
    let upgrade = server.http().get(&media).header("upgrade", "websocket").header("connection", "upgrade");
    let upgrade = upgrade.header("sec-websocket-version", "13").header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==");
    assert_eq!(upgrade.send().await.expect("an answer").status(), StatusCode::FORBIDDEN);
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recogniser_that_dies_in_mid_word_costs_a_question_at_most() {
    // Words that are lost with the connection are said again.
    let world = World::new(Setting::new(
        &["When are", SATURDAY, SATURDAY, "Thank you, goodbye."],
        vec![opening_hours(), goodbye()],
    ))
    .await;
    let server = world.serve().await;
    let person = world.call_in();
    person.hears_greeting().await;
    world.stt.faults.set_times(Moment::MidTurn, Fault::Cut, 1);
    let first = person.asks(SATURDAY).await;
    assert!(first.waited_ms <= 3_000, "silence for {} ms", first.waited_ms);
    person.asks(SATURDAY).await;
    say_goodbye(&person).await;
    let detail = server.ended_call(person.0.sid()).await;
    assert_eq!(detail.call()["state"], "completed");
    assert!(detail.heard().contains(&OPENING), "{:?}", detail.heard());
    assert!(world.stt.record.count("open ") >= 2, "{:?}", world.stt.record.count("open "));
    detail.assert_sound();
    world.assert_replays(detail.id()).await;
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_leads_to_an_apology_and_the_call_goes_on() {
    let world =
        World::new(Setting::new(&[SATURDAY, SATURDAY, "Thank you, goodbye."], vec![opening_hours(), goodbye()])).await;
    let server = world.serve().await;
    let person = world.call_in();
    person.hears_greeting().await;
    // However often it is asked for this turn.
    world.llm.faults.set(Moment::Start, Fault::Status { status: 500, retry_after_s: None });
    let apology = person.asks(SATURDAY).await;
    assert!(apology.waited_ms <= 3_000, "silence for {} ms", apology.waited_ms);
    world.llm.faults.clear();
    person.asks(SATURDAY).await;
    say_goodbye(&person).await;
    let detail = server.ended_call(person.0.sid()).await;
    assert_eq!(detail.call()["state"], "completed");
    assert_eq!(detail.heard(), [GREETING, APOLOGY, OPENING, GOODBYE]);
    assert_eq!(detail.entries("fault").len(), 2, "{:?}", detail.entries("fault"));
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_that_hangs_once_is_asked_again_before_the_caller_gives_up() {
    let world = World::new(Setting::new(&[SATURDAY, "Thank you, goodbye."], vec![opening_hours(), goodbye()])).await;
    let server = world.serve().await;
    let person = world.call_in();
    person.hears_greeting().await;
    world.tts.faults.set_times(Moment::Start, Fault::BlackHole, 1);
    let answer = person.asks(SATURDAY).await;
    assert!(answer.waited_ms <= 3_500, "silence for {} ms", answer.waited_ms);
    say_goodbye(&person).await;
    let detail = server.ended_call(person.0.sid()).await;
    let heard: Vec<_> = detail.heard().into_iter().filter(|words| *words != FILLER).collect();
    assert_eq!(heard, [GREETING, OPENING, GOODBYE]);
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_that_is_gone_for_good_ends_the_call_within_half_a_minute() {
    let world = World::new(Setting::new(&[SATURDAY, SATURDAY, SATURDAY], vec![opening_hours()])).await;
    let server = world.serve().await;
    let person = world.call_in();
    person.hears_greeting().await;
    world.tts.faults.set(Moment::Start, Fault::BlackHole);
    let began = tokio::time::Instant::now();
    // What is heard now comes from memory: that it takes a moment, and an apology.
    person.asks(SATURDAY).await;
    person.says(SATURDAY).await;
    person.0.finished(Duration::from_secs(40)).await.expect("the call ends");
    println!("a mute agent hung up after {:?}", began.elapsed());
    assert!(began.elapsed() <= Duration::from_secs(30), "{:?}", began.elapsed());
    let detail = server.ended_call(person.0.sid()).await;
    assert_eq!(detail.call()["ended_reason"], "voice_failed", "{}", detail.call());
    detail.assert_sound();
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn last_words_that_no_voice_of_ours_can_speak_are_spoken_by_the_platform() {
    let world = World::new(Setting::new(&[SATURDAY, SATURDAY, SATURDAY], vec![opening_hours()])).await;
    world.tts.faults.set(Moment::Start, Fault::BlackHole);
    let server = world.serve().await;
    let person = world.call_in();
    person.0.finished(Duration::from_secs(40)).await.expect("the call ends");
    let said = person.0.record(|record| record.said.clone());
    assert!(said.len() == 1 && said[0].contains(GOODBYE), "{said:?}");
    let detail = server.ended_call(person.0.sid()).await;
    assert_eq!(detail.call()["state"], "completed", "{}", detail.call());
    assert!(detail.heard().iter().all(|words| words.is_empty()), "no voice of ours said a word: {:?}", detail.heard());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_in_mid_answer_leaves_nothing_running() {
    let world = World::new(Setting::new(&[SATURDAY], vec![opening_hours()])).await;
    let server = world.serve().await;
    let person = world.call_in();
    person.hears_greeting().await;
    let (_, to_ms) = person.says(SATURDAY).await;
    let speaking = person.0.until(Duration::from_secs(5), "the answer", |record| {
        record.leg().unwrap().playout.spans().last().is_some_and(|span| span.from_ms > to_ms)
    });
    speaking.await.unwrap_or_else(|why| panic!("{why}"));
    person.0.hang_up().await;
    person.0.finished(Duration::from_secs(5)).await.expect("it is over");
    server.is_idle_again().await;
    let detail = server.ended_call(person.0.sid()).await;
    assert_eq!((&detail.call()["state"], &detail.call()["ended_reason"]), (&json!("completed"), &json!("hung_up")));
    let last = detail.heard().last().copied().expect("an answer").to_owned();
    assert!(last.len() < OPENING.len() && OPENING.starts_with(&last), "{last:?}");
    poll(Duration::from_secs(5), "the end of the provider's connections", async || {
        (world.stt.record.count("closed") == world.stt.record.count("open ")
            && world.tts.record.count("closed") == world.tts.record.count("open "))
        .then_some(())
    })
    .await;
}
