//! What businesses know: documents in versions, chunks, unanswered questions.

use crate::args;
use crate::contract::{Answer, Cursor};
use crate::db::{DbRow, PAGE, missing, to_i64};
use crate::error::StoreError;
use crate::knowledge::{
    DocumentVersion, Gap, KnowledgeBase, KnowledgeDocument, NewVersion, StoredChunk, VersionId, WholeVersion,
};
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{DocumentId, GapId, Pii, limits};
use model::business::TenantScope;
use model::passage::Passage;
use uuid::Uuid;

fn read_version(row: &DbRow) -> Answer<DocumentVersion> {
    Ok(DocumentVersion {
        version: row.get("version")?,
        status: row.word("status")?,
        kind: row.get("kind")?,
        error_code: row.get("error_code")?,
        error: row.get("error")?,
        bytes: row.get("bytes")?,
        sha256: row.get("sha256")?,
        pages: row.get("pages")?,
        chunks: row.get("chunks")?,
        space: row.get("space")?,
        created_at_ms: row.get("created_at_ms")?,
        ready_at_ms: row.get("ready_at_ms")?,
    })
}

fn read_document(row: &DbRow) -> Answer<KnowledgeDocument> {
    Ok(KnowledgeDocument {
        id: DocumentId(row.get("id")?),
        slug: row.get("slug")?,
        title: row.get("title")?,
        source: row.get("source")?,
        serving: row.get("serving")?,
        newest: read_version(row)?,
        created_at_ms: row.get("begun_at_ms")?,
        updated_at_ms: row.get("updated_at_ms")?,
    })
}

fn read_chunk(row: &DbRow) -> Answer<StoredChunk> {
    let text: String = row.get("text")?;
    Ok(StoredChunk {
        document: DocumentId(row.get("document")?),
        ordinal: row.get("ordinal")?,
        id: row.get("id")?,
        passage: Passage {
            document: row.get("title")?,
            heading: row.get("heading")?,
            page: row.get("page")?,
            sentences: text.lines().map(str::to_owned).collect(),
        },
        space: row.get("space")?,
        vectors: row.get("vectors")?,
    })
}

fn read_gap(row: &DbRow) -> Answer<Gap> {
    Ok(Gap {
        id: GapId(row.get("id")?),
        question: Pii::new(row.get("question")?),
        asked_at_ms: row.get("asked_at_ms")?,
        space: row.get("space")?,
        vector: row.get("vector")?,
    })
}

fn overtaken() -> StoreError {
    StoreError::Conflict("a newer version of the document was begun".into())
}

#[async_trait]
impl KnowledgeBase for SqlStore {
    async fn begin_version(&self, scope: &TenantScope, new: &NewVersion<'_>, at_ms: i64) -> Answer<VersionId> {
        let business = scope.business.0;
        let bytes = to_i64(new.bytes)?;
        self.db
            .retrying(|| async {
                let mut tx = self.db.begin(scope).await?;
                let id = DocumentId::generate().0;
                let args = args![id, business, new.slug, new.title, new.source, at_ms];
                tx.write(sql::INSERT_KNOWLEDGE_DOCUMENT, args).await?;
                let row = tx.read_one(sql::KNOWLEDGE_DOCUMENT_TO_CHANGE, args![business, new.slug]).await?;
                let row = row.ok_or(missing("document"))?;
                let (document, serving, latest): (Uuid, u32, u32) =
                    (row.get("id")?, row.get("serving")?, row.get("latest")?);
                let version = latest + 1;
                let args = args![business, document, version, new.source, at_ms];
                tx.write(sql::BEGIN_KNOWLEDGE_VERSION, args).await?;
                tx.write(sql::ABANDON_KNOWLEDGE_VERSIONS, args![business, document]).await?;
                tx.write(sql::DELETE_OTHER_KNOWLEDGE_CHUNKS, args![business, document, serving]).await?;
                tx.write(sql::DELETE_OTHER_MENTIONS, args![business, document, serving]).await?;
                tx.write(sql::DELETE_OTHER_RELATIONS, args![business, document, serving]).await?;
                let args = args![business, document, version, bytes, new.sha256, at_ms];
                tx.write(sql::INSERT_KNOWLEDGE_VERSION, args).await?;
                tx.commit().await?;
                Ok(VersionId { document: DocumentId(document), version })
            })
            .await
    }

