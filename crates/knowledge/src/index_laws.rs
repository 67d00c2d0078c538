//! What every index of vectors must obey, of whatever make: our own rows in either database, and each vector store.

use crate::index::{Mirrored, Rows, VectorIndex, checked, mirror, serving};
use base::DocumentId;
use model::business::TenantScope;
use model::passage::Passage;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use store::Store;
use store::knowledge::{NewVersion, StoredChunk, VersionId, WholeVersion};
use store::laws::tenant;

/// Numbers of a vector.
pub const WIDTH: usize = 384;

/// An index that is held to the laws, and how it can be made to misbehave.
pub trait Subject: Send + Sync {
    /// The index.
    fn index(&self) -> &dyn VectorIndex;
    /// From now on it answers nothing, or answers again. `false` when it cannot.
    fn fails(&self, _fails: bool) -> bool {
        false
    }
    /// From now on it forgets for whom it searches. `false` when it cannot.
    fn forgets_filters(&self, _forgets: bool) -> bool {
        false
    }
    /// Whether anything of this document lies there, in whatever form. `None` when nobody can look.
    fn holds(&self, _document: DocumentId) -> Option<bool> {
        None
    }
}

/// A vector that counts the words of a text.
pub fn vector(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0_f32; WIDTH];
    for word in text.split_whitespace() {
        let mut hasher = DefaultHasher::new();
        word.hash(&mut hasher);
        vector[(hasher.finish() % WIDTH as u64) as usize] += 1.0;
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.iter().map(|x| x / length).collect()
}

fn chunk(version: VersionId, ordinal: usize, text: &str) -> StoredChunk {
    let sentences = vec![text.to_owned()];
    StoredChunk {
        document: version.document,
        ordinal: u32::try_from(ordinal).expect("few"),
        id: format!("{ordinal}"),
        passage: Passage { document: String::new(), heading: "Help".into(), page: None, sentences },
        space: String::new(),
        // Of the passage, its heading and its sentence.
        vectors: vector(text).into_iter().cycle().take(3 * WIDTH).flat_map(f32::to_le_bytes).collect(),
    }
}

/// Writes a version beside the one that serves.
async fn begin(store: &dyn Store, scope: &TenantScope, slug: &str, texts: &[String]) -> VersionId {
    let new = NewVersion { slug, title: "Help", source: "help.md", bytes: 12, sha256: "ab" };
    let version = store.begin_version(scope, &new, 10).await.expect("begun");
    let chunks: Vec<StoredChunk> = texts.iter().enumerate().map(|(at, text)| chunk(version, at, text)).collect();
    store.add_chunks(scope, version, &chunks).await.expect("added");
    version
}

/// Makes it serve.
async fn publish(store: &dyn Store, scope: &TenantScope, version: VersionId, chunks: usize) {
    let chunks = u32::try_from(chunks).expect("few");
    let whole = WholeVersion { kind: "markdown", title: "Help", pages: 0, chunks, space: "toy" };
    store.publish_version(scope, version, &whole, 20).await.expect("published");
}

async fn put(store: &dyn Store, scope: &TenantScope, slug: &str, texts: &[&str]) -> VersionId {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    let version = begin(store, scope, slug, &texts).await;
    publish(store, scope, version, texts.len()).await;
    version
}

async fn settle(store: &dyn Store, subject: &dyn Subject, scope: &TenantScope) -> Mirrored {
    let done = mirror(store, subject.index(), scope, WIDTH).await.expect("mirrored");
    assert_eq!(store.is_mirrored(scope, subject.index().place()).await, Ok(true));
    assert_eq!(mirror(store, subject.index(), scope, WIDTH).await, Ok(Mirrored::default()), "twice is once");
    done
}

/// What is found and stands in our rows.
async fn found(store: &dyn Store, subject: &dyn Subject, scope: &TenantScope, asked: &str) -> Vec<(DocumentId, u32)> {
    let near = subject.index().search(scope, &vector(asked), 5).await.expect("found");
    assert!(near.len() <= 5);
    let serving = serving(store, scope).await.expect("documents");
    checked(near, scope, &serving).into_iter().map(|place| (place.document, place.ordinal)).collect()
}

