//! Mails that wait to be handed over.

use super::statements;

statements! {
    INSERT_MAIL = "INSERT INTO mails (id, business, purpose, dispatch, sealed, begun_at_ms, created_at_ms)
        VALUES ($1, $2, $3, $4, $5, NULL, $6)";
    MAIL = "SELECT id, purpose, dispatch, sealed, begun_at_ms FROM mails WHERE business = $1 AND id = $2";
    BEGIN_MAIL = "UPDATE mails SET begun_at_ms = $3 WHERE business = $1 AND id = $2";
    FORGET_MAIL = "DELETE FROM mails WHERE business = $1 AND id = $2";
    PRUNE_MAILS = "DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE created_at_ms < $1 LIMIT $2)";
}
