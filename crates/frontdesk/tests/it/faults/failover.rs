//! What a caller notices of a change of providers: nothing but a slower turn.

use super::line::{Ear, Silence};
use super::world::{BIKES, BYE, Common, GOODBYE, OPENING, ORDER, REPAIRS, SATURDAY, Size, World};
use super::{Caller, SILENCE_MS_MAX, journal};
use model::journal::Entry;
use model::routing::{Stage, Switches};
use sim::twins::twilio::CallRecord;
use sim::twins::{Fault, Moment};
use std::collections::BTreeMap;
use std::time::Duration;

/// (stage, provider, reason) of every decision that a call wrote down.
async fn decisions(common: &Common, sid: &str) -> Vec<(String, String, String)> {
    let route = common.store.route_call("twilio", sid).await.expect("a call");
    let records = common.store.journal(&route.scope, route.call.id).await.expect("a journal");
    let routed = records.into_iter().filter_map(|record| match record.entry {
        Entry::Routed(routed) => Some((routed.stage.name().to_owned(), routed.provider, routed.reason)),
        _ => None,
    });
    routed.collect()
}

fn has(decisions: &[(String, String, String)], stage: Stage, provider: &str, reason: &str) -> bool {
    decisions.iter().any(|(at, who, why)| at == stage.name() && who == provider && why == reason)
}

async fn answered(world: &World) -> Caller<'_> {
    let mut caller = connected(world).await;
    caller.hears_out(0, "greeting").await;
    caller
}

async fn connected(world: &World) -> Caller<'_> {
    let call = world.phone.place_call(&format!("{}/carriers/twilio/voice", world.base_url));
    call.until(Duration::from_secs(8), "the media socket", |record| record.leg().is_some()).await.expect("a line");
    Caller { world, call, ear: Ear::default(), silence: Silence::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_one_call_recogniser_brain_and_voice_each_die_once_and_the_caller_only_waits_a_little_longer() {
    let dir = tempfile::tempdir().expect("a folder");
    let common = Common::new(dir.path()).await;
    let world = World::new(&common).await;
    world.is_warm().await;
    let mut caller = answered(&world).await;
    // The recogniser dies among the caller's words, the brain before its first, the voice among its own.
    world.stt.first.faults.set_always(Fault::Cut);
    caller.asks(SATURDAY, "the recogniser dies").await;
    world.stt.first.faults.clear();
    world.llm.first.faults.set_times(Moment::Start, Fault::Status { status: 503, retry_after_s: None }, 1);
    caller.asks(BIKES, "the brain dies").await;
    world.tts.first.faults.set_times(Moment::Start, Fault::Refuse, 1);
    caller.asks(ORDER, "the voice dies").await;
    let to_ms = caller.says(BYE).await;
    caller.call.finished(Duration::from_secs(20)).await.expect("the agent hangs up");
    let last = caller.look(|sounds, now| super::longest(sounds, to_ms, now, "goodbye"));
    let Caller { silence, call, .. } = caller;
    let (heard, ended) = journal(&common, call.sid()).await;
    for answer in [OPENING, REPAIRS, GOODBYE] {
        assert!(heard.contains(answer), "{answer:?} was not heard: {heard}");
    }
    assert_eq!(ended, "completed (agent)");
    assert!(silence.ms.max(last.ms) <= SILENCE_MS_MAX, "{silence:?} {last:?}");
    let decided = decisions(&common, call.sid()).await;
    for stage in Stage::ALL {
        assert!(has(&decided, stage, "first", "chosen"), "{decided:?}");
        assert!(decided.iter().any(|(at, who, _)| at == stage.name() && who == "second"), "{decided:?}");
    }
    println!("the longest silence was {} ms ({}); {decided:?}", silence.ms, silence.place);
}

const CALLS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_running_calls_follow_a_switch_and_none_is_dropped() {
    let dir = tempfile::tempdir().expect("a folder");
    let common = Common::new(dir.path()).await;
    let world = World::sized(&common, Size { calls_max: CALLS }).await;
    world.is_warm().await;
    let mut callers = Vec::new();
    for _ in 0..CALLS {
        callers.push(connected(&world).await);
    }
    let greeted = callers.into_iter().map(async |mut caller| {
        caller.hears_out(0, "greeting").await;
        caller
    });
    let callers = futures_util::future::join_all(greeted).await;
    let callers = each(callers, SATURDAY).await;
    let all = Stage::ALL.map(|stage| (stage, "second".to_owned()));
    let switches = Switches { first: BTreeMap::from(all), ..Switches::default() };
    world.node.set_switches(switches, None).await.expect("it is switched");
    let callers = each(callers, BIKES).await;
    for caller in &callers {
        assert!(!caller.call.record(CallRecord::is_over), "no call was dropped");
    }
    let goodbyes = callers.into_iter().map(async |mut caller| {
        caller.says(BYE).await;
        caller.call.finished(Duration::from_secs(30)).await.expect("the agent hangs up");
        caller.call.sid().to_owned()
    });
    let ends = futures_util::future::join_all(goodbyes).await;
    let mut followed = BTreeMap::new();
    for sid in ends {
        let (heard, ended) = journal(&common, &sid).await;
        assert_eq!(ended, "completed (agent)", "{heard}");
        assert!(heard.contains(OPENING) && heard.contains(REPAIRS) && heard.contains(GOODBYE), "{heard}");
        let decided = decisions(&common, &sid).await;
        for stage in Stage::ALL {
            // A call that had left the first one before, because the machine was busy, stays where it is.
            let last = decided.iter().rfind(|(at, ..)| at == stage.name());
            let follows = last.is_some_and(|(_, who, _)| who == "second");
            *followed.entry(stage).or_insert(0) += usize::from(follows);
            if !follows {
                println!("{decided:?}");
            }
        }
    }
    println!("of {CALLS} calls followed: {followed:?}");
    assert_eq!(followed, Stage::ALL.map(|stage| (stage, CALLS)).into());
}

/// Everybody asks at once.
async fn each<'a>(callers: Vec<Caller<'a>>, line: &'static str) -> Vec<Caller<'a>> {
    let ask = async |mut caller: Caller<'a>| {
        caller.asks(line, line).await;
        caller
    };
    futures_util::future::join_all(callers.into_iter().map(ask)).await
}
