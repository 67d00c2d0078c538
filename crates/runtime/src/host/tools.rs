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

/// The row whose key is the first required argument.
async fn lookup(job: &Job, table: &str) -> Result<String, Failure> {
    let key_name = job.spec.parameters.iter().find(|parameter| parameter.required).map(|parameter| &parameter.name);
    let key = key_name.and_then(|name| job.args.get(name)).and_then(Value::as_str);
    let Some(key) = key else {
        return Err(Failure::new(ErrorClass::Invalid, "the tool was called without its key"));
    };
    match job.store.row(&job.scope, table, key).await {
        Ok(row) => Ok(spoken(&row)),
        Err(StoreError::NotFound(_)) => Err(Failure::new(ErrorClass::Invalid, "nothing is known under this key")),
        Err(error) => Err(error.into()),
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

/// A row in words: its `say` column where it has one, else its values.
fn spoken(row: &Value) -> String {
    match row.get("say").and_then(Value::as_str) {
        Some(say) => say.to_owned(),
        None => match row {
            Value::Object(columns) => {
                let parts = columns.iter().map(|(name, value)| match value {
                    Value::String(text) => format!("{name}: {text}"),
                    other => format!("{name}: {other}"),
                });
                parts.collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        },
    }
}
