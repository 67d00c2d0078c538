//! Documents that are in, their versions and passages.

use super::PageQuery;
use crate::App;
use crate::auth::{Allowed, may};
use crate::http::{List, Listed, Params, page};
use crate::problem::Problem;
use crate::routes::{Name, check_text, deleted, store_problem};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use store::knowledge::{DocumentVersion, KnowledgeDocument, StoredChunk};
use utoipa::{IntoParams, ToSchema};

/// A version of a document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DocumentVersion)]
pub(crate) struct VersionView {
    /// From 1.
    version: u32,
    /// `indexing`, `ready`, `replaced` or `failed`.
    #[schema(example = "ready")]
    status: &'static str,
    /// What the file turned out to be.
    kind: Option<String>,
    /// Why it failed, in one word; docs/knowledge.md lists them.
    error_code: Option<String>,
    error: Option<String>,
    /// Bytes of the file.
    bytes: u64,
    /// SHA-256 of the file, in hexadecimal digits.
    sha256: String,
    /// Pages, slides or sheets.
    pages: u32,
    /// Passages.
    chunks: u32,
    /// The space that its vectors lie in: the model that made them.
    space: Option<String>,
    created_at_ms: i64,
    /// Unix milliseconds when it began to serve.
    ready_at_ms: Option<i64>,
}

impl From<DocumentVersion> for VersionView {
    fn from(one: DocumentVersion) -> Self {
        Self {
            version: one.version,
            status: one.status.name(),
            kind: one.kind,
            error_code: one.error_code,
            error: one.error,
            bytes: one.bytes,
            sha256: one.sha256,
            pages: one.pages,
            chunks: one.chunks,
            space: one.space,
            created_at_ms: one.created_at_ms,
            ready_at_ms: one.ready_at_ms,
        }
    }
}

/// A document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeDocument)]
pub(crate) struct DocumentView {
    /// Its name in addresses.
    name: String,
    /// Title as people see it.
    title: String,
    /// A file's name or an address.
    source: String,
    /// The version that serves; 0: none yet.
    serving: u32,
    /// The newest version, which serves, or will, or failed.
    newest: VersionView,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl From<KnowledgeDocument> for DocumentView {
    fn from(one: KnowledgeDocument) -> Self {
        let KnowledgeDocument { slug, title, source, serving, newest, created_at_ms, updated_at_ms, .. } = one;
        Self { name: slug, title, source, serving, newest: newest.into(), created_at_ms, updated_at_ms }
    }
}

/// A passage: what is found and quoted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KnowledgeChunk)]
pub(crate) struct ChunkView {
    /// Place in the document, from 0.
    ordinal: u32,
    /// Heading that it stands under, those above it in front.
    heading: String,
    /// Page on which it begins, from 1.
    page: Option<u32>,
    text: String,
}

impl From<StoredChunk> for ChunkView {
    fn from(chunk: StoredChunk) -> Self {
        let text = chunk.passage.text();
        Self { ordinal: chunk.ordinal, heading: chunk.passage.heading, page: chunk.passage.page, text }
    }
}

/// Which documents.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentQuery {
    /// Documents whose name, title or source holds this.
    #[param(max_length = 100)]
    q: Option<String>,
    /// Rows, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

/// Lists documents in order of their names.
#[utoipa::path(get, path = "/api/v1/knowledge/documents", tag = "knowledge", operation_id = "list_documents", params(DocumentQuery),
    security(("bearer" = ["knowledge:read"])), responses((status = 200, description = "One page of documents", body = List<DocumentView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    uri: Uri,
    Params(query): Params<DocumentQuery>,
) -> Result<Listed<DocumentView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let words = query.q.unwrap_or_default().to_lowercase();
    check_text("q", &words, 0, 100)?;
    let fits = |one: &KnowledgeDocument| {
        [&one.slug, &one.title, &one.source].iter().any(|text| text.to_lowercase().contains(&words))
    };
    let (mut rows, mut after) = (Vec::new(), query.cursor);
    loop {
        let page =
            app.node.store().knowledge_documents(&caller.scope, after.as_deref()).await.map_err(store_problem)?;
        after = page.last().map(|last| last.slug.clone());
        rows.extend(page.into_iter().filter(fits));
        if after.is_none() || rows.len() > wanted as usize {
            break;
        }
    }
    let (rows, next) = page::cut(rows, wanted, |one| one.slug.clone());
    Ok(Listed::new(rows.into_iter().map(Into::into).collect(), next, uri))
}

/// Reads a document.
#[utoipa::path(get, path = "/api/v1/knowledge/documents/{document}", tag = "knowledge", operation_id = "get_document",
    params(("document" = String, Path, description = "Its name")), security(("bearer" = ["knowledge:read"])), responses(
    (status = 200, description = "The document", body = DocumentView)
))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    Name(name): Name,
) -> Result<Json<DocumentView>, Problem> {
    let document = app.node.store().knowledge_document(&caller.scope, &name).await.map_err(store_problem)?;
    Ok(Json(document.into()))
}

