//! Secrets of the configuration that lie in Vault.

use frontdesk::vault::{fetch, references};
use sim::twins::vault::Twin;
use sim::twins::{Fault, Moment};
use std::collections::BTreeSet;

fn env(pairs: Vec<(&'static str, String)>) -> impl Fn(&str) -> Option<String> {
    move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
}

fn named(text: &str) -> BTreeSet<String> {
    BTreeSet::from([text.to_owned()])
}

#[tokio::test]
async fn keys_come_from_the_key_value_engine_and_from_transit_by_token_or_role() {
    let twin = Twin::start().await.expect("a twin");
    twin.keep("secret/data/frontdesk", "data_key", "ab12");
    let file = tempfile::NamedTempFile::new().expect("a file");
    let wrapped = format!("vault:transit/decrypt/desk#{}", Twin::wrap("sk-hidden"));
    let text = format!(
        "[secrets]\ndata_key = \"vault:secret/data/frontdesk#data_key\"\n[providers.acme]\napi_key = \"{wrapped}\""
    );
    std::fs::write(file.path(), text).expect("written");
    let from_env = ("FRONTDESK_SERVER_API_TOKEN".to_owned(), "vault:secret/data/frontdesk#data_key".to_owned());
    let found = references(Some(file.path()), [from_env].into_iter());
    assert_eq!(found.len(), 2);
    let by_token = env(vec![("VAULT_ADDR", twin.address.clone()), ("VAULT_TOKEN", twin.token.clone())]);
    let by_role = env(vec![
        ("VAULT_ADDR", format!("{}/", twin.address)),
        ("VAULT_ROLE_ID", "twin-role".into()),
        ("VAULT_SECRET_ID", "twin-secret".into()),
    ]);
    for env in [&by_token as &dyn Fn(&str) -> Option<String>, &by_role] {
        let fetched = fetch(&found, env).await.expect("fetched");
        assert_eq!(fetched["vault:secret/data/frontdesk#data_key"].expose(), "ab12");
        assert_eq!(fetched[&wrapped].expose(), "sk-hidden");
    }
}

#[tokio::test]
async fn what_is_wrong_with_vault_is_said_in_one_line_without_a_secret() {
    let twin = Twin::start().await.expect("a twin");
    twin.keep("secret/data/frontdesk", "data_key", "ab12");
    let with = |token: &str| env(vec![("VAULT_ADDR", twin.address.clone()), ("VAULT_TOKEN", token.to_owned())]);
    let why = async |reference: &str, env: &dyn Fn(&str) -> Option<String>| {
        fetch(&named(reference), env).await.expect_err("wrong").to_string()
    };
    let known = with(&twin.token);
    assert!(why("vault:secret/data/frontdesk#data_key", &env(vec![])).await.contains("set VAULT_ADDR"));
    let nobody = env(vec![("VAULT_ADDR", twin.address.clone())]);
    assert!(why("vault:secret/data/frontdesk#data_key", &nobody).await.contains("VAULT_TOKEN"));
    assert!(why("vault:secret/data/frontdesk#data_key", &with("planted")).await.contains("permission denied"));
    assert!(!why("vault:secret/data/frontdesk#data_key", &with("planted")).await.contains("planted"));
    assert!(why("vault:secret/data/nothing#data_key", &known).await.contains("nothing there"));
    let misspelt = why("vault:secret/data/frontdesk#dta_key", &known).await;
    assert!(misspelt.contains("data_key") && !misspelt.contains("ab12"), "{misspelt}");
    assert!(why("vault:secret/data/frontdesk", &known).await.contains("PATH#FIELD"));
    twin.faults.set(Moment::Start, Fault::Status { status: 503, retry_after_s: None });
    assert!(why("vault:secret/data/frontdesk#data_key", &known).await.contains("sealed"));
}
