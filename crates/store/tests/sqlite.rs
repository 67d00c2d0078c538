//! The laws for SQLite, and what is its own: the file survives, a full disk and a second process are told clearly.

use async_trait::async_trait;
use base::{CallId, CallTime, JournalSeq, Secret, UserId, limits};
use model::business::TenantScope;
use model::call::Direction;
use model::journal::{Entry, Record};
use model::people::Role;
use model::webhook::{Endpoint, Kinds};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use store::laws::{call_of, caller_turn, tenant};
use store::people::{EntryRules as _, IdentityProvider, NewUser, SecondFactors as _, Users as _};
use store::{
    AppendError, Businesses as _, CallFilter, Calls, Credentials, DataKey, Document, Inputs, Journal, JournalWriter,
    Keyring, Keys, Owner, Retention, SqlStore, SqliteOptions, Store, StoreError, Webhooks as _, WriterId,
};
use tempfile::TempDir;

async fn open() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqlStore::open(SqliteOptions::new(folder.path().join("frontdesk.db"))).await.expect("a store");
    (Arc::new(store), folder)
}

mod laws {
    store::store_laws!(super::open());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_filled_for_a_measurement_holds_what_was_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqlStore::open(SqliteOptions::new(folder.path().join("a.db"))).await.expect("a store");
    let fill = store::fill::Fill { businesses: 3, calls: 200, messages: 1_500, months: 2, now_ms: 1_800_000_000_000 };
    let filled = Arc::new(store::fill::Filled::default());
    store.fill(&fill, &filled).await.expect("filled");
    let written = std::sync::atomic::Ordering::Relaxed;
    assert_eq!((filled.calls.load(written), filled.messages.load(written)), (200, 1_500));
    let business = store.business_by_slug("load-0000").await.expect("the first business");
    let scope = TenantScope { business: business.id };
    let page = store.calls(&scope, &CallFilter::default(), None, 100).await.expect("calls");
    assert_eq!(page.rows.len(), 40, "the first business has a fifth");
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqlStore::open(SqliteOptions::new(folder.path().join("a.db"))).await.expect("a store");
    assert_eq!(store.broken_statements().await, Ok(Vec::new()));
    assert!(store::sql::all().count() > 40);
    assert_eq!(store.check().await, Ok(()));
}

#[tokio::test]
async fn what_was_written_is_there_after_the_file_is_opened_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep/er/frontdesk.db");
    let store = SqlStore::open(SqliteOptions::new(&path)).await.expect("a store");
    let tenant = tenant(&store, "shop", "+49405550170").await;
    let call = call_of(&tenant, 1);
    store.create_call(&tenant.scope, &call).await.expect("a call");
    store.close().await;
    let closed = store.call(&tenant.scope, call.id).await;
    assert!(matches!(closed, Err(StoreError::Unavailable(_))), "{closed:?}");
    let store = SqlStore::open(SqliteOptions::new(&path)).await.expect("the same store");
    assert_eq!(store.call(&tenant.scope, call.id).await, Ok(call));
}

