//! What lies in a vector store elsewhere.

use super::statements;

statements! {
    BEGIN_KNOWLEDGE_MIRROR = "INSERT INTO knowledge_mirrors (business, place, document, version, passages, whole)
        VALUES ($1, $2, $3, $4, $5, 0)
        ON CONFLICT (business, place, document, version) DO UPDATE SET whole = 0, passages = excluded.passages";
    FINISH_KNOWLEDGE_MIRROR = "UPDATE knowledge_mirrors SET whole = 1
        WHERE business = $1 AND place = $2 AND document = $3 AND version = $4";
    FORGET_KNOWLEDGE_MIRROR = "DELETE FROM knowledge_mirrors
        WHERE business = $1 AND place = $2 AND document = $3 AND version = $4";
    KNOWLEDGE_MIRRORS = "SELECT document, version, passages, whole FROM knowledge_mirrors
        WHERE business = $1 AND place = $2 AND (document, version) > ($3, $4) ORDER BY document, version LIMIT $5";
    COUNT_UNMIRRORED_KNOWLEDGE = "SELECT COUNT(*) AS missing FROM knowledge_documents d
        WHERE d.business = $1 AND d.serving > 0 AND NOT EXISTS (SELECT 1 FROM knowledge_mirrors m
            WHERE m.business = d.business AND m.place = $2 AND m.document = d.id AND m.version = d.serving AND m.whole = 1)";
    UNMIRRORED_KNOWLEDGE = "SELECT business FROM (
            SELECT d.business FROM knowledge_documents d WHERE d.serving > 0 AND NOT EXISTS (
                SELECT 1 FROM knowledge_mirrors m WHERE m.business = d.business AND m.place = $1 AND m.document = d.id
                    AND m.version = d.serving AND m.whole = 1)
            UNION
            SELECT m.business FROM knowledge_mirrors m WHERE m.place = $1 AND NOT EXISTS (
                SELECT 1 FROM knowledge_documents d WHERE d.business = m.business AND d.id = m.document
                    AND d.serving = m.version)
        ) AS unlike ORDER BY business LIMIT $2";
}
