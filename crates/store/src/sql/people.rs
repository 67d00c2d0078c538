//! People, sessions, keys, identity providers, and the audit log.

use super::statements;

statements! {
    INSERT_USER = "INSERT INTO users (id, business, email, name, role, active, verified_at_ms, password_hash, created_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    USER = "SELECT id, business, email, name, role, active, totp_on, password_hash, verified_at_ms, created_at_ms FROM users
        WHERE business = $1 AND id = $2";
    USER_TO_CHANGE = locking "SELECT id, business, email, name, role, active, totp_on, password_hash, verified_at_ms, created_at_ms
        FROM users WHERE business = $1 AND id = $2";
    OWNERS_TO_CHANGE = locking "SELECT id FROM users WHERE business = $1 AND role = 'owner' AND active";
    USERS = "SELECT id, business, email, name, role, active, totp_on, password_hash, verified_at_ms, created_at_ms FROM users
        WHERE business = $1 AND (created_at_ms, id) < ($2, $3) ORDER BY created_at_ms DESC, id DESC LIMIT $4";
    CHANGE_USER = "UPDATE users SET name = $3, role = $4, active = $5 WHERE business = $1 AND id = $2";
    ACCOUNT = "SELECT id, business, email, name, role, active, totp_on, password_hash, verified_at_ms, created_at_ms FROM users
        WHERE email = $1
        ORDER BY active DESC, verified_at_ms IS NULL, verified_at_ms, created_at_ms, id LIMIT 1";
    ACCOUNT_AT = "SELECT users.id, users.business, users.email, users.name, users.role, users.active, users.totp_on,
            users.password_hash, users.verified_at_ms, users.created_at_ms
        FROM users JOIN businesses ON businesses.id = users.business WHERE users.email = $1 AND businesses.slug = $2";
    SET_PASSWORD = "UPDATE users SET password_hash = $3 WHERE business = $1 AND id = $2";

    BEGIN_TOTP = "UPDATE users SET totp_sealed = $3, totp_step = 0 WHERE business = $1 AND id = $2 AND NOT totp_on";
    TOTP = "SELECT totp_sealed, totp_on FROM users WHERE business = $1 AND id = $2";
    USE_TOTP_STEP = "UPDATE users SET totp_step = $3, totp_on = TRUE
        WHERE business = $1 AND id = $2 AND totp_step < $3 AND totp_sealed IS NOT NULL";
    REMOVE_TOTP = "UPDATE users SET totp_sealed = NULL, totp_on = FALSE, totp_step = 0
        WHERE business = $1 AND id = $2 AND totp_sealed IS NOT NULL";
    SEALED_TOTPS = "SELECT id, business, totp_sealed AS sealed FROM users WHERE totp_sealed IS NOT NULL AND id > $1 ORDER BY id LIMIT $2";
    RESEAL_TOTP = "UPDATE users SET totp_sealed = $3 WHERE id = $1 AND totp_sealed = $2";
    FORGET_RECOVERY_CODES = "DELETE FROM recovery_codes WHERE business = $1 AND user_id = $2";
    INSERT_RECOVERY_CODE = "INSERT INTO recovery_codes (business, user_id, hash) VALUES ($1, $2, $3)";
    USE_RECOVERY_CODE = "DELETE FROM recovery_codes WHERE business = $1 AND user_id = $2 AND hash = $3";
    RECOVERY_CODES_LEFT = "SELECT COUNT(*) AS codes FROM recovery_codes WHERE business = $1 AND user_id = $2";

    INSERT_SESSION = "INSERT INTO sessions
            (id, business, user_id, method, user_agent, address, created_at_ms, seen_at_ms, expires_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    INSERT_REFRESH_TOKEN = "INSERT INTO refresh_tokens (hash, business, session) VALUES ($1, $2, $3)";
    REFRESH_TOKEN_TO_CHANGE = sqlite "SELECT refresh_tokens.business, refresh_tokens.session, refresh_tokens.used_at_ms,
            sessions.user_id, sessions.revoked_at_ms, sessions.expires_at_ms, users.active
        FROM refresh_tokens JOIN sessions ON sessions.id = refresh_tokens.session JOIN users ON users.id = sessions.user_id
        WHERE refresh_tokens.hash = $1"
        postgres "SELECT refresh_tokens.business, refresh_tokens.session, refresh_tokens.used_at_ms,
            sessions.user_id, sessions.revoked_at_ms, sessions.expires_at_ms, users.active
        FROM refresh_tokens JOIN sessions ON sessions.id = refresh_tokens.session JOIN users ON users.id = sessions.user_id
        WHERE refresh_tokens.hash = $1 FOR UPDATE OF refresh_tokens";
    USE_REFRESH_TOKEN = "UPDATE refresh_tokens SET used_at_ms = $2 WHERE hash = $1 AND used_at_ms IS NULL";
    FORGET_REFRESH_TOKENS = "DELETE FROM refresh_tokens WHERE session = $1 AND used_at_ms < $2";
    SEE_SESSION = "UPDATE sessions SET seen_at_ms = $3 WHERE business = $1 AND id = $2";
    SESSION_ACCESS = "SELECT sessions.user_id, users.role, address_lists.networks
        FROM sessions JOIN users ON users.id = sessions.user_id
            LEFT JOIN address_lists ON address_lists.business = sessions.business
        WHERE sessions.business = $1 AND sessions.id = $2 AND sessions.revoked_at_ms IS NULL AND sessions.expires_at_ms > $3
            AND users.active";
    SESSIONS = "SELECT id, user_id, method, user_agent, address, created_at_ms, seen_at_ms, expires_at_ms FROM sessions
        WHERE business = $1 AND user_id = $2 AND revoked_at_ms IS NULL AND expires_at_ms > $3
        ORDER BY created_at_ms DESC LIMIT $4";
    END_SESSION = "UPDATE sessions SET revoked_at_ms = $4
        WHERE business = $1 AND user_id = $2 AND id = $3 AND revoked_at_ms IS NULL AND expires_at_ms > $4";
    END_SESSIONS = "UPDATE sessions SET revoked_at_ms = $4
        WHERE business = $1 AND user_id = $2 AND id <> $3 AND revoked_at_ms IS NULL";
    PRUNE_REFRESH_TOKENS = "DELETE FROM refresh_tokens WHERE session IN
        (SELECT id FROM sessions WHERE expires_at_ms < $1 ORDER BY expires_at_ms, id LIMIT $2)";
    PRUNE_SESSIONS = "DELETE FROM sessions WHERE id IN
        (SELECT id FROM sessions WHERE expires_at_ms < $1 ORDER BY expires_at_ms, id LIMIT $2)";
    PRUNE_ONE_TIME_TOKENS = "DELETE FROM one_time_tokens WHERE expires_at_ms < $1";

    INSERT_ONE_TIME_TOKEN = "INSERT INTO one_time_tokens
            (id, business, purpose, hash, email, role, user_id, created_at_ms, expires_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    USER_BY_EMAIL = "SELECT id FROM users WHERE business = $1 AND email = $2";
    INVITATIONS = "SELECT id, email, role, created_at_ms, expires_at_ms FROM one_time_tokens
        WHERE business = $1 AND purpose = 'invitation' AND used_at_ms IS NULL AND expires_at_ms > $2
        ORDER BY created_at_ms DESC, id DESC LIMIT $3";
    WITHDRAW_INVITATION = "UPDATE one_time_tokens SET used_at_ms = $3
        WHERE business = $1 AND id = $2 AND purpose = 'invitation' AND used_at_ms IS NULL AND expires_at_ms > $3";
    ONE_TIME_TOKEN = "SELECT id, business, email, role, user_id, created_at_ms, expires_at_ms FROM one_time_tokens
        WHERE hash = $1 AND purpose = $2 AND used_at_ms IS NULL AND expires_at_ms > $3";
    USE_ONE_TIME_TOKEN = "UPDATE one_time_tokens SET used_at_ms = $2 WHERE id = $1 AND used_at_ms IS NULL";
    VOID_RESETS = "UPDATE one_time_tokens SET used_at_ms = $3
        WHERE business = $1 AND user_id = $2 AND purpose = 'reset' AND used_at_ms IS NULL";

    INSERT_KEY = "INSERT INTO access_keys
            (id, business, kind, name, prefix, hash, permissions, created_by, created_at_ms, expires_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    KEY = "SELECT id, business, kind, name, prefix, permissions, created_by, created_at_ms, expires_at_ms, used_at_ms,
            previous_until_ms, revoked_at_ms
        FROM access_keys WHERE business = $1 AND kind = $2 AND id = $3";
    KEYS = "SELECT id, business, kind, name, prefix, permissions, created_by, created_at_ms, expires_at_ms, used_at_ms,
            previous_until_ms, revoked_at_ms
        FROM access_keys WHERE business = $1 AND kind = $2 AND revoked_at_ms IS NULL AND (created_at_ms, id) < ($3, $4)
        ORDER BY created_at_ms DESC, id DESC LIMIT $5";
    ROTATE_KEY = "UPDATE access_keys
        SET previous_hash = hash, previous_until_ms = $6, prefix = $4, hash = $5
        WHERE business = $1 AND kind = $2 AND id = $3 AND revoked_at_ms IS NULL";
    REVOKE_KEY = "UPDATE access_keys SET revoked_at_ms = $4
        WHERE business = $1 AND kind = $2 AND id = $3 AND revoked_at_ms IS NULL";
    KEY_BY_SECRET = "SELECT access_keys.id, access_keys.business, kind, name, prefix, permissions, created_by, created_at_ms,
            expires_at_ms, used_at_ms, previous_until_ms, revoked_at_ms, address_lists.networks
        FROM access_keys LEFT JOIN address_lists ON address_lists.business = access_keys.business
        WHERE kind = $1 AND revoked_at_ms IS NULL AND (expires_at_ms IS NULL OR expires_at_ms > $3)
            AND (hash = $2 OR (previous_hash = $2 AND previous_until_ms > $3))";
    CLIENT_ACCESS = "SELECT access_keys.id, access_keys.business, kind, name, prefix, permissions, created_by, created_at_ms,
            expires_at_ms, used_at_ms, previous_until_ms, revoked_at_ms, address_lists.networks
        FROM access_keys LEFT JOIN address_lists ON address_lists.business = access_keys.business
        WHERE access_keys.business = $1 AND access_keys.id = $2 AND kind = 'client' AND revoked_at_ms IS NULL
            AND (expires_at_ms IS NULL OR expires_at_ms > $3)";
    TOUCH_KEY = "UPDATE access_keys SET used_at_ms = $3 WHERE business = $1 AND id = $2";

    ADDRESS_LIST = "SELECT networks, version FROM address_lists WHERE business = $1";
    ADDRESS_LIST_TO_CHANGE = locking "SELECT networks, version FROM address_lists WHERE business = $1";
    INSERT_ADDRESS_LIST = "INSERT INTO address_lists (business, networks, version) VALUES ($1, $2, 1)";
    UPDATE_ADDRESS_LIST = "UPDATE address_lists SET networks = $2, version = version + 1 WHERE business = $1";

    PUT_IDENTITY_PROVIDER = "INSERT INTO identity_providers (id, business, settings, secret_sealed, created_at_ms)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (id) DO UPDATE SET settings = excluded.settings,
            secret_sealed = COALESCE(excluded.secret_sealed, identity_providers.secret_sealed)
        WHERE identity_providers.business = excluded.business";
    IDENTITY_PROVIDERS = "SELECT settings FROM identity_providers WHERE business = $1 ORDER BY created_at_ms, id LIMIT $2";
    IDENTITY_PROVIDER = "SELECT business, settings, secret_sealed FROM identity_providers WHERE id = $1";
    SEALED_IDENTITY_SECRETS = "SELECT id, business, secret_sealed AS sealed FROM identity_providers
        WHERE secret_sealed IS NOT NULL AND id > $1 ORDER BY id LIMIT $2";
    RESEAL_IDENTITY_SECRET = "UPDATE identity_providers SET secret_sealed = $3 WHERE id = $1 AND secret_sealed = $2";
    FORGET_IDENTITIES = "DELETE FROM identities WHERE business = $1 AND provider = $2";
    DELETE_IDENTITY_PROVIDER = "DELETE FROM identity_providers WHERE business = $1 AND id = $2";
    IDENTITY = "SELECT user_id FROM identities WHERE business = $1 AND provider = $2 AND subject = $3";
    LINK_IDENTITY = "INSERT INTO identities (business, provider, subject, user_id) VALUES ($1, $2, $3, $4)
        ON CONFLICT (provider, subject) DO NOTHING";

    INSERT_AUDIT = "INSERT INTO audit_log (id, business, at_ms, actor_kind, actor_id, action, subject, details, address)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    AUDIT_LINES = "SELECT id, at_ms, actor_kind, actor_id, action, subject, details, address FROM audit_log
        WHERE business = $1 AND (actor_id = $2 OR $2 IS NULL) AND (action = $3 OR $3 IS NULL)
            AND at_ms >= $4 AND at_ms < $5 AND (at_ms, id) < ($6, $7)
        ORDER BY at_ms DESC, id DESC LIMIT $8";
}
