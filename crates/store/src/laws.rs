//! What every store must obey, whatever is below it. [`crate::store_laws!`] makes each law a test of one store.

mod desk;
mod mail;
mod resources;
mod settings;
mod shares;

pub use desk::*;
pub use mail::*;
pub use resources::*;
pub use settings::*;
pub use shares::*;
mod live;
mod widgets;

pub use live::*;
pub use widgets::*;

use crate::contract::{
    CallFilter, CallUpdate, Charge, Cursor, Document, Owner, Role, StageCost, Store, Versioned, WriterId,
};
use crate::error::StoreError;
use crate::seed::{SeedMode, seed};
use base::{
    AgentId, BusinessId, CallId, CallTime, ConversationId, JournalSeq, Money, NumberId, Pii, Secret, TurnId,
    UtteranceId,
};
use model::agent::{Agent, BrainChoice, Lines, Timing};
use model::business::{Business, Number, TenantScope};
use model::call::{Call, CallState, Direction};
use model::journal::{Entry, Record};
use model::routing::CostStage;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

pub use crate::graph_laws::*;
pub use crate::heard_laws::*;
pub use crate::knowledge_laws::*;
pub use crate::knowledge_work_laws::*;
pub use crate::nodes_laws::*;
pub use crate::people_laws::*;
pub use crate::training_laws::*;

/// Makes every law a test. The argument is an expression that answers a future of `(Arc<dyn Store>, guard)`; the guard
/// lives as long as the test.
#[macro_export]
macro_rules! store_laws {
    ($open:expr) => {
        $crate::store_laws!(@each $open;
            rows_of_another_business_answer_as_missing,
            an_agent_counts_its_changes_and_refuses_a_stale_one,
            a_dialled_number_leads_to_its_business,
            a_call_only_moves_forward,
            pages_are_complete_while_calls_arrive,
            a_journal_keeps_its_order_and_becomes_messages,
            a_second_writer_is_fenced_and_a_repeat_is_not,
            a_gap_in_a_journal_is_refused,
            calls_that_write_at_once_each_learn_what_became_of_theirs,
            a_delivery_is_new_once_however_many_ask,
            rows_and_documents_are_found_again,
            recorded_inputs_come_back_in_order,
            parts_of_a_recording_are_listed_in_order,
            what_is_over_is_forgotten_and_the_row_stays,
            a_deleted_call_leaves_nothing,
            calls_without_an_end_are_found,
            seeding_twice_changes_nothing,
            credentials_come_back_to_their_owner_and_provider,
            a_setting_counts_its_changes,
            costs_add_up_by_stage_and_month,
            a_draft_reaches_calls_only_when_it_is_published,
            an_agent_with_numbers_stays,
            a_call_keeps_the_version_it_began_with,
            a_number_leads_elsewhere_while_nobody_is_there,
            placed_calls_are_counted_by_carrier,
            a_widget_is_found_by_its_key_and_is_nobody_elses_to_change,
            a_customer_is_found_by_number_address_and_words,
            what_a_business_says_about_itself_stays_its_own,
            a_request_with_a_key_has_one_effect,
            lists_of_calls_and_conversations_are_filtered,
            a_node_is_there_while_its_lease_runs,
            callers_wait_in_the_order_in_which_they_began,
            each_waiting_caller_is_given_to_one_person,
            a_node_learns_that_it_should_drain,
            a_process_that_was_replaced_has_no_lease_any_more,
            a_call_has_one_node,
            the_node_of_a_call_is_seen_by_its_business_alone,
            the_calls_of_a_dead_node_are_found,
            each_change_of_a_call_is_told_once_and_in_order,
            no_event_appears_behind_one_that_was_read,
            a_snapshot_and_what_follows_is_a_fresh_snapshot,
            old_events_go_and_the_range_says_which,
            what_is_forgotten_is_gone_from_the_events_too,
            each_job_is_done_once_however_many_workers_there_are,
            a_job_of_a_dead_worker_is_taken_after_its_lease,
            a_job_that_keeps_failing_becomes_a_dead_letter,
            a_unique_job_and_an_entry_of_the_calendar_come_once,
            a_secret_of_a_webhook_is_replaced_with_an_overlap,
            an_event_becomes_one_delivery_whoever_looks,
            an_endpoint_that_fails_is_noticed_and_switched_off_with_an_event,
            usage_is_the_sum_of_the_calls,
            an_alert_is_given_once_when_a_share_of_the_plan_is_used,
            people_of_another_business_answer_as_missing,
            the_last_owner_stays,
            an_address_leads_to_the_account_that_was_verified_first,
            a_refresh_token_works_once_and_its_copy_ends_the_session,
            who_may_no_longer_sign_in_is_signed_out,
            a_code_of_a_second_factor_counts_once,
            an_invitation_makes_one_user,
            a_reset_sets_one_password_and_ends_sessions,
            a_token_that_names_its_business_takes_its_line_along,
            a_rotated_key_opens_with_both_secrets_for_a_while,
            entry_rules_come_back_to_their_business,
            the_audit_log_pages_from_the_newest,
            a_new_version_of_a_document_serves_when_it_is_whole,
            what_lies_elsewhere_is_known_until_it_is_gone,
            a_version_that_was_overtaken_never_serves,
            a_failed_version_says_why_and_the_old_one_serves,
            a_deleted_document_leaves_nothing,
            chunks_and_gaps_belong_to_one_business,
            work_on_documents_is_kept_with_its_job_or_not_at_all,
            what_is_over_of_work_stays_as_it_is,
            a_site_is_due_when_its_time_has_come,
            questions_and_reports_belong_to_one_business,
            a_heard_call_is_kept_once_with_what_it_proposes,
            a_proposal_is_decided_on_once,
            a_lesson_is_learned_in_versions_and_an_old_one_serves_again,
            what_a_version_names_counts_while_it_serves,
            what_a_person_corrects_outlives_the_next_version,
            a_name_belongs_to_one_entity,
            a_ticket_is_raised_once_and_told,
            a_message_goes_out_once_and_nobody_gets_too_many,
            what_calls_come_to_is_the_sum_of_the_calls,
            a_link_to_a_call_leads_there_until_it_is_void,
            a_note_on_a_call_counts_its_changes,
            a_change_takes_its_line_of_the_audit_log_along,
            a_mail_waits_with_its_job_and_belongs_to_one_business,
            a_domain_leads_to_the_looks_of_one_business,
            what_is_past_its_time_goes_for_one_business_alone,
            a_call_is_found_by_the_version_of_its_agent,
        );
    };
    (@each $open:expr; $($law:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $law() {
            let (store, _guard) = $open.await;
            $crate::laws::$law(store).await;
        }
    )*};
}

