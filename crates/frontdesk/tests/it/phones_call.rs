//! Whole calls over every phone platform that carries audio to us, by the real program: each twin is as strict about its
//! frames, signatures and answers as the platform.

use crate::rig::{CALLER, CHAR_MS, GOODBYE, GREETING, NUMBER, Person, Server, Setting, World, poll};
use reqwest::StatusCode;
use serde_json::json;
use sim::twins::exotel::Exotel;
use sim::twins::openai::{Reply, Rule};
use sim::twins::phone::{Callee, PhoneOptions, PhoneTwin};
use sim::twins::plivo::Plivo;
use sim::twins::telnyx::Telnyx;
use sim::twins::vonage::Vonage;
use std::ops::Deref;
use std::time::Duration;

const SATURDAY: &str = "When are you open on Saturday?";
const OPENING: &str = "On Saturday we are open from ten to four.";
const RETURNS: &str = "You can send anything back within thirty days. The parcel must hold everything that was in it. We pay the \
                       money back within one week after it has arrived in our workshop.";
const STOP: &str = "Sorry, stop. Thank you, goodbye.";

/// Said while an answer is on its way, which depends on the machine's load and not on the platform.
const FILLER: &str = "One moment, please.";

type Around = World<Box<PhoneTwin>>;

/// The platform of this name, set up as its guide says.
async fn platform(name: &str, options: PhoneOptions) -> Box<PhoneTwin> {
    let started = match name {
        "vonage" => {
            let application = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
            PhoneTwin::start(Vonage::new(application, "hunter2hunter2hunter2hunter2hunter2"), options).await
        }
        "telnyx" => {
            // One address for everything.
            let status_url = options.status_url.as_ref().map(|url| url.replace("/status", "/voice"));
            PhoneTwin::start(Telnyx::new("KEY0123456789", &[7; 32]), PhoneOptions { status_url, ..options }).await
        }
        "plivo" => PhoneTwin::start(Plivo::new("MAXXXXXXXXXXXXXXXXXX", "plivo-token-5af1"), options).await,
        "exotel" => {
            let account = Exotel {
                account_sid: "brightleaf1".to_owned(),
                api_key: "exotel-key".to_owned(),
                api_token: "exotel-token".to_owned(),
                webhook_secret: "exotelwebhooksecret".to_owned(),
            };
            PhoneTwin::start(account, options).await
        }
        other => panic!("{other} has no twin"),
    };
    Box::new(started.expect("a twin"))
}

/// The business with a number of this platform.
async fn open(carrier: &'static str, setting: Setting) -> (Around, Server) {
    let world = World::around(carrier, setting, async |options| platform(carrier, options).await).await;
    let server = world.serve().await;
    let (status, number) =
        server.post("/api/v1/numbers", &json!({"number": NUMBER, "carrier": carrier, "agent": "robin"})).await;
    assert_eq!(status, StatusCode::CREATED, "{number}");
    (world, server)
}

fn goodbye() -> Rule {
    Rule::on_user("goodbye", Reply::calls("end_call", json!({})))
}

/// Neither side did anything that the other does not take, and every report arrived.
fn assert_clean(person: &Person) {
    person.0.record(|record| {
        assert_eq!(record.faults, Vec::<String>::new());
        assert_eq!(record.status, "completed");
        assert!(record.legs.iter().all(|leg| leg.errors.is_empty()), "{:?}", record.leg().map(|leg| &leg.errors));
        assert_eq!(record.legs.len(), 1);
        assert!(record.reports.iter().all(|(_, status)| (200..300).contains(status)), "{:?}", record.reports);
    });
}

/// The greeting takes as long as it takes to say it: nothing was put between its frames.
fn assert_fluent(person: &Person) {
    let spoken_ms = GREETING.chars().count() as u64 * CHAR_MS;
    let spans = person.leg(|leg| leg.playout.spans().to_vec());
    let lasted_ms = spans.last().expect("a greeting").to_ms - spans[0].from_ms;
    assert!(lasted_ms < spoken_ms * 4 / 3, "{spoken_ms} ms of speech lasted {lasted_ms} ms: {spans:?}");
}