    async fn add_chunks(&self, scope: &TenantScope, version: VersionId, chunks: &[StoredChunk]) -> Answer<()> {
        let texts: Vec<String> = chunks.iter().map(|chunk| chunk.passage.sentences.join("\n")).collect();
        let row = |(chunk, text): (&'_ StoredChunk, &'_ String)| {
            args![
                scope.business.0,
                version.document.0,
                version.version,
                chunk.ordinal,
                chunk.id.clone(),
                chunk.passage.heading.clone(),
                chunk.passage.page,
                text.clone(),
                chunk.vectors.clone(),
            ]
        };
        let mut tx = self.db.begin(scope).await?;
        tx.write_many(sql::INSERT_KNOWLEDGE_CHUNK, chunks.iter().zip(&texts).map(row).collect()).await?;
        tx.commit().await
    }

    async fn publish_version(
        &self,
        scope: &TenantScope,
        version: VersionId,
        whole: &WholeVersion<'_>,
        at_ms: i64,
    ) -> Answer<()> {
        let (business, document, number) = (scope.business.0, version.document.0, version.version);
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::KNOWLEDGE_VERSION_TO_CHANGE, args![business, document]).await?;
        if row.ok_or(missing("document"))?.get::<u32>("latest")? != number {
            return Err(overtaken());
        }
        let counted = tx.read_one(sql::COUNT_KNOWLEDGE_CHUNKS, args![business, document, number]).await?;
        if counted.ok_or(missing("document"))?.get::<u32>("chunks")? != whole.chunks {
            return Err(StoreError::Conflict("chunks of the version are missing".into()));
        }
        tx.write(sql::REPLACE_KNOWLEDGE_VERSIONS, args![business, document]).await?;
        let args = args![business, document, number, whole.kind, whole.pages, whole.chunks, whole.space, at_ms];
        if tx.write(sql::READY_KNOWLEDGE_VERSION, args).await? != 1 {
            return Err(overtaken());
        }
        let args = args![business, document, number, whole.title, at_ms];
        tx.write(sql::SERVE_KNOWLEDGE_VERSION, args).await?;
        tx.write(sql::DELETE_OTHER_KNOWLEDGE_CHUNKS, args![business, document, number]).await?;
        tx.write(sql::DELETE_OTHER_MENTIONS, args![business, document, number]).await?;
        tx.write(sql::DELETE_OTHER_RELATIONS, args![business, document, number]).await?;
        super::graph::prune(&mut tx, business).await?;
        tx.write(sql::RAISE_KNOWLEDGE_REVISION, args![business]).await?;
        tx.commit().await
    }

    async fn fail_version(
        &self,
        scope: &TenantScope,
        version: VersionId,
        code: &str,
        why: &str,
        at_ms: i64,
    ) -> Answer<()> {
        let (business, document, number) = (scope.business.0, version.document.0, version.version);
        let mut tx = self.db.begin(scope).await?;
        if tx.write(sql::FAIL_KNOWLEDGE_VERSION, args![business, document, number, code, why]).await? == 1 {
            tx.write(sql::DELETE_KNOWLEDGE_CHUNKS_OF, args![business, document, number]).await?;
            tx.write(sql::DELETE_VERSION_MENTIONS, args![business, document, number]).await?;
            tx.write(sql::DELETE_VERSION_RELATIONS, args![business, document, number]).await?;
            super::graph::prune(&mut tx, business).await?;
            tx.write(sql::TOUCH_KNOWLEDGE_DOCUMENT, args![business, document, at_ms]).await?;
        }
        tx.commit().await
    }

    async fn knowledge_documents(
        &self,
        scope: &TenantScope,
        after_slug: Option<&str>,
    ) -> Answer<Vec<KnowledgeDocument>> {
        let args = args![scope.business.0, after_slug.unwrap_or(""), PAGE];
        self.db.read(scope, sql::KNOWLEDGE_DOCUMENTS, args).await?.iter().map(read_document).collect()
    }

    async fn knowledge_document(&self, scope: &TenantScope, slug: &str) -> Answer<KnowledgeDocument> {
        read_document(&self.need(scope, "document", sql::KNOWLEDGE_DOCUMENT, args![scope.business.0, slug]).await?)
    }

    async fn document_versions(&self, scope: &TenantScope, slug: &str) -> Answer<Vec<DocumentVersion>> {
        let rows = self.db.read(scope, sql::KNOWLEDGE_VERSIONS, args![scope.business.0, slug, PAGE]).await?;
        rows.iter().map(read_version).collect()
    }

    async fn delete_knowledge(&self, scope: &TenantScope, slug: &str) -> Answer<bool> {
        let business = scope.business.0;
        let mut tx = self.db.begin(scope).await?;
        // A text that came with the business would be taken in again.
        tx.write(sql::DELETE_DOCUMENT, args![business, slug]).await?;
        let Some(row) = tx.read_one(sql::KNOWLEDGE_DOCUMENT_TO_CHANGE, args![business, slug]).await? else {
            return Ok(false);
        };
        let document: Uuid = row.get("id")?;
        tx.write(sql::DELETE_KNOWLEDGE_CHUNKS, args![business, document]).await?;
        tx.write(sql::DELETE_DOCUMENT_MENTIONS, args![business, document]).await?;
        tx.write(sql::DELETE_DOCUMENT_RELATIONS, args![business, document]).await?;
        super::graph::prune(&mut tx, business).await?;
        tx.write(sql::DELETE_KNOWLEDGE_VERSIONS, args![business, document]).await?;
        tx.write(sql::DELETE_KNOWLEDGE_DOCUMENT, args![business, document]).await?;
        tx.write(sql::RAISE_KNOWLEDGE_REVISION, args![business]).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn serving_chunks(&self, scope: &TenantScope, after: Option<(DocumentId, u32)>) -> Answer<Vec<StoredChunk>> {
        let (document, ordinal) = after.map_or((Uuid::nil(), -1), |(document, at)| (document.0, i64::from(at)));
        let args = args![scope.business.0, document, ordinal, PAGE];
        self.db.read(scope, sql::SERVING_KNOWLEDGE_CHUNKS, args).await?.iter().map(read_chunk).collect()
    }

    async fn document_chunks(
        &self,
        scope: &TenantScope,
        document: DocumentId,
        after: Option<u32>,
    ) -> Answer<Vec<StoredChunk>> {
        let args = args![scope.business.0, document.0, after.map_or(-1, i64::from), PAGE];
        self.db.read(scope, sql::KNOWLEDGE_CHUNKS_OF_DOCUMENT, args).await?.iter().map(read_chunk).collect()
    }

    async fn knowledge_revision(&self, scope: &TenantScope) -> Answer<u64> {
        let row = self.db.read_one(scope, sql::KNOWLEDGE_REVISION, args![scope.business.0]).await?;
        row.map_or(Ok(0), |row| row.get("revision"))
    }

    async fn add_gap(&self, scope: &TenantScope, gap: &Gap) -> Answer<()> {
        let business = scope.business.0;
        let mut tx = self.db.begin(scope).await?;
        let question = gap.question.expose().as_str();
        let args = args![gap.id.0, business, question, gap.asked_at_ms, &gap.space, &gap.vector];
        tx.write(sql::INSERT_KNOWLEDGE_GAP, args).await?;
        let kept = to_i64(limits::KNOWLEDGE_GAPS_MAX as u64)?;
        tx.write(sql::PRUNE_KNOWLEDGE_GAPS, args![business, kept]).await?;
        tx.commit().await
    }

    async fn gaps(&self, scope: &TenantScope, after: Option<Cursor>) -> Answer<Vec<Gap>> {
        let after = after.unwrap_or(Cursor { at_ms: i64::MAX, id: Uuid::max() });
        let args = args![scope.business.0, after.at_ms, after.id, PAGE];
        self.db.read(scope, sql::KNOWLEDGE_GAPS, args).await?.iter().map(read_gap).collect()
    }

    async fn delete_gaps(&self, scope: &TenantScope, ids: &[GapId]) -> Answer<u64> {
        let mut tx = self.db.begin(scope).await?;
        let mut count = 0;
        for id in ids {
            count += tx.write(sql::DELETE_KNOWLEDGE_GAP, args![scope.business.0, id.0]).await?;
        }
        tx.commit().await?;
        Ok(count)
    }
}
