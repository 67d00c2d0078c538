//! Businesses, agents, numbers, calls, journals, conversations, what tools look up, credentials, settings, costs.

use super::statements;

statements! {
    CHECK = "SELECT 1";
    SCHEMA_VERSION = sqlite "PRAGMA schema_version";
    MAKE_PARTITIONS = postgres "SELECT CAST(frontdesk_make_partitions(CAST($1 AS int), CAST($2 AS int)) AS bigint) AS made";
    RIGHTS = postgres "SELECT current_setting('server_version') AS version, CAST(current_user AS text) AS role,
            rolsuper OR rolbypassrls AS above,
            EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('businesses') AND relowner = pg_roles.oid) AS owner,
            NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace
                AND relkind IN ('r', 'p') AND NOT relispartition AND relname NOT LIKE '\\_sqlx%'
                AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
                    AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))) AS may
        FROM pg_roles WHERE rolname = current_user";
    CHECKPOINT = sqlite "PRAGMA wal_checkpoint(TRUNCATE)";

    PUT_BUSINESS = "INSERT INTO businesses (id, slug, name, time_zone) VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, name = excluded.name, time_zone = excluded.time_zone";
    BUSINESS = "SELECT id, slug, name, time_zone FROM businesses WHERE id = $1";
    BUSINESS_BY_SLUG = "SELECT id, slug, name, time_zone FROM businesses WHERE slug = $1";
    BUSINESSES = "SELECT id, slug, name, time_zone FROM businesses WHERE slug > $1 ORDER BY slug LIMIT $2";

    AGENT_TO_CHANGE = locking "SELECT version FROM agents WHERE business = $1 AND id = $2";
    INSERT_AGENT = "INSERT INTO agents (id, business, slug, config, version) VALUES ($1, $2, $3, $4, 1)";
    UPDATE_AGENT = "UPDATE agents SET slug = $3, config = $4, version = version + 1, revision = revision + 1
        WHERE id = $1 AND business = $2";
    AGENT = "SELECT config, version, status FROM agents WHERE business = $1 AND id = $2";
    AGENT_BY_SLUG = "SELECT config, version, status FROM agents WHERE business = $1 AND slug = $2";
    AGENTS = "SELECT config, version, status FROM agents WHERE business = $1 AND slug > $2 ORDER BY slug LIMIT $3";

    PUT_NUMBER = "INSERT INTO numbers (id, business, number, carrier, agent) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (id) DO UPDATE SET number = excluded.number, carrier = excluded.carrier, agent = excluded.agent
        WHERE numbers.business = excluded.business";
    NUMBER = "SELECT id, business, number, carrier, agent FROM numbers WHERE business = $1 AND id = $2";
    NUMBERS = "SELECT id, business, number, carrier, agent FROM numbers
        WHERE business = $1 AND number > $2 ORDER BY number LIMIT $3";
    ROUTE_NUMBER = "SELECT id, business, agent FROM numbers WHERE carrier = $1 AND number = $2";

    INSERT_CONVERSATION = "INSERT INTO conversations (id, business, agent, customer, started_at_ms)
        VALUES ($1, $2, $3, $4, $5)";
    FILL_CONVERSATION = "INSERT INTO conversations (id, business, agent, customer, started_at_ms, ended_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6)";
    END_CONVERSATION = "UPDATE conversations SET ended_at_ms = $3
        WHERE business = $1 AND id = $2 AND ended_at_ms IS NULL";
    CONVERSATION = "SELECT id, business, agent, customer, started_at_ms, ended_at_ms FROM conversations
        WHERE business = $1 AND id = $2";

    INSERT_CALL = "INSERT INTO calls (id, business, agent, conversation, direction, carrier, carrier_ref, customer, number,
            state, started_at_ms, answered_at_ms, ended_at_ms, ended_reason, recording, cost_usd_micros, agent_version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
            COALESCE(CAST($17 AS BIGINT), (SELECT version FROM agents WHERE agents.business = $2 AND agents.id = $3)))";
    QUEUE_CALL = "UPDATE calls SET waiting_since_ms = $3, waiting_reason = $4, waiting_brief = $5, waiting_claimed_ms = NULL
        WHERE business = $1 AND id = $2";
    ALL_WAITING = "SELECT business, id FROM calls WHERE waiting_since_ms IS NOT NULL AND ended_at_ms IS NULL
        ORDER BY business, waiting_since_ms, id LIMIT $1";
    WAITING = "SELECT calls.id, agent, customer, number, waiting_since_ms, waiting_reason, waiting_brief, call_owners.node
        FROM calls LEFT JOIN call_owners ON call_owners.business = calls.business AND call_owners.call = calls.id
        WHERE calls.business = $1 AND waiting_since_ms IS NOT NULL AND ended_at_ms IS NULL
        ORDER BY waiting_since_ms, calls.id LIMIT $2";
    CLAIM_WAITING = sqlite "UPDATE calls SET waiting_claimed_ms = $2 WHERE business = $1 AND id =
            (SELECT id FROM calls WHERE business = $1 AND waiting_since_ms IS NOT NULL AND ended_at_ms IS NULL
                AND held_by IS NULL AND (waiting_claimed_ms IS NULL OR waiting_claimed_ms <= $3)
            ORDER BY waiting_since_ms, id LIMIT 1)
        RETURNING id"
        postgres "WITH next AS MATERIALIZED (SELECT id FROM calls WHERE business = $1 AND waiting_since_ms IS NOT NULL
                AND ended_at_ms IS NULL AND held_by IS NULL AND (waiting_claimed_ms IS NULL OR waiting_claimed_ms <= $3)
            ORDER BY waiting_since_ms, id LIMIT 1 FOR UPDATE SKIP LOCKED)
        UPDATE calls SET waiting_claimed_ms = $2 FROM next WHERE calls.business = $1 AND calls.id = next.id
        RETURNING calls.id";
    HOLD_CALL = "UPDATE calls SET held_by = $3 WHERE business = $1 AND id = $2";
    UPDATE_CALL = "UPDATE calls SET carrier_ref = $3, state = $4, answered_at_ms = $5, ended_at_ms = $6, ended_reason = $7,
            recording = $8, cost_usd_micros = $9,
            waiting_since_ms = CASE WHEN CAST($6 AS BIGINT) IS NULL THEN waiting_since_ms END,
            waiting_brief = CASE WHEN CAST($6 AS BIGINT) IS NULL THEN waiting_brief END WHERE business = $1 AND id = $2";
    CALL = "SELECT id, business, agent, conversation, direction, carrier, carrier_ref, customer, number, state, started_at_ms,
            answered_at_ms, ended_at_ms, ended_reason, recording, cost_usd_micros,
            agent_version FROM calls WHERE business = $1 AND id = $2";
    CALL_TO_CHANGE = locking "SELECT id, business, agent, conversation, direction, carrier, carrier_ref, customer, number, state, started_at_ms,
            answered_at_ms, ended_at_ms, ended_reason, recording, cost_usd_micros,
            agent_version FROM calls WHERE business = $1 AND id = $2";
    ROUTE_CALL = sqlite "SELECT id, business, agent, conversation, direction, carrier, carrier_ref, customer, number, state, started_at_ms,
            answered_at_ms, ended_at_ms, ended_reason, recording, cost_usd_micros,
            agent_version FROM calls WHERE carrier = $1 AND carrier_ref = $2"
        postgres "SELECT id, business, agent, conversation, direction, carrier, carrier_ref, customer, number, state, started_at_ms,
            answered_at_ms, ended_at_ms, ended_reason, recording, cost_usd_micros,
            agent_version FROM calls
            WHERE id = (SELECT call FROM carrier_refs WHERE carrier_refs.carrier = $1 AND carrier_refs.carrier_ref = $2)";
    UNFINISHED_CALLS = "SELECT id, business, agent, conversation, direction, carrier, carrier_ref, customer, number, state, started_at_ms,
            answered_at_ms, ended_at_ms, ended_reason, recording, cost_usd_micros,
            agent_version FROM calls WHERE ended_at_ms IS NULL AND started_at_ms < $1
        ORDER BY started_at_ms LIMIT $2";
    ADD_COST = "INSERT INTO call_costs (call, stage, provider, business, cost_usd_micros) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (call, stage, provider) DO UPDATE SET cost_usd_micros = call_costs.cost_usd_micros + excluded.cost_usd_micros";
    COSTS = "SELECT stage, provider, cost_usd_micros AS cost FROM call_costs
        WHERE business = $1 AND call = $2 ORDER BY stage, provider";
    COSTS_SINCE = "SELECT stage, provider, CAST(SUM(call_costs.cost_usd_micros) AS BIGINT) AS cost FROM call_costs
        JOIN calls ON calls.id = call_costs.call
        WHERE calls.business = $1 AND calls.started_at_ms >= $2 GROUP BY stage, provider ORDER BY stage, provider";
    FORGET_COSTS = "DELETE FROM call_costs WHERE business = $1 AND call = $2";

    PUT_CREDENTIAL = "INSERT INTO credentials (owner, provider, sealed, updated_at_ms) VALUES ($1, $2, $3, $4)
        ON CONFLICT (owner, provider) DO UPDATE SET sealed = excluded.sealed, updated_at_ms = excluded.updated_at_ms";
    RESEAL_CREDENTIAL = "UPDATE credentials SET sealed = $3 WHERE owner = $1 AND provider = $2 AND updated_at_ms = $4";
    CREDENTIALS = "SELECT owner, provider, sealed, updated_at_ms FROM credentials ORDER BY owner, provider LIMIT 10000";
    DELETE_CREDENTIAL = "DELETE FROM credentials WHERE owner = $1 AND provider = $2";

    SETTING = "SELECT value, version FROM settings WHERE name = $1";
    SETTING_TO_CHANGE = locking "SELECT version FROM settings WHERE name = $1";
    INSERT_SETTING = "INSERT INTO settings (name, value, version) VALUES ($1, $2, 1)";
    UPDATE_SETTING = "UPDATE settings SET value = $2, version = version + 1 WHERE name = $1";

    COST_SINCE = "SELECT CAST(COALESCE(SUM(cost_usd_micros), 0) AS BIGINT) AS cost FROM calls WHERE business = $1 AND started_at_ms >= $2";
    CALL_EXISTS = "SELECT 1 FROM calls WHERE business = $1 AND id = $2";

    LOG_CALL = "INSERT INTO call_log (business, call, kind, data, at_ms) VALUES ($1, $2, $3, $4, $5)";
    CALL_LOG = "SELECT id, kind, data, at_ms FROM call_log
        WHERE business = $1 AND call = $2 AND id > $3 ORDER BY id LIMIT $4";

    JOURNAL_END = "SELECT conversation, agent, COALESCE((SELECT MAX(seq) FROM journal WHERE journal.call = calls.id), 0) AS last
        FROM calls WHERE business = $1 AND id = $2";
    JOURNAL_WRITTEN = "SELECT COUNT(*) AS count FROM journal
        WHERE business = $1 AND call = $2 AND seq > $3 AND seq <= $4 AND writer = $5";
    APPEND = "INSERT INTO journal (call, seq, business, at_ms, version, writer, entry)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    JOURNAL_AFTER = "SELECT seq, at_ms, version, entry FROM journal
        WHERE business = $1 AND call = $2 AND seq > $3 ORDER BY seq LIMIT $4";

    INSERT_MESSAGE = "INSERT INTO messages (id, business, conversation, seq, turn, role, text, complete, citations, latency,
            at_ms, sentiment) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    MESSAGES = "SELECT id, conversation, seq, turn, role, text, complete, citations, latency, at_ms, sentiment FROM messages
        WHERE business = $1 AND conversation = $2 AND seq > $3 ORDER BY seq LIMIT $4";

    APPEND_INPUT = "INSERT INTO inputs (call, seq, business, sealed) VALUES ($1, $2, $3, $4)";
    INPUTS = "SELECT seq, sealed FROM inputs WHERE business = $1 AND call = $2 AND seq >= $3 ORDER BY seq LIMIT $4";

    ADD_RECORDING = "INSERT INTO recordings (call, name, business, opened_at_ms) VALUES ($1, $2, $3, $4)
        ON CONFLICT (call, name) DO NOTHING";
    RECORDINGS = "SELECT name FROM recordings WHERE business = $1 AND call = $2 ORDER BY opened_at_ms, name LIMIT $3";

    CALLS_TO_FORGET = "SELECT id, business, agent, conversation, direction, carrier, carrier_ref, customer, number, state, started_at_ms,
            answered_at_ms, ended_at_ms, ended_reason, recording, cost_usd_micros,
            agent_version FROM calls WHERE forgotten_at_ms IS NULL
            AND (started_at_ms, id) > ($2, $3)
            AND started_at_ms < $1 AND COALESCE(ended_at_ms, started_at_ms) < $1
        ORDER BY started_at_ms, id LIMIT $4";
    CALLS_OF_BUSINESS_TO_FORGET = "SELECT id, business, agent, conversation, direction, carrier, carrier_ref, customer, number,
            state, started_at_ms, answered_at_ms, ended_at_ms, ended_reason, recording, cost_usd_micros, agent_version
            FROM calls WHERE business = $1 AND forgotten_at_ms IS NULL
            AND (started_at_ms, id) > ($3, $4)
            AND started_at_ms < $2 AND COALESCE(ended_at_ms, started_at_ms) < $2
        ORDER BY started_at_ms, id LIMIT $5";
    RECORDINGS_TO_FORGET = "SELECT DISTINCT call, opened_at_ms FROM recordings
        WHERE business = $1 AND opened_at_ms > $2 AND opened_at_ms < $3 ORDER BY opened_at_ms LIMIT $4";
    CLEAR_RECORDING = "UPDATE calls SET recording = NULL WHERE business = $1 AND id = $2";
    NUMBERS_TO_FORGET = "SELECT id, conversation FROM calls
        WHERE business = $1 AND customer IS NOT NULL AND started_at_ms < $2 AND ended_at_ms IS NOT NULL
        ORDER BY started_at_ms LIMIT $3";
    CLEAR_CUSTOMER = "UPDATE calls SET customer = NULL WHERE business = $1 AND id = $2";
    CLEAR_CONVERSATION = "UPDATE conversations SET customer = NULL WHERE business = $1 AND id = $2";
    CALLS_TO_REDACT = "SELECT id, business, agent, conversation, direction, carrier, carrier_ref, customer, number, state,
            started_at_ms, answered_at_ms, ended_at_ms, ended_reason, recording, cost_usd_micros, agent_version FROM calls
        WHERE business = $1 AND started_at_ms >= $2 AND redacted_at_ms IS NULL AND forgotten_at_ms IS NULL
            AND ended_at_ms IS NOT NULL ORDER BY started_at_ms LIMIT $3";
    REDACT_ENTRY = "UPDATE journal SET entry = $4 WHERE business = $1 AND call = $2 AND seq = $3";
    REDACT_MESSAGE = "UPDATE messages SET text = $4 WHERE business = $1 AND id = $3
        AND conversation = (SELECT conversation FROM calls WHERE business = $1 AND id = $2)";
    FORGET_READING = "DELETE FROM call_log WHERE business = $1 AND call = $2 AND kind = 'reading'";
    MARK_REDACTED = "UPDATE calls SET redacted_at_ms = $3 WHERE business = $1 AND id = $2";
    FORGET_INPUTS = "DELETE FROM inputs WHERE call = $2 AND business = $1 AND seq IN
        (SELECT seq FROM inputs WHERE call = $2 AND business = $1 ORDER BY seq LIMIT 1000)";
    FORGET_RECORDINGS = "DELETE FROM recordings WHERE business = $1 AND call = $2";
    FORGET_JOURNAL = "DELETE FROM journal WHERE business = $1 AND call = $2";
    FORGET_MESSAGES = "DELETE FROM messages WHERE business = $1
        AND conversation = (SELECT conversation FROM calls WHERE business = $1 AND id = $2)";
    FORGET_LOG = "DELETE FROM call_log WHERE business = $1 AND call = $2";
    MARK_FORGOTTEN = "UPDATE calls SET forgotten_at_ms = $3, recording = NULL WHERE business = $1 AND id = $2";
    DELETE_CALL = "DELETE FROM calls WHERE business = $1 AND id = $2";
    DELETE_CONVERSATION = "DELETE FROM conversations WHERE business = $1 AND id = $2";

    PUT_DOCUMENT = "INSERT INTO documents (business, slug, title, text) VALUES ($1, $2, $3, $4)
        ON CONFLICT (business, slug) DO UPDATE SET title = excluded.title, text = excluded.text";
    DOCUMENT = "SELECT slug, title, text FROM documents WHERE business = $1 AND slug = $2";
    DOCUMENTS = "SELECT slug, title, text FROM documents WHERE business = $1 AND slug > $2 ORDER BY slug LIMIT $3";

    // SQLite compares keys without regard to case by their collation, PostgreSQL by a column made of them.
    ROW = sqlite "SELECT data FROM business_rows WHERE business = $1 AND name = $2 AND key = $3"
        postgres "SELECT data FROM business_rows WHERE business = $1 AND name = $2 AND folded = lower($3 COLLATE \"C\")";
    PUT_ROW = sqlite "INSERT INTO business_rows (business, name, key, data) VALUES ($1, $2, $3, $4)
            ON CONFLICT (business, name, key) DO UPDATE SET data = excluded.data"
        postgres "INSERT INTO business_rows (business, name, key, data) VALUES ($1, $2, $3, $4)
            ON CONFLICT (business, name, folded) DO UPDATE SET data = excluded.data";
    INSERT_ROW = "INSERT INTO business_rows (business, name, key, data) VALUES ($1, $2, $3, $4)";
    ROWS = sqlite "SELECT key, data FROM business_rows
            WHERE business = $1 AND name = $2 AND key > $3 ORDER BY key LIMIT $4"
        postgres "SELECT key, data FROM business_rows
            WHERE business = $1 AND name = $2 AND folded > lower($3 COLLATE \"C\") ORDER BY folded LIMIT $4";

    SEE_DELIVERY = "INSERT INTO replay_keys (carrier, key, first_seen_ms) VALUES ($1, $2, $3)
        ON CONFLICT (carrier, key) DO NOTHING";
    PRUNE_DELIVERIES = "DELETE FROM replay_keys WHERE (carrier, key) IN
        (SELECT carrier, key FROM replay_keys WHERE first_seen_ms < $1 ORDER BY first_seen_ms LIMIT 1000)";
}
