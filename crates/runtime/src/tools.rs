//! Tools that ask a service of the business: how a request is made, what of an answer counts, and a try outside any call.

use crate::Node;
use base::wire::{Header, HeaderValue, HttpRequest, Method};
use base::{ErrorClass, Failure, Millis, Secret, limits};
use egress::Response;
use model::business::TenantScope;
use model::tool::{HttpMethod, ToolAction, ToolSpec};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Instant;
use store::Store;

/// Characters of a body that a try shows.
const SHOWN_CHARS_MAX: usize = 8_000;
const MASK: &str = "[secret]";

/// A tool that asks a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HttpTool<'a> {
    pub(crate) url: &'a str,
    pub(crate) method: HttpMethod,
    pub(crate) credential: Option<&'a str>,
}

impl HttpTool<'_> {
    /// The request, with its credential.
    pub(crate) async fn request(
        &self,
        store: &dyn Store,
        scope: &TenantScope,
        args: &Value,
        key: &str,
    ) -> Result<HttpRequest, Failure> {
        let mut headers = vec![
            Header::plain("accept", "application/json, text/plain"),
            Header::plain("idempotency-key", key.to_owned()),
        ];
        if let Some(name) = self.credential {
            let credential = store.tool_credential(scope, name).await?;
            headers.push(authentication(&credential.fields)?);
        }
        let (method, has_body) = match self.method {
            HttpMethod::Get => (Method::Get, false),
            HttpMethod::Delete => (Method::Delete, false),
            HttpMethod::Post => (Method::Post, true),
            HttpMethod::Put => (Method::Put, true),
        };
        if has_body {
            headers.push(Header::plain("content-type", "application/json"));
            let body = args.to_string().into_bytes();
            return Ok(HttpRequest { method, url: self.url.to_owned(), headers, body });
        }
        Ok(HttpRequest { method, url: with_query(self.url, args), headers, body: Vec::new() })
    }
}

/// The arguments in the address.
fn with_query(url: &str, args: &Value) -> String {
    let pairs: Vec<(String, String)> = args
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    if pairs.is_empty() {
        return url.to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
    // A fragment is never sent.
    let address = url.split('#').next().unwrap_or(url);
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}{query}")
}

/// The header by which the service knows us.
pub(crate) fn authentication(fields: &BTreeMap<String, Secret<String>>) -> Result<Header, Failure> {
    let field = |name: &str| fields.get(name).map(|value| value.expose().clone()).unwrap_or_default();
    match field("kind").as_str() {
        "bearer" => Ok(Header::secret("authorization", format!("Bearer {}", field("token")))),
        "basic" => {
            use base64::Engine as _;
            let pair = format!("{}:{}", field("user"), field("password"));
            let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
            Ok(Header::secret("authorization", format!("Basic {encoded}")))
        }
        "header" => Ok(Header::secret(field("header"), field("value"))),
        _ => Err(Failure::new(ErrorClass::Internal, "the credential of the tool is of an unknown kind")),
    }
}

/// What of a service's answer reaches a brain.
pub(crate) fn answer_text(answer: &Response) -> Result<String, Failure> {
    if !(200..300).contains(&answer.status) {
        let class = providers::answer::classify_status(answer.status);
        return Err(Failure::new(class, format!("the tool's service answered {}", answer.status)));
    }
    let text = std::str::from_utf8(&answer.body).map_err(|_| {
        Failure::new(ErrorClass::Protocol, "the tool's service answered with something that is no text")
    })?;
    let is_json = answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    if is_json && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        return Err(Failure::new(ErrorClass::Protocol, "the tool's service answered with broken JSON"));
    }
    Ok(text.chars().take(limits::TOOL_RESULT_CHARS_MAX).collect())
}

/// What a try of a tool sent and got, with secrets masked.
#[derive(Clone, Debug)]
pub struct ToolTrial {
    /// Method and address.
    pub method: &'static str,
    /// Where to.
    pub url: String,
    /// Headers that were sent; credentials are masked.
    pub headers: Vec<(String, String)>,
    /// The body that was sent.
    pub body: Option<String>,
    /// The status that was answered.
    pub status: Option<u16>,
    /// The body that was answered, cut to a length that a person reads; what was sent as a secret is masked.
    pub answer: Option<String>,
    /// What a brain would see.
    pub result: Result<String, Failure>,
    /// How long it took.
    pub took: Millis,
}

