//! Recorded calls that were heard for what they teach, and what they propose.

use super::statements;

statements! {
    INSERT_HEARD_CALL = "INSERT INTO heard_calls (id, business, name, sha256, duration_ms, utterances, left_out, at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (business, sha256) DO NOTHING";
    HEARD_CALLS_TOO_MANY = "SELECT id FROM heard_calls WHERE business = $1 ORDER BY at_ms DESC, id DESC LIMIT 100 OFFSET $2";
    BUSINESSES_OF_HEARD_CALLS = "SELECT DISTINCT business FROM heard_calls WHERE at_ms < $1 LIMIT $2";
    HEARD_CALLS_BEFORE = "SELECT id FROM heard_calls WHERE business = $1 AND at_ms < $2 LIMIT $3";
    HEARD_CALL = "SELECT id, name, sha256, duration_ms, utterances, left_out, at_ms FROM heard_calls
        WHERE business = $1 AND id = $2";
    HEARD_CALL_OF = "SELECT id FROM heard_calls WHERE business = $1 AND sha256 = $2";
    HEARD_CALLS = "SELECT id, name, sha256, duration_ms, left_out, at_ms FROM heard_calls
        WHERE business = $1 AND (at_ms, id) < ($2, $3) ORDER BY at_ms DESC, id DESC LIMIT $4";
    DELETE_HEARD_CALL = "DELETE FROM heard_calls WHERE business = $1 AND id = $2";

    INSERT_PROPOSAL = "INSERT INTO proposals
            (id, business, heard, source, from_ms, question, answer, state, space, vector, created_at_ms, updated_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)";
    DELETE_PROPOSALS_OF_CALL = "DELETE FROM proposals WHERE business = $1 AND heard = $2 AND state = 'open'";
    CUT_PROPOSALS_OF_CALL = "UPDATE proposals SET heard = NULL WHERE business = $1 AND heard = $2";
    PROPOSAL = "SELECT id, heard, source, from_ms, question, answer, state, space, vector, created_at_ms, updated_at_ms
        FROM proposals WHERE business = $1 AND id = $2";
    PROPOSALS = "SELECT id, heard, source, from_ms, question, answer, state, space, vector, created_at_ms, updated_at_ms
        FROM proposals WHERE business = $1 AND state = $2 AND (created_at_ms, id) < ($3, $4)
        ORDER BY created_at_ms DESC, id DESC LIMIT $5";
    CHANGE_PROPOSAL = "UPDATE proposals SET question = $3, answer = $4, updated_at_ms = $5
        WHERE business = $1 AND id = $2 AND state = 'open'
        RETURNING id, heard, source, from_ms, question, answer, state, space, vector, created_at_ms, updated_at_ms";
    SETTLE_PROPOSAL = "UPDATE proposals SET state = $3, updated_at_ms = $4
        WHERE business = $1 AND id = $2 AND state = 'open'";
}