/// Law.
pub async fn the_nearest_of_what_serves_is_found_first(store: Arc<dyn Store>, subject: &dyn Subject) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    assert!(found(&*store, subject, &shop, "bikes").await.is_empty(), "nothing is there yet");
    let help = put(&*store, &shop, "help", &["bikes cost ten euros", "open every day", "bring your bikes back"]).await;
    let more = put(&*store, &shop, "more", &["helmets cost two euros", "open on sundays too"]).await;
    assert_eq!(settle(&*store, subject, &shop).await, Mirrored { sent: 2, forgotten: 0 });
    assert_eq!(subject.index().count(&shop).await, Ok(5));
    assert_eq!(found(&*store, subject, &shop, "bikes cost ten euros").await[0], (help.document, 0));
    assert_eq!(found(&*store, subject, &shop, "helmets cost two euros").await[0], (more.document, 0));
    let rows = Rows::new(Arc::clone(&store));
    let asked = vector("bikes euros open");
    let places =
        |near: Vec<crate::index::Neighbour>| near.into_iter().take(3).map(|one| one.place).collect::<HashSet<_>>();
    let exact = places(rows.search(&shop, &asked, 3).await.expect("rows"));
    let near = subject.index().search(&shop, &asked, 3).await.expect("found");
    assert!(
        near.iter().all(|one| one.business == shop.business && (-1.01..=1.01).contains(&one.similarity)),
        "{near:?}"
    );
    assert_eq!(places(near), exact, "what looking at every row finds");
}

/// Law.
pub async fn two_businesses_never_mix(store: Arc<dyn Store>, subject: &dyn Subject) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    let rival = tenant(&*store, "rival", "+12025550102").await.scope;
    let ours = put(&*store, &shop, "help", &["bikes cost ten euros"]).await;
    let theirs = put(&*store, &rival, "help", &["bikes cost ten euros", "bikes cost nine euros"]).await;
    settle(&*store, subject, &shop).await;
    settle(&*store, subject, &rival).await;
    for forgets in [false, true] {
        if forgets && !subject.forgets_filters(true) {
            break;
        }
        assert_eq!(found(&*store, subject, &shop, "bikes cost ten euros").await, [(ours.document, 0)]);
        let of_rival = found(&*store, subject, &rival, "bikes cost ten euros").await;
        assert!(!of_rival.is_empty() && of_rival.iter().all(|(document, _)| *document == theirs.document));
    }
    subject.forgets_filters(false);
    assert_eq!((subject.index().count(&shop).await, subject.index().count(&rival).await), (Ok(1), Ok(2)));
    store.delete_knowledge(&rival, "help").await.expect("deleted");
    settle(&*store, subject, &rival).await;
    assert_eq!((subject.index().count(&shop).await, subject.index().count(&rival).await), (Ok(1), Ok(0)));
    assert_eq!(found(&*store, subject, &shop, "bikes cost ten euros").await, [(ours.document, 0)]);
}

/// Law.
pub async fn a_deleted_document_leaves_no_trace(store: Arc<dyn Store>, subject: &dyn Subject) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    let gone = put(&*store, &shop, "gone", &["bikes cost ten euros", "bikes are blue"]).await;
    let stays = put(&*store, &shop, "stays", &["bikes cost eleven euros"]).await;
    settle(&*store, subject, &shop).await;
    assert_ne!(subject.holds(gone.document), Some(false), "it is there");
    store.delete_knowledge(&shop, "gone").await.expect("deleted");
    let still = found(&*store, subject, &shop, "bikes cost ten euros").await;
    assert_eq!(still, [(stays.document, 0)], "at once, whatever the index still holds");
    settle(&*store, subject, &shop).await;
    assert_eq!(subject.index().count(&shop).await, Ok(1));
    assert_ne!(subject.holds(gone.document), Some(true), "no trace");
    assert_ne!(subject.holds(stays.document), Some(false));
}

