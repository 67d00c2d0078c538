-- Live events, durable jobs, webhooks, plans and usage; of the same meaning as migrations/sqlite/0006_live.sql.

-- The last place among the events of a business, and the last one that is kept no more. Its row is locked by whoever writes
-- events, until the end of the transaction: places become visible in order.
CREATE TABLE event_heads (
    business uuid PRIMARY KEY REFERENCES businesses (id),
    seq bigint NOT NULL,
    floor bigint NOT NULL
);
SELECT frontdesk_protect('event_heads');

CREATE TABLE events (
    business uuid NOT NULL REFERENCES businesses (id),
    seq bigint NOT NULL,
    kind text NOT NULL,
    subject uuid NOT NULL,
    at_ms bigint NOT NULL,
    data text NOT NULL,
    PRIMARY KEY (business, seq)
);
CREATE INDEX events_by_subject ON events (business, subject);
SELECT frontdesk_protect('events');

CREATE INDEX calls_open ON calls (business, started_at_ms) WHERE ended_at_ms IS NULL;

-- Jobs without a business are the installation's, which only the workers reach.
CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    business uuid REFERENCES businesses (id),
    payload text NOT NULL,
    state text NOT NULL,
    due_at_ms bigint NOT NULL,
    attempts bigint NOT NULL,
    attempts_max bigint NOT NULL,
    lease uuid,
    unique_key text UNIQUE,
    error text NOT NULL,
    created_at_ms bigint NOT NULL
);
CREATE INDEX jobs_due ON jobs (kind, due_at_ms) WHERE state <> 'dead';
CREATE INDEX jobs_dead ON jobs (due_at_ms) WHERE state = 'dead';
SELECT frontdesk_protect('jobs');

CREATE TABLE cron (
    name text PRIMARY KEY,
    last_ms bigint NOT NULL
);

CREATE TABLE webhook_endpoints (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    url text NOT NULL,
    description text NOT NULL,
    kinds text NOT NULL,
    enabled boolean NOT NULL,
    disabled_reason text,
    failing_since_ms bigint,
    secret bytea NOT NULL,
    old_secret bytea,
    old_secret_until_ms bigint,
    created_at_ms bigint NOT NULL,
    version bigint NOT NULL,
    cursor_seq bigint NOT NULL,
    UNIQUE (business, id)
);
SELECT frontdesk_protect('webhook_endpoints');

CREATE TABLE webhook_deliveries (
    id uuid PRIMARY KEY,
    business uuid NOT NULL,
    endpoint uuid NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL,
    subject uuid NOT NULL,
    message text NOT NULL,
    body text NOT NULL,
    state text NOT NULL,
    attempts bigint NOT NULL,
    next_at_ms bigint,
    created_at_ms bigint NOT NULL,
    UNIQUE (business, id),
    FOREIGN KEY (business, endpoint) REFERENCES webhook_endpoints (business, id)
);
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (endpoint, created_at_ms DESC, id DESC);
CREATE INDEX webhook_deliveries_by_subject ON webhook_deliveries (business, subject);
CREATE INDEX webhook_deliveries_oldest ON webhook_deliveries (created_at_ms);
SELECT frontdesk_protect('webhook_deliveries');

CREATE TABLE webhook_attempts (
    delivery uuid NOT NULL,
    number bigint NOT NULL,
    business uuid NOT NULL,
    at_ms bigint NOT NULL,
    duration_ms bigint NOT NULL,
    status bigint,
    failure text,
    answer text NOT NULL,
    PRIMARY KEY (delivery, number),
    FOREIGN KEY (business, delivery) REFERENCES webhook_deliveries (business, id) ON DELETE CASCADE
);
SELECT frontdesk_protect('webhook_attempts');

CREATE TABLE subscriptions (
    business uuid PRIMARY KEY REFERENCES businesses (id),
    plan text NOT NULL,
    since_ms bigint NOT NULL,
    calls_month bigint,
    grace_percent bigint NOT NULL
);
SELECT frontdesk_protect('subscriptions');

CREATE TABLE usage_days (
    business uuid NOT NULL REFERENCES businesses (id),
    day bigint NOT NULL,
    calls bigint NOT NULL,
    calls_unanswered bigint NOT NULL,
    talk_ms bigint NOT NULL,
    cost_usd_micros bigint NOT NULL,
    PRIMARY KEY (business, day)
);
SELECT frontdesk_protect('usage_days');
