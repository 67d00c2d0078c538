//! Calls that come in, from a real peer.

#![allow(clippy::unwrap_used)]

mod support;

use base::Secret;
use model::call::CallState;
use sip::{CommandError, Listen, Transport, Verdict};
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;
use support::{Manners, Office, Party, Sipp, endpoint, ports, tag, value};
use tokio::time::Instant;

async fn passes(name: &str, manners: Manners) -> support::Seen {
    let office = Office::new(manners);
    let (endpoint, address) = endpoint(&office, |_| {}).await;
    Sipp::calls(address, name, &[]).succeeds().await;
    if !office.seen().invites.is_empty() {
        office.until("the call is over", support::Seen::is_over).await;
    }
    assert_eq!(endpoint.calls(), 0, "no call is left");
    office.seen()
}

#[tokio::test]
async fn a_caller_is_answered_heard_and_let_go() {
    let seen = passes("call", Manners::default()).await;
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
    let invite = &seen.invites[0];
    assert_eq!(invite.from.as_ref().unwrap().expose(), "+4940555017");
    assert_eq!((invite.to.as_str(), invite.trunk.as_str()), ("+4940555000", "test"));
    assert_eq!(seen.words.first().unwrap(), &format!("start t-1 {} 8000", invite.call_ref));
    assert_eq!(seen.words.last().unwrap(), "stop");
}

#[tokio::test]
async fn audio_comes_back_from_a_peer_that_echoes_it() {
    let office = Office::new(Manners::default());
    let (_endpoint, address) = endpoint(&office, |_| {}).await;
    Sipp::calls(address, "call", &["-d", "2000"]).succeeds().await;
    let seen = office.until("the call is over", support::Seen::is_over).await;
    assert!(seen.frames >= 80, "{} frames in two seconds", seen.frames);
    let quality = seen.reports.last().unwrap().quality.unwrap();
    assert!(quality.sent >= 90 && quality.received >= 80, "{quality:?}");
    assert!(quality.lost <= 1 && quality.mos.unwrap() > 4.0, "{quality:?}");
    assert!(seen.words.iter().filter(|word| word.starts_with("mark ")).count() >= 60, "marks come back as played");
}

#[tokio::test]
async fn hold_is_told_and_taken_back() {
    let seen = passes("hold", Manners::default()).await;
    let expected = [CallState::Answered, CallState::Paused, CallState::Active, CallState::Completed];
    assert_eq!(seen.states(), expected);
}

#[tokio::test]
async fn a_queue_that_calls_without_an_offer_gets_ours() {
    let seen = passes("late_offer", Manners::default()).await;
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
}

#[tokio::test]
async fn a_caller_who_gives_up_while_it_rings_is_canceled() {
    let seen = passes("called_off", Manners { answers: false, ..Manners::default() }).await;
    assert_eq!(seen.states(), [CallState::Canceled]);
}

#[tokio::test]
async fn a_caller_who_requires_reliable_ringing_gets_it() {
    let seen = passes("confirms_ringing", Manners::default()).await;
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
}

#[tokio::test]
async fn reliable_ringing_is_said_again_until_it_is_confirmed() {
    let office = Office::new(Manners { answers: false, ..Manners::default() });
    let (_endpoint, here) = endpoint(&office, |_| {}).await;
    let party = Party::new(here, "reliable").await;
    party.ask("INVITE", 1, "", "Require: 100rel\r\n", &party.offer()).await;
    let first = party.next().await;
    assert!(first.starts_with("SIP/2.0 180") && first.contains("\r\nRequire: 100rel\r\n"), "{first}");
    let began = Instant::now();
    assert_eq!(party.next().await, first, "said again");
    assert_eq!(party.next().await, first, "and again");
    assert!(began.elapsed() >= Duration::from_millis(1_400), "after half a second and another whole one");
    let rack = format!("RAck: {} 1 INVITE\r\n", value(&first, "RSeq"));
    party.ask("PRACK", 2, &tag(&value(&first, "To")), &rack, "").await;
    let confirmed = party.next().await;
    assert!(confirmed.starts_with("SIP/2.0 200") && confirmed.contains("PRACK"), "{confirmed}");
    let_pass(Duration::from_secs(5)).await;
    party.ask("CANCEL", 1, "", "", "").await;
    let mut statuses = [party.next().await, party.next().await].map(|answer| answer[8..11].to_owned());
    statuses.sort();
    assert_eq!(statuses, ["200", "487"], "nothing was said again");
    office.until("the call is over", support::Seen::is_over).await;
}