/// A business with one agent and one number, as the laws use it.
pub struct Tenant {
    /// The right to it.
    pub scope: TenantScope,
    /// Its agent.
    pub agent: Agent,
    /// Its number.
    pub number: Number,
}

/// Creates a business with one agent and one number.
pub async fn tenant(store: &dyn Store, slug: &str, dialled: &str) -> Tenant {
    let scope = TenantScope { business: BusinessId::generate() };
    let business = Business { id: scope.business, slug: slug.into(), name: slug.into(), time_zone: "UTC".into() };
    store.put_business(&scope, &business).await.expect("a business");
    let agent = Agent {
        id: AgentId::generate(),
        business: scope.business,
        slug: "front".into(),
        name: "Front".into(),
        business_name: slug.into(),
        persona: String::new(),
        language: "en".into(),
        brain: BrainChoice::Local,
        voice: None,
        providers: Default::default(),
        lines: Lines::default(),
        timing: Timing::default(),
        turns: Default::default(),
        sound: Default::default(),
        outbound: Default::default(),
        tools: Vec::new(),
        flow: None,
        handoff_to: None,
        handoff: Default::default(),
        is_briefing: false,
        hours: None,
        guardrails: Default::default(),
        record: true,
    };
    assert_eq!(store.put_agent(&scope, &agent, Some(0)).await, Ok(1));
    let number = Number {
        id: NumberId::generate(),
        business: scope.business,
        number: dialled.parse().expect("a number"),
        carrier: "loopback".into(),
        agent: agent.id,
    };
    store.put_number(&scope, &number).await.expect("a number");
    Tenant { scope, agent, number }
}

/// A call of this tenant, not stored yet.
pub fn call_of(tenant: &Tenant, started_at_ms: i64) -> Call {
    Call {
        id: CallId::generate(),
        business: tenant.scope.business,
        agent: tenant.agent.id,
        conversation: ConversationId::generate(),
        direction: Direction::Inbound,
        carrier: "loopback".into(),
        carrier_ref: None,
        customer: Some(Pii::new("+4915550100".to_owned())),
        number: Some("+49405550170".into()),
        state: CallState::Initiated,
        started_at_ms,
        answered_at_ms: None,
        ended_at_ms: None,
        ended_reason: None,
        recording: None,
        cost: Money::ZERO,
        agent_version: Some(1),
    }
}

/// A caller's turn at this place of a journal.
pub fn caller_turn(seq: u64, text: &str) -> Record {
    let entry = Entry::CallerTurn { turn: TurnId(seq), text: text.into(), cut: false, typed: false, sentiment: None };
    Record { seq: JournalSeq(seq), at: CallTime(seq * 1000), entry }
}

fn agent_turn(seq: u64, heard: &str, complete: bool) -> Record {
    let entry = Entry::AgentTurn {
        turn: TurnId(seq),
        utterance: UtteranceId(seq),
        heard: heard.into(),
        complete,
        citations: Vec::new(),
        latency: None,
    };
    Record { seq: JournalSeq(seq), at: CallTime(seq * 1000), entry }
}

fn started() -> Record {
    Record { seq: JournalSeq(1), at: CallTime(0), entry: Entry::Started { direction: Direction::Inbound } }
}

#[track_caller]
fn assert_missing<T: Debug>(answer: Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::NotFound(_))), "should be missing: {answer:?}");
}

