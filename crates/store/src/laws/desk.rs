//! Laws of tickets, of messages that agents send, and of what calls come to.

use super::{call_of, tenant};
use crate::contract::desk::{Dispatch, MaySend, TicketFilter};
use crate::contract::{CallUpdate, Charge, Cursor, Store, WriterId};
use crate::error::StoreError;
use base::{CallTime, JournalSeq, Money, Pii, TicketId, TurnId, UserId, UtteranceId};
use model::call::CallState;
use model::journal::{Entry, Record, TurnLatency};
use model::statistics::{Counts, SLOT_MS, slot_of};
use model::ticket::{Ticket, TicketPriority, TicketStatus};
use std::sync::Arc;
use uuid::Uuid;

fn ticket(scope: &model::business::TenantScope, subject: &str, at_ms: i64) -> Ticket {
    Ticket {
        id: TicketId::generate(),
        business: scope.business,
        number: 0,
        subject: Pii::new(subject.to_owned()),
        text: Pii::new("all of it".to_owned()),
        status: TicketStatus::Open,
        priority: TicketPriority::Normal,
        customer: Some(Pii::new("+4915550100".to_owned())),
        call: None,
        agent: None,
        assignee: None,
        created_at_ms: at_ms,
        updated_at_ms: at_ms,
        version: 0,
    }
}

/// Tickets of a business count from 1, are told, and a request that is repeated raises no second one.
pub async fn a_ticket_is_raised_once_and_told(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let rival = tenant(&*store, "rival", "+49405550171").await;
    let scope = &shop.scope;
    let first = store.create_ticket(scope, &ticket(scope, "a lamp", 10), Some("call-1")).await.expect("a ticket");
    assert_eq!((first.number, first.version), (1, 1));
    let again = store.create_ticket(scope, &ticket(scope, "a lamp", 11), Some("call-1")).await.expect("the same");
    assert_eq!(again, first);
    let second = store.create_ticket(scope, &ticket(scope, "a chair", 20), None).await.expect("a ticket");
    assert_eq!(second.number, 2);
    let theirs = ticket(&rival.scope, "a rival", 30);
    assert_eq!(store.create_ticket(&rival.scope, &theirs, Some("call-1")).await.map(|one| one.number), Ok(1));
    let done = Ticket {
        status: TicketStatus::Resolved,
        assignee: Some(UserId::generate()),
        updated_at_ms: 40,
        ..first.clone()
    };
    let changed = store.update_ticket(scope, &done, Some(1)).await.expect("a change");
    assert_eq!((changed.version, changed.status), (2, TicketStatus::Resolved));
    assert!(matches!(store.update_ticket(scope, &done, Some(1)).await, Err(StoreError::Conflict(_))));
    assert!(matches!(store.update_ticket(&rival.scope, &done, None).await, Err(StoreError::NotFound(_))));
    assert!(matches!(store.ticket(&rival.scope, first.id).await, Err(StoreError::NotFound(_))));
    assert_eq!(store.ticket(scope, first.id).await, Ok(changed));
    let listed = async |filter: TicketFilter, after: Option<Cursor>| {
        let tickets = store.tickets(scope, &filter, after, 10).await.expect("tickets");
        tickets.into_iter().map(|one| one.number).collect::<Vec<_>>()
    };
    assert_eq!(listed(TicketFilter::default(), None).await, [2, 1]);
    assert_eq!(listed(TicketFilter { ascending: true, ..Default::default() }, None).await, [1, 2]);
    assert_eq!(listed(TicketFilter { status: Some(TicketStatus::Open), ..Default::default() }, None).await, [2]);
    assert_eq!(listed(TicketFilter { assignee: done.assignee, ..Default::default() }, None).await, [1]);
    assert!(listed(TicketFilter { customer: Some("nobody".into()), ..Default::default() }, None).await.is_empty());
    assert_eq!(listed(TicketFilter::default(), Some(Cursor { at_ms: 20, id: second.id.0 })).await, [1]);
    let events = store.events_after(scope, 0, 10).await.expect("events");
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["ticket.created", "ticket.created", "ticket.changed"]);
}

