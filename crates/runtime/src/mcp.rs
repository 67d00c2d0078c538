//! Tools of MCP servers (Model Context Protocol, version 2025-06-18, streamable HTTP): the greeting, the list of tools, and a
//! call of one. Every request goes out like any other of a business's tools, with a deadline over all of it.
//!
//! A server sees one session per tool that is called: what it keeps of a session cannot leak from one call of a customer into
//! another one's.

use crate::Node;
use crate::tools::authentication;
use base::wire::{Header, HttpRequest, Method};
use base::{ErrorClass, Failure, Millis, limits};
use egress::{Egress, Response};
use model::business::TenantScope;
use model::tool::{ChoiceOption, McpServer, Parameter, ParameterKind, ToolAction, ToolSpec};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};
use store::contract::office::ValueKind;
use store::{Store, StoreError};

/// What we speak.
const VERSION: &str = "2025-06-18";
/// Pages of tools that are asked for at most.
const PAGES_MAX: usize = 10;
const SESSION: &str = "mcp-session-id";
const DESCRIPTION_CHARS_MAX: usize = 2_000;
const CHOICES_MAX: usize = 100;

/// A tool as a server describes it, and as an agent would have it.
#[derive(Clone, Debug, PartialEq)]
pub struct McpTool {
    /// Ready to be put into an agent.
    pub spec: ToolSpec,
    /// Names of arguments whose form an agent's tool cannot have (lists, objects). A tool that requires one cannot be used.
    pub left_out: Vec<String>,
    /// Whether one of these is required.
    pub is_usable: bool,
}

/// A server of this business.
///
/// # Errors
/// `Invalid` when there is none of this name.
pub(crate) async fn find(store: &dyn Store, scope: &TenantScope, name: &str) -> Result<McpServer, Failure> {
    let known = store.value(scope, ValueKind::McpServer, name).await.map_err(|error| match error {
        StoreError::NotFound(_) => Failure::new(ErrorClass::Invalid, format!("there is no MCP server {name}")),
        other => other.into(),
    })?;
    serde_json::from_str(&known.value)
        .map_err(|_| Failure::new(ErrorClass::Internal, "the MCP server's row is damaged"))
}

/// Calls a tool and gives what it answers as text.
pub(crate) async fn call(
    store: &dyn Store,
    egress: &Egress,
    scope: &TenantScope,
    (server, tool): (&str, &str),
    args: &Value,
    deadline: Millis,
) -> Result<String, Failure> {
    let mut session = Session::open(store, egress, scope, server, deadline).await?;
    let result = session.ask("tools/call", json!({ "name": tool, "arguments": args })).await;
    session.close().await;
    let result = result?;
    let text = text_of(&result);
    if result["isError"] == Value::Bool(true) {
        return Err(Failure::new(ErrorClass::Invalid, "the tool of the MCP server reports an error"));
    }
    Ok(text.chars().take(limits::TOOL_RESULT_CHARS_MAX).collect())
}

/// What a result says: its structured content when there is one, else its texts.
fn text_of(result: &Value) -> String {
    match &result["structuredContent"] {
        Value::Object(content) => Value::Object(content.clone()).to_string(),
        _ => {
            let parts = result["content"].as_array().into_iter().flatten();
            parts.filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
    }
}

impl Node {
    /// The tools that a server of this business has now.
    ///
    /// # Errors
    /// Why it could not be asked.
    pub async fn mcp_tools(&self, scope: &TenantScope, server: &str) -> Result<Vec<McpTool>, Failure> {
        let deadline = Millis(limits::MCP_MS_MAX);
        let mut session = Session::open(self.store().as_ref(), self.tools_egress(), scope, server, deadline).await?;
        let (mut tools, mut cursor) = (Vec::new(), Value::Null);
        for _ in 0..PAGES_MAX {
            let params = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
            let page = session.ask("tools/list", params).await?;
            tools.extend(page["tools"].as_array().into_iter().flatten().filter_map(|tool| described(server, tool)));
            cursor = page["nextCursor"].clone();
            if cursor.is_null() || tools.len() >= limits::MCP_TOOLS_MAX {
                break;
            }
        }
        session.close().await;
        tools.truncate(limits::MCP_TOOLS_MAX);
        Ok(tools)
    }
}

/// A conversation with one server.
struct Session<'a> {
    egress: &'a Egress,
    server: McpServer,
    credential: Option<Header>,
    until: Instant,
    id: Option<String>,
    version: Option<String>,
    asked: u64,
}