/// Reading and writing with the right to one business never reaches another.
pub async fn rows_of_another_business_answer_as_missing(store: Arc<dyn Store>) {
    let ours = tenant(&*store, "ours", "+49405550170").await;
    let theirs = tenant(&*store, "theirs", "+49405550171").await;
    let foreign = &theirs.scope;
    let call = call_of(&ours, 1);
    store.create_call(&ours.scope, &call).await.expect("a call");
    let writer = WriterId::generate();
    store
        .append(&ours.scope, call.id, writer, JournalSeq(0), &[started(), caller_turn(2, "hi")])
        .await
        .expect("entries");
    store.append_inputs(&ours.scope, call.id, 0, &["line".into()]).await.expect("inputs");
    store.log_call(&ours.scope, call.id, "note", &json!({}), 1).await.expect("a line");
    let document = Document { slug: "hours".into(), title: "Hours".into(), text: "9 to 5".into() };
    store.put_document(&ours.scope, &document).await.expect("a document");
    store.put_row(&ours.scope, "orders", "A1", &json!({"status": "sent"})).await.expect("a row");

    assert_missing(store.agent(foreign, ours.agent.id).await);
    assert_missing(store.put_agent(foreign, &ours.agent, None).await);
    assert_missing(store.number(foreign, ours.number.id).await);
    assert_missing(store.put_number(foreign, &ours.number).await);
    assert_missing(store.call(foreign, call.id).await);
    assert_missing(store.create_call(foreign, &call_of(&ours, 2)).await);
    let update = CallUpdate { state: Some(CallState::Failed), ..CallUpdate::default() };
    assert_missing(store.update_call(foreign, call.id, &update).await);
    assert_missing(store.journal(foreign, call.id).await);
    assert_missing(store.append(foreign, call.id, writer, JournalSeq(2), &[caller_turn(3, "x")]).await);
    assert_missing(store.inputs(foreign, call.id, 0).await);
    assert_missing(store.append_inputs(foreign, call.id, 1, &["x".into()]).await);
    assert_missing(store.call_log(foreign, call.id, 0).await);
    assert_missing(store.log_call(foreign, call.id, "x", &Value::Null, 1).await);
    assert_missing(store.conversation(foreign, call.conversation).await);
    assert_missing(store.messages(foreign, call.conversation, 0).await);
    assert_missing(store.document(foreign, "hours").await);
    assert_missing(store.row(foreign, "orders", "A1").await);
    assert_eq!(store.documents(foreign, None).await, Ok(Vec::new()));
    assert_eq!(store.rows(foreign, "orders", None).await, Ok(Vec::new()));
    let page = store.calls(foreign, &CallFilter::default(), None, 10).await.expect("a page");
    assert!(page.rows.is_empty() && page.next.is_none());
    assert_eq!(store.agents(foreign, None).await.expect("agents").len(), 1);
    assert_eq!(store.numbers(foreign, None).await.expect("numbers").len(), 1);

    // An agent or a call of theirs cannot hang on our rows, nor take over one of our ids.
    let mut stolen = call_of(&theirs, 3);
    stolen.agent = ours.agent.id;
    assert_missing(store.create_call(foreign, &stolen).await);
    let mut stolen = ours.number.clone();
    stolen.business = theirs.scope.business;
    stolen.agent = theirs.agent.id;
    assert_missing(store.put_number(foreign, &stolen).await);
    let mut stolen = ours.agent.clone();
    stolen.business = theirs.scope.business;
    stolen.slug = "other".into();
    assert!(store.put_agent(foreign, &stolen, None).await.is_err());
    assert_eq!(store.call(&ours.scope, call.id).await, Ok(call));
    assert_eq!(store.agent(&ours.scope, ours.agent.id).await.map(|known| known.agent), Ok(ours.agent));
}

