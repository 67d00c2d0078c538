//! Tools of an MCP server that the official SDK runs.

use crate::rig::{Opened, Rig, on_both};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const TOKEN: &str = "for-the-shop-alone";

/// A server in a process of its own, ended with the test, and its address.
async fn server() -> (Child, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let named = std::env::var_os("FRONTDESK_CONFORMANCE_PYTHON").map(Into::into);
    let python = named.unwrap_or_else(|| root.join(".frontdesk/conformance/bin/python"));
    let why = "it holds the official packages, and `cargo xtask test` installs it";
    assert!(python.exists(), "{} is missing: {why}", python.display());
    let mut child = Command::new(python)
        .arg(root.join("fixtures/conformance/mcp_server.py"))
        .arg(TOKEN)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let line = tokio::time::timeout(std::time::Duration::from_secs(60), lines.next_line()).await.expect("in time");
    let said: Value = serde_json::from_str(&line.expect("text").expect("a line")).expect("JSON");
    (child, said["url"].as_str().expect("an address").to_owned())
}

async fn tools_of_an_mcp_server_are_found_put_into_an_agent_and_called(opened: Opened) {
    let rig = Rig::new(opened).await;
    let agent = rig.agent().await;
    let (_server, url) = server().await;
    let body = json!({"url": url, "credential": "shop"});
    let put = rig.change("PUT", "/api/v1/mcp-servers/shop", &body).await;
    assert_eq!(put.status, StatusCode::OK, "{put:?}");
    let refused = rig.get("/api/v1/mcp-servers/shop/tools").await;
    assert_eq!(refused.problem(), "invalid", "its credential is not there yet: {refused:?}");
    let secret = json!({"kind": "bearer", "token": TOKEN});
    assert_eq!(rig.change("PUT", "/api/v1/tool-credentials/shop", &secret).await.status, StatusCode::NO_CONTENT);
    let listed = rig.get("/api/v1/mcp-servers/shop/tools").await;
    assert_eq!(listed.status, StatusCode::OK, "{listed:?}");
    let tools = listed.json();
    let names: Vec<&str> =
        tools["items"].as_array().expect("tools").iter().filter_map(|one| one["tool"]["name"].as_str()).collect();
    assert_eq!(names, ["price", "order", "many", "broken"], "{tools}");
    let (price, order) = (&tools["items"][0], &tools["items"][1]);
    assert_eq!((&price["usable"], &price["tool"]["changes_state"]), (&json!(true), &json!(false)));
    assert_eq!(
        order["tool"]["changes_state"],
        json!(true),
        "what does not say that it only reads may change something"
    );
    assert_eq!((&tools["items"][2]["usable"], &tools["items"][2]["left_out"]), (&json!(false), &json!(["lamps"])));
    for tool in [price, order, &tools["items"][3]] {
        let path = format!("/api/v1/agents/{}/tools/{}", agent.id, tool["tool"]["name"].as_str().expect("a name"));
        let put = rig.change("PUT", &path, &tool["tool"]).await;
        assert_eq!(put.status, StatusCode::OK, "{put:?}");
    }
    let test = async |name: &str, arguments: Value| {
        let path = format!("/api/v1/agents/{}/tools/{name}/test", agent.id);
        let tried = rig.post(&path, &json!({ "arguments": arguments })).await;
        assert!(!tried.text.contains(TOKEN), "{tried:?}");
        tried.json()
    };
    let tried = test("price", json!({"lamp": "large", "count": 2})).await;
    assert_eq!(tried["ok"], json!(true), "{tried}");
    assert!(tried["result"].as_str().is_some_and(|text| text.contains("90")), "{tried}");
    let tried = test("order", json!({"lamp": "small", "gift": true})).await;
    assert!(tried["result"].as_str().is_some_and(|text| text.contains("as a gift")), "{tried}");
    let tried = test("broken", json!({})).await;
    assert_eq!((&tried["ok"], &tried["result"]), (&json!(false), &Value::Null), "{tried}");
    let gone = json!({"url": "http://127.0.0.1:9/mcp"});
    assert_eq!(rig.change("PUT", "/api/v1/mcp-servers/shop", &gone).await.status, StatusCode::OK);
    assert_eq!(test("price", json!({"lamp": "large"})).await["ok"], json!(false));
}

on_both! {
    tools_of_an_mcp_server_are_found_put_into_an_agent_and_called,
}
