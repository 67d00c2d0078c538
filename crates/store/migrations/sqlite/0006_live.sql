-- Live events, durable jobs, webhooks, plans and usage.

-- The last place among the events of a business, and the last one that is kept no more. Its row is locked by whoever writes
-- events, until the end of the transaction: places become visible in order.
CREATE TABLE event_heads (
    business BLOB PRIMARY KEY NOT NULL REFERENCES businesses (id),
    seq INTEGER NOT NULL,
    floor INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    business BLOB NOT NULL REFERENCES businesses (id),
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (business, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_by_subject ON events (business, subject);

-- Calls that are going on, for the picture of a business.
CREATE INDEX calls_open ON calls (business, started_at_ms) WHERE ended_at_ms IS NULL;

-- What is to be done. `due_at_ms` is when a waiting job may begin, when the lease of a running one ends, and when a dead one
-- was given up. Jobs without a business are the installation's.
CREATE TABLE jobs (
    id BLOB PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    business BLOB REFERENCES businesses (id),
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    due_at_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    attempts_max INTEGER NOT NULL,
    lease BLOB,
    unique_key TEXT UNIQUE,
    error TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_due ON jobs (kind, due_at_ms) WHERE state <> 'dead';
CREATE INDEX jobs_dead ON jobs (due_at_ms) WHERE state = 'dead';

-- When each entry of the calendar was last due.
CREATE TABLE cron (
    name TEXT PRIMARY KEY NOT NULL,
    last_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_endpoints (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    kinds TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    disabled_reason TEXT,
    failing_since_ms INTEGER,
    secret BLOB NOT NULL,
    old_secret BLOB,
    old_secret_until_ms INTEGER,
    created_at_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    cursor_seq INTEGER NOT NULL,
    UNIQUE (business, id)
) STRICT;

CREATE TABLE webhook_deliveries (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL,
    endpoint BLOB NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject BLOB NOT NULL,
    message TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_at_ms INTEGER,
    created_at_ms INTEGER NOT NULL,
    UNIQUE (business, id),
    FOREIGN KEY (business, endpoint) REFERENCES webhook_endpoints (business, id)
) STRICT;
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (endpoint, created_at_ms DESC, id DESC);
CREATE INDEX webhook_deliveries_by_subject ON webhook_deliveries (business, subject);
CREATE INDEX webhook_deliveries_oldest ON webhook_deliveries (created_at_ms);

CREATE TABLE webhook_attempts (
    delivery BLOB NOT NULL,
    number INTEGER NOT NULL,
    business BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status INTEGER,
    failure TEXT,
    answer TEXT NOT NULL,
    PRIMARY KEY (delivery, number),
    FOREIGN KEY (business, delivery) REFERENCES webhook_deliveries (business, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE subscriptions (
    business BLOB PRIMARY KEY NOT NULL REFERENCES businesses (id),
    plan TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    calls_month INTEGER,
    grace_percent INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What counts, by the day (UTC, days since 1970-01-01) on which a call ended.
CREATE TABLE usage_days (
    business BLOB NOT NULL REFERENCES businesses (id),
    day INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    calls_unanswered INTEGER NOT NULL,
    talk_ms INTEGER NOT NULL,
    cost_usd_micros INTEGER NOT NULL,
    PRIMARY KEY (business, day)
) STRICT, WITHOUT ROWID;

-- Calls that were over before they were counted.
INSERT INTO usage_days (business, day, calls, calls_unanswered, talk_ms, cost_usd_micros)
    SELECT business, ended_at_ms / 86400000, SUM(answered_at_ms IS NOT NULL), SUM(answered_at_ms IS NULL),
        COALESCE(SUM(MAX(ended_at_ms - answered_at_ms, 0)), 0), SUM(cost_usd_micros)
    FROM calls WHERE ended_at_ms IS NOT NULL GROUP BY business, ended_at_ms / 86400000;