/// Versions count from 1; a change based on an old version is refused.
pub async fn an_agent_counts_its_changes_and_refuses_a_stale_one(store: Arc<dyn Store>) {
    let tenant = tenant(&*store, "shop", "+49405550170").await;
    let mut agent = tenant.agent.clone();
    agent.name = "Second".into();
    assert_eq!(store.put_agent(&tenant.scope, &agent, Some(1)).await, Ok(2));
    agent.name = "Third".into();
    assert!(matches!(store.put_agent(&tenant.scope, &agent, Some(1)).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.put_agent(&tenant.scope, &agent, None).await, Ok(3));
    let found = store.agent_by_slug(&tenant.scope, "front").await.expect("the agent");
    assert_eq!((found.version, found.agent.name.as_str()), (3, "Third"));
    let mut twin = agent.clone();
    twin.id = AgentId::generate();
    assert!(matches!(store.put_agent(&tenant.scope, &twin, None).await, Err(StoreError::Conflict(_))));
}

/// The carrier router learns whose a number is, and nobody else can have it.
pub async fn a_dialled_number_leads_to_its_business(store: Arc<dyn Store>) {
    let ours = tenant(&*store, "ours", "+49405550170").await;
    let theirs = tenant(&*store, "theirs", "+49405550171").await;
    let route = store.route_number("loopback", &theirs.number.number).await.expect("a route");
    assert_eq!((route.scope, route.agent, route.number), (theirs.scope, theirs.agent.id, theirs.number.id));
    assert_missing(store.route_number("elsewhere", &theirs.number.number).await);
    let mut taken = ours.number.clone();
    taken.number = theirs.number.number.clone();
    assert!(matches!(store.put_number(&ours.scope, &taken).await, Err(StoreError::Conflict(_))));

    let mut call = call_of(&theirs, 5);
    call.carrier_ref = Some("CA1".into());
    store.create_call(&theirs.scope, &call).await.expect("a call");
    let route = store.route_call("loopback", "CA1").await.expect("a route");
    assert_eq!((route.scope, route.call), (theirs.scope, call));
    assert_missing(store.route_call("loopback", "CA2").await);
    let mut twin = call_of(&ours, 6);
    twin.carrier_ref = Some("CA1".into());
    assert!(matches!(store.create_call(&ours.scope, &twin).await, Err(StoreError::Conflict(_))));
}

/// Reports in any order, repeated, or late never take anything back.
pub async fn a_call_only_moves_forward(store: Arc<dyn Store>) {
    let tenant = tenant(&*store, "shop", "+49405550170").await;
    let call = call_of(&tenant, 1_000);
    store.create_call(&tenant.scope, &call).await.expect("a call");
    let ended = CallUpdate {
        state: Some(CallState::Completed),
        carrier_ref: Some("CA1".into()),
        ended_at_ms: Some(9_000),
        ended_reason: Some("goodbye".into()),
        charge: Some(Charge::new(Money::from_usd_micros(40), Vec::new())),
        ..CallUpdate::default()
    };
    store.update_call(&tenant.scope, call.id, &ended).await.expect("an update");
    let late = CallUpdate {
        state: Some(CallState::Ringing),
        answered_at_ms: Some(2_000),
        ended_at_ms: Some(9_999),
        ended_reason: Some("later".into()),
        charge: Some(Charge::new(Money::from_usd_micros(2), Vec::new())),
        ..CallUpdate::default()
    };
    let now = store.update_call(&tenant.scope, call.id, &late).await.expect("an update");
    assert_eq!(now.state, CallState::Completed);
    assert_eq!((now.answered_at_ms, now.ended_at_ms), (Some(2_000), Some(9_000)));
    assert_eq!((now.ended_reason.as_deref(), now.cost.usd_micros), (Some("goodbye"), 42));
    assert_eq!(store.call(&tenant.scope, call.id).await, Ok(now));
    let other = CallUpdate { carrier_ref: Some("CA2".into()), ..CallUpdate::default() };
    assert!(matches!(store.update_call(&tenant.scope, call.id, &other).await, Err(StoreError::Conflict(_))));
    let conversation = store.conversation(&tenant.scope, call.conversation).await.expect("a conversation");
    assert_eq!(conversation.ended_at_ms, Some(9_000));
}

/// Every call that was there when a list began is on exactly one page, newest first, although calls arrive meanwhile and
/// many began in the same millisecond.
pub async fn pages_are_complete_while_calls_arrive(store: Arc<dyn Store>) {
    let tenant = tenant(&*store, "shop", "+49405550170").await;
    let mut wanted = BTreeSet::new();
    for index in 0..25 {
        let call = call_of(&tenant, 1_000 + index / 4);
        store.create_call(&tenant.scope, &call).await.expect("a call");
        wanted.insert(call.id);
    }
    let (mut after, mut seen, mut at_ms) = (None, Vec::new(), i64::MAX);
    loop {
        let page = store.calls(&tenant.scope, &CallFilter::default(), after, 4).await.expect("a page");
        assert!(page.rows.len() <= 4);
        for call in &page.rows {
            assert!(call.started_at_ms <= at_ms, "newest first");
            at_ms = call.started_at_ms;
            seen.push(call.id);
        }
        store.create_call(&tenant.scope, &call_of(&tenant, 50_000)).await.expect("a newer call");
        let Some(next) = page.next else { break };
        after = Some(next.to_string().parse::<Cursor>().expect("a cursor survives as text"));
    }
    assert_eq!(seen.len(), 25);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), wanted);

    let filter = CallFilter { state: Some(CallState::Failed), agent: Some(tenant.agent.id), ..CallFilter::default() };
    assert!(store.calls(&tenant.scope, &filter, None, 10).await.expect("a page").rows.is_empty());
    let filter =
        CallFilter { state: Some(CallState::Initiated), agent: Some(tenant.agent.id), ..CallFilter::default() };
    let page = store.calls(&tenant.scope, &filter, None, u32::MAX).await.expect("a page");
    assert!(page.rows.len() > 25 && page.rows.len() <= base::limits::PAGE_ROWS_MAX as usize);
}

/// What was appended comes back in order, over many pages, and what was said (and heard) is in the conversation.
pub async fn a_journal_keeps_its_order_and_becomes_messages(store: Arc<dyn Store>) {
    let tenant = tenant(&*store, "shop", "+49405550170").await;
    let call = call_of(&tenant, 1);
    store.create_call(&tenant.scope, &call).await.expect("a call");
    assert_eq!(store.journal(&tenant.scope, call.id).await, Ok(Vec::new()));
    let writer = WriterId::generate();
    let mut all =
        vec![started(), caller_turn(2, "how much?"), agent_turn(3, "", false), agent_turn(4, "Ten eu", false)];
    all.extend((5..=250).map(|seq| caller_turn(seq, "again")));
    let mut last = JournalSeq(0);
    for group in all.chunks(7) {
        last = store.append(&tenant.scope, call.id, writer, last, group).await.expect("entries");
    }
    assert_eq!(last, JournalSeq(250));
    assert_eq!(store.journal(&tenant.scope, call.id).await, Ok(all));
    let messages = store.messages(&tenant.scope, call.conversation, 0).await.expect("messages");
    assert_eq!((messages[0].role, messages[0].text.expose().as_str()), (Role::Customer, "how much?"));
    let cut = &messages[1];
    assert_eq!((cut.role, cut.text.expose().as_str(), cut.complete, cut.seq), (Role::Agent, "Ten eu", false, 4));
    let more = store.messages(&tenant.scope, call.conversation, messages[99].seq).await.expect("messages");
    assert_eq!(more[0].seq, messages[99].seq + 1);
}