async fn comes_in(carrier: &'static str) {
    let rules = vec![
        Rule::on_user("open on saturday", Reply::says(OPENING)),
        Rule::on_user("42", Reply::says(RETURNS)),
        goodbye(),
    ];
    let (world, server) = open(carrier, Setting::new(&[SATURDAY, STOP], rules)).await;
    let person = world.call_in();
    person.hears_greeting().await;
    assert_fluent(&person);
    person.asks(SATURDAY).await;
    let pressed_ms = person.now_ms();
    for key in ['4', '2', '#'] {
        person.0.press(key).await;
    }
    let speaking = person.0.until(Duration::from_secs(5), "the answer to the keys", |record| {
        record.leg().is_some_and(|leg| {
            let last = leg.playout.spans().last().filter(|span| span.from_ms > pressed_ms);
            last.is_some_and(|span| leg.playout.now_ms() >= span.from_ms + 1_000)
        })
    });
    speaking.await.unwrap_or_else(|why| panic!("{why}"));
    let before = person.leg(|leg| leg.clears.len());
    let (onset_ms, _) = person.says(STOP).await;
    let cleared = person
        .0
        .until(Duration::from_secs(3), "a clear", |record| record.leg().is_some_and(|leg| leg.clears.len() > before));
    cleared.await.unwrap_or_else(|why| panic!("{why}"));
    let (cut_at, _) = person.leg(|leg| leg.clears[before]);
    assert!(cut_at - onset_ms <= 1_000, "the caller talked against the agent for {} ms", cut_at - onset_ms);
    person.0.finished(Duration::from_secs(15)).await.expect("the agent hangs up");

    assert_clean(&person);
    let detail = server.ended_call(person.0.sid()).await;
    detail.assert_sound();
    let call = detail.call();
    assert_eq!((&call["state"], &call["direction"]), (&json!("completed"), &json!("inbound")), "{call}");
    assert_eq!(
        (&call["customer"], &call["number"], &call["carrier"]),
        (&json!(CALLER), &json!(NUMBER), &json!(carrier))
    );
    assert_eq!(detail.texts("caller_turn", "text"), [SATURDAY, "42", STOP]);
    let heard: Vec<&str> = detail.heard().into_iter().filter(|text| *text != FILLER).collect();
    assert_eq!((heard.len(), &heard[..2], heard.last()), (4, &[GREETING, OPENING][..], Some(&GOODBYE)), "{heard:#?}");
    // What was heard of the answer is known by marks: a beginning, and neither nothing nor all of it.
    assert!(RETURNS.starts_with(heard[2]) && heard[2].len() < RETURNS.len() && heard[2].len() > 10, "{heard:#?}");
    assert_eq!(detail.entries("dtmf").len(), 3);
    assert!(detail.entries("fault").is_empty(), "{:#?}", detail.entries("fault"));
    server.is_idle_again().await;
}

async fn is_placed(carrier: &'static str) {
    let (world, server) = open(carrier, Setting::new(&["Thank you, goodbye."], vec![goodbye()])).await;
    world.phone.next_callees([Callee::Answers(Duration::from_millis(200)), Callee::Busy]);
    let dial = json!({"to": CALLER, "from": NUMBER, "agent": "robin", "carrier": carrier});
    let (status, placed) = server.post("/api/v1/calls", &dial).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{placed}");
    let person = Person(world.phone.outbound_call(Duration::from_secs(5)).await.expect("the phone rings"));
    person.hears_greeting().await;
    person.says("Thank you, goodbye.").await;
    person.0.finished(Duration::from_secs(15)).await.expect("the agent hangs up");
    assert_clean(&person);
    let detail = server.ended_call(person.0.sid()).await;
    assert_eq!(detail.id(), placed["id"]);
    assert_eq!((&detail.call()["state"], &detail.call()["direction"]), (&json!("completed"), &json!("outbound")));
    let heard: Vec<&str> = detail.heard().into_iter().filter(|text| *text != FILLER).collect();
    assert_eq!(heard, [GREETING, GOODBYE]);
    assert!(detail.entries("fault").is_empty(), "{:#?}", detail.entries("fault"));

    let (status, placed) = server.post("/api/v1/calls", &dial).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{placed}");
    let person = world.phone.outbound_call(Duration::from_secs(5)).await.expect("the phone rings");
    person.finished(Duration::from_secs(5)).await.expect("nobody answers");
    assert_eq!(server.ended_call(person.sid()).await.call()["state"], "busy");
    server.is_idle_again().await;
}

