//! Laws of links to calls, of notes, and of lines that a change takes with it.

use super::{call_of, tenant};
use crate::contract::Store;
use crate::contract::shares::{CallNote, Share};
use crate::error::StoreError;
use crate::people::{AuditFilter, SecretHash};
use crate::trail::{Line, Trail};
use base::{CallId, Pii, limits};
use model::business::TenantScope;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

fn share(call: CallId, created_at_ms: i64, expires_at_ms: i64) -> Share {
    Share { id: Uuid::now_v7(), call, recording: false, created_by: None, created_at_ms, expires_at_ms }
}

fn token(number: u32) -> SecretHash {
    let mut hash = [7; 32];
    hash[..4].copy_from_slice(&number.to_be_bytes());
    hash
}

/// A link leads to its call until its time is over or it is taken back, and to nothing of others.
pub async fn a_link_to_a_call_leads_there_until_it_is_void(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let rival = tenant(&*store, "rival", "+49405550171").await;
    let call = call_of(&shop, 10);
    store.create_call(&shop.scope, &call).await.expect("a call");
    let first = Share { recording: true, created_by: Some("user:a".into()), ..share(call.id, 100, 1_000) };
    store.share_call(&shop.scope, &first, &token(1)).await.expect("a link");
    assert_eq!(store.shared_call(&token(1), 999).await, Ok(Some((shop.scope, first.clone()))));
    assert_eq!(store.shared_call(&token(1), 1_000).await, Ok(None), "its time is over");
    assert_eq!(store.shared_call(&token(2), 500).await, Ok(None));
    let theirs = store.share_call(&rival.scope, &share(call.id, 100, 1_000), &token(3)).await;
    assert!(matches!(theirs, Err(StoreError::NotFound(_))), "{theirs:?}");
    assert!(matches!(store.shares(&rival.scope, call.id, 0).await, Err(StoreError::NotFound(_))));
    assert_eq!(store.revoke_share(&rival.scope, call.id, first.id).await, Ok(false));
    let second = share(call.id, 200, 2_000);
    store.share_call(&shop.scope, &second, &token(4)).await.expect("a link");
    assert_eq!(store.shares(&shop.scope, call.id, 500).await, Ok(vec![second.clone(), first.clone()]));
    assert_eq!(store.shares(&shop.scope, call.id, 1_500).await, Ok(vec![second.clone()]));
    assert_eq!(store.revoke_share(&shop.scope, call.id, second.id).await, Ok(true));
    assert_eq!(store.revoke_share(&shop.scope, call.id, second.id).await, Ok(false));
    assert_eq!(store.shared_call(&token(4), 500).await, Ok(None));
    for number in 10..9 + limits::CALL_SHARES_MAX {
        store.share_call(&shop.scope, &share(call.id, 300, 900), &token(number)).await.expect("a link");
    }
    let one_more = share(call.id, 300, 900);
    let full = store.share_call(&shop.scope, &one_more, &token(99)).await;
    assert!(matches!(full, Err(StoreError::Conflict(_))), "{full:?}");
    let later = share(call.id, 1_000, 5_000);
    store.share_call(&shop.scope, &later, &token(100)).await.expect("the old ones make room");
    store.forget_call(&shop.scope, call.id, 2_000).await.expect("forgotten");
    assert_eq!(store.shared_call(&token(100), 2_000).await, Ok(None), "what is forgotten is not shown");
}