/// Two processes never both go on with a call, and an append whose outcome got lost may be repeated.
pub async fn a_second_writer_is_fenced_and_a_repeat_is_not(store: Arc<dyn Store>) {
    let tenant = tenant(&*store, "shop", "+49405550170").await;
    let call = call_of(&tenant, 1);
    store.create_call(&tenant.scope, &call).await.expect("a call");
    let (first, second) = (WriterId::generate(), WriterId::generate());
    let scope = &tenant.scope;
    let entries = [started(), caller_turn(2, "one")];
    assert_eq!(store.append(scope, call.id, first, JournalSeq(0), &entries).await, Ok(JournalSeq(2)));
    assert_eq!(store.append(scope, call.id, first, JournalSeq(0), &entries).await, Ok(JournalSeq(2)));
    assert_eq!(store.append(scope, call.id, second, JournalSeq(0), &entries).await, Err(StoreError::Fenced));
    assert_eq!(store.append(scope, call.id, second, JournalSeq(2), &[caller_turn(3, "b")]).await, Ok(JournalSeq(3)));
    assert_eq!(
        store.append(scope, call.id, first, JournalSeq(2), &[caller_turn(3, "b")]).await,
        Err(StoreError::Fenced)
    );
    let ahead = [caller_turn(10, "b")];
    assert_eq!(store.append(scope, call.id, first, JournalSeq(9), &ahead).await, Err(StoreError::Fenced));
    assert_eq!(store.journal(scope, call.id).await.expect("a journal").len(), 3);

    // Many processes race for the same place: exactly one wins.
    let race = (0..8).map(|_| {
        let (store, scope, id) = (store.clone(), *scope, call.id);
        tokio::spawn(async move {
            store.append(&scope, id, WriterId::generate(), JournalSeq(3), &[caller_turn(4, "c")]).await.is_ok()
        })
    });
    let mut winners = 0;
    for racer in race.collect::<Vec<_>>() {
        winners += usize::from(racer.await.expect("no panic"));
    }
    assert_eq!(winners, 1);
}

/// Entries that leave a gap are refused as a whole.
pub async fn a_gap_in_a_journal_is_refused(store: Arc<dyn Store>) {
    let tenant = tenant(&*store, "shop", "+49405550170").await;
    let call = call_of(&tenant, 1);
    store.create_call(&tenant.scope, &call).await.expect("a call");
    let writer = WriterId::generate();
    let gap = [started(), caller_turn(3, "x")];
    let refused = store.append(&tenant.scope, call.id, writer, JournalSeq(0), &gap).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    assert_eq!(store.journal(&tenant.scope, call.id).await, Ok(Vec::new()));
}

/// What one call cannot write is no business of the others that write in the same moment.
pub async fn calls_that_write_at_once_each_learn_what_became_of_theirs(store: Arc<dyn Store>) {
    let tenants = [tenant(&*store, "shop", "+49405550170").await, tenant(&*store, "rival", "+49405550171").await];
    let mut writing = Vec::new();
    for index in 0..24 {
        let tenant = &tenants[index % 2];
        let call = call_of(tenant, 1);
        // Every fifth is of nobody, every seventh belongs elsewhere.
        let (is_known, expected) = (index % 5 != 4, if index % 7 == 6 { 3 } else { 0 });
        if is_known {
            store.create_call(&tenant.scope, &call).await.expect("a call");
        }
        let (store, scope) = (Arc::clone(&store), tenant.scope);
        writing.push(tokio::spawn(async move {
            let entries = [caller_turn(expected + 1, "one"), caller_turn(expected + 2, "two")];
            let writer = WriterId::generate();
            let append = store.append(&scope, call.id, writer, JournalSeq(expected), &entries);
            let lines = ["a line".to_owned()];
            let (written, input) = tokio::join!(append, store.append_inputs(&scope, call.id, 0, &lines));
            let wanted = match (is_known, expected) {
                (false, _) => Err(StoreError::NotFound("call")),
                (true, 0) => Ok(JournalSeq(2)),
                (true, _) => Err(StoreError::Fenced),
            };
            assert_eq!(written, wanted, "call {index}");
            assert_eq!(input.is_ok(), is_known, "call {index}: {input:?}");
            if is_known {
                let journal = store.journal(&scope, call.id).await.expect("a journal");
                assert_eq!(journal.len(), if expected == 0 { 2 } else { 0 });
                assert_eq!(store.inputs(&scope, call.id, 0).await.expect("inputs").len(), 1);
            }
        }));
    }
    for one in writing {
        one.await.expect("no panic");
    }
}

/// Of many that ask about one delivery at once, one is told that it is new; after pruning it is new again.
pub async fn a_delivery_is_new_once_however_many_ask(store: Arc<dyn Store>) {
    let asks = (0..16).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.see_delivery("loopback", "delivery", 100).await.expect("an answer") })
    });
    let mut new = 0;
    for ask in asks.collect::<Vec<_>>() {
        new += usize::from(ask.await.expect("no panic"));
    }
    assert_eq!(new, 1);
    assert_eq!(store.see_delivery("elsewhere", "delivery", 100).await, Ok(true));
    assert_eq!(store.see_delivery("loopback", "later", 200).await, Ok(true));
    assert_eq!(store.prune_deliveries(150).await, Ok(2));
    assert_eq!(store.see_delivery("loopback", "later", 300).await, Ok(false));
    assert_eq!(store.see_delivery("loopback", "delivery", 300).await, Ok(true));
}

