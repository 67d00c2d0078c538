//! Laws of what a business sets about itself: looks, privacy, two versions of an agent.

use super::{call_of, caller_turn, tenant};
use crate::contract::office::ValueKind;
use crate::contract::{CallFilter, CallUpdate, Redacted, Store, WriterId};
use crate::error::StoreError;
use base::{JournalSeq, Pii};
use model::branding::{Branding, Logo};
use model::call::Call;
use std::sync::Arc;

/// A domain belongs to one business, and a logo to whoever set it.
pub async fn a_domain_leads_to_the_looks_of_one_business(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await.scope;
    let rival = tenant(&*store, "rival", "+49405550171").await.scope;
    assert_eq!(store.branding(&shop).await.map(|known| known.version), Ok(0));
    let looks = Branding { name: Some("Shop".into()), domain: Some("a.example".into()), ..Branding::default() };
    assert_eq!(store.put_branding(&shop, &looks, Some(0)).await, Ok(1));
    assert!(matches!(store.put_branding(&shop, &looks, Some(0)).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.branding_of_domain("a.example").await, Ok(None), "nobody has shown whose it is");
    assert_eq!(store.put_branding(&rival, &looks, None).await, Ok(1), "who names it first does not have it");
    assert!(matches!(store.prove_domain(&shop, "b.example").await, Err(StoreError::Conflict(_))));
    assert_eq!(store.prove_domain(&shop, "a.example").await, Ok(2));
    assert!(matches!(store.prove_domain(&rival, "a.example").await, Err(StoreError::Conflict(_))));
    assert!(matches!(store.put_branding(&rival, &looks, None).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.put_branding(&shop, &looks, Some(2)).await, Ok(3), "what was shown stays shown");
    assert!(matches!(store.logo(&shop).await, Err(StoreError::NotFound(_))));
    let logo = Logo { media_type: "image/png".into(), bytes: vec![1, 2, 3] };
    assert_eq!(store.put_logo(&shop, Some(&logo)).await, Ok(4));
    assert_eq!(store.logo(&shop).await, Ok(logo));
    assert!(matches!(store.logo(&rival).await, Err(StoreError::NotFound(_))));
    let (scope, known) = store.branding_of_domain("a.example").await.expect("an answer").expect("a business");
    assert_eq!((scope, known.branding, known.logo), (shop, looks.clone(), Some(("image/png".into(), 3))));
    assert_eq!(store.branding_of_domain("b.example").await, Ok(None));
    assert_eq!(store.put_logo(&shop, None).await, Ok(5));
    let known = store.branding(&shop).await.expect("known");
    assert_eq!((known.logo, known.version, known.branding.name.as_deref()), (None, 5, Some("Shop")));
    assert_eq!(store.put_logo(&rival, None).await, Ok(2));
    let without = Branding { domain: None, ..looks.clone() };
    assert_eq!(store.put_branding(&shop, &without, None).await, Ok(6));
    assert_eq!(store.branding_of_domain("a.example").await, Ok(None), "it was given up");
}

/// What a business wants kept is found by the worker of all, and done to its own calls alone.
pub async fn what_is_past_its_time_goes_for_one_business_alone(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let rival = tenant(&*store, "rival", "+49405550171").await;
    let scope = &shop.scope;
    assert_eq!(store.put_value(scope, ValueKind::Privacy, "privacy", "{}", None).await, Ok(1));
    let all = store.values_of_all(ValueKind::Privacy, None).await.expect("values");
    assert_eq!(all.iter().map(|(scope, value)| (*scope, value.version)).collect::<Vec<_>>(), [(*scope, 1)]);
    assert_eq!(store.values_of_all(ValueKind::Privacy, Some(scope.business)).await, Ok(Vec::new()));
    let mut calls = Vec::new();
    for of in [&shop, &rival] {
        let call = call_of(of, 1_000);
        store.create_call(&of.scope, &call).await.expect("a call");
        store
            .append(&of.scope, call.id, WriterId::generate(), JournalSeq(0), &[caller_turn(1, "hi 4821")])
            .await
            .expect("words");
        store.append_inputs(&of.scope, call.id, 0, &["x".into()]).await.expect("inputs");
        store.add_recording(&of.scope, call.id, "a.wav", 1_000).await.expect("noted");
        let end = CallUpdate { ended_at_ms: Some(2_000), recording: Some("a.wav".into()), ..CallUpdate::default() };
        calls.push(store.update_call(&of.scope, call.id, &end).await.expect("over"));
    }
    let (ours, theirs) = (&calls[0], &calls[1]);
    let due = store.calls_of_business_to_forget(scope, 3_000, None).await.expect("calls");
    assert_eq!(due.iter().map(|call| call.id).collect::<Vec<_>>(), [ours.id]);
    assert_eq!(store.calls_of_business_to_forget(scope, 2_000, None).await, Ok(Vec::new()));
    assert_eq!(store.recordings_to_forget(scope, i64::MIN, 3_000).await, Ok(vec![(ours.id, 1_000)]));
    assert_eq!(store.recordings_to_forget(scope, 1_000, 3_000).await, Ok(Vec::new()));
    store.forget_recordings(scope, theirs.id).await.expect("nobody else's");
    store.forget_recordings(scope, ours.id).await.expect("forgotten");
    assert_eq!(store.recordings(scope, ours.id).await, Ok(Vec::new()));
    assert_eq!(store.call(scope, ours.id).await.map(|call| call.recording), Ok(None));
    let due = store.calls_to_redact(scope, 0).await.expect("calls");
    assert_eq!(due.iter().map(|call| call.id).collect::<Vec<_>>(), [ours.id]);
    let message = store.messages(scope, ours.conversation, 0).await.expect("messages").remove(0);
    let redacted = Redacted {
        records: vec![caller_turn(1, "hi [digits]")],
        messages: vec![(message.id, Pii::new("hi [digits]".into()))],
    };
    store.redact_call(scope, ours.id, &redacted, 5_000).await.expect("redacted");
    assert_eq!(store.journal(scope, ours.id).await, Ok(redacted.records));
    let messages = store.messages(scope, ours.conversation, 0).await.expect("messages");
    assert_eq!(messages[0].text.expose(), "hi [digits]");
    assert_eq!(store.inputs(scope, ours.id, 0).await, Ok(Vec::new()));
    assert_eq!(store.calls_to_redact(scope, 0).await, Ok(Vec::new()));
    assert_eq!((store.forget_numbers(scope, 1_000).await, store.forget_numbers(scope, 1_001).await), (Ok(0), Ok(1)));
    assert_eq!(store.forget_numbers(scope, 1_001).await, Ok(0));
    assert_eq!(store.call(scope, ours.id).await.map(|call| call.customer), Ok(None));
    let conversation = store.conversation(scope, ours.conversation).await.expect("a conversation");
    assert_eq!(conversation.customer, None);
    let row = store.call(&rival.scope, theirs.id).await.expect("their call");
    assert!(row.customer.is_some() && row.recording.is_some());
    assert_eq!(store.journal(&rival.scope, theirs.id).await, Ok(vec![caller_turn(1, "hi 4821")]));
}

/// A call says with which version of its agent it began, and lists find it by that.
pub async fn a_call_is_found_by_the_version_of_its_agent(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    for (at_ms, version) in [(1, Some(1)), (2, Some(7)), (3, None)] {
        let call = Call { agent_version: version, ..call_of(&shop, at_ms) };
        store.create_call(&shop.scope, &call).await.expect("a call");
    }
    let found = async |agent_version: Option<u32>| {
        let filter = CallFilter { agent_version, ascending: true, ..CallFilter::default() };
        let page = store.calls(&shop.scope, &filter, None, 10).await.expect("calls");
        page.rows.into_iter().map(|call| (call.started_at_ms, call.agent_version)).collect::<Vec<_>>()
    };
    assert_eq!(found(None).await, [(1, Some(1)), (2, Some(7)), (3, Some(1))]);
    assert_eq!(found(Some(7)).await, [(2, Some(7))]);
    assert_eq!(found(Some(2)).await, []);
}
