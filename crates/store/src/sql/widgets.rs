//! Widgets on websites.

use super::statements;

statements! {
    COUNT_WIDGETS = "SELECT COUNT(*) AS count FROM widgets WHERE business = $1";
    INSERT_WIDGET = "INSERT INTO widgets (id, business, key, settings, created_at_ms, updated_at_ms, version)
        VALUES ($1, $2, $3, $4, $5, $5, 1)";
    WIDGET = "SELECT id, business, key, settings, created_at_ms, updated_at_ms, version FROM widgets
        WHERE business = $1 AND id = $2";
    WIDGETS = "SELECT id, business, key, settings, created_at_ms, updated_at_ms, version FROM widgets
        WHERE business = $1 ORDER BY created_at_ms, id LIMIT $2";
    WIDGET_BY_KEY = "SELECT id, business, key, settings, created_at_ms, updated_at_ms, version FROM widgets WHERE key = $1";
    WIDGET_TO_CHANGE = locking "SELECT version FROM widgets WHERE business = $1 AND id = $2";
    UPDATE_WIDGET = "UPDATE widgets SET settings = $3, updated_at_ms = $4, version = version + 1
        WHERE business = $1 AND id = $2";
    DELETE_WIDGET = "DELETE FROM widgets WHERE business = $1 AND id = $2
        AND (version = CAST($3 AS BIGINT) OR CAST($3 AS BIGINT) IS NULL)";
}
