-- Tickets, messages that agents send, and what calls come to.

CREATE TABLE tickets (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    number INTEGER NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    status TEXT NOT NULL,
    priority TEXT NOT NULL,
    customer TEXT,
    call BLOB,
    agent BLOB,
    assignee BLOB,
    -- Names the request that raised it: a repeat raises no second one.
    request_key TEXT,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (business, number),
    UNIQUE (business, request_key)
) STRICT;
CREATE INDEX tickets_newest ON tickets (business, created_at_ms DESC, id DESC);
CREATE INDEX tickets_by_status ON tickets (business, status, created_at_ms DESC, id DESC);

-- What was sent to whom, so that nobody gets too much and nothing is sent twice. The words are not kept.
CREATE TABLE dispatches (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    call BLOB NOT NULL,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    state TEXT NOT NULL,
    request_key TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    UNIQUE (business, request_key)
) STRICT;
CREATE INDEX dispatches_by_call ON dispatches (business, call);
CREATE INDEX dispatches_by_recipient ON dispatches (business, recipient, created_at_ms);

-- Counted in slots of a quarter of an hour since 1970: JSON, of the form of model::statistics::Counts.
CREATE TABLE call_counts (
    business BLOB NOT NULL REFERENCES businesses (id),
    slot INTEGER NOT NULL,
    counts TEXT NOT NULL,
    PRIMARY KEY (business, slot)
) STRICT, WITHOUT ROWID;
INSERT INTO call_counts (business, slot, counts)
    SELECT business, ended_at_ms / 900000, json_object('inbound', SUM(direction = 'inbound'),
        'outbound', SUM(direction = 'outbound'), 'answered', SUM(answered_at_ms IS NOT NULL),
        'missed', SUM(answered_at_ms IS NULL),
        'contained', SUM(answered_at_ms IS NOT NULL AND state = 'completed' AND COALESCE(ended_reason, '') <> 'transferred'),
        'transferred', SUM(answered_at_ms IS NOT NULL AND COALESCE(ended_reason, '') = 'transferred'),
        'failed', SUM(answered_at_ms IS NOT NULL AND state <> 'completed' AND COALESCE(ended_reason, '') <> 'transferred'),
        'talk_ms', SUM(COALESCE(ended_at_ms - answered_at_ms, 0)), 'cost_usd_micros', SUM(cost_usd_micros))
    FROM calls WHERE ended_at_ms IS NOT NULL GROUP BY business, ended_at_ms / 900000;
