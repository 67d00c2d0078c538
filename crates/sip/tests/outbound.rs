//! Calls that go out, and registrations, to a real peer.

#![allow(clippy::unwrap_used)]

mod support;

use base::{Pii, Secret};
use model::call::CallState;
use sip::{CommandError, DialError, DialPlan, Trunk};
use std::time::Duration;
use support::{Manners, Office, Seen, Sipp, endpoint, plan, ports, trunk};

/// Calls a peer that does what is written, and says what was reported.
async fn calls(name: &str, manners: Manners, plan: DialPlan) -> Seen {
    let office = Office::new(manners);
    let peer = Sipp::waits(name, &[]);
    let host = format!("127.0.0.1:{}", peer.port);
    let (endpoint, _) = endpoint(&office, |config| {
        config.trunks[0].host = host;
        config.trunks[0].user = Some("bot".into());
        config.trunks[0].password = Some(Secret::new("zanzibar".into()));
    })
    .await;
    endpoint.dial(plan).await.unwrap();
    let seen = office.until("the call is over", Seen::is_over).await;
    peer.succeeds().await;
    assert_eq!(endpoint.calls(), 0);
    seen
}

#[tokio::test]
async fn a_person_picks_up_and_is_let_go_when_the_owner_is_done() {
    let seen = calls("answers", Manners { frames_max: 25, ..Manners::default() }, plan()).await;
    assert_eq!(seen.states(), [CallState::Ringing, CallState::Answered, CallState::Completed]);
    assert!(seen.words[0].starts_with("start t-2 "));
    assert!(seen.reports.last().unwrap().quality.unwrap().received > 0);
}

#[tokio::test]
async fn a_phone_whose_ringing_wants_to_be_confirmed_is_told_that_it_was_heard() {
    let seen = calls("rings_reliably", Manners { frames_max: 10, ..Manners::default() }, plan()).await;
    assert_eq!(seen.states(), [CallState::Ringing, CallState::Answered, CallState::Completed]);
}

#[tokio::test]
async fn a_trunk_that_wants_a_password_gets_it() {
    let seen = calls("asks_for_password", Manners { frames_max: 10, ..Manners::default() }, plan()).await;
    assert_eq!(seen.states().last(), Some(&CallState::Completed));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (name, state, status) in [
        ("is_busy", CallState::Busy, 486),
        ("network_says_busy", CallState::Busy, 480),
        ("declines", CallState::Failed, 603),
        ("is_broken", CallState::Failed, 503),
    ] {
        let seen = calls(name, Manners::default(), plan()).await;
        let last = seen.reports.last().unwrap();
        assert_eq!((last.state, last.status), (state, Some(status)), "{name}");
    }
}

/// A trunk like the usual one, elsewhere.
fn second_trunk(port: u16) -> Trunk {
    Trunk { name: "second".into(), host: format!("127.0.0.1:{port}"), ..trunk() }
}

fn either() -> DialPlan {
    DialPlan { trunks: vec!["test".into(), "second".into()], ..plan() }
}

#[tokio::test]
async fn a_call_for_which_a_trunk_has_no_room_goes_over_the_next_one() {
    let office = Office::new(Manners { frames_max: 25, ..Manners::default() });
    let (full, free) = (Sipp::waits("is_broken", &[]), Sipp::waits("answers", &[]));
    let (endpoint, _) = endpoint(&office, |config| {
        config.trunks[0].host = format!("127.0.0.1:{}", full.port);
        config.trunks.push(second_trunk(free.port));
    })
    .await;
    endpoint.dial(either()).await.unwrap();
    let seen = office.until("the call is over", Seen::is_over).await;
    full.succeeds().await;
    free.succeeds().await;
    assert_eq!(seen.states(), [CallState::Ringing, CallState::Answered, CallState::Completed]);
}

