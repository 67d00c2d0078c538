//! The laws for PostgreSQL, and what is its own: the second lock, partitions, several nodes on one server, a server that goes away.

mod laws {
    store::store_laws!(testkit::stores::on_postgres());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_fits_the_schema() {
    let (store, _guard) = testkit::stores::sql_on_postgres().await;
    assert_eq!(store.broken_statements().await, Ok(Vec::new()));
}
