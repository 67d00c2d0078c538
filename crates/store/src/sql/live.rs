//! Live events, durable jobs, webhooks, plans and usage.

use super::statements;

statements! {
    BUMP_EVENTS = "INSERT INTO event_heads (business, seq, floor) VALUES ($1, $2, 0)
        ON CONFLICT (business) DO UPDATE SET seq = event_heads.seq + excluded.seq RETURNING seq";
    INSERT_EVENT = "INSERT INTO events (business, seq, kind, subject, at_ms, data) VALUES ($1, $2, $3, $4, $5, $6)";
    EVENT_RANGE = "SELECT seq, floor FROM event_heads WHERE business = $1";
    EVENTS_AFTER = "SELECT seq, kind, subject, at_ms, data FROM events WHERE business = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    EVENTS_SINCE = "SELECT seq, kind, subject, at_ms, data FROM events
        WHERE business = $1 AND seq > $2 AND at_ms >= $3 ORDER BY seq LIMIT $4";
    ERASE_TURN_EVENTS = "UPDATE events SET kind = 'erased', data = '{}'
        WHERE business = $1 AND subject = $2 AND kind = 'transcript.turn'";
    ERASE_EVENTS = "UPDATE events SET kind = 'erased', data = '{}' WHERE business = $1 AND subject = $2";
    SNAPSHOT = "SELECT (SELECT seq FROM event_heads WHERE business = $1) AS head, live.id, live.business, live.agent, live.conversation, live.direction,
            live.carrier, live.carrier_ref, live.customer, live.number, live.state, live.started_at_ms, live.answered_at_ms,
            live.ended_at_ms, live.ended_reason, live.recording, live.cost_usd_micros, live.agent_version, live.held_by,
            live.waiting_since_ms, live.waiting_reason,
            messages.seq AS said_seq, messages.turn AS said_turn, messages.role AS said_role, messages.text AS said_text,
            messages.complete AS said_complete, messages.at_ms AS said_at_ms, messages.sentiment AS said_sentiment
        FROM (SELECT 1 AS one) AS here
        LEFT JOIN (SELECT id, business, agent, conversation, direction, carrier, carrier_ref, customer, number, state,
                started_at_ms, answered_at_ms, ended_at_ms, ended_reason, recording, cost_usd_micros, agent_version, held_by,
                waiting_since_ms, waiting_reason
            FROM calls WHERE business = $1 AND ended_at_ms IS NULL ORDER BY started_at_ms, id LIMIT $2) AS live ON TRUE
        LEFT JOIN messages ON messages.business = $1 AND messages.conversation = live.conversation
            AND messages.seq IN (SELECT latest.seq FROM messages AS latest
                WHERE latest.business = $1 AND latest.conversation = live.conversation ORDER BY latest.seq DESC LIMIT $3)
        ORDER BY live.started_at_ms, live.id, messages.seq";
    EVENT_HEADS = "SELECT business, seq, floor FROM event_heads WHERE business > $1 AND floor < seq ORDER BY business LIMIT $2";
    EVENTS_TO_PRUNE = "SELECT seq FROM events WHERE business = $1 AND seq > $2 AND seq <= $3 AND (at_ms < $4 OR seq <= $5)
        ORDER BY seq DESC LIMIT 1";
    RAISE_FLOOR = "UPDATE event_heads SET floor = $2 WHERE business = $1 AND floor < $2";
    PRUNE_EVENTS = "DELETE FROM events WHERE business = $1 AND seq <= $2";

    NOW_MS = sqlite "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now_ms"
        postgres "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now_ms";
    INSERT_JOB = "INSERT INTO jobs (id, kind, business, payload, state, due_at_ms, attempts, attempts_max, lease, unique_key,
            error, created_at_ms) VALUES ($1, $2, $3, $4, 'ready', $5, 0, $6, NULL, $7, '', $8)
        ON CONFLICT (unique_key) DO NOTHING";
    JOB_IS_DUE = "SELECT id FROM jobs WHERE kind = $1 AND state <> 'dead' AND due_at_ms <= $2 LIMIT 1";
    BURY_JOBS = "UPDATE jobs SET state = 'dead', lease = NULL, unique_key = NULL,
            error = 'its worker died, and it has no attempt left'
        WHERE kind = $1 AND state = 'running' AND due_at_ms <= $2 AND attempts >= attempts_max";
    CLAIM_JOBS = sqlite "UPDATE jobs SET state = 'running', attempts = attempts + 1, lease = $3, due_at_ms = $4
        WHERE id IN (SELECT id FROM jobs WHERE kind = $1 AND state <> 'dead' AND due_at_ms <= $2
            ORDER BY due_at_ms, id LIMIT $5)
        RETURNING id, kind, business, payload, attempts, attempts_max, created_at_ms"
        postgres "WITH due AS MATERIALIZED (SELECT id FROM jobs WHERE kind = $1 AND state <> 'dead' AND due_at_ms <= $2
            ORDER BY due_at_ms, id LIMIT $5 FOR UPDATE SKIP LOCKED)
        UPDATE jobs SET state = 'running', attempts = attempts + 1, lease = $3, due_at_ms = $4
        FROM due WHERE jobs.id = due.id
        RETURNING jobs.id, kind, business, payload, attempts, attempts_max, created_at_ms";
    KEEP_JOB = "UPDATE jobs SET due_at_ms = $3 WHERE id = $1 AND lease = $2";
    COMPLETE_JOB = "DELETE FROM jobs WHERE id = $1 AND lease = $2";
    RETRY_FAILED_JOB = "UPDATE jobs SET lease = NULL, error = $5,
            state = CASE WHEN attempts >= attempts_max THEN 'dead' ELSE 'ready' END,
            unique_key = CASE WHEN attempts >= attempts_max THEN NULL ELSE unique_key END,
            due_at_ms = CASE WHEN attempts >= attempts_max THEN CAST($4 AS BIGINT) ELSE CAST($3 AS BIGINT) END
        WHERE id = $1 AND lease = $2";
    REPEAT_JOB = "UPDATE jobs SET lease = NULL, error = $4, state = 'ready', attempts = attempts - 1, due_at_ms = $3
        WHERE id = $1 AND lease = $2";
    BURY_JOB = "UPDATE jobs SET lease = NULL, unique_key = NULL, error = $4, state = 'dead', due_at_ms = $3
        WHERE id = $1 AND lease = $2";
    DEAD_JOBS = "SELECT id, kind, business, payload, attempts, error, due_at_ms FROM jobs
        WHERE state = 'dead' AND ($1 = '' OR kind = $1) AND (due_at_ms, id) < ($2, $3)
        ORDER BY due_at_ms DESC, id DESC LIMIT $4";
    REQUEUE_JOB = "UPDATE jobs SET state = 'ready', attempts = 0, error = '', due_at_ms = $2 WHERE id = $1 AND state = 'dead'";
    JOB_COUNTS = "SELECT kind, state, COUNT(*) AS count FROM jobs GROUP BY kind, state ORDER BY kind, state";
    PRUNE_DEAD_JOBS = "DELETE FROM jobs WHERE id IN
        (SELECT id FROM jobs WHERE state = 'dead' AND due_at_ms < $1 ORDER BY due_at_ms LIMIT $2)";
    CRON_BEGIN = "INSERT INTO cron (name, last_ms) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    CRON_LAST = "SELECT last_ms FROM cron WHERE name = $1";
    CRON_MOVE = "UPDATE cron SET last_ms = $3 WHERE name = $1 AND last_ms = $2";

    COUNT_ENDPOINTS = "SELECT COUNT(*) AS count FROM webhook_endpoints WHERE business = $1";
    INSERT_ENDPOINT = "INSERT INTO webhook_endpoints (id, business, url, description, kinds, enabled, disabled_reason,
            failing_since_ms, secret, old_secret, old_secret_until_ms, created_at_ms, version, cursor_seq)
        VALUES ($1, $2, $3, $4, $5, $6, NULL, NULL, $7, NULL, NULL, $8, 1,
            COALESCE((SELECT seq FROM event_heads WHERE business = $2), 0))
        RETURNING id, business, url, description, kinds, enabled, disabled_reason, failing_since_ms, old_secret_until_ms,
            created_at_ms, version, cursor_seq";
    ENDPOINT = "SELECT id, business, url, description, kinds, enabled, disabled_reason, failing_since_ms, old_secret_until_ms,
            created_at_ms, version, cursor_seq
        FROM webhook_endpoints WHERE business = $1 AND id = $2";
    LOCK_ENDPOINT = locking "SELECT id, business, url, description, kinds, enabled, disabled_reason, failing_since_ms, old_secret_until_ms,
            created_at_ms, version, cursor_seq
        FROM webhook_endpoints WHERE business = $1 AND id = $2";
    ENDPOINTS = "SELECT id, business, url, description, kinds, enabled, disabled_reason, failing_since_ms, old_secret_until_ms,
            created_at_ms, version, cursor_seq
        FROM webhook_endpoints WHERE business = $1 ORDER BY created_at_ms, id LIMIT $2";
    UPDATE_ENDPOINT = "UPDATE webhook_endpoints SET url = $3, description = $4, kinds = $5, enabled = $6, disabled_reason = $7,
            failing_since_ms = $8, cursor_seq = $9, version = version + 1
        WHERE business = $1 AND id = $2 RETURNING id, business, url, description, kinds, enabled, disabled_reason, failing_since_ms, old_secret_until_ms,
            created_at_ms, version, cursor_seq";
    DELETE_ENDPOINT = "DELETE FROM webhook_endpoints WHERE business = $1 AND id = $2";
    DISABLE_ENDPOINT = "UPDATE webhook_endpoints SET enabled = $3, disabled_reason = $4, version = version + 1
        WHERE business = $1 AND id = $2 AND enabled RETURNING id, business, url, description, kinds, enabled, disabled_reason, failing_since_ms, old_secret_until_ms,
            created_at_ms, version, cursor_seq";
    ROTATE_SECRET = "UPDATE webhook_endpoints SET old_secret = secret, old_secret_until_ms = $4, secret = $3,
            version = version + 1
        WHERE business = $1 AND id = $2 RETURNING id, business, url, description, kinds, enabled, disabled_reason, failing_since_ms, old_secret_until_ms,
            created_at_ms, version, cursor_seq";
    ENDPOINT_SECRETS = "SELECT secret, CASE WHEN old_secret_until_ms > $3 THEN old_secret END AS old_secret
        FROM webhook_endpoints WHERE business = $1 AND id = $2";
    SEALED_WEBHOOK_SECRETS = "SELECT id, business, secret AS sealed FROM webhook_endpoints WHERE id > $1 ORDER BY id LIMIT $2";
    RESEAL_WEBHOOK_SECRET = "UPDATE webhook_endpoints SET secret = $3 WHERE id = $1 AND secret = $2";
    SEALED_OLD_WEBHOOK_SECRETS = "SELECT id, business, old_secret AS sealed FROM webhook_endpoints
        WHERE old_secret IS NOT NULL AND id > $1 ORDER BY id LIMIT $2";
    RESEAL_OLD_WEBHOOK_SECRET = "UPDATE webhook_endpoints SET old_secret = $3 WHERE id = $1 AND old_secret = $2";
    ENDPOINTS_BEHIND = "SELECT id, webhook_endpoints.business, url, description, kinds, enabled, disabled_reason, failing_since_ms,
            old_secret_until_ms, created_at_ms, version, cursor_seq
        FROM webhook_endpoints
        JOIN event_heads ON event_heads.business = webhook_endpoints.business
        WHERE webhook_endpoints.enabled AND webhook_endpoints.cursor_seq < event_heads.seq AND webhook_endpoints.id > $1
        ORDER BY webhook_endpoints.id LIMIT $2";
    MOVE_CURSOR = "UPDATE webhook_endpoints SET cursor_seq = $4
        WHERE business = $1 AND id = $2 AND cursor_seq = $3 AND enabled";
    INSERT_DELIVERY = "INSERT INTO webhook_deliveries (id, business, endpoint, seq, kind, subject, message, body, state,
            attempts, next_at_ms, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    DELIVERY = "SELECT id, endpoint, seq, kind, subject, message, body, state, attempts, next_at_ms, created_at_ms
        FROM webhook_deliveries WHERE business = $1 AND endpoint = $2 AND id = $3";
    DELIVERIES = "SELECT id, endpoint, seq, kind, subject, message, body, state, attempts, next_at_ms, created_at_ms
        FROM webhook_deliveries WHERE business = $1 AND endpoint = $2 AND ($3 = '' OR state = $3)
            AND (created_at_ms, id) < ($4, $5)
        ORDER BY created_at_ms DESC, id DESC LIMIT $6";
    UPDATE_DELIVERY = "UPDATE webhook_deliveries SET state = $3, attempts = $4, next_at_ms = $5
        WHERE business = $1 AND id = $2";
    GIVE_UP_DELIVERY = "UPDATE webhook_deliveries SET state = 'failed', next_at_ms = NULL
        WHERE business = $1 AND id = $2 AND state = 'pending'";
    INSERT_ATTEMPT = "INSERT INTO webhook_attempts (delivery, number, business, at_ms, duration_ms, status, failure, answer)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (delivery, number) DO UPDATE SET at_ms = excluded.at_ms, duration_ms = excluded.duration_ms,
            status = excluded.status, failure = excluded.failure, answer = excluded.answer";
    ATTEMPTS = "SELECT number, at_ms, duration_ms, status, failure, answer FROM webhook_attempts
        WHERE business = $1 AND delivery = $2 ORDER BY number LIMIT $3";
    ENDPOINT_WORKS = "UPDATE webhook_endpoints SET failing_since_ms = NULL
        WHERE business = $1 AND id = $2 AND failing_since_ms IS NOT NULL";
    ENDPOINT_FAILS = "UPDATE webhook_endpoints SET failing_since_ms = $3
        WHERE business = $1 AND id = $2 AND failing_since_ms IS NULL";
    DELETE_DELIVERIES = "DELETE FROM webhook_deliveries WHERE id IN
        (SELECT id FROM webhook_deliveries WHERE business = $1 AND endpoint = $2 ORDER BY created_at_ms LIMIT $3)";
    PRUNE_DELIVERIES_LOG = "DELETE FROM webhook_deliveries WHERE id IN
        (SELECT id FROM webhook_deliveries WHERE created_at_ms < $1 ORDER BY created_at_ms LIMIT $2)";
    ERASE_TURN_DELIVERIES = "UPDATE webhook_deliveries SET body = ''
        WHERE business = $1 AND subject = $2 AND kind = 'transcript.turn'";
    ERASE_DELIVERIES = "UPDATE webhook_deliveries SET body = '' WHERE business = $1 AND subject = $2";

    SUBSCRIPTION = "SELECT plan, since_ms, calls_month, grace_percent FROM subscriptions WHERE business = $1";
    PUT_SUBSCRIPTION = "INSERT INTO subscriptions (business, plan, since_ms, calls_month, grace_percent)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (business) DO UPDATE SET plan = excluded.plan, since_ms = excluded.since_ms,
            calls_month = excluded.calls_month, grace_percent = excluded.grace_percent";
    SUBSCRIBE_REST = "INSERT INTO subscriptions (business, plan, since_ms, calls_month, grace_percent)
        SELECT id, CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT) FROM businesses WHERE TRUE
        ON CONFLICT (business) DO NOTHING";
    ADD_USAGE = "INSERT INTO usage_days (business, day, calls, calls_unanswered, talk_ms, cost_usd_micros)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (business, day) DO UPDATE SET calls = usage_days.calls + excluded.calls,
            calls_unanswered = usage_days.calls_unanswered + excluded.calls_unanswered,
            talk_ms = usage_days.talk_ms + excluded.talk_ms,
            cost_usd_micros = usage_days.cost_usd_micros + excluded.cost_usd_micros";
    USAGE = "SELECT day, calls, calls_unanswered, talk_ms, cost_usd_micros FROM usage_days
        WHERE business = $1 AND day >= $2 AND day <= $3 ORDER BY day LIMIT 400";
    ALLOWANCE = "SELECT subscriptions.plan, subscriptions.since_ms, subscriptions.calls_month, subscriptions.grace_percent,
            (SELECT CAST(COALESCE(SUM(calls), 0) AS BIGINT) FROM usage_days WHERE business = $1 AND day >= $2) AS calls_ended,
            (SELECT COUNT(*) FROM calls WHERE business = $1 AND ended_at_ms IS NULL AND started_at_ms >= $3) AS calls_open
        FROM (SELECT 1 AS one) AS here LEFT JOIN subscriptions ON subscriptions.business = $1";
}
