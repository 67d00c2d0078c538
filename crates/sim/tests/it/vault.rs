//! The client that most programs in Python use accepts what the twin of Vault says.

use crate::conformance::run;
use serde_json::json;
use sim::twins::vault::Twin;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_vault_reads_writes_wraps_and_logs_in() {
    let twin = Twin::start().await.expect("a twin");
    let lines = run("vault_kv_transit.py", &twin.address, &twin.token).await;
    let expected = json!({
        "version": 1, "data_key": "5f".repeat(32), "transit": "a key", "logged_in": true, "refused": true
    });
    assert_eq!(lines, [expected]);
}
