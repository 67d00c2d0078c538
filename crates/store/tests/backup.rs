//! What docs/storage.md says about backups: a copy of one moment, made while the program runs, is whole and opens with its key.

use base::{CallId, JournalSeq, Secret};
use std::collections::BTreeMap;
use std::path::Path;
use store::contract::shares::{CallNote, Notes as _};
use store::laws::{Tenant, call_of, caller_turn, tenant};
use store::{
    CallFilter, Calls as _, Credentials as _, Inputs as _, Journal as _, Owner, SqlStore, SqliteOptions, Store as _,
    StoreError, WriterId,
};
use testkit::postgres::{OWNER, SERVING, shared};
use testkit::stores::{database, options};

/// A call with words, recorded inputs and a note, and a credential: of everything something, sealed and not.
async fn fill(store: &SqlStore, slug: &str, dialled: &str) -> (Tenant, CallId) {
    let shop = tenant(store, slug, dialled).await;
    let call = add_call(store, &shop, 10).await;
    store.append_inputs(&shop.scope, call, 0, &["{\"at\":1}".to_owned()]).await.expect("inputs");
    let note = CallNote { text: "wants a lamp".to_owned().into(), updated_by: None, updated_at_ms: 1, version: 0 };
    store.put_note(&shop.scope, call, &note, None).await.expect("a note");
    let fields = BTreeMap::from([("api_key".to_owned(), Secret::new("k-123".to_owned()))]);
    store.put_credential(Owner::Business(shop.scope.business), "acme", &fields, 1).await.expect("a credential");
    (shop, call)
}

async fn add_call(store: &SqlStore, shop: &Tenant, at_ms: i64) -> CallId {
    let call = call_of(shop, at_ms);
    store.create_call(&shop.scope, &call).await.expect("a call");
    let words = [caller_turn(1, "hello"), caller_turn(2, "goodbye")];
    store.append(&shop.scope, call.id, WriterId::generate(), JournalSeq(0), &words).await.expect("words");
    call.id
}

/// The restored store has what the backup had, opens what is sealed, and goes on.
async fn assert_restored(store: &SqlStore, shop: &Tenant, call: CallId) {
    assert_eq!(store.broken_statements().await, Ok(Vec::new()));
    let calls = store.calls(&shop.scope, &CallFilter::default(), None, 10).await.expect("calls").rows;
    assert_eq!(calls.iter().map(|call| call.id).collect::<Vec<_>>(), [call], "what came after the backup is not there");
    let journal = store.journal(&shop.scope, call).await.expect("a journal");
    assert_eq!(journal, [caller_turn(1, "hello"), caller_turn(2, "goodbye")]);
    assert_eq!(store.inputs(&shop.scope, call, 0).await, Ok(vec![(0, "{\"at\":1}".to_owned())]));
    let note = store.note(&shop.scope, call).await.expect("answered").expect("a note");
    assert_eq!(note.text.expose(), "wants a lamp");
    let credentials = store.credentials().await.expect("credentials");
    let keys: Vec<_> = credentials.iter().map(|one| one.fields["api_key"].expose().as_str()).collect();
    assert!(keys.iter().all(|key| *key == "k-123") && !keys.is_empty());
    add_call(store, shop, 30).await;
}

fn copy_key(from: &Path, to: &Path) {
    std::fs::copy(from.join("frontdesk.key"), to.join("frontdesk.key")).expect("the key, which is kept elsewhere");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_file_that_is_in_use_is_whole_and_opens_with_its_key() {
    let (home, away, lost) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let store = SqlStore::open(SqliteOptions::new(home.path().join("frontdesk.db"))).await.expect("a store");
    let (shop, call) = fill(&store, "shop", "+49405550170").await;
    let copy = away.path().join("frontdesk.db");
    let address = format!("sqlite://{}", home.path().join("frontdesk.db").display());
    let pool = sqlx::SqlitePool::connect(&address).await.expect("the file");
    sqlx::query("VACUUM INTO $1").bind(copy.to_str().expect("a path")).execute(&pool).await.expect("a copy");
    add_call(&store, &shop, 20).await;
    store.close().await;

    copy_key(home.path(), away.path());
    let restored = SqlStore::open(SqliteOptions::new(&copy)).await.expect("the copy opens");
    assert_restored(&restored, &shop, call).await;
    restored.close().await;

    // Without the key everything is there but what was sealed.
    std::fs::copy(&copy, lost.path().join("frontdesk.db")).expect("a copy");
    let keyless = SqlStore::open(SqliteOptions::new(lost.path().join("frontdesk.db"))).await.expect("it opens");
    assert_eq!(keyless.journal(&shop.scope, call).await.map(|journal| journal.len()), Ok(2));
    let sealed = keyless.inputs(&shop.scope, call, 0).await;
    assert!(matches!(sealed, Err(StoreError::Sealed(_))), "{sealed:?}");
    assert!(keyless.credentials().await.expect("credentials").iter().all(|one| one.damage.is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_a_server_is_restored_with_its_roles_and_locks() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = database().await;
    let store = SqlStore::open(options(&home, folder.path())).await.expect("a store");
    let (shop, call) = fill(&store, "shop", "+49405550170").await;
    let (rival, _) = fill(&store, "rival", "+49405550171").await;
    let dump = folder.path().join("frontdesk.dump");
    let words = home.dump(OWNER, &dump).expect_err("policies bind the owner");
    assert!(words.contains("row-level security"), "{words}");
    home.dump("postgres", &dump).expect("a dump");
    add_call(&store, &shop, 20).await;
    store.close().await;

    let away = shared().empty();
    away.restore(OWNER, &dump).expect("restored");
    let restored = SqlStore::open(options(&away, folder.path())).await.expect("it opens, as the role that serves");
    assert_restored(&restored, &shop, call).await;
    let theirs = restored.calls(&rival.scope, &CallFilter::default(), None, 10).await.expect("calls").rows;
    assert_eq!(theirs.len(), 1);
    assert_eq!(away.ask(SERVING, "SELECT count(*) FROM calls"), "0", "the second lock was restored, too");
    let report = restored.report().await.expect("a report");
    assert_eq!((report.role.as_deref(), report.unbound), (Some(SERVING), None));
}