#[tokio::test]
async fn a_full_disk_is_named_and_reading_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = SqliteOptions { pages_max: Some(400), ..SqliteOptions::new(folder.path().join("small.db")) };
    let store: Arc<dyn Store> = Arc::new(SqlStore::open(options).await.expect("a store"));
    let tenant = tenant(&*store, "shop", "+49405550170").await;
    let text = "x".repeat(40_000);
    let mut answer = Ok(());
    for index in 0..60 {
        let document = Document { slug: format!("d{index}"), title: "t".into(), text: text.clone() };
        answer = answer.and(store.put_document(&tenant.scope, &document).await);
    }
    assert_eq!(answer, Err(StoreError::Full));
    assert_eq!(store.business(&tenant.scope).await.map(|business| business.slug), Ok("shop".into()));
    assert!(!store.documents(&tenant.scope, None).await.expect("documents").is_empty());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_as_such() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("text.db");
    std::fs::write(&path, "this is not a database, it is a text of some length. ".repeat(200)).expect("a file");
    let opened = SqlStore::open(SqliteOptions::new(&path)).await.map(drop);
    assert!(matches!(opened, Err(StoreError::Corrupt(_))), "{opened:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_file_wait_for_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("frontdesk.db");
    let one = SqlStore::open(SqliteOptions::new(&path)).await.expect("a store");
    let two = SqlStore::open(SqliteOptions::new(&path)).await.expect("a store");
    let tenant = tenant(&one, "shop", "+49405550170").await;
    let mut tasks = Vec::new();
    for store in [one.clone(), two] {
        let calls: Vec<_> = (0..40).map(|at| call_of(&tenant, at)).collect();
        let scope = tenant.scope;
        tasks.push(tokio::spawn(async move {
            for call in calls {
                store.create_call(&scope, &call).await.expect("a call");
                let writer = WriterId::generate();
                store.append(&scope, call.id, writer, JournalSeq(0), &[caller_turn(1, "x")]).await.expect("an entry");
            }
        }));
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    let page = one.calls(&tenant.scope, &CallFilter::default(), None, 100).await.expect("a page");
    assert_eq!(page.rows.len(), 80);
}

/// A journal that can be taken away.
struct Flaky {
    store: Arc<dyn Store>,
    away: AtomicBool,
    /// The database commits, but the answer gets lost.
    loses_answers: AtomicBool,
    appends: AtomicUsize,
}

#[async_trait]
impl Journal for Flaky {
    async fn append(
        &self,
        scope: &TenantScope,
        call: CallId,
        writer: WriterId,
        expected: JournalSeq,
        records: &[Record],
    ) -> Result<JournalSeq, StoreError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        let away = Err(StoreError::Unavailable("away".into()));
        if self.away.load(Ordering::SeqCst) {
            return away;
        }
        let answer = self.store.append(scope, call, writer, expected, records).await;
        if self.loses_answers.swap(false, Ordering::SeqCst) { away } else { answer }
    }

    async fn journal_after(
        &self,
        scope: &TenantScope,
        call: CallId,
        after: JournalSeq,
    ) -> Result<Vec<Record>, StoreError> {
        self.store.journal_after(scope, call, after).await
    }
}

struct LiveCall {
    flaky: Arc<Flaky>,
    scope: TenantScope,
    call: CallId,
    _folder: TempDir,
}

async fn live_call() -> LiveCall {
    let (store, folder) = open().await;
    let tenant = tenant(&*store, "shop", "+49405550170").await;
    let call = call_of(&tenant, 1);
    store.create_call(&tenant.scope, &call).await.expect("a call");
    let flaky = Flaky { store, away: false.into(), loses_answers: false.into(), appends: 0.into() };
    LiveCall { flaky: Arc::new(flaky), scope: tenant.scope, call: call.id, _folder: folder }
}

impl LiveCall {
    fn writer(&self, last: u64) -> JournalWriter {
        JournalWriter::start(self.flaky.clone(), self.scope, self.call, JournalSeq(last))
    }

    async fn texts(&self) -> usize {
        self.flaky.store.journal(&self.scope, self.call).await.expect("a journal").len()
    }
}

