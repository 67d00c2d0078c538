//! Calls that somebody takes over (RFC 3891), message by message. `phone` has a telephone do it.

#![allow(clippy::unwrap_used)]

mod support;

use model::call::CallState;
use sip::trace::{Tap, Traced};
use sip::{Config, Endpoint};
use std::net::SocketAddr;
use std::sync::Arc;
use support::{Manners, Office, Party, Seen, endpoint, plan, tag, value};

/// Calls, and says what the answer is once it is confirmed.
async fn up(party: &Party, more: &str) -> String {
    party.ask("INVITE", 1, "", more, &party.offer()).await;
    let answer = party.until("SIP/2.0 2").await;
    party.ask("ACK", 1, &tag(&value(&answer, "To")), "", "").await;
    answer
}

/// The final answer to a request that is refused.
async fn refused(here: SocketAddr, call_id: &str, more: &str, offer: Option<&str>) -> String {
    let party = Party::new(here, call_id).await;
    party.ask("INVITE", 1, "", more, offer.unwrap_or(&party.offer())).await;
    loop {
        let answer = party.next().await;
        if !answer.starts_with("SIP/2.0 1") {
            party.ask("ACK", 1, &tag(&value(&answer, "To")), "", "").await;
            return answer[8..11].to_owned();
        }
    }
}

fn audio_port(message: &str) -> u16 {
    let line = message.split("\r\n").find_map(|line| line.strip_prefix("m=audio ")).unwrap();
    line.split(' ').next().unwrap().parse().unwrap()
}

async fn begin(change: impl FnOnce(&mut Config)) -> (Arc<Office>, Endpoint, SocketAddr) {
    let office = Office::new(Manners::default());
    let (endpoint, here) = endpoint(&office, change).await;
    (office, endpoint, here)
}

#[tokio::test]
async fn a_call_goes_on_with_whoever_takes_it_over_and_once_more() {
    let (tap, mut traced) = Tap::new();
    let (office, endpoint, here) = begin(|config| config.tap = Some(tap)).await;
    let first = Party::new(here, "first").await;
    let answer = up(&first, "").await;
    assert!(value(&answer, "Supported").contains("replaces"), "{answer}");
    let seen = office.until("audio flows", |seen| seen.frames > 5).await;
    let ours = tag(&value(&answer, "To"));
    let second = Party::new(here, "second").await;
    let taken = up(&second, &format!("Require: replaces\r\nReplaces: first;to-tag={ours};from-tag=first\r\n")).await;
    assert_ne!(audio_port(&taken), audio_port(&answer), "who leaves does not hear the rest");
    let bye = first.until("BYE").await;
    first.answer(&bye, "200 OK", "first").await;
    let seen = office.until("audio flows on", |later| later.frames > seen.frames + 10).await;
    let third = Party::new(here, "third").await;
    let ours = tag(&value(&taken, "To"));
    up(&third, &format!("Replaces: second;from-tag=second;to-tag={ours}\r\n")).await;
    let bye = second.until("BYE").await;
    second.answer(&bye, "200 OK", "second").await;
    office.until("audio flows on", |later| later.frames > seen.frames + 10).await;
    endpoint.hang_up("first").await.unwrap();
    let bye = third.until("BYE").await;
    third.answer(&bye, "200 OK", "third").await;
    let seen = office.until("the call is over", Seen::is_over).await;
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
    assert_eq!(seen.invites.len(), 1, "the owner is asked once");
    let told: Vec<(&str, &str)> =
        seen.successors.iter().map(|(call, by)| (call.as_str(), by.call_ref.as_str())).collect();
    assert_eq!(told, [("first", "second"), ("first", "third")], "and knows who is there");
    assert_eq!(seen.words.iter().filter(|word| word.starts_with("start")).count(), 1, "the line stays");
    assert_eq!(endpoint.calls(), 0);
    let mut requests = Vec::new();
    while let Ok(Traced::Packet(name, packet)) = traced.try_recv() {
        assert_eq!(&*name, "first", "all that was exchanged is of the one call");
        if packet.bytes.starts_with(b"INVITE") {
            requests.push(value(&String::from_utf8_lossy(&packet.bytes), "Call-ID"));
        }
    }
    assert_eq!(requests, ["first", "second", "third"]);
}

