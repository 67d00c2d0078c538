//! The laws for PostgreSQL, and what is its own: the second lock, partitions, several nodes on one server, a server that goes
//! away and comes back.

use base::{AgentId, BusinessId, CallId, ConversationId, JournalSeq, Secret};
use model::business::{Business, TenantScope};
use model::passage::Passage;
use std::sync::Arc;
use std::time::Duration;
use store::knowledge::{KnowledgeBase as _, NewVersion, StoredChunk, WholeVersion};
use store::laws::{Tenant, call_of, caller_turn, tenant};
use store::{
    Agents, Businesses, CallFilter, Calls, Conversations, Costs, Journal, JournalWriter, PostgresOptions, SqlStore,
    Store, StoreError, WriterId,
};
use testkit::postgres::{Database, OWNER, SERVING, Server, shared};
use testkit::stores::{options, sql_on_postgres};
use uuid::Uuid;

mod laws {
    store::store_laws!(testkit::stores::on_postgres());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_fits_the_schema() {
    let (store, _guard) = sql_on_postgres().await;
    assert_eq!(store.broken_statements().await, Ok(Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_filled_for_a_measurement_holds_what_was_asked_for() {
    let (store, _guard) = sql_on_postgres().await;
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

/// Two businesses with a call of words each.
async fn two_tenants(store: &SqlStore) -> [(Tenant, CallId); 2] {
    let mut both = Vec::new();
    for (slug, dialled) in [("ours", "+49405550170"), ("theirs", "+49405550171")] {
        let tenant = tenant(store, slug, dialled).await;
        let call = call_of(&tenant, 1);
        store.create_call(&tenant.scope, &call).await.expect("a call");
        let words = [caller_turn(1, slug)];
        store.append(&tenant.scope, call.id, WriterId::generate(), JournalSeq(0), &words).await.expect("words");
        both.push((tenant, call.id));
    }
    both.try_into().ok().expect("two")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_forgot_the_business_still_finds_nothing_of_others() {
    let (store, guard) = sql_on_postgres().await;
    let [(ours, _), (theirs, their_call)] = two_tenants(&store).await;
    let database = guard.database.as_ref().expect("a database");
    for role in [SERVING, OWNER] {
        let as_us = |text: &str| {
            let reach = format!("BEGIN; SET LOCAL frontdesk.business = '{}'; {text}", ours.scope.business.0);
            database.try_ask(role, &reach)
        };
        for table in ["businesses", "agents", "calls", "conversations", "journal", "messages", "numbers"] {
            let count = format!("SELECT count(*) FROM {table}");
            assert_eq!(database.ask(role, &count), "0", "{role} said nothing and sees rows of {table}");
            assert_eq!(as_us(&count), Ok("1".into()), "{role} sees other rows of {table}");
        }
        let theirs = theirs.scope.business.0;
        assert_eq!(as_us("UPDATE agents SET slug = 'x' WHERE slug = 'front' RETURNING 1"), Ok("1".into()));
        assert_eq!(as_us(&format!("DELETE FROM messages WHERE business = '{theirs}' RETURNING 1")), Ok(String::new()));
        let stolen = format!("INSERT INTO documents VALUES ('{theirs}', 'a', 'b', 'c')");
        assert!(as_us(&stolen).expect_err("stolen").contains("row-level security"));
    }
    // A partition is no way around its table.
    let partition = "SELECT count(*) FROM journal_default";
    assert!(database.try_ask(SERVING, partition).expect_err("closed").contains("permission denied"));
    assert_eq!(database.ask(OWNER, partition), "0");
    assert_eq!(store.journal(&theirs.scope, their_call).await.expect("a journal").len(), 1);
}

/// Makes a document of one sentence serve.
async fn document(store: &SqlStore, scope: &TenantScope, text: &str) {
    let begun = NewVersion { slug: "hours", title: "Hours", source: "hours.md", bytes: 1, sha256: "ab" };
    let version = store.begin_version(scope, &begun, 1).await.expect("begun");
    let sentences = vec![text.to_owned()];
    let passage = Passage { document: String::new(), heading: "Hours".into(), page: None, sentences };
    let (document, id) = (version.document, "1".to_owned());
    let chunk = StoredChunk { document, ordinal: 0, id, passage, space: String::new(), vectors: vec![0; 4] };
    store.add_chunks(scope, version, &[chunk]).await.expect("added");
    let whole = WholeVersion { kind: "markdown", title: "Hours", pages: 0, chunks: 1, space: "toy" };
    store.publish_version(scope, version, &whole, 2).await.expect("published");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_that_forgot_the_business_reads_no_document_of_others() {
    let (store, guard) = sql_on_postgres().await;
    let [(ours, _), (theirs, _)] = two_tenants(&store).await;
    document(&store, &ours.scope, "We open at nine.").await;
    document(&store, &theirs.scope, "We open at noon.").await;
    let database = guard.database.as_ref().expect("a database");
    // What finds the passages that serve, without a word about whose.
    let search = "SELECT c.text FROM knowledge_chunks c
        JOIN knowledge_documents d ON d.id = c.document AND d.serving = c.version
        JOIN knowledge_versions v ON v.document = c.document AND v.version = c.version";
    for role in [SERVING, OWNER] {
        for (tenant, text) in [(&ours, "We open at nine."), (&theirs, "We open at noon.")] {
            let set = format!("BEGIN; SET LOCAL frontdesk.business = '{}'; {search}", tenant.scope.business.0);
            assert_eq!(database.try_ask(role, &set), Ok(text.into()), "{role}");
        }
        assert_eq!(database.ask(role, search), "", "{role} said nothing and reads documents");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_with_a_business_is_behind_the_second_lock() {
    let (_store, guard) = sql_on_postgres().await;
    let database = guard.database.as_ref().expect("a database");
    let open = "SELECT pg_class.relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relkind IN ('r', 'p') AND NOT relispartition AND attname IN ('business', 'owner')
            AND relnamespace = 'public'::regnamespace
            AND NOT (relrowsecurity AND relforcerowsecurity
                AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid))";
    assert_eq!(database.ask(OWNER, open), "", "tables without a policy: SELECT frontdesk_protect('NAME') is missing");
    let by_itself = "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'
        AND NOT (relrowsecurity AND relforcerowsecurity)";
    assert_eq!(database.ask(OWNER, by_itself), "", "partitions that are open by themselves");
}

/// An id that was made at this moment.
fn id_of(year: i64) -> Uuid {
    let ms = u128::try_from((year - 1970) * 31_556_952_000).expect("a moment");
    Uuid::from_u128((ms << 80) | 0x7000_8000_0000_0000_0000 | u128::from(Uuid::new_v4().as_u64_pair().1 >> 2))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_any_month_are_taken_and_found_and_a_carriers_id_is_unique_over_all() {
    let (store, guard) = sql_on_postgres().await;
    let tenant = tenant(&store, "shop", "+49405550170").await;
    let mut calls = Vec::new();
    for id in [id_of(2019), id_of(2041), Uuid::new_v4(), CallId::generate().0] {
        let mut call = call_of(&tenant, 1_000 + calls.len() as i64);
        (call.id, call.conversation) = (CallId(id), ConversationId(id));
        call.carrier_ref = Some(id.to_string());
        store.create_call(&tenant.scope, &call).await.expect("a call");
        let words = [caller_turn(1, "hello")];
        store.append(&tenant.scope, call.id, WriterId::generate(), JournalSeq(0), &words).await.expect("words");
        calls.push(call);
    }
    for call in &calls {
        let route = store.route_call("loopback", &call.id.0.to_string()).await.expect("a route");
        assert_eq!(route.call, *call);
        assert_eq!(store.messages(&tenant.scope, call.conversation, 0).await.expect("messages").len(), 1);
        let mut twin = call_of(&tenant, 9);
        twin.carrier_ref.clone_from(&call.carrier_ref);
        let refused = store.create_call(&tenant.scope, &twin).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
        let again = store.create_call(&tenant.scope, call).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }
    let page = store.calls(&tenant.scope, &CallFilter::default(), None, 10).await.expect("a page");
    calls.reverse();
    assert_eq!(page.rows, calls, "one list over all months");
    let database = guard.database.as_ref().expect("a database");
    let counts = "BEGIN; SET LOCAL frontdesk.across = 'on'; SELECT tableoid::regclass LIKE '%default', count(*)
        FROM calls GROUP BY 1 ORDER BY 1";
    assert_eq!(database.ask(SERVING, &counts.replace("::regclass", "::regclass::text")), "f|1\nt|3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_made_ahead_once_and_a_month_that_has_begun_elsewhere_stays_there() {
    let (store, guard) = sql_on_postgres().await;
    let database = guard.database.as_ref().expect("a database");
    assert_eq!(store.make_room().await, Ok(0), "the migration has made them");
    let names = "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relname !~ 'default$'
        AND relname ~ '^(calls|messages)' ORDER BY 1";
    let before = database.ask(OWNER, names);
    let last = |parent: &str| before.lines().rfind(|name| name.starts_with(parent)).expect("a partition").to_owned();
    for parent in ["calls", "messages"] {
        let last = last(parent);
        database.ask(OWNER, &format!("ALTER TABLE {parent} DETACH PARTITION {last}; DROP TABLE {last}"));
    }
    let tenant = tenant(&store, "shop", "+49405550170").await;
    let mut call = call_of(&tenant, 5);
    // A moment of the month whose partition of calls is missing.
    let low = "SELECT frontdesk_first_id(now(), 3)";
    call.id = CallId(database.ask(OWNER, low).parse().expect("an id"));
    store.create_call(&tenant.scope, &call).await.expect("a call");
    assert_eq!(store.make_room().await, Ok(1), "the messages have theirs again, the calls stay where they are");
    assert_eq!(store.call(&tenant.scope, call.id).await, Ok(call));
    assert_eq!(store.make_room().await, Ok(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_together_change_the_schema_once() {
    let database = shared().empty();
    let folder = tempfile::tempdir().expect("a folder");
    let first = options(&database, folder.path());
    let refused = SqlStore::open(first.clone()).await.map(drop);
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "the serving role makes no tables: {refused:?}");
    let with_owner = PostgresOptions { owner_url: Some(Secret::new(database.owner_url())), ..first.clone() };
    let nodes: Vec<_> = (0..4).map(|_| tokio::spawn(SqlStore::open(with_owner.clone()))).collect();
    for node in nodes {
        let store = node.await.expect("no panic").expect("a store");
        assert_eq!(store.check().await, Ok(()));
        store.close().await;
    }
    let store = SqlStore::open(first).await.expect("from now on the serving role is enough");
    let report = store.report().await.expect("a report");
    assert_eq!((report.role.as_deref(), report.unbound), (Some(SERVING), None));
    let owner = PostgresOptions { url: Secret::new(database.owner_url()), ..options(&database, folder.path()) };
    let report = SqlStore::open(owner).await.expect("a store").report().await.expect("a report");
    assert!(report.unbound.is_some_and(|why| why.contains("owns")), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_does_not_know_the_floor_of_the_schema_does_not_serve() {
    let (store, guard) = sql_on_postgres().await;
    store.close().await;
    let database = guard.database.as_ref().expect("a database");
    // A newer program was here and only added something: fine. Then one took something away.
    let row = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9000, 'newer', true, '', 1)";
    database.ask(OWNER, row);
    SqlStore::open(options(database, guard.folder.path())).await.expect("a newer schema").close().await;
    database.ask(OWNER, "UPDATE schema_floor SET floor = 9000");
    let refused = SqlStore::open(options(database, guard.folder.path())).await.map(drop);
    let text = refused.expect_err("too new").to_string();
    assert!(text.contains("newer than this program"), "{text}");
}

async fn open(database: &Database, folder: &std::path::Path) -> SqlStore {
    testkit::stores::bring_up(database).await;
    SqlStore::open(options(database, folder)).await.expect("a store")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_is_whole_after_the_server_was_away() {
    let server = Server::own();
    let (database, folder) = (server.empty(), tempfile::tempdir().expect("a folder"));
    let store = Arc::new(open(&database, folder.path()).await);
    let tenant = tenant(&*store, "shop", "+49405550170").await;
    let call = call_of(&tenant, 1);
    store.create_call(&tenant.scope, &call).await.expect("a call");
    let writer = JournalWriter::start(store.clone(), tenant.scope, call.id, JournalSeq(0));
    let mut durable = JournalSeq(0);
    for round in 0..3 {
        for seq in round * 20 + 1..=round * 20 + 10 {
            writer.append(caller_turn(seq, "before")).expect("taken");
        }
        let before = JournalSeq(round * 20 + 10);
        tokio::time::timeout(Duration::from_secs(10), writer.wait(before)).await.expect("in time").expect("durable");
        server.stop();
        for seq in round * 20 + 11..=round * 20 + 20 {
            writer.append(caller_turn(seq, "the call goes on")).expect("taken");
        }
        let away = store.agent(&tenant.scope, tenant.agent.id).await;
        assert!(matches!(away, Err(StoreError::Unavailable(_))), "{away:?}");
        server.start();
        durable = JournalSeq(round * 20 + 20);
        tokio::time::timeout(Duration::from_secs(10), writer.wait(durable)).await.expect("in time").expect("durable");
        store.agent(&tenant.scope, tenant.agent.id).await.expect("at the first try");
    }
    assert_eq!(writer.finish(Duration::from_secs(5)).await, 0);
    let journal = store.journal(&tenant.scope, call.id).await.expect("a journal");
    let places: Vec<u64> = journal.iter().map(|record| record.seq.0).collect();
    assert_eq!(places, (1..=durable.0).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_come_from_the_replica_and_from_the_primary_while_it_is_away() {
    let (primary, guard) = sql_on_postgres().await;
    let tenant = tenant(&primary, "shop", "+49405550170").await;
    primary.create_call(&tenant.scope, &call_of(&tenant, 1)).await.expect("a call");
    // A database without the call stands for a replica that is behind.
    let replica = testkit::stores::database().await;
    let database = guard.database.as_ref().expect("a database");
    let with =
        |url: String| PostgresOptions { replica_url: Some(Secret::new(url)), ..options(database, guard.folder.path()) };
    let store = SqlStore::open(with(replica.url())).await.expect("a store");
    let filter = CallFilter::default();
    assert_eq!(store.calls(&tenant.scope, &filter, None, 10).await.expect("a page").rows.len(), 0);
    assert_eq!(
        store.cost_since(&tenant.scope, 0).await.map(|cost| cost.usd_micros),
        Ok(0),
        "a decision asks the primary"
    );
    assert_eq!(store.report().await.expect("a report").replica, None);
    let away = with(database.url().replace("frontdesk-postgres", "nowhere"));
    let store = SqlStore::open(away).await.expect("a store");
    assert_eq!(store.calls(&tenant.scope, &filter, None, 10).await.expect("a page").rows.len(), 1);
    assert!(store.report().await.expect("a report").replica.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_change_one_thing_at_once_do_not_undo_each_other() {
    let (store, _guard) = sql_on_postgres().await;
    let tenant = tenant(&store, "shop", "+49405550170").await;
    let call = call_of(&tenant, 1);
    store.create_call(&tenant.scope, &call).await.expect("a call");
    let changes = (0..24).map(|_| {
        let (store, scope, id) = (store.clone(), tenant.scope, call.id);
        let charge = Some(store::Charge::new(base::Money::from_usd_micros(10), Vec::new()));
        tokio::spawn(async move {
            store.update_call(&scope, id, &store::CallUpdate { charge, ..Default::default() }).await.expect("a change");
        })
    });
    for change in changes.collect::<Vec<_>>() {
        change.await.expect("no panic");
    }
    assert_eq!(store.call(&tenant.scope, call.id).await.expect("the call").cost.usd_micros, 240);
    let agents = (0..8).map(|_| {
        let (store, scope, agent) = (store.clone(), tenant.scope, tenant.agent.clone());
        tokio::spawn(async move { store.put_agent(&scope, &agent, Some(1)).await.is_ok() })
    });
    let mut winners = 0;
    for agent in agents.collect::<Vec<_>>() {
        winners += usize::from(agent.await.expect("no panic"));
    }
    assert_eq!(winners, 1, "one change is based on version 1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_database_cannot_keep_is_said_and_nothing_of_it_is_kept() {
    let (store, _guard) = sql_on_postgres().await;
    let scope = TenantScope { business: BusinessId::generate() };
    let business = Business { id: scope.business, slug: "a\0b".into(), name: "n".into(), time_zone: "UTC".into() };
    let refused = store.put_business(&scope, &business).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    let missing = store.agent(&scope, AgentId::generate()).await;
    assert!(matches!(missing, Err(StoreError::NotFound(_))), "{missing:?}");
}

/// The tables that grow with calls.
const LARGE: [&str; 9] =
    ["calls", "conversations", "messages", "journal", "inputs", "recordings", "call_log", "call_costs", "carrier_refs"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reads_a_large_table_from_its_beginning_and_pages_need_no_sorting() {
    let (_store, guard) = sql_on_postgres().await;
    let database = guard.database.as_ref().expect("a database");
    let mut looked_at = 0;
    for sql in store::sql::all() {
        let Ok(text) = sql.postgres() else { continue };
        let large = LARGE.iter().any(|table| text.contains(&format!(" {table}")));
        if !large || text.trim_start().starts_with("INSERT") {
            continue;
        }
        looked_at += 1;
        let count = (1..30).take_while(|place| text.contains(&format!("${place}"))).count();
        let nothing = vec!["NULL"; count].join(", ");
        let call = if count == 0 { "EXECUTE p".to_owned() } else { format!("EXECUTE p({nothing})") };
        let plan = database.ask(
            SERVING,
            &format!(
                "BEGIN; SET LOCAL frontdesk.business = '{}'; SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off;
                SET LOCAL plan_cache_mode = force_generic_plan; PREPARE p AS {text}; EXPLAIN {call}",
                Uuid::new_v4()
            ),
        );
        for table in LARGE {
            let scan = plan.lines().find(|line| line.contains(&format!("Seq Scan on {table}")));
            assert!(scan.is_none(), "{} has no index to go by:\n{plan}", sql.name);
        }
        if ["CALLS", "MESSAGES", "JOURNAL_AFTER", "CALL_LOG", "CALLS_TO_FORGET"].contains(&sql.name) {
            assert!(!plan.contains("Sort  (cost"), "{} sorts what an index could give in order:\n{plan}", sql.name);
        }
    }
    assert!(looked_at > 25, "{looked_at} statements");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_shows_who_it_is_before_it_is_told_anything() {
    // As the program does: libraries of this workspace bring more than one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (server, tls) = Server::with_tls();
    let database = server.empty();
    testkit::stores::bring_up(&database).await;
    let folder = tempfile::tempdir().expect("a folder");
    let open = async |address: usize, sslmode: &str, authority: &std::path::Path| {
        let url = Secret::new(database.tls_url(&tls.addresses[address], sslmode, authority));
        let key = folder.path().join("frontdesk.key");
        SqlStore::open(PostgresOptions { connections_max: 2, ..PostgresOptions::new(url, key) }).await
    };
    let store = open(0, "verify-full", &tls.authority).await.expect("the right server");
    tenant(&store, "shop", "+49405550170").await;
    let encrypted = format!(
        "SELECT bool_and(ssl), count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = '{SERVING}'"
    );
    assert_eq!(server.ask("postgres", &encrypted), "t|t");
    store.close().await;
    open(1, "verify-ca", &tls.authority).await.expect("the right authority, whatever the name").close().await;
    for (address, sslmode, authority, why) in [
        (0, "verify-full", &tls.stranger, "certificate"),
        (1, "verify-full", &tls.authority, "certificate"),
        (0, "disable", &tls.authority, "no encryption"),
    ] {
        let began = std::time::Instant::now();
        let refused = open(address, sslmode, authority).await.expect_err("refused");
        assert!(matches!(&refused, StoreError::Unavailable(words) if words.contains(why)), "{sslmode}: {refused:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "nobody waits for a certificate to get better");
    }
}