fn started() -> Record {
    Record { seq: JournalSeq(1), at: CallTime(0), entry: Entry::Started { direction: Direction::Inbound } }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_goes_on_while_the_database_is_away_and_its_journal_catches_up() {
    let call = live_call().await;
    let writer = call.writer(0);
    writer.append(started()).expect("taken");
    writer.wait(JournalSeq(1)).await.expect("durable");
    call.flaky.away.store(true, Ordering::SeqCst);
    for seq in 2..=40 {
        writer.append(caller_turn(seq, "still talking")).expect("taken");
    }
    let waits = tokio::time::timeout(Duration::from_millis(120), writer.wait(JournalSeq(2))).await;
    assert!(waits.is_err(), "an irreversible effect waits");
    assert_eq!(*writer.durable().borrow(), JournalSeq(1));
    call.flaky.away.store(false, Ordering::SeqCst);
    writer.wait(JournalSeq(40)).await.expect("durable");
    assert_eq!(call.texts().await, 40);
    assert!(call.flaky.appends.load(Ordering::SeqCst) < 20, "entries are written in groups");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_whose_answer_got_lost_is_written_once() {
    let call = live_call().await;
    let writer = call.writer(0);
    call.flaky.loses_answers.store(true, Ordering::SeqCst);
    writer.append(started()).expect("taken");
    writer.append(caller_turn(2, "once")).expect("taken");
    assert_eq!(writer.finish(Duration::from_secs(5)).await, 0);
    assert_eq!(call.texts().await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_journal_buffer_is_reported_and_nothing_taken_is_lost() {
    let call = live_call().await;
    call.flaky.away.store(true, Ordering::SeqCst);
    let writer = call.writer(0);
    writer.append(started()).expect("taken");
    for seq in 2..=limits::JOURNAL_BUFFER_MAX as u64 {
        writer.append(caller_turn(seq, "x")).expect("taken");
    }
    let next = limits::JOURNAL_BUFFER_MAX as u64 + 1;
    assert_eq!(writer.append(caller_turn(next, "x")), Err(AppendError::Overflow));
    assert_eq!(writer.append(caller_turn(next + 1, "x")), Err(AppendError::Gap));
    call.flaky.away.store(false, Ordering::SeqCst);
    assert_eq!(writer.finish(Duration::from_secs(5)).await, 0);
    assert_eq!(call.texts().await, limits::JOURNAL_BUFFER_MAX);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_lost_its_call_is_told_and_waits_for_nothing() {
    let call = live_call().await;
    let old = call.writer(0);
    old.append(started()).expect("taken");
    old.wait(JournalSeq(1)).await.expect("durable");
    let new = call.writer(1);
    new.append(Record { seq: JournalSeq(2), at: CallTime(5), entry: Entry::Resumed { incarnation: 1 } })
        .expect("taken");
    new.wait(JournalSeq(2)).await.expect("durable");
    old.append(caller_turn(2, "lost")).expect("taken");
    assert_eq!(old.wait(JournalSeq(2)).await, Err(StoreError::Fenced));
    assert_eq!(old.append(caller_turn(3, "lost")), Err(AppendError::Stopped(StoreError::Fenced)));
    assert_eq!(old.waiting(), 1);
    assert_eq!(call.texts().await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_still_written_after_the_call_let_go_of_its_journal() {
    let call = live_call().await;
    let writer = call.writer(0);
    let mut durable = writer.durable();
    writer.append(started()).expect("taken");
    writer.append(caller_turn(2, "bye")).expect("taken");
    drop(writer);
    durable.wait_for(|last| *last == JournalSeq(2)).await.expect("durable");
    assert!(durable.changed().await.is_err(), "the task has ended");
    assert_eq!(call.texts().await, 2);
}

/// Every file of the database, the write-ahead log included.
fn bytes_of(folder: &std::path::Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path());
    let files: Vec<_> = files.filter(|path| path.to_string_lossy().contains("frontdesk.db")).collect();
    files.iter().flat_map(|path| std::fs::read(path).expect("bytes")).collect()
}

fn holds(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|part| part == words.as_bytes())
}

const CANARY: &str = "my card number is four two four two";

async fn with_inputs(options: SqliteOptions) -> (SqlStore, store::laws::Tenant, CallId) {
    let store = SqlStore::open(options).await.expect("a store");
    let tenant = tenant(&store, "shop", "+49405550170").await;
    let call = call_of(&tenant, 1);
    store.create_call(&tenant.scope, &call).await.expect("a call");
    let lines = [CANARY.to_owned(), "second".into()];
    store.append_inputs(&tenant.scope, call.id, 0, &lines).await.expect("inputs");
    (store, tenant, call.id)
}

fn given(path: &std::path::Path, current: char, old: &[char]) -> SqliteOptions {
    let key = |digit: &char| DataKey::parse(&Secret::new(digit.to_string().repeat(64))).expect("a key");
    let keyring = Keyring::new(key(&current), old.iter().map(key).collect());
    SqliteOptions { keys: Keys::Given(keyring), ..SqliteOptions::new(path) }
}

#[tokio::test]
async fn words_of_recorded_inputs_are_in_no_file_of_the_database() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, tenant, call) = with_inputs(SqliteOptions::new(folder.path().join("frontdesk.db"))).await;
    assert!(!holds(&bytes_of(folder.path()), CANARY), "in the log");
    store.scrub().await.expect("scrubbed");
    assert!(!holds(&bytes_of(folder.path()), CANARY), "in the database");
    assert_eq!(store.inputs(&tenant.scope, call, 0).await.expect("inputs")[0].1, CANARY);
    // The scan finds what is there to be found.
    let record = caller_turn(1, CANARY);
    store.append(&tenant.scope, call, WriterId::generate(), JournalSeq(0), &[record]).await.expect("words");
    assert!(holds(&bytes_of(folder.path()), CANARY));
    store.forget_call(&tenant.scope, call, 2).await.expect("forgotten");
    store.scrub().await.expect("scrubbed");
    assert!(!holds(&bytes_of(folder.path()), CANARY), "what was forgotten is overwritten");
}

#[tokio::test]
async fn inputs_of_an_older_program_that_were_not_sealed_are_gone_from_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("frontdesk.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let old = sqlx::SqlitePool::connect_with(options).await.expect("a file");
    let mut first = sqlx::migrate!("migrations/sqlite");
    first.migrations.to_mut().truncate(1);
    first.run(&old).await.expect("the first schema");
    let business = "INSERT INTO businesses VALUES (x'01', 's', 's', 'UTC')";
    let agent = "INSERT INTO agents VALUES (x'02', x'01', 'a', '{}', 1)";
    let conversation = "INSERT INTO conversations VALUES (x'03', x'01', x'02', NULL, 1, 2)";
    let call =
        "INSERT INTO calls VALUES (x'04', x'01', x'02', x'03', 'inbound', 'c', NULL, NULL, NULL, 'completed', 1, 1,
        2, 'done', 'a.wav', 0)";
    let input = "INSERT INTO inputs VALUES (x'04', 0, x'01', 'my card number is four two four two')";
    for statement in [business, agent, conversation, call, input] {
        sqlx::query(statement).execute(&old).await.expect("a row");
    }
    old.close().await;
    assert!(holds(&bytes_of(folder.path()), CANARY));
    let store = SqlStore::open(SqliteOptions::new(&path)).await.expect("the new schema");
    assert!(!holds(&bytes_of(folder.path()), CANARY));
    store.close().await;
}

#[tokio::test]
async fn after_a_change_of_keys_old_inputs_open_and_without_the_old_key_the_error_names_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("frontdesk.db");
    let (store, tenant, call) = with_inputs(given(&path, 'a', &[])).await;
    store.close().await;
    let store = SqlStore::open(given(&path, 'b', &['a'])).await.expect("a store");
    assert_eq!(store.inputs(&tenant.scope, call, 0).await.expect("inputs")[0].1, CANARY);
    store.append_inputs(&tenant.scope, call, 2, &["third".into()]).await.expect("inputs");
    store.close().await;
    let store = SqlStore::open(given(&path, 'b', &[])).await.expect("a store");
    assert_eq!(store.inputs(&tenant.scope, call, 2).await.expect("the new line")[0].1, "third");
    let error = store.inputs(&tenant.scope, call, 0).await.expect_err("no key").to_string();
    let missing = DataKey::parse(&Secret::new("a".repeat(64))).expect("a key").id();
    assert!(error.contains(&missing.to_string()) && error.contains("data_keys_old"), "{error}");
}

#[tokio::test]
async fn a_key_that_was_made_at_the_first_start_still_opens_when_another_is_configured() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("frontdesk.db");
    let (store, tenant, call) = with_inputs(SqliteOptions::new(&path)).await;
    store.close().await;
    assert!(store::seal::is_private(&folder.path().join("frontdesk.key")));
    let store = SqlStore::open(given(&path, 'b', &[])).await.expect("a store");
    assert_eq!(store.inputs(&tenant.scope, call, 0).await.expect("inputs")[0].1, CANARY);
}

