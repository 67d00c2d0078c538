//! What agents are taught, and what they learned of it.

use super::statements;

statements! {
    AGENT_LESSON = "SELECT draft, serving, updated_at_ms FROM agent_lessons WHERE business = $1 AND agent = $2";
    AGENT_LESSON_TO_CHANGE = locking "SELECT serving FROM agent_lessons WHERE business = $1 AND agent = $2";
    PUT_AGENT_LESSON = "INSERT INTO agent_lessons (business, agent, draft, serving, updated_at_ms) VALUES ($1, $2, $3, 0, $4)
        ON CONFLICT (business, agent) DO UPDATE SET draft = excluded.draft, updated_at_ms = excluded.updated_at_ms";
    LAST_AGENT_TRAINING = "SELECT COALESCE(MAX(version), 0) AS version FROM agent_trainings WHERE business = $1 AND agent = $2";
    INSERT_AGENT_TRAINING = "INSERT INTO agent_trainings (business, agent, version, lesson, model, space, report, trained_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    PRUNE_AGENT_TRAININGS = "DELETE FROM agent_trainings WHERE business = $1 AND agent = $2 AND version <= $3";
    SERVE_AGENT_TRAINING = "UPDATE agent_lessons SET serving = $3 WHERE business = $1 AND agent = $2";
    AGENT_TRAINING = "SELECT version, lesson, model, space, report, trained_at_ms FROM agent_trainings
        WHERE business = $1 AND agent = $2 AND version = $3";
    AGENT_TRAININGS = "SELECT version, lesson, space, report, trained_at_ms FROM agent_trainings
        WHERE business = $1 AND agent = $2 ORDER BY version DESC LIMIT $3";
    AGENT_TRAINING_EXISTS = "SELECT 1 AS one FROM agent_trainings WHERE business = $1 AND agent = $2 AND version = $3";
}
