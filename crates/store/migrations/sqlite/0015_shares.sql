-- Calls that are shown to whoever has a link, notes on calls, and what the calls of each agent come to.

CREATE TABLE call_shares (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    call BLOB NOT NULL,
    -- SHA-256 of the token; the token itself is not kept.
    token_hash BLOB NOT NULL UNIQUE,
    recording INTEGER NOT NULL,
    created_by TEXT,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    UNIQUE (business, id)
) STRICT;
CREATE INDEX call_shares_by_call ON call_shares (business, call, created_at_ms DESC, id DESC);

CREATE TABLE call_notes (
    business BLOB NOT NULL REFERENCES businesses (id),
    call BLOB NOT NULL,
    text TEXT NOT NULL,
    updated_by TEXT,
    updated_at_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (business, call)
) STRICT, WITHOUT ROWID;

CREATE TABLE agent_counts (
    business BLOB NOT NULL REFERENCES businesses (id),
    agent BLOB NOT NULL,
    slot INTEGER NOT NULL,
    counts TEXT NOT NULL,
    PRIMARY KEY (business, agent, slot)
) STRICT, WITHOUT ROWID;
INSERT INTO agent_counts (business, agent, slot, counts)
    SELECT business, agent, ended_at_ms / 900000, json_object('inbound', SUM(direction = 'inbound'),
        'outbound', SUM(direction = 'outbound'), 'answered', SUM(answered_at_ms IS NOT NULL),
        'missed', SUM(answered_at_ms IS NULL),
        'contained', SUM(answered_at_ms IS NOT NULL AND state = 'completed' AND COALESCE(ended_reason, '') <> 'transferred'),
        'transferred', SUM(answered_at_ms IS NOT NULL AND COALESCE(ended_reason, '') = 'transferred'),
        'failed', SUM(answered_at_ms IS NOT NULL AND state <> 'completed' AND COALESCE(ended_reason, '') <> 'transferred'),
        'talk_ms', SUM(COALESCE(ended_at_ms - answered_at_ms, 0)), 'cost_usd_micros', SUM(cost_usd_micros))
    FROM calls WHERE ended_at_ms IS NOT NULL GROUP BY business, agent, ended_at_ms / 900000;