#[tokio::test]
async fn a_line_that_was_changed_or_moved_in_the_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("frontdesk.db");
    let (store, tenant, call) = with_inputs(SqliteOptions::new(&path)).await;
    let other = call_of(&tenant, 2);
    store.create_call(&tenant.scope, &other).await.expect("a call");
    let file = sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(&path)).await;
    let file = file.expect("the file");
    // Two lines change places; then one goes to another call.
    sqlx::query("UPDATE inputs SET seq = seq + 10").execute(&file).await.expect("moved away");
    sqlx::query("UPDATE inputs SET seq = 11 - seq").execute(&file).await.expect("swapped");
    let error = store.inputs(&tenant.scope, call, 0).await.expect_err("swapped").to_string();
    assert!(error.contains("line 0 of the recorded inputs does not open"), "{error}");
    sqlx::query("UPDATE inputs SET seq = 1 - seq + 10").execute(&file).await.expect("moved away");
    sqlx::query("UPDATE inputs SET seq = seq - 10").execute(&file).await.expect("back");
    assert_eq!(store.inputs(&tenant.scope, call, 0).await.expect("as before").len(), 2);
    sqlx::query("UPDATE inputs SET call = ?1").bind(other.id.0).execute(&file).await.expect("moved");
    let error = store.inputs(&tenant.scope, other.id, 0).await.expect_err("moved").to_string();
    assert!(error.contains("does not open") && error.contains("another line, call or business"), "{error}");
}

/// Why a credential does not open. Then nothing of it is there.
fn damage(credential: &store::Credential) -> String {
    assert!(credential.fields.is_empty(), "{credential:?}");
    credential.damage.clone().expect("it does not open")
}