/// A message goes out once, so many of a call, and so many to one person in a day.
pub async fn a_message_goes_out_once_and_nobody_gets_too_many(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let calls = [call_of(&shop, 1), call_of(&shop, 2), call_of(&shop, 3)];
    for call in &calls {
        store.create_call(&shop.scope, call).await.expect("a call");
    }
    let ask = async |key: &str, call: usize, at_ms: i64| {
        let dispatch = Dispatch {
            id: Uuid::now_v7(),
            key: key.into(),
            channel: "sms",
            recipient: Pii::new("+4915550100".to_owned()),
            call: calls[call].id,
            at_ms,
            per_call_max: 2,
            per_day_max: 3,
        };
        let may = store.intend_dispatch(&shop.scope, &dispatch).await.expect("an answer");
        if may == MaySend::Yes {
            store.close_dispatch(&shop.scope, dispatch.id, "sent").await.expect("noted");
            let noted = store.dispatches(&shop.scope, dispatch.call).await.expect("messages");
            assert!(noted.iter().any(|one| one.id == dispatch.id && one.state == "sent"), "{noted:?}");
        }
        may
    };
    assert_eq!(ask("a", 0, 1_000).await, MaySend::Yes);
    assert_eq!(ask("a", 0, 1_001).await, MaySend::Repeated);
    assert_eq!(ask("b", 0, 1_002).await, MaySend::Yes);
    assert_eq!(ask("c", 0, 1_003).await, MaySend::CallHasEnough);
    assert_eq!(ask("d", 1, 1_004).await, MaySend::Yes);
    assert_eq!(ask("e", 1, 1_005).await, MaySend::RecipientHasEnough);
    assert_eq!(ask("f", 2, 1_004 + 24 * 60 * 60 * 1_000).await, MaySend::Yes, "the next day");
}

/// What calls come to is the sum of their rows and of the waits in them, by the quarter of an hour in which they ended.
pub async fn what_calls_come_to_is_the_sum_of_the_calls(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let rival = tenant(&*store, "rival", "+49405550171").await;
    let scope = &shop.scope;
    let start = 100_000 * SLOT_MS;
    let end = async |at_ms: i64, answered: bool, state: CallState, reason: &str| {
        let call = call_of(&shop, at_ms);
        store.create_call(scope, &call).await.expect("a call");
        let update = CallUpdate {
            state: Some(state),
            answered_at_ms: answered.then_some(at_ms + 1_000),
            ended_at_ms: Some(at_ms + 61_000),
            ended_reason: Some(reason.into()),
            charge: Some(Charge::new(Money::from_usd_micros(7), Vec::new())),
            ..CallUpdate::default()
        };
        store.update_call(scope, call.id, &update).await.expect("an end");
        let later =
            CallUpdate { charge: Some(Charge::new(Money::from_usd_micros(3), Vec::new())), ..CallUpdate::default() };
        store.update_call(scope, call.id, &later).await.expect("a late cost");
        call
    };
    end(start, true, CallState::Completed, "caller").await;
    end(start + 1, true, CallState::Completed, "transferred").await;
    end(start + 2, false, CallState::NoAnswer, "no_answer").await;
    let call = end(start + SLOT_MS, true, CallState::Failed, "media_lost").await;
    let counts = store.call_counts(scope, slot_of(start), slot_of(start) + 5).await.expect("counts");
    let first = Counts {
        inbound: 3,
        answered: 2,
        missed: 1,
        contained: 1,
        transferred: 1,
        talk_ms: 120_000,
        cost_usd_micros: 30,
        ..Counts::default()
    };
    let second =
        Counts { inbound: 1, answered: 1, failed: 1, talk_ms: 60_000, cost_usd_micros: 10, ..Counts::default() };
    assert_eq!(counts, [(slot_of(start), first), (slot_of(start) + 1, second)]);
    let of_agent = store.agent_counts(scope, shop.agent.id, slot_of(start), slot_of(start) + 5).await;
    assert_eq!(of_agent, Ok(counts), "there is one agent");
    assert_eq!(store.agent_counts(scope, rival.agent.id, 0, i64::MAX).await, Ok(vec![]));
    assert_eq!(store.agent_counts(&rival.scope, shop.agent.id, 0, i64::MAX).await, Ok(vec![]));
    assert_eq!(store.call_counts(&rival.scope, 0, i64::MAX).await, Ok(vec![]));
    let turn = |seq: u64, heard_ms: u64| Record {
        seq: JournalSeq(seq),
        at: CallTime(seq),
        entry: Entry::AgentTurn {
            turn: TurnId(seq),
            utterance: UtteranceId(seq),
            heard: Pii::new("hello".to_owned()),
            complete: true,
            citations: Vec::new(),
            latency: Some(TurnLatency { heard_ms: Some(heard_ms), ..TurnLatency::default() }),
        },
    };
    let words = [turn(1, 480), turn(2, 1_900)];
    store.append(scope, call.id, WriterId::generate(), JournalSeq(0), &words).await.expect("words");
    let now = slot_of(jiff::Timestamp::now().as_millisecond());
    let counts = store.call_counts(scope, now - 1, now + 1).await.expect("counts");
    assert_eq!(counts.iter().map(|(_, counts)| counts.waits.count()).sum::<u64>(), 2);
    assert_eq!(store.agent_counts(scope, shop.agent.id, now - 1, now + 1).await, Ok(counts));
    let live = call_of(&shop, start);
    store.create_call(scope, &live).await.expect("a call");
    assert_eq!(store.calls_going_on(scope, start).await, Ok(1));
    assert_eq!(store.calls_going_on(&rival.scope, 0).await, Ok(0));
}