/// Law.
pub async fn the_old_version_serves_until_the_new_one_is_whole(store: Arc<dyn Store>, subject: &dyn Subject) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    let first = put(&*store, &shop, "help", &["bikes cost ten euros", "open every day"]).await;
    settle(&*store, subject, &shop).await;
    let texts = ["open on sundays".to_owned(), "bikes cost twelve euros".to_owned(), "no dogs".to_owned()];
    let second = begin(&*store, &shop, "help", &texts).await;
    settle(&*store, subject, &shop).await;
    assert_eq!(found(&*store, subject, &shop, "bikes cost ten euros").await[0], (first.document, 0));
    publish(&*store, &shop, second, 3).await;
    let at_once = found(&*store, subject, &shop, "bikes cost twelve euros").await;
    assert!(at_once.is_empty() || at_once[0] == (second.document, 1), "nothing of the old one any more: {at_once:?}");
    settle(&*store, subject, &shop).await;
    assert_eq!(found(&*store, subject, &shop, "bikes cost twelve euros").await[0], (second.document, 1));
    assert_eq!(subject.index().count(&shop).await, Ok(3));
}

/// Law.
pub async fn what_failed_is_made_up_for(store: Arc<dyn Store>, subject: &dyn Subject) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    let place = subject.index().place().to_owned();
    if !subject.fails(true) {
        return;
    }
    let help = put(&*store, &shop, "help", &["bikes cost ten euros"]).await;
    mirror(&*store, subject.index(), &shop, WIDTH).await.expect_err("it is away");
    subject.index().search(&shop, &vector("bikes"), 5).await.expect_err("it is away");
    assert_eq!(store.is_mirrored(&shop, &place).await, Ok(false));
    subject.fails(false);
    settle(&*store, subject, &shop).await;
    assert_eq!(subject.index().count(&shop).await, Ok(1));
    subject.fails(true);
    store.delete_knowledge(&shop, "help").await.expect("deleted");
    mirror(&*store, subject.index(), &shop, WIDTH).await.expect_err("it is away");
    assert_eq!(store.unmirrored(&place).await, Ok(vec![shop]), "it is not forgotten that it is to be forgotten");
    subject.fails(false);
    settle(&*store, subject, &shop).await;
    assert_ne!(subject.holds(help.document), Some(true), "no trace");
    assert_eq!(store.unmirrored(&place).await, Ok(vec![]));
}

/// Law.
pub async fn a_long_document_comes_and_goes_whole(store: Arc<dyn Store>, subject: &dyn Subject) {
    let shop = tenant(&*store, "shop", "+12025550101").await.scope;
    let texts: Vec<String> = (0..1_203).map(|n| format!("passage {n} of {}", n * 7)).collect();
    let version = begin(&*store, &shop, "long", &texts).await;
    publish(&*store, &shop, version, texts.len()).await;
    settle(&*store, subject, &shop).await;
    assert_eq!(subject.index().count(&shop).await, Ok(1_203));
    assert_eq!(found(&*store, subject, &shop, &texts[1_200]).await[0], (version.document, 1_200));
    store.delete_knowledge(&shop, "long").await.expect("deleted");
    settle(&*store, subject, &shop).await;
    assert_eq!(subject.index().count(&shop).await, Ok(0));
    assert_ne!(subject.holds(version.document), Some(true), "no trace");
}

/// One test for each law: `index_laws!(open())`, of which `open()` is a future of a store, a [`Subject`] and what must live as
/// long.
#[macro_export]
macro_rules! index_laws {
    ($open:expr) => {
        $crate::index_laws!(@each $open;
            the_nearest_of_what_serves_is_found_first,
            two_businesses_never_mix,
            a_deleted_document_leaves_no_trace,
            the_old_version_serves_until_the_new_one_is_whole,
            what_failed_is_made_up_for,
            a_long_document_comes_and_goes_whole,
        );
    };
    (@each $open:expr; $($law:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $law() {
            let (store, subject, _kept) = $open.await;
            $crate::index_laws::$law(store, &subject).await;
        }
    )+};
}