/// Documents and rows come back; keys compare without regard to case; an insert never overwrites.
pub async fn rows_and_documents_are_found_again(store: Arc<dyn Store>) {
    let tenant = tenant(&*store, "shop", "+49405550170").await;
    let scope = &tenant.scope;
    let mut document = Document { slug: "hours".into(), title: "Hours".into(), text: "9 to 5".into() };
    store.put_document(scope, &document).await.expect("a document");
    document.text = "10 to 6".into();
    store.put_document(scope, &document).await.expect("a change");
    assert_eq!(store.documents(scope, None).await, Ok(vec![document.clone()]));
    assert_eq!(store.document(scope, "hours").await, Ok(document));

    let sent = json!({"order": "BL-1001", "status": "sent"});
    store.insert_row(scope, "orders", "BL-1001", &sent).await.expect("a row");
    assert_eq!(store.row(scope, "orders", "bl-1001").await, Ok(sent.clone()));
    let twin = store.insert_row(scope, "orders", "bl-1001", &Value::Null).await;
    assert!(matches!(twin, Err(StoreError::Conflict(_))), "{twin:?}");
    assert_missing(store.row(scope, "bookings", "BL-1001").await);
    for index in 0..230 {
        let row = json!({"order": format!("X-{index}"), "status": "open"});
        store.put_row(scope, "orders", &format!("x-{index:04}"), &row).await.expect("a row");
    }
    let columns = json!({"order": " x-229"}).as_object().cloned().expect("an object");
    let hits = store.find_rows(scope, "orders", &columns, 5).await.expect("rows");
    assert_eq!(hits, vec![json!({"order": "X-229", "status": "open"})]);
    let columns = json!({"status": "open"}).as_object().cloned().expect("an object");
    assert_eq!(store.find_rows(scope, "orders", &columns, 5).await.expect("rows").len(), 5);
}

/// Recorded inputs come back in order, and a place is written once.
pub async fn recorded_inputs_come_back_in_order(store: Arc<dyn Store>) {
    let tenant = tenant(&*store, "shop", "+49405550170").await;
    let call = call_of(&tenant, 1);
    store.create_call(&tenant.scope, &call).await.expect("a call");
    let lines: Vec<String> = (0..150).map(|index| format!("{{\"line\":{index}}}")).collect();
    store.append_inputs(&tenant.scope, call.id, 0, &lines).await.expect("inputs");
    let again = store.append_inputs(&tenant.scope, call.id, 149, &["x".into()]).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let first = store.inputs(&tenant.scope, call.id, 0).await.expect("inputs");
    let rest = store.inputs(&tenant.scope, call.id, first.len() as u64).await.expect("inputs");
    let all: Vec<String> = first.into_iter().chain(rest).map(|(_, line)| line).collect();
    assert_eq!(all, lines);
}

/// Each process that had a call leaves a part of the recording.
pub async fn parts_of_a_recording_are_listed_in_order(store: Arc<dyn Store>) {
    let (ours, theirs) = (tenant(&*store, "shop", "+49405550170").await, tenant(&*store, "law", "+49405550171").await);
    let call = call_of(&ours, 1);
    store.create_call(&ours.scope, &call).await.expect("a call");
    assert_eq!(store.recordings(&ours.scope, call.id).await, Ok(Vec::new()));
    for (name, at_ms) in [("b.wav", 1), ("a.wav", 2), ("b.wav", 3)] {
        store.add_recording(&ours.scope, call.id, name, at_ms).await.expect("noted");
    }
    assert_eq!(store.recordings(&ours.scope, call.id).await, Ok(vec!["b.wav".into(), "a.wav".into()]));
    assert_missing(store.recordings(&theirs.scope, call.id).await);
    assert_missing(store.add_recording(&theirs.scope, call.id, "c.wav", 4).await);
}

/// A call of which something is kept, over at this time.
async fn full_call(store: &dyn Store, tenant: &Tenant, ended_at_ms: i64) -> Call {
    let (scope, call) = (&tenant.scope, call_of(tenant, ended_at_ms - 10));
    store.create_call(scope, &call).await.expect("a call");
    store.append(scope, call.id, WriterId::generate(), JournalSeq(0), &[caller_turn(1, "hello")]).await.expect("words");
    let lines: Vec<String> = (0..2_500).map(|line| format!("input {line}")).collect();
    store.append_inputs(scope, call.id, 0, &lines).await.expect("inputs");
    store.add_recording(scope, call.id, "a.wav", ended_at_ms).await.expect("a recording");
    store.log_call(scope, call.id, "carrier_state", &json!({"to": "x"}), ended_at_ms).await.expect("a line");
    let end = CallUpdate { ended_at_ms: Some(ended_at_ms), recording: Some("a.wav".into()), ..CallUpdate::default() };
    store.update_call(scope, call.id, &end).await.expect("an end")
}

/// What is kept of a call: journal, messages, inputs, recordings, lines of its log.
async fn kept(store: &dyn Store, tenant: &Tenant, call: &Call) -> [usize; 5] {
    let scope = &tenant.scope;
    [
        store.journal(scope, call.id).await.expect("the journal").len(),
        store.messages(scope, call.conversation, 0).await.expect("messages").len(),
        store.inputs(scope, call.id, 0).await.expect("inputs").len(),
        store.recordings(scope, call.id).await.expect("recordings").len(),
        store.call_log(scope, call.id, 0).await.expect("the log").len(),
    ]
}