impl<'a> Session<'a> {
    async fn open(
        store: &dyn Store,
        egress: &'a Egress,
        scope: &TenantScope,
        name: &str,
        deadline: Millis,
    ) -> Result<Self, Failure> {
        let server = find(store, scope, name).await?;
        let credential = match &server.credential {
            Some(name) => Some(authentication(&store.tool_credential(scope, name).await?.fields)?),
            None => None,
        };
        let until = Instant::now() + Duration::from_millis(deadline.0);
        let mut session = Self { egress, server, credential, until, id: None, version: None, asked: 0 };
        let about_us = json!({ "name": "frontdesk", "version": env!("CARGO_PKG_VERSION") });
        let hello = json!({ "protocolVersion": VERSION, "capabilities": {}, "clientInfo": about_us });
        let answer = session.ask("initialize", hello).await?;
        session.version = answer["protocolVersion"].as_str().map(str::to_owned);
        session.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await?;
        Ok(session)
    }

    /// Asks, and gives the result.
    async fn ask(&mut self, method: &str, params: Value) -> Result<Value, Failure> {
        self.asked += 1;
        let id = self.asked;
        let answer = self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await?;
        if let Some(given) = answer.header(SESSION).filter(|_| self.id.is_none()) {
            self.id = Some(given.to_owned());
        }
        let broken = || Failure::new(ErrorClass::Protocol, format!("the MCP server gave no answer to {method}"));
        let message = messages(&answer).into_iter().find(|message| message["id"] == id).ok_or_else(broken)?;
        if let Some(error) = message.get("error") {
            let code = error["code"].as_i64().unwrap_or_default();
            return Err(Failure::new(ErrorClass::Invalid, format!("the MCP server refused {method} with code {code}")));
        }
        message.get("result").cloned().ok_or_else(broken)
    }

    async fn send(&self, message: &Value) -> Result<Response, Failure> {
        let body = message.to_string().into_bytes();
        let mut headers = self.headers();
        headers.push(Header::plain("content-type", "application/json"));
        headers.push(Header::plain("accept", "application/json, text/event-stream"));
        let request = HttpRequest { method: Method::Post, url: self.server.url.clone(), headers, body };
        let answer = self.egress.http(request, self.left()?).await?;
        if !(200..300).contains(&answer.status) {
            let class = providers::answer::classify_status(answer.status);
            return Err(Failure::new(class, format!("the MCP server answered {}", answer.status)));
        }
        if answer.body.len() > limits::MCP_ANSWER_BYTES_MAX {
            return Err(Failure::new(ErrorClass::Protocol, "the MCP server's answer is too large"));
        }
        Ok(answer)
    }

    /// Lets the server forget the session; whether it does is its own affair.
    async fn close(self) {
        if self.id.is_none() {
            return;
        }
        let Ok(left) = self.left() else { return };
        let (url, headers) = (self.server.url.clone(), self.headers());
        let request = HttpRequest { method: Method::Delete, url, headers, body: Vec::new() };
        if let Err(failure) = self.egress.http(request, left).await {
            tracing::debug!(%failure, "a session with an MCP server was not closed");
        }
    }

    fn headers(&self) -> Vec<Header> {
        let own = [("mcp-protocol-version", &self.version), (SESSION, &self.id)];
        let own = own.into_iter().filter_map(|(name, value)| Some(Header::plain(name, value.clone()?)));
        own.chain(self.credential.clone()).collect()
    }

    fn left(&self) -> Result<Millis, Failure> {
        let left = self.until.saturating_duration_since(Instant::now()).as_millis();
        match u64::try_from(left).unwrap_or(u64::MAX) {
            0 => Err(Failure::new(ErrorClass::Timeout, "the MCP server took too long")),
            left => Ok(Millis(left)),
        }
    }
}

/// The messages of an answer: one as JSON, or each the data of a server-sent event (WHATWG HTML, 9.2).
fn messages(answer: &Response) -> Vec<Value> {
    let text = String::from_utf8_lossy(&answer.body);
    if !answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")) {
        return match serde_json::from_str(&text) {
            Ok(Value::Array(messages)) => messages,
            Ok(message) => vec![message],
            Err(_) => Vec::new(),
        };
    }
    let text = text.replace("\r\n", "\n");
    let data = |event: &str| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    };
    text.split("\n\n").filter_map(|event| serde_json::from_str(&data(event)).ok()).collect()
}

