//! Documents in versions, chunks, unanswered questions.

use super::statements;

statements! {
    INSERT_KNOWLEDGE_DOCUMENT = "INSERT INTO knowledge_documents
            (id, business, slug, title, source, serving, latest, created_at_ms, updated_at_ms)
        VALUES ($1, $2, $3, $4, $5, 0, 0, $6, $6) ON CONFLICT (business, slug) DO NOTHING";
    KNOWLEDGE_DOCUMENT_TO_CHANGE = locking "SELECT id, serving, latest FROM knowledge_documents WHERE business = $1 AND slug = $2";
    KNOWLEDGE_VERSION_TO_CHANGE = locking "SELECT id, serving, latest FROM knowledge_documents WHERE business = $1 AND id = $2";
    BEGIN_KNOWLEDGE_VERSION = "UPDATE knowledge_documents SET latest = $3, source = $4, updated_at_ms = $5
        WHERE business = $1 AND id = $2";
    INSERT_KNOWLEDGE_VERSION = "INSERT INTO knowledge_versions
            (business, document, version, status, bytes, sha256, pages, chunks, created_at_ms)
        VALUES ($1, $2, $3, 'indexing', $4, $5, 0, 0, $6)";
    ABANDON_KNOWLEDGE_VERSIONS = "UPDATE knowledge_versions SET status = 'failed', error_code = 'abandoned',
            error = 'it was not finished before the next version began'
        WHERE business = $1 AND document = $2 AND status = 'indexing'";
    DELETE_OTHER_KNOWLEDGE_CHUNKS = "DELETE FROM knowledge_chunks WHERE business = $1 AND document = $2 AND version <> $3";
    DELETE_KNOWLEDGE_CHUNKS_OF = "DELETE FROM knowledge_chunks WHERE business = $1 AND document = $2 AND version = $3";
    INSERT_KNOWLEDGE_CHUNK = "INSERT INTO knowledge_chunks
            (business, document, version, ordinal, id, heading, page, text, vectors)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    COUNT_KNOWLEDGE_CHUNKS = "SELECT COUNT(*) AS chunks FROM knowledge_chunks
        WHERE business = $1 AND document = $2 AND version = $3";
    SERVE_KNOWLEDGE_VERSION = "UPDATE knowledge_documents SET serving = $3, title = $4, updated_at_ms = $5
        WHERE business = $1 AND id = $2";
    REPLACE_KNOWLEDGE_VERSIONS = "UPDATE knowledge_versions SET status = 'replaced'
        WHERE business = $1 AND document = $2 AND status = 'ready'";
    READY_KNOWLEDGE_VERSION = "UPDATE knowledge_versions
        SET status = 'ready', kind = $4, pages = $5, chunks = $6, space = $7, ready_at_ms = $8
        WHERE business = $1 AND document = $2 AND version = $3 AND status = 'indexing'";
    FAIL_KNOWLEDGE_VERSION = "UPDATE knowledge_versions SET status = 'failed', error_code = $4, error = $5
        WHERE business = $1 AND document = $2 AND version = $3 AND status = 'indexing'";
    TOUCH_KNOWLEDGE_DOCUMENT = "UPDATE knowledge_documents SET updated_at_ms = $3 WHERE business = $1 AND id = $2";
    KNOWLEDGE_DOCUMENTS = "SELECT d.id, d.slug, d.title, d.source, d.serving, d.created_at_ms AS begun_at_ms, d.updated_at_ms,
            v.version, v.status, v.kind, v.error_code, v.error, v.bytes, v.sha256, v.pages, v.chunks, v.space,
            v.created_at_ms, v.ready_at_ms
        FROM knowledge_documents d JOIN knowledge_versions v
            ON v.business = d.business AND v.document = d.id AND v.version = d.latest
        WHERE d.business = $1 AND d.slug > $2 ORDER BY d.slug LIMIT $3";
    KNOWLEDGE_DOCUMENT = "SELECT d.id, d.slug, d.title, d.source, d.serving, d.created_at_ms AS begun_at_ms, d.updated_at_ms,
            v.version, v.status, v.kind, v.error_code, v.error, v.bytes, v.sha256, v.pages, v.chunks, v.space,
            v.created_at_ms, v.ready_at_ms
        FROM knowledge_documents d JOIN knowledge_versions v
            ON v.business = d.business AND v.document = d.id AND v.version = d.latest
        WHERE d.business = $1 AND d.slug = $2";
    KNOWLEDGE_VERSIONS = "SELECT v.version, v.status, v.kind, v.error_code, v.error, v.bytes, v.sha256, v.pages, v.chunks, v.space,
            v.created_at_ms, v.ready_at_ms
        FROM knowledge_documents d JOIN knowledge_versions v ON v.business = d.business AND v.document = d.id
        WHERE d.business = $1 AND d.slug = $2 ORDER BY v.version DESC LIMIT $3";
    DELETE_KNOWLEDGE_CHUNKS = "DELETE FROM knowledge_chunks WHERE business = $1 AND document = $2";
    DELETE_KNOWLEDGE_VERSIONS = "DELETE FROM knowledge_versions WHERE business = $1 AND document = $2";
    DELETE_KNOWLEDGE_DOCUMENT = "DELETE FROM knowledge_documents WHERE business = $1 AND id = $2";
    DELETE_DOCUMENT = "DELETE FROM documents WHERE business = $1 AND slug = $2";
    SERVING_KNOWLEDGE_CHUNKS = "SELECT c.document, c.ordinal, c.id, c.heading, c.page, c.text, c.vectors, d.title, v.space
        FROM knowledge_chunks c
            JOIN knowledge_documents d ON d.business = c.business AND d.id = c.document AND d.serving = c.version
            JOIN knowledge_versions v ON v.business = c.business AND v.document = c.document AND v.version = c.version
        WHERE c.business = $1 AND (c.document, c.ordinal) > ($2, $3) ORDER BY c.document, c.ordinal LIMIT $4";
    KNOWLEDGE_CHUNKS_OF_DOCUMENT = "SELECT c.document, c.ordinal, c.id, c.heading, c.page, c.text, c.vectors, d.title, v.space
        FROM knowledge_chunks c
            JOIN knowledge_documents d ON d.business = c.business AND d.id = c.document AND d.serving = c.version
            JOIN knowledge_versions v ON v.business = c.business AND v.document = c.document AND v.version = c.version
        WHERE c.business = $1 AND c.document = $2 AND c.ordinal > $3 ORDER BY c.ordinal LIMIT $4";
    KNOWLEDGE_REVISION = "SELECT revision FROM knowledge_revisions WHERE business = $1";
    RAISE_KNOWLEDGE_REVISION = "INSERT INTO knowledge_revisions (business, revision) VALUES ($1, 1)
        ON CONFLICT (business) DO UPDATE SET revision = knowledge_revisions.revision + 1";
    INSERT_KNOWLEDGE_GAP = "INSERT INTO knowledge_gaps (id, business, question, asked_at_ms, space, vector)
        VALUES ($1, $2, $3, $4, $5, $6)";
    PRUNE_KNOWLEDGE_GAPS = "DELETE FROM knowledge_gaps WHERE business = $1 AND id IN (
        SELECT id FROM knowledge_gaps WHERE business = $1 ORDER BY asked_at_ms DESC, id DESC LIMIT 100 OFFSET $2)";
    KNOWLEDGE_GAPS = "SELECT id, question, asked_at_ms, space, vector FROM knowledge_gaps
        WHERE business = $1 AND (asked_at_ms, id) < ($2, $3) ORDER BY asked_at_ms DESC, id DESC LIMIT $4";
    DELETE_KNOWLEDGE_GAP = "DELETE FROM knowledge_gaps WHERE business = $1 AND id = $2";
}
