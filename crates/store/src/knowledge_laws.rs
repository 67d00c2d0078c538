//! What every store must obey about what businesses know.

use crate::contract::Store;
use crate::error::StoreError;
use crate::knowledge::{Gap, NewVersion, StoredChunk, VersionId, VersionStatus, WholeVersion};
use crate::laws::tenant;
use crate::mirrors::Mirror;
use base::{DocumentId, GapId};
use model::business::TenantScope;
use model::passage::Passage;
use std::sync::Arc;

fn begun(slug: &str) -> NewVersion<'_> {
    NewVersion { slug, title: "Help", source: "help.md", bytes: 12, sha256: "ab" }
}

fn chunk(version: VersionId, ordinal: u32, text: &str) -> StoredChunk {
    StoredChunk {
        document: version.document,
        ordinal,
        id: format!("{ordinal}"),
        passage: Passage {
            document: String::new(),
            heading: "Hours".into(),
            page: (ordinal == 0).then_some(3),
            sentences: vec![text.to_owned(), "More.".to_owned()],
        },
        space: String::new(),
        vectors: vec![1, 2, 3, 4],
    }
}

fn whole(chunks: u32) -> WholeVersion<'static> {
    WholeVersion { kind: "markdown", title: "Helpful", pages: 2, chunks, space: "toy" }
}

/// Writes a document of one chunk and makes it serve.
async fn put(store: &dyn Store, scope: &TenantScope, slug: &str, text: &str) -> VersionId {
    let version = store.begin_version(scope, &begun(slug), 10).await.expect("begun");
    store.add_chunks(scope, version, &[chunk(version, 0, text)]).await.expect("added");
    store.publish_version(scope, version, &whole(1), 20).await.expect("published");
    version
}

async fn said(store: &dyn Store, scope: &TenantScope) -> Vec<String> {
    let chunks = store.serving_chunks(scope, None).await.expect("chunks");
    chunks.into_iter().map(|chunk| chunk.passage.sentences[0].clone()).collect()
}

/// Law.
pub async fn what_lies_elsewhere_is_known_until_it_is_gone(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    let rival = tenant(&*store, "rival", "+12025550102").await.scope;
    let store = &*store;
    assert_eq!(store.unmirrored("away").await, Ok(vec![]));
    let first = put(store, &shop, "help", "Open daily.").await;
    assert_eq!(store.unmirrored("away").await, Ok(vec![shop]));
    assert_eq!(
        (store.is_mirrored(&shop, "away").await, store.is_mirrored(&rival, "away").await),
        (Ok(false), Ok(true))
    );
    store.begin_mirror(&shop, "away", first, 1).await.expect("begun");
    assert_eq!(store.is_mirrored(&shop, "away").await, Ok(false), "it may be there");
    store.finish_mirror(&shop, "away", first).await.expect("whole");
    assert_eq!((store.unmirrored("away").await, store.is_mirrored(&shop, "away").await), (Ok(vec![]), Ok(true)));
    assert_eq!(store.is_mirrored(&shop, "elsewhere").await, Ok(false), "each place for itself");
    let there = store.mirrors(&shop, "away", None).await.expect("mirrors");
    assert_eq!(there, [Mirror { version: first, passages: 1, whole: true }]);
    assert_eq!(store.mirrors(&shop, "away", Some(first)).await, Ok(vec![]));
    assert_eq!(store.mirrors(&rival, "away", None).await, Ok(vec![]), "nobody else's");
    store.forget_mirror(&rival, "away", first).await.expect("nothing");

    let second = put(store, &shop, "help", "Open on Sundays.").await;
    assert_eq!(store.unmirrored("away").await, Ok(vec![shop]), "what serves is not there");
    store.begin_mirror(&shop, "away", second, 1).await.expect("begun");
    store.finish_mirror(&shop, "away", second).await.expect("whole");
    assert_eq!(store.unmirrored("away").await, Ok(vec![shop]), "what does not serve any more is");
    store.forget_mirror(&shop, "away", first).await.expect("gone");
    assert_eq!(store.unmirrored("away").await, Ok(vec![]));
    store.delete_knowledge(&shop, "help").await.expect("deleted");
    assert_eq!(store.unmirrored("away").await, Ok(vec![shop]), "a deleted document is still there");
    store.forget_mirror(&shop, "away", second).await.expect("gone");
    assert_eq!(store.unmirrored("away").await, Ok(vec![]));
}

/// Law.
pub async fn a_new_version_of_a_document_serves_when_it_is_whole(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    assert_eq!(store.knowledge_revision(&shop).await, Ok(0));
    let first = put(&*store, &shop, "help", "Open daily.").await;
    let document = store.knowledge_document(&shop, "help").await.expect("it is there");
    assert_eq!((document.serving, document.title.as_str()), (1, "Helpful"));
    assert_eq!(document.newest.status, VersionStatus::Ready);
    let revision = store.knowledge_revision(&shop).await.expect("a number");

    let second = store.begin_version(&shop, &begun("help"), 30).await.expect("begun");
    assert_eq!((second.document, second.version), (first.document, 2));
    let many: Vec<StoredChunk> = (0..150).map(|at| chunk(second, at, &format!("Line {at}."))).collect();
    store.add_chunks(&shop, second, &many).await.expect("added");
    assert_eq!(said(&*store, &shop).await, ["Open daily."], "the old one serves until the new one is whole");
    assert_eq!(store.knowledge_revision(&shop).await, Ok(revision));
    let incomplete = store.publish_version(&shop, second, &whole(151), 40).await;
    assert!(matches!(incomplete, Err(StoreError::Conflict(_))), "{incomplete:?}");
    store.publish_version(&shop, second, &whole(150), 40).await.expect("published");

    let page = store.serving_chunks(&shop, None).await.expect("a page");
    let last = page.last().map(|chunk| (chunk.document, chunk.ordinal)).expect("a chunk");
    let rest = store.serving_chunks(&shop, Some(last)).await.expect("the rest");
    assert_eq!((page.len(), rest.len()), (100, 50));
    let of_document = store.document_chunks(&shop, second.document, Some(148)).await.expect("its chunks");
    assert_eq!(of_document, rest[49..]);
    let sample = &page[0];
    assert_eq!(
        (sample.passage.document.as_str(), sample.passage.page, sample.space.as_str()),
        ("Helpful", Some(3), "toy")
    );
    assert_eq!((sample.passage.sentences.len(), sample.vectors.as_slice()), (2, &[1, 2, 3, 4][..]));
    assert!(store.knowledge_revision(&shop).await.expect("a number") > revision);
    let states: Vec<_> =
        store.document_versions(&shop, "help").await.expect("versions").into_iter().map(|one| one.status).collect();
    assert_eq!(states, [VersionStatus::Ready, VersionStatus::Replaced]);
}

