//! What every store must obey about recorded calls that were heard, and what they propose.

use crate::contract::Store;
use crate::error::StoreError;
use crate::heard::{HeardCall, LeftOut, Proposal, ProposalState, Speaker, Utterance};
use crate::laws::tenant;
use std::sync::Arc;
use uuid::Uuid;

fn call(sha256: &str, at_ms: i64) -> HeardCall {
    let said = |speaker, from_ms, text: &str| Utterance {
        speaker,
        from_ms,
        to_ms: from_ms + 900,
        text: text.to_owned().into(),
    };
    HeardCall {
        id: Uuid::now_v7(),
        name: "monday.wav".into(),
        sha256: sha256.into(),
        duration_ms: 9_000,
        utterances: vec![
            said(Speaker::Caller, 100, "Do you ship to Norway?"),
            said(Speaker::Agent, 1_200, "Yes, within five days."),
        ],
        left_out: LeftOut { known: 1, personal: 2 },
        at_ms,
    }
}

fn proposal(of: &HeardCall, question: &str, at_ms: i64) -> Proposal {
    Proposal {
        id: Uuid::now_v7(),
        heard: Some(of.id),
        source: of.name.clone(),
        from_ms: 100,
        question: question.into(),
        answer: "Yes, within five days.".into(),
        state: ProposalState::Open,
        space: "space".into(),
        vector: vec![0, 0, 128, 63],
        created_at_ms: at_ms,
        updated_at_ms: at_ms,
    }
}

async fn open(store: &dyn Store, of: &crate::laws::Tenant) -> Vec<Uuid> {
    let page = store.proposals(&of.scope, ProposalState::Open, None, 10).await.expect("a page");
    page.rows.iter().map(|one| one.id).collect()
}

/// Law.
pub async fn a_heard_call_is_kept_once_with_what_it_proposes(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await;
    let rival = tenant(&*store, "rival", "+12025550102").await;
    let (first, second) = (call("aa", 10), call("bb", 20));
    let (one, two) = (proposal(&first, "Do you ship to Norway?", 10), proposal(&first, "Are you open?", 11));
    assert_eq!(store.keep_heard_call(&shop.scope, &first, &[one.clone(), two.clone()]).await, Ok(true));
    let again = HeardCall { id: Uuid::now_v7(), ..first.clone() };
    assert_eq!(store.keep_heard_call(&shop.scope, &again, &[proposal(&again, "Again?", 12)]).await, Ok(false));
    assert_eq!(store.keep_heard_call(&shop.scope, &second, &[]).await, Ok(true));
    assert_eq!(store.heard_call(&shop.scope, first.id).await, Ok(first.clone()));
    assert_eq!(store.heard_call_of(&shop.scope, "aa").await, Ok(Some(first.id)));
    assert_eq!(store.heard_call_of(&rival.scope, "aa").await, Ok(None));
    assert!(matches!(store.heard_call(&rival.scope, first.id).await, Err(StoreError::NotFound(_))));
    let page = store.heard_calls(&shop.scope, None, 1).await.expect("a page");
    assert_eq!((page.rows[0].id, page.rows[0].utterances.len(), page.next.is_some()), (second.id, 0, true));
    assert_eq!(open(&*store, &shop).await, [two.id, one.id]);
    assert_eq!(open(&*store, &rival).await, [] as [Uuid; 0]);

    assert_eq!(store.settle_proposals(&shop.scope, &[one.id], ProposalState::Rejected, 30).await, Ok(1));
    assert_eq!(store.delete_heard_call(&rival.scope, first.id).await, Ok(false));
    assert_eq!(store.delete_heard_call(&shop.scope, first.id).await, Ok(true));
    assert_eq!(open(&*store, &shop).await, [] as [Uuid; 0]);
    let rejected = store.proposal(&shop.scope, one.id).await.expect("it is kept");
    assert_eq!((rejected.heard, rejected.state), (None, ProposalState::Rejected));
    assert_eq!(store.businesses_of_heard_calls(20).await, Ok(Vec::new()));
    assert_eq!(store.businesses_of_heard_calls(21).await, Ok(vec![shop.scope]));
    assert_eq!(store.forget_heard_calls(&rival.scope, 100).await, Ok(0));
    assert_eq!(store.forget_heard_calls(&shop.scope, 20).await, Ok(0));
    assert_eq!(store.forget_heard_calls(&shop.scope, 21).await, Ok(1));
    assert!(matches!(store.heard_call(&shop.scope, second.id).await, Err(StoreError::NotFound(_))));
}

/// Law.
pub async fn a_proposal_is_decided_on_once(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    let rival = tenant(&*store, "rival", "+12025550102").await.scope;
    let heard = call("aa", 10);
    let one = proposal(&heard, "Do you ship to Norway?", 10);
    store.keep_heard_call(&shop, &heard, std::slice::from_ref(&one)).await.expect("kept");
    assert!(matches!(store.change_proposal(&rival, one.id, "x", "y", 20).await, Err(StoreError::NotFound(_))));
    let changed = store.change_proposal(&shop, one.id, "Do you ship abroad?", "Yes.", 20).await.expect("changed");
    assert_eq!((changed.question.as_str(), changed.answer.as_str()), ("Do you ship abroad?", "Yes."));
    assert_eq!(store.settle_proposals(&rival, &[one.id], ProposalState::Accepted, 30).await, Ok(0));
    assert_eq!(store.settle_proposals(&shop, &[one.id], ProposalState::Accepted, 30).await, Ok(1));
    assert_eq!(store.settle_proposals(&shop, &[one.id], ProposalState::Rejected, 40).await, Ok(0));
    assert_eq!(store.proposal(&shop, one.id).await.map(|one| one.state), Ok(ProposalState::Accepted));
    let late = store.change_proposal(&shop, one.id, "x", "y", 50).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    let page = store.proposals(&shop, ProposalState::Accepted, None, 10).await.expect("a page");
    assert_eq!(page.rows.len(), 1);
}
