//! Carrying out a tool that the engine allowed. The engine's policy has checked the arguments; here they only meet the
//! rows of the tenant.

use super::desk;
use crate::mail::Mailer;
use crate::service::{Bill, KnowledgeSearch};
use crate::tools::{HttpTool, answer_text};
use base::{CallId, ErrorClass, Failure, Millis, ToolCallId};
use carriers::protocol::CarrierControl;
use egress::Egress;
use model::business::TenantScope;
use model::tool::{ToolAction, ToolSpec};
use serde_json::{Map, Value};
use std::sync::Arc;
use store::contract::customers::CustomerFilter;
use store::{Store, StoreError};

/// One tool to run.
pub(super) struct Job {
    pub(super) store: Arc<dyn Store>,
    pub(super) search: Option<Arc<dyn KnowledgeSearch>>,
    /// What the call costs.
    pub(super) bill: Bill,
    pub(super) egress: Arc<Egress>,
    /// The way out to platforms.
    pub(super) platform: Arc<Egress>,
    /// The platform of the call; `None` when it is only a socket.
    pub(super) control: Option<Arc<dyn CarrierControl>>,
    /// Who writes mails; `None`: this installation sends none.
    pub(super) mailer: Option<Mailer>,
    /// How long the tool may take.
    pub(super) deadline: Millis,
    pub(super) scope: TenantScope,
    pub(super) call: CallId,
    pub(super) id: ToolCallId,
    pub(super) spec: ToolSpec,
    pub(super) args: Value,
}

/// Runs it. The result is text for the brain and for the tool's own sentence.
pub(super) async fn run(job: Job) -> Result<String, Failure> {
    match &job.spec.action {
        ToolAction::Lookup { table } => lookup(&job, table).await,
        ToolAction::Record { table } => record(&job, table).await,
        ToolAction::Http { url, method, credential, timeout_ms } => {
            let tool = HttpTool { url, method: *method, credential: credential.as_deref() };
            ask_service(&job, &tool, *timeout_ms).await
        }
        ToolAction::LookUpCustomer => look_up_customer(&job).await,
        ToolAction::CreateTicket { priority } => desk::create_ticket(&job, *priority).await,
        ToolAction::SendMessage { .. } => desk::send_message(&job).await,
        // What was typed is the argument that the policy let through.
        ToolAction::CollectDigits { .. } => Ok(job.args.to_string()),
        ToolAction::Mcp { server, tool, timeout_ms } => {
            let deadline = Millis(timeout_ms.unwrap_or(job.deadline.0).min(job.deadline.0));
            let store = job.store.as_ref();
            crate::mcp::call(store, &job.egress, &job.scope, (server, tool), &job.args, deadline).await
        }
        ToolAction::SearchKnowledge => search(job).await,
        // The engine does these itself; being asked is a bug of ours, not the caller's problem.
        ToolAction::Handoff | ToolAction::EndCall => {
            Err(Failure::new(ErrorClass::Internal, "the engine carries this tool out"))
        }
    }
}

/// The row whose columns equal the arguments, as JSON: the tool's own sentence takes its values from it.
async fn lookup(job: &Job, table: &str) -> Result<String, Failure> {
    let wanted = job.args.as_object().cloned().unwrap_or_else(Map::new);
    if wanted.is_empty() {
        return Err(Failure::new(ErrorClass::Invalid, "the tool was called without its arguments"));
    }
    let rows = job.store.find_rows(&job.scope, table, &wanted, 1).await?;
    match rows.into_iter().next() {
        Some(row) => Ok(row.to_string()),
        None => Ok("I'm sorry, I can't find anything under that.".into()),
    }
}

/// A new row with the arguments. The key is the tool call itself, so that a repeat is not a second booking.
async fn record(job: &Job, table: &str) -> Result<String, Failure> {
    let mut row = job.args.as_object().cloned().unwrap_or_else(Map::new);
    row.insert("call".into(), Value::String(job.call.to_string()));
    row.insert("at_ms".into(), Value::from(crate::wall_ms()));
    let key = format!("{}-{}", job.call, job.id);
    match job.store.insert_row(&job.scope, table, &key, &Value::Object(row)).await {
        Ok(()) | Err(StoreError::Conflict(_)) => Ok("done".into()),
        Err(error) => Err(error.into()),
    }
}

/// What a service of the business answers. The key lets it tell a repeat from a second request.
async fn ask_service(job: &Job, tool: &HttpTool<'_>, timeout_ms: Option<u64>) -> Result<String, Failure> {
    let key = format!("{}-{}", job.call, job.id);
    let request = tool.request(job.store.as_ref(), &job.scope, &job.args, &key).await?;
    let deadline = Millis(timeout_ms.unwrap_or(job.deadline.0).min(job.deadline.0));
    let answer = job.egress.http(request, deadline).await?;
    answer_text(&answer)
}

/// What the business knows about whoever is on the line, as JSON.
async fn look_up_customer(job: &Job) -> Result<String, Failure> {
    let call = job.store.call(&job.scope, job.call).await?;
    let phone = call.customer.and_then(|customer| customer.expose().parse().ok());
    let Some(phone) = phone else { return Ok("The caller's number is not known.".into()) };
    let filter = CustomerFilter { phone: Some(phone), ..CustomerFilter::default() };
    let found = job.store.customers(&job.scope, &filter, None, 1).await?;
    let Some(customer) = found.into_iter().next().map(|row| row.customer) else {
        return Ok("This customer is not known yet.".into());
    };
    let known = serde_json::json!({
        "name": customer.name,
        "language": customer.language,
        "tags": customer.tags,
        "attributes": customer.attributes,
        "notes": customer.notes,
    });
    Ok(known.to_string())
}

async fn search(job: Job) -> Result<String, Failure> {
    let query =
        job.args.as_object().and_then(|args| args.values().find_map(Value::as_str)).unwrap_or_default().to_owned();
    let Some(search) = job.search else {
        return Err(Failure::new(ErrorClass::Internal, "no documents can be searched on this node"));
    };
    let business = job.scope.business;
    let found = tokio::task::spawn_blocking(move || search.search(business, &query, &job.bill)).await;
    let found = found.map_err(|_| Failure::new(ErrorClass::Internal, "the search failed"))?;
    if found.is_empty() {
        return Ok("The documents do not say.".into());
    }
    let passages = found.iter().map(|citation| format!("{}: {}", citation.section, citation.quote));
    Ok(passages.collect::<Vec<_>>().join("\n"))
}
