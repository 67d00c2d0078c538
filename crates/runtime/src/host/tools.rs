//! Carrying out a tool that the engine allowed. The engine's policy has checked the arguments; here they only meet the
//! rows of the tenant.

use crate::service::KnowledgeSearch;
use base::{CallId, ErrorClass, Failure, ToolCallId};
use model::business::TenantScope;
use model::tool::{ToolAction, ToolSpec};
use serde_json::{Map, Value};
use std::sync::Arc;
use store::{Store, StoreError};

/// One tool to run.
pub(super) struct Job {
    pub(super) store: Arc<dyn Store>,
    pub(super) search: Option<Arc<dyn KnowledgeSearch>>,
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

async fn search(job: Job) -> Result<String, Failure> {
    let query =
        job.args.as_object().and_then(|args| args.values().find_map(Value::as_str)).unwrap_or_default().to_owned();
    let Some(search) = job.search else {
        return Err(Failure::new(ErrorClass::Internal, "no documents can be searched on this node"));
    };
    let business = job.scope.business;
    let found = tokio::task::spawn_blocking(move || search.search(business, &query)).await;
    let found = found.map_err(|_| Failure::new(ErrorClass::Internal, "the search failed"))?;
    if found.is_empty() {
        return Ok("The documents do not say.".into());
    }
    let passages = found.iter().map(|citation| format!("{}: {}", citation.section, citation.quote));
    Ok(passages.collect::<Vec<_>>().join("\n"))
}