#[tokio::test]
async fn keys_arrive_by_message() {
    let seen = passes("keys_by_message", Manners::default()).await;
    let keys: Vec<_> = seen.words.iter().filter(|word| word.starts_with("dtmf")).cloned().collect();
    assert_eq!(keys, ["dtmf 7", "dtmf #"]);
}

#[tokio::test]
async fn protected_audio_is_agreed_on_under_the_offered_tag() {
    let seen = passes("protected", Manners::default()).await;
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
}

#[tokio::test]
async fn a_session_with_a_timer_is_refreshed() {
    let seen = passes("session", Manners::default()).await;
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
}

/// Lets so much time pass for us; the other side, a process of its own, notices nothing of it.
async fn let_pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_session_that_nobody_refreshes_is_over() {
    let office = Office::new(Manners::default());
    let (endpoint, address) = endpoint(&office, |_| {}).await;
    let caller = Sipp::calls(address, "session_runs_out", &[]);
    office.until("audio flows", |seen| seen.frames > 5).await;
    let_pass(Duration::from_secs(59)).await;
    office.until("audio flows on", |seen| seen.frames > 15).await;
    assert_eq!(endpoint.calls(), 1, "it has a second left");
    let_pass(Duration::from_secs(2)).await;
    caller.succeeds().await;
    let seen = office.until("the call is over", support::Seen::is_over).await;
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
}

#[tokio::test]
async fn a_session_is_refreshed_until_the_other_side_knows_nothing_of_it() {
    let office = Office::new(Manners::default());
    let (_endpoint, address) = endpoint(&office, |_| {}).await;
    let caller = Sipp::calls(address, "session_is_unknown", &[]);
    let seen = office.until("audio flows", |seen| seen.frames > 5).await;
    let_pass(Duration::from_secs(46)).await;
    office.until("audio flows on", |later| later.frames > seen.frames + 25).await;
    let_pass(Duration::from_secs(46)).await;
    caller.succeeds().await;
    let seen = office.until("the call is over", support::Seen::is_over).await;
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
}

#[tokio::test]
async fn the_owner_hangs_up_by_closing_the_line() {
    let seen = passes("hung_up_on", Manners { frames_max: 10, ..Manners::default() }).await;
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
}

/// Has a caller sent to somebody else, and says what came of it.
async fn sent_on(name: &str) -> (Result<(), CommandError>, support::Seen) {
    let office = Office::new(Manners::default());
    let (endpoint, address) = endpoint(&office, |_| {}).await;
    let caller = Sipp::calls(address, name, &[]);
    let seen = office.until("audio flows", |seen| seen.frames > 5).await;
    let result = endpoint.transfer(&seen.invites[0].call_ref, "+4930123456").await;
    caller.succeeds().await;
    (result, office.until("the call is over", support::Seen::is_over).await)
}

#[tokio::test]
async fn a_caller_who_is_sent_to_a_person_goes_there_and_is_let_go() {
    for name in ["transferred", "transferred_without_a_word"] {
        let (result, seen) = sent_on(name).await;
        assert_eq!(result, Ok(()), "{name}");
        assert_eq!(seen.states(), [CallState::Answered, CallState::Completed], "{name}");
    }
}

#[tokio::test]
async fn a_caller_who_does_not_go_where_they_are_sent_stays_with_us() {
    let (result, seen) = sent_on("stays").await;
    assert_eq!(result, Err(CommandError::Refused(603)));
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
    let (result, seen) = sent_on("comes_back").await;
    assert_eq!(result, Err(CommandError::Refused(486)));
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
}