#[tokio::test]
async fn credentials_are_sealed_anew_with_a_new_key_and_one_that_was_moved_does_not_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("frontdesk.db");
    let fields = std::collections::BTreeMap::from([("api_key".to_owned(), Secret::new(CANARY.to_owned()))]);
    let store = SqlStore::open(given(&path, 'a', &[])).await.expect("a store");
    store.put_credential(Owner::Installation, "acme", &fields, 1).await.expect("kept");
    store.close().await;
    assert!(!holds(&bytes_of(folder.path()), CANARY), "it is sealed");
    let store = SqlStore::open(given(&path, 'b', &[])).await.expect("a store");
    let error = damage(&store.credentials().await.expect("no key")[0]);
    assert!(error.contains("data_keys_old"), "{error}");
    store.close().await;
    let store = SqlStore::open(given(&path, 'b', &['a'])).await.expect("a store");
    assert_eq!(store.reseal_credentials().await.expect("sealed anew"), 1);
    store.close().await;
    let store = SqlStore::open(given(&path, 'b', &[])).await.expect("a store");
    assert_eq!(store.credentials().await.expect("it opens")[0].fields["api_key"].expose(), CANARY);
    let file = sqlx::SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(&path)).await;
    let file = file.expect("the file");
    sqlx::query("UPDATE credentials SET provider = 'other'").execute(&file).await.expect("renamed");
    let error = damage(&store.credentials().await.expect("renamed")[0]);
    assert!(error.contains("changed or moved"), "{error}");
    sqlx::query("UPDATE credentials SET provider = 'acme', owner = x'00000000000000000000000000000009'")
        .execute(&file)
        .await
        .expect("moved");
    let error = damage(&store.credentials().await.expect("moved")[0]);
    assert!(error.contains("does not open"), "{error}");
}

#[tokio::test]
async fn second_factors_identity_providers_and_webhooks_survive_a_new_data_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("frontdesk.db");
    let secret = |text: &str| Secret::new(text.to_owned());
    let store = SqlStore::open(given(&path, 'a', &[])).await.expect("a store");
    let shop = tenant(&store, "shop", "+49405550170").await.scope;
    let user = NewUser {
        id: UserId::generate(),
        email: "mira@shop.example".into(),
        name: "Mira".into(),
        role: Role::Owner,
        password_hash: None,
        verified: true,
    };
    store.create_user(&shop, &user, 1).await.expect("a person");
    store.begin_totp(&shop, user.id, &secret("second factor")).await.expect("a second factor");
    let provider = IdentityProvider {
        id: uuid::Uuid::now_v7(),
        name: "Company".into(),
        discovery_url: "https://login.example".into(),
        issuer: None,
        client_id: "desk".into(),
        policy: None,
        trust_email: false,
        join_domains: vec![],
        join_role: Role::Analyst,
    };
    store.put_identity_provider(&shop, &provider, Some(&secret("client secret")), 1).await.expect("a provider");
    let endpoint = Endpoint {
        id: uuid::Uuid::now_v7(),
        url: "https://hooks.example.com/desk".into(),
        description: String::new(),
        kinds: Kinds::default(),
        enabled: true,
        disabled_reason: None,
        failing_since_ms: None,
        old_secret_until_ms: None,
        created_at_ms: 1,
        version: 1,
        cursor_seq: 0,
    };
    store.create_endpoint(&shop, &endpoint, &secret("the old one"), 5).await.expect("an endpoint");
    store.rotate_endpoint_secret(&shop, endpoint.id, &secret("the new one"), i64::MAX).await.expect("rotated");
    store.close().await;
    let store = SqlStore::open(given(&path, 'b', &['a'])).await.expect("a store");
    assert_eq!(store.reseal_credentials().await.expect("sealed anew"), 4);
    store.close().await;
    let store = SqlStore::open(given(&path, 'b', &[])).await.expect("without the old key");
    let totp = store.totp(&shop, user.id).await.expect("it opens").expect("it is there");
    assert_eq!(totp.secret.expose(), "second factor");
    let (_, _, known) = store.identity_provider(provider.id).await.expect("it opens");
    assert_eq!(known.expect("a secret").expose(), "client secret");
    let known = store.endpoint_secrets(&shop, endpoint.id, 2).await.expect("they open");
    assert_eq!(known.iter().map(|one| one.expose().as_str()).collect::<Vec<_>>(), ["the new one", "the old one"]);
}
