//! Laws of what people and programs manage through the API.

use super::{call_of, tenant};
use crate::contract::customers::CustomerFilter;
use crate::contract::drafts::{AgentFilter, Publication};
use crate::contract::lines::{CarrierFigures, LineFilter, LineRow};
use crate::contract::office::ValueKind;
use crate::contract::requests::{Begun, KeptAnswer, RequestName};
use crate::contract::{CallFilter, CallUpdate, ConversationFilter, Store};
use crate::error::StoreError;
use base::{AgentId, CustomerId, NumberId, Pii, Secret, limits};
use model::agent::{Agent, AgentStatus};
use model::business::{Business, Profile};
use model::call::Direction;
use model::customer::Customer;
use model::hours::{Closed, HoursRoute, Overflow};
use std::collections::BTreeMap;
use std::sync::Arc;

const BY: Publication<'_> = Publication { note: Some("first"), by: "key:1", at_ms: 7 };

pub(super) fn conflicts<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Conflict(_)))
}

pub(super) fn absent<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::NotFound(_)))
}

/// Calls see a draft only when it is published, each publication is a version that stays, and an old one can come back.
pub async fn a_draft_reaches_calls_only_when_it_is_published(store: Arc<dyn Store>) {
    let one = tenant(&*store, "shop", "+49405550170").await;
    let scope = &one.scope;
    let agent = Agent { id: AgentId::generate(), slug: "night".into(), ..one.agent.clone() };
    let made = store.create_draft(scope, &agent, 1).await.expect("a draft");
    assert_eq!((made.version, made.revision, made.published.clone()), (0, 1, None));
    assert!(conflicts(store.create_draft(scope, &Agent { id: AgentId::generate(), ..agent.clone() }, 1).await));
    assert!(!store.agent(scope, agent.id).await.expect("a row").is_on_duty(), "nobody published it");
    let named = Agent { name: "Night".into(), ..agent.clone() };
    let changed = store.put_draft(scope, &named, Some(1), 2).await.expect("a change");
    assert_eq!((changed.revision, changed.draft.name.as_str()), (2, "Night"));
    assert!(conflicts(store.put_draft(scope, &agent, Some(1), 3).await), "based on an old revision");
    let published = store.publish(scope, agent.id, Some(2), BY).await.expect("a version");
    assert_eq!((published.version, published.is_changed()), (1, false));
    store.put_draft(scope, &Agent { name: "Later".into(), ..agent.clone() }, None, 4).await.expect("a change");
    let on_the_line = store.agent(scope, agent.id).await.expect("an agent");
    assert_eq!((on_the_line.agent.name.as_str(), on_the_line.is_on_duty()), ("Night", true));
    let second = store.publish(scope, agent.id, None, BY).await.expect("a version");
    assert_eq!(second.version, 2);
    let back = store.roll_back(scope, agent.id, 1, None, BY).await.expect("the old one again");
    assert_eq!((back.version, back.draft.name.as_str()), (3, "Night"));
    assert!(absent(store.roll_back(scope, agent.id, 9, None, BY).await));
    let versions = store.agent_versions(scope, agent.id, None, 10).await.expect("versions");
    assert_eq!(versions.iter().map(|one| one.version).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(versions[1].agent.name, "Later");
    assert_eq!(store.agent_versions(scope, agent.id, Some(3), 1).await.map(|page| page[0].version), Ok(2));
    let other = tenant(&*store, "rival", "+49405550171").await;
    assert!(absent(store.drafted(&other.scope, agent.id).await));
    assert!(absent(store.agent_version(&other.scope, agent.id, 1).await));
    assert!(absent(store.publish(&other.scope, agent.id, None, BY).await));
}

/// An agent is listed, switched off and archived; numbers keep it from being archived.
pub async fn an_agent_with_numbers_stays(store: Arc<dyn Store>) {
    let one = tenant(&*store, "shop", "+49405550170").await;
    let (scope, id) = (&one.scope, one.agent.id);
    let put = |status| store.set_agent_status(scope, id, status, None, 1);
    assert_eq!(put(AgentStatus::Disabled).await.map(|agent| agent.status), Ok(AgentStatus::Disabled));
    assert!(!store.agent(scope, id).await.expect("an agent").is_on_duty());
    assert!(conflicts(put(AgentStatus::Archived).await));
    assert!(conflicts(store.delete_line(scope, one.number.id, Some(99)).await), "it is at another version");
    assert_eq!(store.delete_line(scope, one.number.id, None).await, Ok(true));
    assert_eq!(put(AgentStatus::Archived).await.map(|agent| agent.status), Ok(AgentStatus::Archived));
    assert!(conflicts(store.publish(scope, id, None, BY).await));
    let listed = async |filter: AgentFilter| {
        let agents = store.drafted_agents(scope, &filter, None, 10).await.expect("agents");
        agents.into_iter().map(|agent| agent.draft.slug).collect::<Vec<_>>()
    };
    assert!(listed(AgentFilter::default()).await.is_empty());
    assert_eq!(listed(AgentFilter { status: Some(AgentStatus::Archived), ..Default::default() }).await, ["front"]);
    for slug in ["b-two", "a-one"] {
        let agent = Agent { id: AgentId::generate(), slug: slug.into(), ..one.agent.clone() };
        store.create_draft(scope, &agent, 1).await.expect("a draft");
    }
    assert_eq!(listed(AgentFilter::default()).await, ["a-one", "b-two"]);
    assert_eq!(listed(AgentFilter { descending: true, ..Default::default() }).await, ["b-two", "a-one"]);
    assert_eq!(listed(AgentFilter { words: Some("TWO".into()), ..Default::default() }).await, ["b-two"]);
    assert!(listed(AgentFilter { words: Some("%".into()), ..Default::default() }).await.is_empty());
}

/// A call goes on with the version it began with.
pub async fn a_call_keeps_the_version_it_began_with(store: Arc<dyn Store>) {
    let one = tenant(&*store, "shop", "+49405550170").await;
    let call = model::call::Call { agent_version: None, ..call_of(&one, 1) };
    store.create_call(&one.scope, &call).await.expect("a call");
    assert_eq!(store.call(&one.scope, call.id).await.map(|call| call.agent_version), Ok(Some(1)));
    let changed = Agent { name: "Changed".into(), ..one.agent.clone() };
    assert_eq!(store.put_agent(&one.scope, &changed, None).await, Ok(2));
    let kept = store.agent_of_call(&one.scope, call.id).await.expect("an agent");
    assert_eq!((kept.version, kept.agent), (1, one.agent.clone()));
    let other = tenant(&*store, "rival", "+49405550171").await;
    assert!(absent(store.agent_of_call(&other.scope, call.id).await));
}

/// A number has a label, a route and a version, and is nobody else's.
pub async fn a_number_leads_elsewhere_while_nobody_is_there(store: Arc<dyn Store>) {
    let one = tenant(&*store, "shop", "+49405550170").await;
    let other = tenant(&*store, "rival", "+49405550171").await;
    let closed = Closed::Forward { to: "+4940555017".parse().expect("a number") };
    let hours = HoursRoute { hours: None, time_zone: Some("Europe/Berlin".into()), closed };
    let mut line = store.line(&one.scope, one.number.id).await.expect("a line");
    assert_eq!((line.version, line.hours.clone()), (1, None));
    (line.label, line.hours) = (Some("Shop".into()), Some(hours));
    line.overflow = Some(Overflow::Message { text: "All lines are taken.".into() });
    assert_eq!(store.update_line(&one.scope, &line, Some(1)).await, Ok(2));
    assert!(conflicts(store.update_line(&one.scope, &line, Some(1)).await));
    let read = store.line(&one.scope, one.number.id).await.expect("a line");
    assert_eq!((read.version, &read.hours, &read.label), (2, &line.hours, &line.label));
    assert_eq!(read.overflow, line.overflow);
    let taken =
        LineRow { number: model::business::Number { id: NumberId::generate(), ..one.number.clone() }, ..line.clone() };
    assert!(conflicts(store.create_line(&one.scope, &taken).await));
    let mut stolen = taken.clone();
    (stolen.number.business, stolen.number.carrier) = (other.scope.business, "other".into());
    assert!(absent(store.create_line(&other.scope, &stolen).await), "the agent is another business's");
    let filter = LineFilter { agent: Some(one.agent.id), carrier: None };
    assert_eq!(store.lines(&one.scope, filter, None, 10).await.map(|lines| lines.len()), Ok(1));
    assert_eq!(store.lines(&other.scope, filter, None, 10).await.map(|lines| lines.len()), Ok(0));
    assert!(absent(store.line(&other.scope, one.number.id).await));
    assert_eq!(store.delete_line(&other.scope, one.number.id, None).await, Ok(false));
    assert!(absent(store.update_line(&other.scope, &line, None).await));
}

/// What became of placed calls is counted for each carrier and each beginning of a number, for its own business alone.
pub async fn placed_calls_are_counted_by_carrier(store: Arc<dyn Store>) {
    let one = tenant(&*store, "shop", "+49405550170").await;
    let other = tenant(&*store, "rival", "+49405550171").await;
    let place = async |carrier: &str, to: &str, at_ms: i64, update: CallUpdate| {
        let known = call_of(&one, at_ms);
        let (direction, customer) = (Direction::Outbound, Some(Pii::new(to.to_owned())));
        let call = model::call::Call { direction, customer, carrier: carrier.into(), carrier_ref: None, ..known };
        store.create_call(&one.scope, &call).await.expect("a call");
        store.update_call(&one.scope, call.id, &update).await.expect("a change");
    };
    let placed = |id: &str| CallUpdate { carrier_ref: Some(id.into()), ..CallUpdate::default() };
    let answered = |id: &str| CallUpdate { answered_at_ms: Some(3_000), ..placed(id) };
    let refused = CallUpdate { state: Some(model::call::CallState::Failed), ..CallUpdate::default() };
    place("a", "+4915735550123", 2_000, answered("1")).await;
    place("a", "+4915735550124", 2_000, placed("2")).await;
    place("a", "+4915735550123", 1_000, answered("3")).await;
    place("a", "+15550100100", 2_000, answered("4")).await;
    place("b", "+4915735550123", 2_000, refused).await;
    let figures =
        |carrier: &str, asked, answered, refused| CarrierFigures { carrier: carrier.into(), asked, answered, refused };
    let german = store.outgoing_figures(&one.scope, "+49", 2_000).await;
    assert_eq!(german, Ok(vec![figures("a", 2, 1, 0), figures("b", 1, 0, 1)]));
    let all = store.outgoing_figures(&one.scope, "+", 0).await;
    assert_eq!(all, Ok(vec![figures("a", 4, 3, 0), figures("b", 1, 0, 1)]));
    assert_eq!(store.outgoing_figures(&other.scope, "+", 0).await, Ok(vec![]));
}

fn customer(one: &super::Tenant, phone: &str, at_ms: i64) -> Customer {
    Customer {
        id: CustomerId::generate(),
        business: one.scope.business,
        phone: Some(phone.parse().expect("a number")),
        email: Some(Pii::new(format!("c{at_ms}@example.com"))),
        name: Some(Pii::new("Ada 100%".to_owned())),
        language: Some("en".into()),
        tags: vec!["vip".into()],
        attributes: BTreeMap::from([("bike".to_owned(), Pii::new("red".to_owned()))]),
        notes: None,
        created_at_ms: at_ms,
        updated_at_ms: at_ms,
    }
}

/// Customers are found by what is known of them, and only by their own business.
pub async fn a_customer_is_found_by_number_address_and_words(store: Arc<dyn Store>) {
    let one = tenant(&*store, "shop", "+49405550170").await;
    let other = tenant(&*store, "rival", "+49405550171").await;
    let (ada, bob) = (customer(&one, "+4915550001", 1), customer(&one, "+4915550002", 2));
    store.create_customer(&one.scope, &ada).await.expect("a customer");
    store.create_customer(&one.scope, &bob).await.expect("a customer");
    let twin = Customer { id: CustomerId::generate(), email: None, ..ada.clone() };
    assert!(conflicts(store.create_customer(&one.scope, &twin).await));
    let elsewhere = Customer { business: other.scope.business, ..twin };
    store.create_customer(&other.scope, &elsewhere).await.expect("a customer of another business");
    let found = async |filter: CustomerFilter| {
        let rows = store.customers(&one.scope, &filter, None, 10).await.expect("customers");
        rows.into_iter().map(|row| row.customer.id).collect::<Vec<_>>()
    };
    assert_eq!(found(CustomerFilter::default()).await, [bob.id, ada.id]);
    assert_eq!(found(CustomerFilter { ascending: true, ..Default::default() }).await, [ada.id, bob.id]);
    assert_eq!(found(CustomerFilter { phone: ada.phone.clone(), ..Default::default() }).await, [ada.id]);
    assert_eq!(found(CustomerFilter { email: Some("c2@example.com".into()), ..Default::default() }).await, [bob.id]);
    assert_eq!(found(CustomerFilter { words: Some("ADA 100%".into()), ..Default::default() }).await.len(), 2);
    assert!(found(CustomerFilter { words: Some("ada 1000".into()), ..Default::default() }).await.is_empty());
    assert_eq!(found(CustomerFilter { tag: Some("vip".into()), ..Default::default() }).await.len(), 2);
    assert!(found(CustomerFilter { tag: Some("vi".into()), ..Default::default() }).await.is_empty());
    let renamed = Customer { name: None, updated_at_ms: 3, ..ada.clone() };
    assert_eq!(store.update_customer(&one.scope, &renamed, Some(1)).await, Ok(2));
    assert!(conflicts(store.update_customer(&one.scope, &renamed, Some(1)).await));
    assert_eq!(found(CustomerFilter::default()).await, [ada.id, bob.id]);
    assert!(absent(store.customer(&other.scope, ada.id).await));
    assert_eq!(store.delete_customer(&other.scope, ada.id).await, Ok(false));
    assert_eq!(store.delete_customer(&one.scope, ada.id).await, Ok(true));
    assert!(absent(store.customer(&one.scope, ada.id).await));
}

/// A profile, settings and flags count their changes; credentials of tools come back whole and to their own business.
pub async fn what_a_business_says_about_itself_stays_its_own(store: Arc<dyn Store>) {
    let one = tenant(&*store, "shop", "+49405550170").await;
    let other = tenant(&*store, "rival", "+49405550171").await;
    let known = store.profile(&one.scope).await.expect("a profile");
    assert_eq!((known.version, known.profile.clone()), (1, Profile::default()));
    let business = Business { name: "New name".into(), time_zone: "Europe/Berlin".into(), ..known.business };
    let profile = Profile { website: Some("https://example.com".into()), ..Profile::default() };
    assert_eq!(store.put_profile(&one.scope, &business, &profile, Some(1)).await, Ok(2));
    assert!(conflicts(store.put_profile(&one.scope, &business, &profile, Some(1)).await));
    let read = store.profile(&one.scope).await.expect("a profile");
    assert_eq!((read.business.name.as_str(), read.profile, read.version), ("New name", profile, 2));
    assert_eq!(store.profile(&other.scope).await.map(|profile| profile.version), Ok(1));

    let flag = ValueKind::Flag;
    assert_eq!(store.put_value(&one.scope, flag, "fast", "{}", Some(0)).await, Ok(1));
    assert!(conflicts(store.put_value(&one.scope, flag, "fast", "1", Some(0)).await));
    assert_eq!(store.put_value(&one.scope, flag, "fast", "1", Some(1)).await, Ok(2));
    assert_eq!(store.value(&one.scope, flag, "fast").await.map(|value| value.value), Ok("1".into()));
    assert!(absent(store.value(&one.scope, ValueKind::Setting, "fast").await));
    assert!(absent(store.value(&other.scope, flag, "fast").await));
    assert_eq!(store.values(&one.scope, flag, None, 10).await.map(|all| all.len()), Ok(1));
    assert_eq!(store.values(&one.scope, flag, Some("fast"), 10).await.map(|all| all.len()), Ok(0));
    assert_eq!(store.delete_value(&other.scope, flag, "fast").await, Ok(false));
    assert_eq!(store.delete_value(&one.scope, flag, "fast").await, Ok(true));

    let fields = BTreeMap::from([("token".to_owned(), Secret::new("s3cret".to_owned()))]);
    store.put_tool_credential(&one.scope, "crm", &fields, 5).await.expect("kept");
    let kept = store.tool_credential(&one.scope, "crm").await.expect("a credential");
    assert_eq!(kept.fields.get("token").map(|token| token.expose().as_str()), Some("s3cret"));
    assert!(absent(store.tool_credential(&other.scope, "crm").await.map(drop)));
    assert_eq!(store.tool_credentials(&other.scope).await.map(|all| all.len()), Ok(0));
    store.reseal_credentials().await.expect("sealed anew");
    assert_eq!(store.tool_credentials(&one.scope).await.map(|all| all.len()), Ok(1));
    assert_eq!(store.delete_tool_credential(&one.scope, "crm").await, Ok(true));
}

/// A key is taken once, gives its answer again, refuses another request, and is free when nothing happened or its time is over.
pub async fn a_request_with_a_key_has_one_effect(store: Arc<dyn Store>) {
    let one = tenant(&*store, "shop", "+49405550170").await;
    let other = tenant(&*store, "rival", "+49405550171").await;
    let name = RequestName { scope: one.scope, actor: "key:1".into(), key: "k".into() };
    assert_eq!(store.begin_request(&name, b"a", 1_000).await, Ok(Begun::First));
    assert_eq!(store.begin_request(&name, b"a", 1_001).await, Ok(Begun::Running));
    store.release_request(&name).await.expect("released");
    assert_eq!(store.begin_request(&name, b"b", 1_002).await, Ok(Begun::First));
    let answer = KeptAnswer { status: 201, headers: vec![("etag".into(), "\"1\"".into())], body: "{}".into() };
    store.keep_answer(&name, &answer).await.expect("kept");
    store.release_request(&name).await.expect("an answer stays");
    assert_eq!(store.begin_request(&name, b"b", 1_003).await, Ok(Begun::Answered(answer)));
    assert_eq!(store.begin_request(&name, b"c", 1_004).await, Ok(Begun::Other));
    for free in
        [RequestName { actor: "key:2".into(), ..name.clone() }, RequestName { scope: other.scope, ..name.clone() }]
    {
        assert_eq!(store.begin_request(&free, b"c", 1_005).await, Ok(Begun::First));
        let late_ms = 1_006 + limits::IDEMPOTENCY_RUNNING_MS_MAX;
        assert_eq!(store.begin_request(&free, b"c", late_ms).await, Ok(Begun::First), "its process died");
    }
    let tomorrow_ms = 2_000 + limits::IDEMPOTENCY_MS_MAX;
    assert_eq!(store.begin_request(&name, b"c", tomorrow_ms).await, Ok(Begun::First));
    assert_eq!(store.prune_requests(tomorrow_ms).await, Ok(2));
}

/// Lists show what their filters say, in either direction.
pub async fn lists_of_calls_and_conversations_are_filtered(store: Arc<dyn Store>) {
    let one = tenant(&*store, "shop", "+49405550170").await;
    let mut ids = Vec::new();
    for at_ms in [10, 20, 30] {
        let mut call = call_of(&one, at_ms);
        if at_ms == 20 {
            (call.direction, call.customer) = (Direction::Outbound, Some(Pii::new("+4915559999".to_owned())));
        }
        store.create_call(&one.scope, &call).await.expect("a call");
        let writer = crate::WriterId::generate();
        let said = super::caller_turn(1, &format!("Line {at_ms} of Ada"));
        store.append(&one.scope, call.id, writer, base::JournalSeq(0), &[said]).await.expect("an entry");
        ids.push((call.id, call.conversation));
    }
    let calls = async |filter: CallFilter| {
        let page = store.calls(&one.scope, &filter, None, 10).await.expect("calls");
        page.rows.into_iter().map(|call| call.started_at_ms).collect::<Vec<_>>()
    };
    assert_eq!(calls(CallFilter { ascending: true, ..Default::default() }).await, [10, 20, 30]);
    assert_eq!(calls(CallFilter { direction: Some(Direction::Outbound), ..Default::default() }).await, [20]);
    assert_eq!(calls(CallFilter { customer: Some("+4915559999".into()), ..Default::default() }).await, [20]);
    assert_eq!(calls(CallFilter { from_ms: Some(20), to_ms: Some(30), ..Default::default() }).await, [20]);
    assert_eq!(calls(CallFilter { number: Some("+1".into()), ..Default::default() }).await, [] as [i64; 0]);
    let said = async |words: &str| {
        let filter = ConversationFilter { words: Some(words.into()), ascending: true, ..Default::default() };
        let page = store.conversations(&one.scope, &filter, None, 10).await.expect("conversations");
        page.rows.into_iter().map(|one| one.started_at_ms).collect::<Vec<_>>()
    };
    assert_eq!(said("LINE 20").await, [20]);
    assert_eq!(said("of ada").await, [10, 20, 30]);
    assert!(said("_ine").await.is_empty());
    let with = |words: &str| CallFilter { words: Some(words.into()), ..CallFilter::default() };
    assert_eq!(calls(with("LINE 20")).await, [20]);
    assert_eq!(calls(CallFilter { ascending: true, ..with("of ada") }).await, [10, 20, 30]);
    assert_eq!(calls(CallFilter { direction: Some(Direction::Inbound), ..with("of ada") }).await, [30, 10]);
    assert!(calls(with("_ine")).await.is_empty());
    let page = store.conversations(&one.scope, &ConversationFilter::default(), None, 2).await.expect("a page");
    assert_eq!(page.rows.iter().map(|one| one.started_at_ms).collect::<Vec<_>>(), [30, 20]);
    let next = store.conversations(&one.scope, &ConversationFilter::default(), page.next, 2).await.expect("a page");
    assert_eq!((next.rows.len(), next.next), (1, None));
    let other = tenant(&*store, "rival", "+49405550171").await;
    let none = store.conversations(&other.scope, &ConversationFilter::default(), None, 2).await.expect("a page");
    assert!(none.rows.is_empty());
    assert!(store.calls(&other.scope, &with("of ada"), None, 10).await.expect("calls").rows.is_empty());
}
