SET LOCAL frontdesk.across = 'on';

-- Tickets, messages that agents send, and what calls come to; of the same meaning as migrations/sqlite/0012_desk.sql.

CREATE TABLE tickets (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    number bigint NOT NULL,
    subject text NOT NULL,
    text text NOT NULL,
    status text NOT NULL,
    priority text NOT NULL,
    customer text,
    call uuid,
    agent uuid,
    assignee uuid,
    request_key text,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    version bigint NOT NULL,
    UNIQUE (business, number),
    UNIQUE (business, request_key)
);
CREATE INDEX tickets_newest ON tickets (business, created_at_ms DESC, id DESC);
CREATE INDEX tickets_by_status ON tickets (business, status, created_at_ms DESC, id DESC);
SELECT frontdesk_protect('tickets');

CREATE TABLE dispatches (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    call uuid NOT NULL,
    channel text NOT NULL,
    recipient text NOT NULL,
    state text NOT NULL,
    request_key text NOT NULL,
    created_at_ms bigint NOT NULL,
    UNIQUE (business, request_key)
);
CREATE INDEX dispatches_by_call ON dispatches (business, call);
CREATE INDEX dispatches_by_recipient ON dispatches (business, recipient, created_at_ms);
SELECT frontdesk_protect('dispatches');

CREATE TABLE call_counts (
    business uuid NOT NULL REFERENCES businesses (id),
    slot bigint NOT NULL,
    counts text NOT NULL,
    PRIMARY KEY (business, slot)
);
INSERT INTO call_counts (business, slot, counts)
    SELECT business, ended_at_ms / 900000, CAST(json_build_object('inbound', COUNT(*) FILTER (WHERE direction = 'inbound'),
        'outbound', COUNT(*) FILTER (WHERE direction = 'outbound'), 'answered', COUNT(answered_at_ms),
        'missed', COUNT(*) FILTER (WHERE answered_at_ms IS NULL),
        'contained', COUNT(answered_at_ms) FILTER (WHERE state = 'completed' AND ended_reason IS DISTINCT FROM 'transferred'),
        'transferred', COUNT(answered_at_ms) FILTER (WHERE ended_reason = 'transferred'),
        'failed', COUNT(answered_at_ms) FILTER (WHERE state <> 'completed' AND ended_reason IS DISTINCT FROM 'transferred'),
        'talk_ms', SUM(COALESCE(ended_at_ms - answered_at_ms, 0)), 'cost_usd_micros', SUM(cost_usd_micros)) AS text)
    FROM calls WHERE ended_at_ms IS NOT NULL GROUP BY business, ended_at_ms / 900000;
SELECT frontdesk_protect('call_counts');
