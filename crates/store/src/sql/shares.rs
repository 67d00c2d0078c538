//! Calls that are shown to whoever has a link, and notes on calls.

use super::statements;

statements! {
    DROP_OLD_SHARES = "DELETE FROM call_shares WHERE business = $1 AND call = $2 AND expires_at_ms <= $3";
    COUNT_SHARES = "SELECT COUNT(*) AS count FROM call_shares WHERE business = $1 AND call = $2";
    INSERT_SHARE = "INSERT INTO call_shares (id, business, call, token_hash, recording, created_by, created_at_ms, expires_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    SHARES = "SELECT id, business, call, recording, created_by, created_at_ms, expires_at_ms FROM call_shares
        WHERE business = $1 AND call = $2 AND expires_at_ms > $3 ORDER BY created_at_ms DESC, id DESC LIMIT $4";
    REVOKE_SHARE = "DELETE FROM call_shares WHERE business = $1 AND call = $2 AND id = $3";
    SHARED_CALL = "SELECT id, business, call, recording, created_by, created_at_ms, expires_at_ms FROM call_shares
        WHERE token_hash = $1 AND expires_at_ms > $2";
    FORGET_SHARES = "DELETE FROM call_shares WHERE business = $1 AND call = $2";

    NOTE = "SELECT text, updated_by, updated_at_ms, version FROM call_notes WHERE business = $1 AND call = $2";
    NOTE_TO_CHANGE = locking "SELECT version FROM call_notes WHERE business = $1 AND call = $2";
    INSERT_NOTE = "INSERT INTO call_notes (business, call, text, updated_by, updated_at_ms, version)
        VALUES ($1, $2, $3, $4, $5, 1)";
    UPDATE_NOTE = "UPDATE call_notes SET text = $3, updated_by = $4, updated_at_ms = $5, version = version + 1
        WHERE business = $1 AND call = $2";
    FORGET_NOTE = "DELETE FROM call_notes WHERE business = $1 AND call = $2";
}