/// A note counts its changes, refuses a stale one, and goes with what was said.
pub async fn a_note_on_a_call_counts_its_changes(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let rival = tenant(&*store, "rival", "+49405550171").await;
    let call = call_of(&shop, 10);
    store.create_call(&shop.scope, &call).await.expect("a call");
    let note = |text: &str, updated_at_ms: i64| CallNote {
        text: Pii::new(text.to_owned()),
        updated_by: Some("user:a".into()),
        updated_at_ms,
        version: 0,
    };
    assert_eq!(store.note(&shop.scope, call.id).await, Ok(None));
    assert_eq!(store.put_note(&shop.scope, call.id, &note("wants a lamp", 20), Some(0)).await, Ok(1));
    let stale = store.put_note(&shop.scope, call.id, &note("wants a chair", 30), Some(0)).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
    assert_eq!(store.put_note(&shop.scope, call.id, &note("wants two lamps", 40), Some(1)).await, Ok(2));
    let now = CallNote { version: 2, ..note("wants two lamps", 40) };
    assert_eq!(store.note(&shop.scope, call.id).await, Ok(Some(now)));
    assert!(matches!(store.note(&rival.scope, call.id).await, Err(StoreError::NotFound(_))));
    let theirs = store.put_note(&rival.scope, call.id, &note("hello", 50), None).await;
    assert!(matches!(theirs, Err(StoreError::NotFound(_))), "{theirs:?}");
    store.forget_call(&shop.scope, call.id, 60).await.expect("forgotten");
    assert_eq!(store.note(&shop.scope, call.id).await, Ok(None));
}

/// The first change on a trail takes the line with it, once; what changes nothing, or nothing of the business, takes none.
pub async fn a_change_takes_its_line_of_the_audit_log_along(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let rival = tenant(&*store, "rival", "+49405550171").await;
    let call = call_of(&shop, 10);
    store.create_call(&shop.scope, &call).await.expect("a call");
    let line = |action: &str| Line {
        scope: Some(shop.scope),
        actor: None,
        action: action.to_owned(),
        subject: "calls".into(),
        details: json!({}),
        address: None,
        at_ms: 5,
    };
    let lines = async |scope: &TenantScope| {
        let page = store.audit_lines(scope, &AuditFilter::default(), None, 10).await.expect("lines");
        page.rows.into_iter().map(|line| (line.action, line.subject)).collect::<Vec<_>>()
    };
    let note = CallNote { text: Pii::new("a".to_owned()), updated_by: None, updated_at_ms: 1, version: 0 };
    let trail = Trail::new(line("nothing"));
    let nothing = async {
        assert_eq!(store.revoke_share(&shop.scope, call.id, Uuid::now_v7()).await, Ok(false));
        let stale = store.put_note(&shop.scope, call.id, &note, Some(7)).await;
        assert!(matches!(stale, Err(StoreError::Conflict(_))), "{stale:?}");
        store.call(&shop.scope, call.id).await.expect("a call");
        let elsewhere = call_of(&rival, 10);
        store.create_call(&rival.scope, &elsewhere).await.expect("a call of another business");
    };
    trail.follow(nothing).await;
    assert!(!trail.is_written());
    assert!(lines(&shop.scope).await.is_empty() && lines(&rival.scope).await.is_empty());

    let trail = Trail::new(Line { scope: None, ..line("put_note") });
    let changes = async {
        let put = store.put_note(&shop.scope, call.id, &note, None).await;
        assert_eq!(put, Ok(1));
        assert!(!Trail::current().is_some_and(|trail| trail.is_written()), "nobody knows yet whose it is");
        trail.amend(|line| (line.scope, line.subject) = (Some(shop.scope), "calls/1".into()));
        for version in [2, 3] {
            assert_eq!(store.put_note(&shop.scope, call.id, &note, None).await, Ok(version));
        }
    };
    trail.follow(changes).await;
    assert!(trail.is_written());
    assert_eq!(lines(&shop.scope).await, [("put_note".to_owned(), "calls/1".to_owned())]);

    // One statement alone is a change, too.
    let trail = Trail::new(line("revoke"));
    let link = share(call.id, 100, 1_000);
    store.share_call(&shop.scope, &link, &token(1)).await.expect("a link");
    assert_eq!(trail.follow(store.revoke_share(&shop.scope, call.id, link.id)).await, Ok(true));
    assert_eq!(lines(&shop.scope).await.len(), 2);
}