/// Calls that are over for long enough are found once; after that nothing of what was said is left but the row.
pub async fn what_is_over_is_forgotten_and_the_row_stays(store: Arc<dyn Store>) {
    let tenant = tenant(&*store, "shop", "+49405550170").await;
    let (old, recent) = (full_call(&*store, &tenant, 1_000).await, full_call(&*store, &tenant, 5_000).await);
    let mut died = call_of(&tenant, 500);
    died.carrier_ref = Some("never ended".into());
    store.create_call(&tenant.scope, &died).await.expect("a call");
    let due = store.calls_to_forget(2_000, None).await.expect("calls");
    assert_eq!(due.iter().map(|route| route.call.id).collect::<Vec<_>>(), vec![died.id, old.id]);
    let after = Cursor { at_ms: died.started_at_ms, id: died.id.0 };
    let rest = store.calls_to_forget(2_000, Some(after)).await.expect("calls");
    assert_eq!(rest.iter().map(|route| route.call.id).collect::<Vec<_>>(), vec![old.id]);

    for _ in 0..2 {
        store.forget_call(&tenant.scope, old.id, 9_000).await.expect("forgotten");
    }
    assert_eq!(kept(&*store, &tenant, &old).await, [0; 5]);
    assert_eq!(kept(&*store, &tenant, &recent).await, [1, 1, 100, 1, 1]);
    let row = store.call(&tenant.scope, old.id).await.expect("the row stays");
    assert_eq!((row.ended_at_ms, row.recording), (Some(1_000), None));
    let due = store.calls_to_forget(2_000, None).await.expect("calls");
    assert_eq!(due.iter().map(|route| route.call.id).collect::<Vec<_>>(), vec![died.id]);
    assert_missing(store.forget_call(&TenantScope { business: BusinessId::generate() }, recent.id, 1).await);
    assert_eq!(store.scrub().await, Ok(()));
}

/// A deleted call is gone with all that belongs to it, and deleting it again is no mistake.
pub async fn a_deleted_call_leaves_nothing(store: Arc<dyn Store>) {
    let tenant = tenant(&*store, "shop", "+49405550170").await;
    let (call, other) = (full_call(&*store, &tenant, 1_000).await, full_call(&*store, &tenant, 1_000).await);
    let foreign = TenantScope { business: BusinessId::generate() };
    assert_eq!(store.delete_call(&foreign, call.id).await, Ok(false));
    assert_eq!(kept(&*store, &tenant, &call).await[0], 1, "another business deletes nothing");
    assert_eq!(store.delete_call(&tenant.scope, call.id).await, Ok(true));
    assert_eq!(store.delete_call(&tenant.scope, call.id).await, Ok(false));
    assert_missing(store.call(&tenant.scope, call.id).await);
    assert_missing(store.conversation(&tenant.scope, call.conversation).await);
    assert_missing(store.inputs(&tenant.scope, call.id, 0).await);
    assert_eq!(kept(&*store, &tenant, &other).await, [1, 1, 100, 1, 1]);
}

/// A node that starts finds the calls whose process died.
pub async fn calls_without_an_end_are_found(store: Arc<dyn Store>) {
    let tenant = tenant(&*store, "shop", "+49405550170").await;
    let (open, closed, recent) = (call_of(&tenant, 1), call_of(&tenant, 2), call_of(&tenant, 100));
    for call in [&open, &closed, &recent] {
        store.create_call(&tenant.scope, call).await.expect("a call");
    }
    let update = CallUpdate { ended_at_ms: Some(3), ..CallUpdate::default() };
    store.update_call(&tenant.scope, closed.id, &update).await.expect("an update");
    let found = store.unfinished_calls(50).await.expect("calls");
    assert_eq!(found.iter().map(|route| route.call.id).collect::<Vec<_>>(), vec![open.id]);
    let line = json!({"why": "process died"});
    store.log_call(&tenant.scope, open.id, "recovered", &line, 60).await.expect("a line");
    let log = store.call_log(&tenant.scope, open.id, 0).await.expect("the log");
    assert_eq!((log[0].kind.as_str(), &log[0].data, log[0].at_ms), ("recovered", &line, 60));
    assert_eq!(store.call_log(&tenant.scope, open.id, log[0].id).await, Ok(Vec::new()));
}

