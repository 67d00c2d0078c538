//! What every store must obey about what agents are taught.

use crate::contract::Store;
use crate::error::StoreError;
use crate::laws::tenant;
use crate::training::Training;
use base::{AgentId, limits};
use serde_json::json;
use std::sync::Arc;

fn learned(of: u8) -> Training {
    Training {
        version: 0,
        lesson: json!({"intents": [of]}),
        model: vec![of; 8],
        space: "toy".into(),
        report: json!({"right": of}),
        trained_at_ms: i64::from(of),
    }
}

/// Law.
pub async fn a_lesson_is_learned_in_versions_and_an_old_one_serves_again(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await;
    let rival = tenant(&*store, "rival", "+12025550102").await.scope;
    let (scope, agent) = (shop.scope, shop.agent.id);
    assert_eq!(store.lesson(&scope, agent).await, Ok(None));
    let without = store.add_training(&scope, agent, &learned(1)).await;
    assert!(matches!(without, Err(StoreError::NotFound(_))), "{without:?}");
    store.put_lesson(&scope, agent, &json!({"intents": []}), 5).await.expect("kept");
    assert_eq!(store.add_training(&scope, agent, &learned(1)).await, Ok(1));
    assert_eq!(store.add_training(&scope, agent, &learned(2)).await, Ok(2));
    store.put_lesson(&scope, agent, &json!({"intents": [9]}), 6).await.expect("kept");
    let lesson = store.lesson(&scope, agent).await.expect("a lesson").expect("one");
    assert_eq!((lesson.draft, lesson.serving, lesson.updated_at_ms), (json!({"intents": [9]}), 2, 6));
    let first = store.training(&scope, agent, 1).await.expect("it is there");
    assert_eq!(first, Training { version: 1, ..learned(1) });
    let listed: Vec<_> = store.trainings(&scope, agent).await.expect("versions");
    assert_eq!(listed.iter().map(|one| (one.version, one.model.len())).collect::<Vec<_>>(), [(2, 0), (1, 0)]);

    assert_eq!(store.serve_training(&scope, agent, 1).await, Ok(true));
    assert_eq!(store.lesson(&scope, agent).await.expect("a lesson").expect("one").serving, 1);
    assert_eq!(store.serve_training(&scope, agent, 3).await, Ok(false));
    assert_eq!(store.lesson(&rival, agent).await, Ok(None));
    assert_eq!(store.serve_training(&rival, agent, 2).await, Ok(false));
    assert!(matches!(store.training(&rival, agent, 1).await, Err(StoreError::NotFound(_))));
    assert!(store.trainings(&scope, AgentId::generate()).await.expect("versions").is_empty());
    for of in 0..limits::TRAININGS_MAX {
        store.add_training(&scope, agent, &learned(of as u8)).await.expect("kept");
    }
    let kept = store.trainings(&scope, agent).await.expect("versions");
    assert_eq!((kept.len(), kept[0].version), (limits::TRAININGS_MAX as usize, limits::TRAININGS_MAX + 2));
}