#[tokio::test]
async fn a_busy_phone_is_not_called_again_over_another_trunk() {
    let office = Office::new(Manners::default());
    let (busy, second) = (Sipp::waits("is_busy", &[]), ports(2));
    let (endpoint, _) = endpoint(&office, |config| {
        config.trunks[0].host = format!("127.0.0.1:{}", busy.port);
        config.trunks.push(second_trunk(second));
    })
    .await;
    endpoint.dial(either()).await.unwrap();
    let seen = office.until("the call is over", Seen::is_over).await;
    assert_eq!(seen.states().last(), Some(&CallState::Busy));
}

#[tokio::test]
async fn a_trunk_that_does_not_answer_when_it_is_asked_gets_no_calls() {
    let office = Office::new(Manners { frames_max: 25, ..Manners::default() });
    let (silent, free) = (ports(2), Sipp::waits("answers", &[]));
    // It takes what is sent and says nothing.
    let _socket = std::net::UdpSocket::bind(("127.0.0.1", silent)).unwrap();
    let (endpoint, _) = endpoint(&office, |config| {
        config.trunks[0].host = format!("127.0.0.1:{silent}");
        config.trunks[0].is_probed = true;
        config.trunks.push(second_trunk(free.port));
    })
    .await;
    let is_up = || endpoint.is_trunk_up("test");
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    let wait = async {
        while is_up() {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it is found silent");
    endpoint.dial(either()).await.unwrap();
    let seen = office.until("the call is over", Seen::is_over).await;
    free.succeeds().await;
    assert_eq!(seen.states(), [CallState::Ringing, CallState::Answered, CallState::Completed]);
}

#[tokio::test]
async fn a_phone_that_nobody_picks_up_is_called_off_in_time() {
    let seen = calls("rings", Manners::default(), DialPlan { ring: Duration::from_millis(700), ..plan() }).await;
    assert_eq!(seen.states(), [CallState::Ringing, CallState::NoAnswer]);
}

#[tokio::test]
async fn a_call_that_is_called_off_while_it_rings_was_canceled() {
    let office = Office::new(Manners::default());
    let peer = Sipp::waits("rings", &[]);
    let host = format!("127.0.0.1:{}", peer.port);
    let (endpoint, _) = endpoint(&office, |config| config.trunks[0].host = host).await;
    endpoint.dial(plan()).await.unwrap();
    let call = plan().call_ref;
    office.until("it rings", |seen| seen.states() == [CallState::Ringing]).await;
    endpoint.hang_up(&call).await.unwrap();
    let seen = office.until("the call is over", Seen::is_over).await;
    peer.succeeds().await;
    assert_eq!(seen.states(), [CallState::Ringing, CallState::Canceled]);
    assert_eq!(endpoint.hang_up(&call).await, Err(CommandError::NoCall));
}

#[tokio::test]
async fn what_cannot_be_written_into_a_request_is_not_dialled() {
    let office = Office::new(Manners::default());
    let (endpoint, _) = endpoint(&office, |_| {}).await;
    let injected = DialPlan { to: Pii::new("1\r\nX: y".into()), ..plan() };
    assert_eq!(endpoint.dial(injected).await, Err(DialError::Unwritable));
    let header = DialPlan { headers: vec![("X-A".into(), "b\r\nX: y".into())], ..plan() };
    assert_eq!(endpoint.dial(header).await, Err(DialError::Unwritable));
    assert_eq!(endpoint.dial(DialPlan { trunks: vec!["other".into()], ..plan() }).await, Err(DialError::NoTrunk));
    assert_eq!(endpoint.calls(), 0);
}

#[tokio::test]
async fn a_trunk_is_registered_with_a_password_and_the_time_that_it_wants() {
    let office = Office::new(Manners::default());
    let registrar = Sipp::waits("registrar", &[]);
    let host = format!("127.0.0.1:{}", registrar.port);
    let (_endpoint, _) = endpoint(&office, |config| {
        config.trunks[0].host = host;
        config.trunks[0].user = Some("bot".into());
        config.trunks[0].password = Some(Secret::new("zanzibar".into()));
        config.trunks[0].registers = true;
    })
    .await;
    registrar.succeeds().await;
}
