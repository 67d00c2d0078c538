//! What documents name and say of it.

use super::statements;

statements! {
    ENTITY_OF_NAME = "SELECT n.entity FROM knowledge_entity_names n WHERE n.business = $1 AND n.key = $2";
    INSERT_ENTITY = "INSERT INTO knowledge_entities
            (id, business, kind, name, key, aliases, origin, hidden, created_at_ms, updated_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, FALSE, $8, $8)";
    INSERT_ENTITY_NAME = "INSERT INTO knowledge_entity_names (business, key, entity) VALUES ($1, $2, $3)
        ON CONFLICT (business, key) DO NOTHING";
    DELETE_ENTITY = "DELETE FROM knowledge_entities WHERE business = $1 AND id = $2";
    DELETE_ENTITY_NAMES = "DELETE FROM knowledge_entity_names WHERE business = $1 AND entity = $2";
    COUNT_ENTITIES = "SELECT COUNT(*) AS entities FROM knowledge_entities WHERE business = $1";
    INSERT_MENTION = "INSERT INTO knowledge_mentions (business, document, version, ordinal, entity, heading)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (business, document, version, ordinal, entity) DO NOTHING";
    INSERT_RELATION = "INSERT INTO knowledge_relations
            (id, business, subject, predicate, object, value, negated, document, version, ordinal, heading, quote)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    DENIALS_OF = "SELECT predicate, value FROM knowledge_denials WHERE business = $1 AND subject = $2";
    INSERT_DENIAL = "INSERT INTO knowledge_denials (business, subject, predicate, value) VALUES ($1, $2, $3, $4)
        ON CONFLICT (business, subject, predicate, value) DO NOTHING";
    DELETE_DENIALS_OF = "DELETE FROM knowledge_denials WHERE business = $1 AND subject = $2";
    GRAPH_ENTITIES = "SELECT COUNT(*) AS entities FROM knowledge_entities e
        WHERE e.business = $1 AND e.hidden = FALSE AND (e.origin <> 'found' OR EXISTS (
            SELECT 1 FROM knowledge_mentions m
                JOIN knowledge_documents d ON d.business = m.business AND d.id = m.document AND d.serving = m.version
            WHERE m.business = e.business AND m.entity = e.id))";
    GRAPH_RELATIONS = "SELECT COUNT(*) AS relations FROM knowledge_relations r
            JOIN knowledge_entities e ON e.business = r.business AND e.id = r.subject AND e.hidden = FALSE
            LEFT JOIN knowledge_documents d ON d.business = r.business AND d.id = r.document
        WHERE r.business = $1 AND (r.document IS NULL OR d.serving = r.version)";
    ENTITIES = "SELECT e.id, e.kind, e.name, e.key, e.aliases, e.origin, e.created_at_ms, e.updated_at_ms,
            (SELECT COUNT(*) FROM knowledge_mentions m
                JOIN knowledge_documents d ON d.business = m.business AND d.id = m.document AND d.serving = m.version
                WHERE m.business = e.business AND m.entity = e.id) AS mentions,
            (SELECT COUNT(DISTINCT m.document) FROM knowledge_mentions m
                JOIN knowledge_documents d ON d.business = m.business AND d.id = m.document AND d.serving = m.version
                WHERE m.business = e.business AND m.entity = e.id) AS documents,
            (SELECT COUNT(*) FROM knowledge_relations r
                LEFT JOIN knowledge_documents d ON d.business = r.business AND d.id = r.document
                WHERE r.business = e.business AND (r.subject = e.id OR r.object = e.id)
                    AND (r.document IS NULL OR d.serving = r.version)) AS relations
        FROM knowledge_entities e
        WHERE e.business = $1 AND e.hidden = FALSE AND (e.kind = $2 OR $2 IS NULL)
            AND (e.key, e.id) > ($3, $4)
            AND (EXISTS (SELECT 1 FROM knowledge_entity_names n
                WHERE n.business = e.business AND n.entity = e.id AND n.key LIKE $5 ESCAPE '!') OR $5 IS NULL)
            AND (e.origin <> 'found' OR EXISTS (SELECT 1 FROM knowledge_mentions m
                JOIN knowledge_documents d ON d.business = m.business AND d.id = m.document AND d.serving = m.version
                WHERE m.business = e.business AND m.entity = e.id))
        ORDER BY e.key, e.id LIMIT $6";
    MAIN_ENTITIES = "SELECT e.id, e.kind, e.name, e.key, e.aliases, e.origin, e.created_at_ms, e.updated_at_ms,
            (SELECT COUNT(*) FROM knowledge_mentions m
                JOIN knowledge_documents d ON d.business = m.business AND d.id = m.document AND d.serving = m.version
                WHERE m.business = e.business AND m.entity = e.id) AS mentions,
            (SELECT COUNT(DISTINCT m.document) FROM knowledge_mentions m
                JOIN knowledge_documents d ON d.business = m.business AND d.id = m.document AND d.serving = m.version
                WHERE m.business = e.business AND m.entity = e.id) AS documents,
            (SELECT COUNT(*) FROM knowledge_relations r
                LEFT JOIN knowledge_documents d ON d.business = r.business AND d.id = r.document
                WHERE r.business = e.business AND (r.subject = e.id OR r.object = e.id)
                    AND (r.document IS NULL OR d.serving = r.version)) AS relations
        FROM knowledge_entities e
        WHERE e.business = $1 AND e.hidden = FALSE AND (e.kind = $2 OR $2 IS NULL)
            AND (EXISTS (SELECT 1 FROM knowledge_entity_names n
                WHERE n.business = e.business AND n.entity = e.id AND n.key LIKE $3 ESCAPE '!') OR $3 IS NULL)
            AND (e.origin <> 'found' OR EXISTS (SELECT 1 FROM knowledge_mentions m
                JOIN knowledge_documents d ON d.business = m.business AND d.id = m.document AND d.serving = m.version
                WHERE m.business = e.business AND m.entity = e.id))
        ORDER BY mentions DESC, e.key, e.id LIMIT $4";
    ENTITY = "SELECT e.id, e.kind, e.name, e.key, e.aliases, e.origin, e.created_at_ms, e.updated_at_ms,
            (SELECT COUNT(*) FROM knowledge_mentions m
                JOIN knowledge_documents d ON d.business = m.business AND d.id = m.document AND d.serving = m.version
                WHERE m.business = e.business AND m.entity = e.id) AS mentions,
            (SELECT COUNT(DISTINCT m.document) FROM knowledge_mentions m
                JOIN knowledge_documents d ON d.business = m.business AND d.id = m.document AND d.serving = m.version
                WHERE m.business = e.business AND m.entity = e.id) AS documents,
            (SELECT COUNT(*) FROM knowledge_relations r
                LEFT JOIN knowledge_documents d ON d.business = r.business AND d.id = r.document
                WHERE r.business = e.business AND (r.subject = e.id OR r.object = e.id)
                    AND (r.document IS NULL OR d.serving = r.version)) AS relations
        FROM knowledge_entities e WHERE e.business = $1 AND e.id = $2 AND e.hidden = FALSE";
    ENTITY_TO_CHANGE = locking "SELECT name, aliases, origin FROM knowledge_entities
        WHERE business = $1 AND id = $2 AND hidden = FALSE";
    CORRECT_ENTITY = "UPDATE knowledge_entities
        SET kind = $3, name = $4, key = $5, aliases = $6, origin = $7, updated_at_ms = $8 WHERE business = $1 AND id = $2";
    HIDE_ENTITY = "UPDATE knowledge_entities SET hidden = TRUE WHERE business = $1 AND id = $2";
    RELATIONS = "SELECT r.id, r.subject, e.name AS subject_name, r.predicate, r.object, r.value, r.negated, r.document, r.ordinal,
            r.heading, r.quote, d.slug, d.title
        FROM knowledge_relations r
            JOIN knowledge_entities e ON e.business = r.business AND e.id = r.subject AND e.hidden = FALSE
            LEFT JOIN knowledge_documents d ON d.business = r.business AND d.id = r.document
        WHERE r.business = $1 AND r.id > $2 AND (r.document IS NULL OR d.serving = r.version) ORDER BY r.id LIMIT $3";
    RELATIONS_OF = "SELECT r.id, r.subject, e.name AS subject_name, r.predicate, r.object, r.value, r.negated, r.document, r.ordinal,
            r.heading, r.quote, d.slug, d.title
        FROM knowledge_relations r
            JOIN knowledge_entities e ON e.business = r.business AND e.id = r.subject AND e.hidden = FALSE
            LEFT JOIN knowledge_documents d ON d.business = r.business AND d.id = r.document
        WHERE r.business = $1 AND (r.subject = $2 OR r.object = $2) AND r.id > $3
            AND (r.document IS NULL OR d.serving = r.version) ORDER BY r.id LIMIT $4";
    RELATION = "SELECT r.id, r.subject, e.name AS subject_name, r.predicate, r.object, r.value, r.negated, r.document, r.ordinal,
            r.heading, r.quote, d.slug, d.title
        FROM knowledge_relations r
            JOIN knowledge_entities e ON e.business = r.business AND e.id = r.subject AND e.hidden = FALSE
            LEFT JOIN knowledge_documents d ON d.business = r.business AND d.id = r.document
        WHERE r.business = $1 AND r.id = $2 AND (r.document IS NULL OR d.serving = r.version)";
    DELETE_SAME_RELATIONS = "DELETE FROM knowledge_relations
        WHERE business = $1 AND subject = $2 AND predicate = $3 AND value = $4";
    DELETE_RELATIONS_OF = "DELETE FROM knowledge_relations WHERE business = $1 AND (subject = $2 OR object = $2)";
    MOVE_ENTITY_NAMES = "UPDATE knowledge_entity_names SET entity = $3 WHERE business = $1 AND entity = $2";
    COPY_MENTIONS = "INSERT INTO knowledge_mentions (business, document, version, ordinal, entity, heading)
        SELECT m.business, m.document, m.version, m.ordinal, $3, m.heading FROM knowledge_mentions m
        WHERE m.business = $1 AND m.entity = $2 ON CONFLICT (business, document, version, ordinal, entity) DO NOTHING";
    DELETE_MENTIONS_OF = "DELETE FROM knowledge_mentions WHERE business = $1 AND entity = $2";
    MOVE_SUBJECTS = "UPDATE knowledge_relations SET subject = $3 WHERE business = $1 AND subject = $2";
    MOVE_OBJECTS = "UPDATE knowledge_relations SET object = $3 WHERE business = $1 AND object = $2";
    MENTIONS = "SELECT m.entity, m.document, m.ordinal, m.heading, d.slug, d.title FROM knowledge_mentions m
            JOIN knowledge_documents d ON d.business = m.business AND d.id = m.document AND d.serving = m.version
            JOIN knowledge_entities e ON e.business = m.business AND e.id = m.entity AND e.hidden = FALSE
        WHERE m.business = $1 AND (m.document, m.ordinal, m.entity) > ($2, $3, $4)
        ORDER BY m.document, m.ordinal, m.entity LIMIT $5";
    MENTIONS_OF = "SELECT m.entity, m.document, m.ordinal, m.heading, d.slug, d.title FROM knowledge_mentions m
            JOIN knowledge_documents d ON d.business = m.business AND d.id = m.document AND d.serving = m.version
        WHERE m.business = $1 AND m.entity = $2 AND (m.document, m.ordinal) > ($3, $4)
        ORDER BY m.document, m.ordinal LIMIT $5";
    DELETE_OTHER_MENTIONS = "DELETE FROM knowledge_mentions WHERE business = $1 AND document = $2 AND version <> $3";
    DELETE_OTHER_RELATIONS = "DELETE FROM knowledge_relations WHERE business = $1 AND document = $2 AND version <> $3";
    DELETE_VERSION_MENTIONS = "DELETE FROM knowledge_mentions WHERE business = $1 AND document = $2 AND version = $3";
    DELETE_VERSION_RELATIONS = "DELETE FROM knowledge_relations WHERE business = $1 AND document = $2 AND version = $3";
    DELETE_DOCUMENT_MENTIONS = "DELETE FROM knowledge_mentions WHERE business = $1 AND document = $2";
    DELETE_DOCUMENT_RELATIONS = "DELETE FROM knowledge_relations WHERE business = $1 AND document = $2";
    PRUNE_ENTITY_NAMES = "DELETE FROM knowledge_entity_names WHERE business = $1 AND entity IN (
        SELECT e.id FROM knowledge_entities e WHERE e.business = $1 AND (e.origin = 'found' OR e.hidden = TRUE)
            AND NOT EXISTS (SELECT 1 FROM knowledge_mentions m WHERE m.business = $1 AND m.entity = e.id)
            AND NOT EXISTS (SELECT 1 FROM knowledge_relations r WHERE r.business = $1 AND (r.subject = e.id OR r.object = e.id)))";
    PRUNE_DENIALS = "DELETE FROM knowledge_denials WHERE business = $1 AND subject NOT IN (
        SELECT n.entity FROM knowledge_entity_names n WHERE n.business = $1)";
    PRUNE_ENTITIES = "DELETE FROM knowledge_entities WHERE business = $1 AND NOT EXISTS (
        SELECT 1 FROM knowledge_entity_names n WHERE n.business = $1 AND n.entity = knowledge_entities.id)";
}