/// A tool of a server as an agent's. `None` when its name is none that an agent's tool can have.
fn described(server: &str, tool: &Value) -> Option<McpTool> {
    let name = tool["name"].as_str()?;
    let own: String =
        name.to_lowercase().chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '_' }).collect();
    let own: String = own.trim_start_matches(|sign: char| !sign.is_ascii_lowercase()).chars().take(64).collect();
    if own.is_empty() {
        return None;
    }
    let schema = &tool["inputSchema"];
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let (mut parameters, mut left_out) = (Vec::new(), Vec::new());
    let none = Map::new();
    for (name, form) in schema["properties"].as_object().unwrap_or(&none) {
        let is_required = required.contains(&name.as_str());
        match kind_of(form) {
            Some(kind) => parameters.push(Parameter {
                name: name.clone(),
                description: short(form["description"].as_str().or(form["title"].as_str()).unwrap_or(name)),
                kind,
                required: is_required,
                ask: None,
            }),
            None => left_out.push(name.clone()),
        }
    }
    let is_usable = !left_out.iter().any(|name| required.contains(&name.as_str()));
    let action = ToolAction::Mcp { server: server.to_owned(), tool: name.to_owned(), timeout_ms: None };
    let spec = ToolSpec {
        name: own,
        description: short(tool["description"].as_str().or(tool["title"].as_str()).unwrap_or(name)),
        parameters,
        action,
        // What does not say that it only reads may change something.
        changes_state: tool["annotations"]["readOnlyHint"] != Value::Bool(true),
        confirm: None,
        say_done: None,
        examples: Vec::new(),
        must_hold: Vec::new(),
    };
    Some(McpTool { spec, left_out, is_usable })
}

fn short(text: &str) -> String {
    text.chars().take(DESCRIPTION_CHARS_MAX).collect()
}

/// The kind of an argument of this JSON schema; `None` for what people do not say in one breath.
fn kind_of(form: &Value) -> Option<ParameterKind> {
    if let Some(values) = form["enum"].as_array() {
        let value = |value: &Value| value.as_str().map(|value| ChoiceOption { value: value.to_owned(), said: vec![] });
        let options: Option<Vec<_>> = values.iter().take(CHOICES_MAX).map(value).collect();
        return options.filter(|options| !options.is_empty()).map(|options| ParameterKind::Choice { options });
    }
    let number = |whole| {
        let bound = |name: &str| form[name].as_f64();
        Some(ParameterKind::Number { minimum: bound("minimum"), maximum: bound("maximum"), whole })
    };
    match form["type"].as_str()? {
        "string" => Some(ParameterKind::Text),
        "integer" => number(true),
        "number" => number(false),
        "boolean" => Some(ParameterKind::YesNo { yes: vec![], no: vec![] }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: &str, body: &str) -> Response {
        Response { status: 200, headers: vec![("content-type".into(), kind.into())], body: body.to_owned().into() }
    }

    #[test]
    fn an_answer_is_read_from_json_and_from_events() {
        assert_eq!(messages(&answer("application/json", r#"{"id":1}"#)), [json!({"id": 1})]);
        let events = "event: message\r\nid: 7\r\ndata: {\"id\":1,\r\ndata: \"result\":{}}\r\n\r\n: alive\n\ndata: {\"id\":2}\n\n";
        let read = messages(&answer("text/event-stream", events));
        assert_eq!(read, [json!({"id": 1, "result": {}}), json!({"id": 2})]);
        assert!(messages(&answer("application/json", "nothing")).is_empty());
    }

    #[test]
    fn a_tool_that_needs_what_nobody_says_in_one_breath_is_not_usable() {
        let tool = json!({
            "name": "Book-Table", "description": "Books.",
            "inputSchema": { "type": "object", "required": ["guests", "items"], "properties": {
                "guests": { "type": "integer", "minimum": 1 }, "outside": { "type": "boolean" },
                "size": { "enum": ["small", "large"] }, "items": { "type": "array" },
            } },
        });
        let known = described("tables", &tool).expect("a tool");
        assert_eq!((known.spec.name.as_str(), known.spec.changes_state, known.is_usable), ("book_table", true, false));
        assert_eq!(known.left_out, ["items"]);
        let kinds: Vec<_> = known.spec.parameters.iter().map(|one| (one.name.as_str(), one.required)).collect();
        assert_eq!(kinds, [("guests", true), ("outside", false), ("size", false)]);
        let reads = json!({ "name": "find", "annotations": { "readOnlyHint": true }, "inputSchema": {} });
        let reads = described("tables", &reads).expect("a tool");
        assert!(reads.is_usable && !reads.spec.changes_state);
        assert_eq!(described("tables", &json!({ "name": "…" })), None);
    }
}