/// Law.
pub async fn a_version_that_was_overtaken_never_serves(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    let slow = store.begin_version(&shop, &begun("help"), 1).await.expect("begun");
    store.add_chunks(&shop, slow, &[chunk(slow, 0, "Old.")]).await.expect("added");
    put(&*store, &shop, "help", "New.").await;
    let late = store.publish_version(&shop, slow, &whole(1), 50).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    assert_eq!(said(&*store, &shop).await, ["New."]);
    let states: Vec<_> =
        store.document_versions(&shop, "help").await.expect("versions").into_iter().map(|one| one.status).collect();
    assert_eq!(states, [VersionStatus::Ready, VersionStatus::Failed]);
}

/// Law.
pub async fn a_failed_version_says_why_and_the_old_one_serves(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    put(&*store, &shop, "help", "Open daily.").await;
    let broken = store.begin_version(&shop, &begun("help"), 30).await.expect("begun");
    store.add_chunks(&shop, broken, &[chunk(broken, 0, "Half.")]).await.expect("added");
    store.fail_version(&shop, broken, "encrypted", "the file is encrypted", 40).await.expect("noted");
    let document = store.knowledge_document(&shop, "help").await.expect("it is there");
    assert_eq!((document.serving, document.newest.version), (1, 2));
    assert_eq!(document.newest.error_code.as_deref(), Some("encrypted"));
    assert_eq!(said(&*store, &shop).await, ["Open daily."]);
    store.fail_version(&shop, VersionId { version: 1, ..broken }, "x", "x", 50).await.expect("nothing happens");
    assert_eq!(said(&*store, &shop).await, ["Open daily."], "what serves cannot fail any more");
}

/// Law.
pub async fn a_deleted_document_leaves_nothing(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    put(&*store, &shop, "help", "Open daily.").await;
    put(&*store, &shop, "prices", "A bell is 4 euros.").await;
    let before = store.knowledge_revision(&shop).await.expect("a number");
    assert_eq!(store.delete_knowledge(&shop, "help").await, Ok(true));
    assert_eq!(store.delete_knowledge(&shop, "help").await, Ok(false));
    assert_eq!(said(&*store, &shop).await, ["A bell is 4 euros."]);
    assert!(matches!(store.knowledge_document(&shop, "help").await, Err(StoreError::NotFound(_))));
    assert_eq!(store.document_versions(&shop, "help").await, Ok(Vec::new()));
    assert!(store.knowledge_revision(&shop).await.expect("a number") > before);
    let again = put(&*store, &shop, "help", "New.").await;
    assert_eq!(again.version, 1, "a document of the same name begins anew");
}

/// Law.
pub async fn chunks_and_gaps_belong_to_one_business(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    let other = tenant(&*store, "other", "+12025550102").await.scope;
    let ours = put(&*store, &shop, "help", "Ours.").await;
    put(&*store, &other, "help", "Theirs.").await;
    assert_eq!(said(&*store, &shop).await, ["Ours."]);
    assert_eq!(said(&*store, &other).await, ["Theirs."]);
    let strange = VersionId { document: ours.document, version: 1 };
    assert!(store.publish_version(&other, strange, &whole(1), 9).await.is_err());
    assert!(
        store.add_chunks(&other, VersionId { version: 7, ..strange }, &[chunk(strange, 5, "Smuggled.")]).await.is_err()
    );
    assert!(
        store
            .add_chunks(&other, VersionId { document: DocumentId::generate(), version: 1 }, &[chunk(strange, 5, "x")])
            .await
            .is_err()
    );
    assert_eq!(store.delete_knowledge(&other, "help").await, Ok(true));
    assert_eq!(said(&*store, &shop).await, ["Ours."]);

    let gap = |at_ms: i64, text: &str| Gap {
        id: GapId::generate(),
        question: text.into(),
        asked_at_ms: at_ms,
        space: "toy".into(),
        vector: vec![0, 0, 128, 63],
    };
    let (one, two) = (gap(1, "do you sell tents"), gap(2, "do you sell boats"));
    store.add_gap(&shop, &one).await.expect("kept");
    store.add_gap(&shop, &two).await.expect("kept");
    assert_eq!(store.gaps(&shop, None).await, Ok(vec![two.clone(), one.clone()]));
    assert_eq!(store.gaps(&other, None).await, Ok(Vec::new()));
    assert_eq!(store.delete_gaps(&other, &[one.id]).await, Ok(0));
    assert_eq!(store.delete_gaps(&shop, &[one.id, two.id]).await, Ok(2));
}