/// Deletes a document with all its versions, passages and vectors.
#[utoipa::path(delete, path = "/api/v1/knowledge/documents/{document}", tag = "knowledge", operation_id = "delete_document",
    params(("document" = String, Path, description = "Its name")), security(("bearer" = ["knowledge:write"])), responses(
    (status = 204, description = "It is gone")
))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeWrite>,
    Name(name): Name,
) -> Result<StatusCode, Problem> {
    let gone = app.node.store().delete_knowledge(&caller.scope, &name).await;
    if gone == Ok(true) {
        app.node.store().scrub().await.map_err(store_problem)?;
    }
    deleted(gone)
}

/// Lists the versions of a document, newest first, at most 100.
#[utoipa::path(get, path = "/api/v1/knowledge/documents/{document}/versions", tag = "knowledge", operation_id = "list_document_versions",
    params(("document" = String, Path, description = "Its name")), security(("bearer" = ["knowledge:read"])), responses(
    (status = 200, description = "Its versions", body = List<VersionView>)
))]
pub(crate) async fn versions(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    Name(name): Name,
) -> Result<Json<List<VersionView>>, Problem> {
    let store = app.node.store();
    store.knowledge_document(&caller.scope, &name).await.map_err(store_problem)?;
    let versions = store.document_versions(&caller.scope, &name).await.map_err(store_problem)?;
    Ok(Json(List::whole(versions.into_iter().map(Into::into).collect())))
}

/// Lists the passages of a document that serve, in order.
#[utoipa::path(get, path = "/api/v1/knowledge/documents/{document}/chunks", tag = "knowledge", operation_id = "list_document_chunks",
    params(("document" = String, Path, description = "Its name"), PageQuery), security(("bearer" = ["knowledge:read"])), responses(
    (status = 200, description = "One page of passages", body = List<ChunkView>)
))]
pub(crate) async fn chunks(
    State(app): State<App>,
    caller: Allowed<may::KnowledgeRead>,
    Name(name): Name,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Result<Listed<ChunkView>, Problem> {
    let wanted = page::rows(query.limit)?;
    let mut after = page::cursor::<u32>(query.cursor.as_deref())?;
    let store = app.node.store();
    let document = store.knowledge_document(&caller.scope, &name).await.map_err(store_problem)?;
    let mut rows: Vec<StoredChunk> = Vec::new();
    // One row more than wanted says whether there is another page.
    while rows.len() <= wanted as usize {
        let page = store.document_chunks(&caller.scope, document.id, after).await.map_err(store_problem)?;
        let Some(last) = page.last() else { break };
        after = Some(last.ordinal);
        rows.extend(page);
    }
    let (rows, next) = page::cut(rows, wanted, |one| one.ordinal);
    Ok(Listed::new(rows.into_iter().map(Into::into).collect(), next, uri))
}