impl Node {
    /// Runs a tool that asks a service once, outside any call. `None`: the tool is carried out by the call itself.
    pub async fn try_tool(
        &self,
        scope: &TenantScope,
        spec: &ToolSpec,
        args: &Value,
        deadline: Millis,
    ) -> Result<Option<ToolTrial>, Failure> {
        if let ToolAction::Mcp { server, tool, timeout_ms } = &spec.action {
            let deadline = Millis(timeout_ms.unwrap_or(deadline.0).min(deadline.0));
            return self.try_mcp_tool(scope, (server, tool), args, deadline).await.map(Some);
        }
        let ToolAction::Http { url, method, credential, timeout_ms } = &spec.action else { return Ok(None) };
        let tool = HttpTool { url, method: *method, credential: credential.as_deref() };
        let key = format!("test-{}", uuid::Uuid::now_v7());
        let request = tool.request(self.store().as_ref(), scope, args, &key).await?;
        let secrets: Vec<String> = request.headers.iter().filter_map(secret_of).collect();
        let shown = |text: &str| {
            let cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
            secrets.iter().fold(cut, |text, secret| text.replace(secret.as_str(), MASK))
        };
        let mut trial = ToolTrial {
            method: method.name(),
            url: shown(&request.url),
            headers: request.headers.iter().map(masked).collect(),
            body: (!request.body.is_empty()).then(|| shown(&String::from_utf8_lossy(&request.body))),
            status: None,
            answer: None,
            result: Ok(String::new()),
            took: Millis(0),
        };
        let deadline = Millis(timeout_ms.unwrap_or(deadline.0).min(deadline.0));
        let began = Instant::now();
        let answer = self.tools_egress().http(request, deadline).await;
        trial.took = Millis(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        match answer {
            Ok(answer) => {
                trial.status = Some(answer.status);
                trial.answer = Some(shown(&String::from_utf8_lossy(&answer.body)));
                trial.result = answer_text(&answer).map(|text| shown(&text));
            }
            Err(failure) => trial.result = Err(failure),
        }
        Ok(Some(trial))
    }
}

impl Node {
    async fn try_mcp_tool(
        &self,
        scope: &TenantScope,
        (server, tool): (&str, &str),
        args: &Value,
        deadline: Millis,
    ) -> Result<ToolTrial, Failure> {
        let store = self.store().as_ref();
        let known = crate::mcp::find(store, scope, server).await?;
        let began = Instant::now();
        let result = crate::mcp::call(store, self.tools_egress(), scope, (server, tool), args, deadline).await;
        Ok(ToolTrial {
            method: "POST",
            url: known.url,
            headers: Vec::new(),
            body: Some(args.to_string()),
            status: None,
            answer: result.as_ref().ok().map(|text| text.chars().take(SHOWN_CHARS_MAX).collect()),
            result,
            took: Millis(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)),
        })
    }
}

/// The secret part of a header: of `Bearer x` and `Basic x` what follows the scheme.
fn secret_of(header: &Header) -> Option<String> {
    let HeaderValue::Secret(value) = &header.value else { return None };
    let value = value.expose();
    let secret = value.split_once(' ').map_or(value.as_str(), |(_, secret)| secret);
    (!secret.is_empty()).then(|| secret.to_owned())
}

fn masked(header: &Header) -> (String, String) {
    let value = match &header.value {
        HeaderValue::Plain(value) => value.clone(),
        HeaderValue::Secret(_) => MASK.to_owned(),
    };
    (header.name.to_string(), value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arguments_of_a_look_up_stand_in_the_address() {
        let args = json!({ "order": "BL 1", "count": 2 });
        assert_eq!(with_query("https://a.example/x", &args), "https://a.example/x?order=BL+1&count=2");
        assert_eq!(with_query("https://a.example/x?a=b#c", &args), "https://a.example/x?a=b&order=BL+1&count=2");
        assert_eq!(with_query("https://a.example/x", &json!({})), "https://a.example/x");
    }

    #[test]
    fn each_kind_of_credential_becomes_its_header_and_prints_as_nothing() {
        let fields = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), Secret::new((*value).to_owned()))).collect()
        };
        let basic = authentication(&fields(&[("kind", "basic"), ("user", "u"), ("password", "p")])).expect("a header");
        assert_eq!(basic.value.expose(), "Basic dTpw");
        let own =
            authentication(&fields(&[("kind", "header"), ("header", "x-key"), ("value", "k")])).expect("a header");
        assert_eq!((own.name.as_ref(), own.value.expose()), ("x-key", "k"));
        assert_eq!(masked(&own).1, MASK);
        assert_eq!(secret_of(&basic).as_deref(), Some("dTpw"));
        assert!(authentication(&fields(&[])).is_err());
    }
}