#[tokio::test]
async fn who_may_not_take_a_call_over_is_told_why_and_the_call_goes_on() {
    let (office, endpoint, here) = begin(|config| {
        let other = sip::Trunk { name: "other".into(), user: Some("+4940555001".into()), ..support::trunk() };
        config.trunks.push(other);
    })
    .await;
    let first = Party::new(here, "first").await;
    let answer = up(&first, "").await;
    let seen = office.until("audio flows", |seen| seen.frames > 5).await;
    let ours = tag(&value(&answer, "To"));
    let right = format!("Replaces: first;to-tag={ours};from-tag=first");
    let table = [
        ("a call that is not here", format!("Replaces: none;to-tag={ours};from-tag=first\r\n"), None, "481"),
        ("a tag that is another one", format!("Replaces: first;to-tag={ours};from-tag=x\r\n"), None, "481"),
        ("only while it rings", format!("{right};early-only\r\n"), None, "486"),
        ("two at once", format!("{right}\r\n{right}\r\n"), None, "400"),
        ("no tags", "Replaces: first\r\n".into(), None, "400"),
        (
            "nothing that we speak",
            format!("{right}\r\n"),
            Some("v=0\r\no=p 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 18\r\n"),
            "488",
        ),
    ];
    for (number, (name, more, offer, status)) in table.iter().enumerate() {
        assert_eq!(refused(here, &format!("refused{number}"), more, *offer).await, *status, "{name}");
    }
    office.until("audio flows on", |later| later.frames > seen.frames + 10).await;
    first.ask("BYE", 2, &ours, "", "").await;
    first.until("SIP/2.0 200").await;
    let seen = office.until("the call is over", Seen::is_over).await;
    assert_eq!(seen.states(), [CallState::Answered, CallState::Completed]);
    assert_eq!(refused(here, "late", &format!("{right}\r\n"), None).await, "481", "it is over");
    assert_eq!((seen.invites.len(), endpoint.calls()), (1, 0));
}

#[tokio::test]
async fn a_call_of_ours_that_rings_is_taken_where_it_does_not() {
    // Where we are is known once it is known where they are.
    let mut called = Party::new(SocketAddr::from(([127, 0, 0, 1], 9)), "colleague").await;
    let peer = called.peer;
    let (office, endpoint, here) = begin(|config| config.trunks[0].host = peer.to_string()).await;
    called.here = here;
    endpoint.dial(plan()).await.unwrap();
    let invite = called.until("INVITE").await;
    called.answer(&invite, "180 Ringing", "rings").await;
    office.until("it rings", |seen| seen.states() == [CallState::Ringing]).await;
    let ours = tag(&value(&invite, "From"));
    let replaces = format!("Replaces: call-of-the-test;to-tag={ours};from-tag=rings;early-only\r\n");
    up(&called, &replaces).await;
    let cancel = called.until("CANCEL").await;
    called.answer(&cancel, "200 OK", "rings").await;
    called.answer(&invite, "487 Request Terminated", "rings").await;
    called.until("ACK").await;
    let seen = office.until("audio flows", |seen| seen.frames > 5).await;
    assert_eq!(seen.states(), [CallState::Ringing, CallState::Answered]);
    endpoint.hang_up("call-of-the-test").await.unwrap();
    let bye = called.until("BYE").await;
    assert_eq!(value(&bye, "Call-ID"), "colleague");
    called.answer(&bye, "200 OK", "colleague").await;
    office.until("the call is over", Seen::is_over).await;
}
