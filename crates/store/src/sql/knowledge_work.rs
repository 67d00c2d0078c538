//! Work on what businesses know: jobs with their progress, sites, questions with known answers, reports.

use super::statements;

statements! {
    INSERT_KNOWLEDGE_WORK = "INSERT INTO knowledge_works
            (id, business, kind, state, source, progress, created_at_ms, updated_at_ms, finished_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    PRUNE_KNOWLEDGE_WORKS = "DELETE FROM knowledge_works WHERE business = $1 AND id IN (
        SELECT id FROM knowledge_works WHERE business = $1 ORDER BY created_at_ms DESC, id DESC LIMIT 100 OFFSET $2)";
    UPDATE_KNOWLEDGE_WORK = "UPDATE knowledge_works SET state = $3, progress = $4, updated_at_ms = $5, finished_at_ms = $6
        WHERE business = $1 AND id = $2 AND finished_at_ms IS NULL";
    KNOWLEDGE_WORK = "SELECT id, kind, state, source, progress, created_at_ms, updated_at_ms, finished_at_ms
        FROM knowledge_works WHERE business = $1 AND id = $2";
    KNOWLEDGE_WORKS = "SELECT id, kind, state, source, progress, created_at_ms, updated_at_ms, finished_at_ms
        FROM knowledge_works WHERE business = $1 AND (created_at_ms, id) < ($2, $3)
        ORDER BY created_at_ms DESC, id DESC LIMIT $4";

    INSERT_KNOWLEDGE_SITE = "INSERT INTO knowledge_sites
            (id, business, url, pages_max, depth_max, every_hours, next_at_ms, last_work, created_at_ms, updated_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (business, url) DO NOTHING";
    COUNT_KNOWLEDGE_SITES = "SELECT COUNT(*) AS count FROM knowledge_sites WHERE business = $1";
    OTHER_KNOWLEDGE_SITE = "SELECT id FROM knowledge_sites WHERE business = $1 AND url = $2 AND id <> $3";
    UPDATE_KNOWLEDGE_SITE = "UPDATE knowledge_sites SET url = $3, pages_max = $4, depth_max = $5, every_hours = $6,
            next_at_ms = $7, updated_at_ms = $8 WHERE business = $1 AND id = $2";
    VISIT_KNOWLEDGE_SITE = "UPDATE knowledge_sites SET last_work = $3, next_at_ms = $4 WHERE business = $1 AND id = $2";
    KNOWLEDGE_SITE = "SELECT id, url, pages_max, depth_max, every_hours, next_at_ms, last_work, created_at_ms, updated_at_ms
        FROM knowledge_sites WHERE business = $1 AND id = $2";
    KNOWLEDGE_SITES = "SELECT id, url, pages_max, depth_max, every_hours, next_at_ms, last_work, created_at_ms, updated_at_ms
        FROM knowledge_sites WHERE business = $1 ORDER BY created_at_ms, id LIMIT $2";
    DELETE_KNOWLEDGE_SITE = "DELETE FROM knowledge_sites WHERE business = $1 AND id = $2";
    DUE_KNOWLEDGE_SITES = "SELECT business, id, url, pages_max, depth_max, every_hours, next_at_ms, last_work, created_at_ms,
            updated_at_ms
        FROM knowledge_sites WHERE next_at_ms <= $1 ORDER BY next_at_ms LIMIT $2";

    INSERT_KNOWLEDGE_QUESTION = "INSERT INTO knowledge_questions
            (id, business, question, expected, origin, created_at_ms, updated_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $6)";
    COUNT_KNOWLEDGE_QUESTIONS = "SELECT COUNT(*) AS count FROM knowledge_questions WHERE business = $1";
    UPDATE_KNOWLEDGE_QUESTION = "UPDATE knowledge_questions SET question = $3, expected = $4, updated_at_ms = $5
        WHERE business = $1 AND id = $2
        RETURNING id, question, expected, origin, created_at_ms, updated_at_ms";
    DELETE_KNOWLEDGE_QUESTION = "DELETE FROM knowledge_questions WHERE business = $1 AND id = $2";
    KNOWLEDGE_QUESTIONS = "SELECT id, question, expected, origin, created_at_ms, updated_at_ms FROM knowledge_questions
        WHERE business = $1 AND (created_at_ms, id) < ($2, $3) ORDER BY created_at_ms DESC, id DESC LIMIT $4";

    INSERT_KNOWLEDGE_REPORT = "INSERT INTO knowledge_reports (id, business, at_ms, report) VALUES ($1, $2, $3, $4)";
    PRUNE_KNOWLEDGE_REPORTS = "DELETE FROM knowledge_reports WHERE business = $1 AND id IN (
        SELECT id FROM knowledge_reports WHERE business = $1 ORDER BY at_ms DESC, id DESC LIMIT 100 OFFSET $2)";
    KNOWLEDGE_REPORT = "SELECT id, at_ms, report FROM knowledge_reports WHERE business = $1 AND id = $2";
    KNOWLEDGE_REPORTS = "SELECT id, at_ms, report FROM knowledge_reports
        WHERE business = $1 AND (at_ms, id) < ($2, $3) ORDER BY at_ms DESC, id DESC LIMIT $4";
}