/// A described business arrives once, keeps its ids, and what people changed stays unless replaced.
pub async fn seeding_twice_changes_nothing(store: Arc<dyn Store>) {
    let described = serde_json::from_value(json!({
        "business": {"slug": "shop", "name": "Shop", "time_zone": "Europe/Berlin"},
        "agents": [{"slug": "front", "name": "Front", "business_name": "Shop", "persona": "", "language": "en",
            "brain": {"kind": "local"}}],
        "numbers": [{"number": "+49405550170", "carrier": "loopback", "agent": "front"}],
        "tables": [{"name": "orders", "rows": [{"order": "A1", "status": "sent"}, {"order": "A2", "status": "open"}]}],
    }))
    .expect("a seed");
    let documents = [model::seed::Document { title: "Opening hours".into(), text: "9 to 5".into() }];
    let scope = seed(&*store, &described, &documents, SeedMode::Missing).await.expect("seeded");
    let mut agent = store.agent_by_slug(&scope, "front").await.expect("the agent").agent;
    let number = store.numbers(&scope, None).await.expect("numbers");
    assert_eq!(store.document(&scope, "opening-hours").await.map(|document| document.text), Ok("9 to 5".into()));
    assert_eq!(store.row(&scope, "orders", "A2").await, Ok(json!({"order": "A2", "status": "open"})));

    agent.name = "Renamed".into();
    store.put_agent(&scope, &agent, None).await.expect("a change");
    assert_eq!(seed(&*store, &described, &documents, SeedMode::Missing).await, Ok(scope));
    let kept = store.agent_by_slug(&scope, "front").await.expect("the agent");
    assert_eq!((kept.agent.name.as_str(), kept.version), ("Renamed", 2));
    assert_eq!(store.numbers(&scope, None).await, Ok(number));

    assert_eq!(seed(&*store, &described, &documents, SeedMode::Replace).await, Ok(scope));
    assert_eq!(seed(&*store, &described, &documents, SeedMode::Replace).await, Ok(scope));
    let reset = store.agent_by_slug(&scope, "front").await.expect("the agent");
    assert_eq!((reset.agent.name.as_str(), reset.version, reset.agent.id), ("Front", 3, agent.id));
    assert_eq!(store.rows(&scope, "orders", None).await.expect("rows").len(), 2);
}

/// See the name.
pub async fn credentials_come_back_to_their_owner_and_provider(store: Arc<dyn Store>) {
    let one = tenant(store.as_ref(), "one", "+4940555001").await;
    let own = Owner::Business(one.scope.business);
    let fields = |key: &str| BTreeMap::from([("api_key".to_owned(), Secret::new(key.to_owned()))]);
    ok(store.put_credential(Owner::Installation, "acme", &fields("all"), 1).await);
    ok(store.put_credential(own, "acme", &fields("first"), 2).await);
    ok(store.put_credential(own, "acme", &fields("mine"), 3).await);
    let found = ok(store.credentials().await);
    let key = |owner: Owner| {
        let one = found.iter().find(|one| one.owner == owner && one.provider == "acme");
        one.map(|one| (one.fields["api_key"].expose().clone(), one.updated_at_ms))
    };
    assert_eq!(key(Owner::Installation), Some(("all".into(), 1)));
    assert_eq!(key(own), Some(("mine".into(), 3)));
    assert_eq!(ok(store.reseal_credentials().await), 2);
    let again = ok(store.credentials().await);
    assert!(again.iter().any(|one| one.owner == own && one.fields["api_key"].expose() == "mine"));
    assert!(ok(store.delete_credential(own, "acme").await));
    assert!(!ok(store.delete_credential(own, "acme").await));
    assert_eq!(ok(store.credentials().await).len(), 1);
}

/// See the name.
pub async fn a_setting_counts_its_changes(store: Arc<dyn Store>) {
    assert_eq!(ok(store.setting("switches").await), None);
    assert_eq!(ok(store.put_setting("switches", "{}", Some(0)).await), 1);
    assert_eq!(ok(store.put_setting("switches", "[]", None).await), 2);
    assert!(matches!(store.put_setting("switches", "1", Some(1)).await, Err(StoreError::Conflict(_))));
    assert_eq!(ok(store.setting("switches").await), Some(Versioned { value: "[]".into(), version: 2 }));
}

/// See the name.
pub async fn costs_add_up_by_stage_and_month(store: Arc<dyn Store>) {
    let one = tenant(store.as_ref(), "one", "+4940555001").await;
    let cost = |provider: &str, micros| StageCost {
        stage: CostStage::Tts,
        provider: provider.into(),
        cost: Money::from_usd_micros(micros),
    };
    let (early, late) = (call_of(&one, 1_000), call_of(&one, 5_000));
    for call in [&early, &late] {
        ok(store.create_call(&one.scope, call).await);
        for (total, lines) in [(10, vec![cost("a", 5), cost("b", 5)]), (2, vec![cost("a", 2)])] {
            let charge = Some(Charge::new(Money::from_usd_micros(total), lines));
            let update = CallUpdate { charge, ..CallUpdate::default() };
            let known = ok(store.update_call(&one.scope, call.id, &update).await).cost;
            // Whose answer got lost sends it again.
            assert_eq!(ok(store.update_call(&one.scope, call.id, &update).await).cost, known);
        }
    }
    assert_eq!(ok(store.costs(&one.scope, early.id).await), [cost("a", 7), cost("b", 5)]);
    assert_eq!(ok(store.cost_since(&one.scope, 0).await).usd_micros, 24 + 2 * early.cost.usd_micros);
    assert_eq!(ok(store.cost_since(&one.scope, 2_000).await).usd_micros, 12 + late.cost.usd_micros);
    assert_eq!(ok(store.costs_since(&one.scope, 0).await), [cost("a", 14), cost("b", 10)]);
    let two = tenant(store.as_ref(), "two", "+4940555002").await;
    assert_eq!(ok(store.costs(&two.scope, early.id).await), []);
    assert_eq!(ok(store.cost_since(&two.scope, 0).await), Money::ZERO);
    assert!(ok(store.delete_call(&one.scope, early.id).await));
}

#[track_caller]
fn ok<T>(answer: Result<T, StoreError>) -> T {
    answer.unwrap_or_else(|error| panic!("{error}"))
}