#[tokio::test]
async fn what_is_not_a_call_is_answered_without_asking_anybody() {
    for name in ["probe", "unknown_call", "other_codec", "unknown_extension", "short_session"] {
        let seen = passes(name, Manners::default()).await;
        assert!(seen.states().iter().all(|state| *state == CallState::Failed), "{name}: {:?}", seen.states());
    }
}

#[tokio::test]
async fn refusals_of_the_owner_have_their_own_answers() {
    for (name, verdict, state) in
        [("busy_here", Verdict::Busy, CallState::Busy), ("unknown_number", Verdict::NoSuchNumber, CallState::Failed)]
    {
        let seen = passes(name, Manners { verdict, ..Manners::default() }).await;
        assert_eq!(seen.states(), [state]);
    }
}

#[tokio::test]
async fn a_caller_is_sent_to_another_number_of_the_trunk() {
    let verdict = Verdict::Moved { to: "+4940555017".parse().unwrap() };
    let seen = passes("sent_elsewhere", Manners { verdict, ..Manners::default() }).await;
    assert_eq!(seen.states(), [CallState::Completed]);
}

#[tokio::test]
async fn beyond_the_capacity_a_caller_is_told_to_come_back() {
    let office = Office::new(Manners::default());
    let (_endpoint, address) = endpoint(&office, |config| config.calls_max = 0).await;
    Sipp::calls(address, "come_back_later", &[]).succeeds().await;
    assert!(office.seen().invites.is_empty());
}

#[tokio::test]
async fn strangers_are_turned_away_unless_they_know_a_password() {
    let office = Office::new(Manners::default());
    let elsewhere = |config: &mut sip::Config| config.trunks[0].host = "192.0.2.1".into();
    let (_endpoint, address) = endpoint(&office, elsewhere).await;
    Sipp::calls(address, "stranger", &[]).succeeds().await;
    let (_other, address) = endpoint(&office, |config| {
        elsewhere(config);
        config.trunks[0].user = Some("bot".into());
        config.trunks[0].password = Some(Secret::new("zanzibar".into()));
    })
    .await;
    Sipp::calls(address, "cannot_prove", &[]).succeeds().await;
    assert!(office.seen().invites.is_empty());
    Sipp::calls(address, "proves_itself", &[]).succeeds().await;
    office.until("the call is over", support::Seen::is_over).await;
}

#[tokio::test]
async fn calls_come_over_streams_too() {
    let office = Office::new(Manners::default());
    let (_endpoint, address) = endpoint(&office, |_| {}).await;
    Sipp::calls(address, "call", &["-t", "t1"]).succeeds().await;
    let seen = office.until("the call is over", support::Seen::is_over).await;
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
}

#[tokio::test]
async fn calls_come_over_the_newer_internet() {
    let office = Office::new(Manners::default());
    let listens = SocketAddr::from((Ipv6Addr::LOCALHOST, ports(2)));
    let (_endpoint, _) = endpoint(&office, |config| {
        config.listen = vec![Listen { transport: Transport::Udp, address: listens }];
        config.trunks[0].host = "[::1]".into();
    })
    .await;
    Sipp::calls(listens, "call", &["-d", "1000"]).succeeds().await;
    let seen = office.until("the call is over", support::Seen::is_over).await;
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
    let quality = seen.reports.last().unwrap().quality.unwrap();
    assert!(quality.received >= 30, "{quality:?}");
}

#[tokio::test]
async fn many_calls_at_once_all_come_and_go() {
    let office = Office::new(Manners::default());
    let first = ports(600);
    let (endpoint, address) = endpoint(&office, |config| {
        config.calls_max = 200;
        config.rtp_ports = first..=first + 400;
    })
    .await;
    Sipp::calls(address, "call", &["-m", "60", "-r", "20", "-d", "1000"]).succeeds().await;
    let is_over = |seen: &support::Seen| seen.states().iter().filter(|state| state.is_terminal()).count() == 60;
    let seen = office.until("all calls are over", is_over).await;
    assert!(seen.states().iter().all(|state| matches!(state, CallState::Answered | CallState::Completed)));
    assert_eq!(endpoint.calls(), 0);
}