const COLLEAGUE: &str = "+494055501880";
const BRIEF: &str = "Maria Braun waits for a new fork since Monday.";
const KIM: &str = "Hello, this is Kim from the workshop.";
const MARIA: &str = "Hello Kim, it is about my fork.";

/// The desk has a colleague asked over the same platform, who hears the brief, takes the caller, and the two talk.
async fn asks_a_colleague<P: Deref<Target = PhoneTwin>>(world: &World<P>, server: &Server) {
    let caller = world.call_in();
    caller.hears_greeting().await;
    let ours = server.find_call(caller.0.sid()).await.expect("a row")["id"].as_str().expect("an id").to_owned();
    world.phone.next_callees([Callee::Answers(Duration::from_millis(200))]);
    let asked_ms = caller.now_ms();
    let wish = json!({ "to": COLLEAGUE, "mode": "warm", "brief": BRIEF });
    let (status, told) = server.post(&format!("/api/v1/calls/{ours}/transfer"), &wish).await;
    assert!(status.is_success(), "{status} {told}");
    let colleague = Person(world.phone.outbound_call(Duration::from_secs(10)).await.expect("their phone rings"));
    caller.hears_out(asked_ms, Duration::from_secs(10), "that somebody is asked").await;
    colleague.hears_greeting().await;
    colleague.0.press('1').await;
    poll(Duration::from_secs(10), "the two are connected", async || {
        (server.detail(&ours).await.entries("taken_over").len() == 1).then_some(())
    })
    .await;
    // What either says is heard by the other.
    let (from_ms, said_ms) = (caller.now_ms(), colleague.now_ms());
    colleague.says(KIM).await;
    caller.hears_out(from_ms, Duration::from_secs(10), "the colleague").await;
    caller.says(MARIA).await;
    colleague.hears_out(said_ms, Duration::from_secs(10), "the caller").await;
    colleague.0.hang_up().await;
    caller.0.finished(Duration::from_secs(15)).await.expect("the caller is let go");
    [&caller, &colleague].into_iter().for_each(assert_clean);

    let call = server.ended_call(caller.0.sid()).await;
    assert_eq!((&call.call()["state"], &call.call()["ended_reason"]), (&json!("completed"), &json!("transferred")));
    assert_eq!(call.texts("consult_ended", "outcome"), ["accepted"]);
    assert_eq!((call.texts("person_turn", "text"), call.texts("caller_turn", "text")), (vec![KIM], vec![MARIA]));
    let brief = server.ended_call(colleague.0.sid()).await;
    assert_eq!((&brief.call()["direction"], &brief.call()["customer"]), (&json!("outbound"), &json!(COLLEAGUE)));
    assert!(brief.heard().concat().contains(BRIEF), "{:#?}", brief.heard());
    assert_eq!(call.texts("taken_over", "by"), [format!("call:{}", brief.id())]);
    for detail in [&call, &brief] {
        detail.assert_sound();
        assert!(detail.entries("fault").is_empty(), "{:#?}", detail.entries("fault"));
        world.assert_replays(detail.id()).await;
    }
    server.is_idle_again().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_is_asked_first_over_twilio() {
    let world = World::new(Setting::new(&[KIM, MARIA], vec![])).await;
    let server = world.serve().await;
    asks_a_colleague(&world, &server).await;
}

macro_rules! over {
    ($($carrier:ident),*) => {
        $(mod $carrier {
            #[tokio::test(flavor = "multi_thread")]
            async fn a_caller_asks_presses_keys_interrupts_and_says_goodbye() {
                super::comes_in(stringify!($carrier)).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_placed_call_is_answered_and_the_next_one_is_busy() {
                super::is_placed(stringify!($carrier)).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_colleague_is_asked_first() {
                let setting = super::Setting::new(&[super::KIM, super::MARIA], vec![]);
                let (world, server) = super::open(stringify!($carrier), setting).await;
                super::asks_a_colleague(&world, &server).await;
            }
        })*
    };
}

over! { vonage, telnyx, plivo, exotel }
