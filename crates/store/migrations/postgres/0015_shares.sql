SET LOCAL frontdesk.across = 'on';

-- Calls that are shown to whoever has a link, notes on calls, and what the calls of each agent come to; of the same meaning as
-- migrations/sqlite/0015_shares.sql.

CREATE TABLE call_shares (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    call uuid NOT NULL,
    -- SHA-256 of the token; the token itself is not kept.
    token_hash bytea NOT NULL UNIQUE,
    recording boolean NOT NULL,
    created_by text,
    created_at_ms bigint NOT NULL,
    expires_at_ms bigint NOT NULL,
    UNIQUE (business, id)
);
CREATE INDEX call_shares_by_call ON call_shares (business, call, created_at_ms DESC, id DESC);
SELECT frontdesk_protect('call_shares');

CREATE TABLE call_notes (
    business uuid NOT NULL REFERENCES businesses (id),
    call uuid NOT NULL,
    text text NOT NULL,
    updated_by text,
    updated_at_ms bigint NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (business, call)
);
SELECT frontdesk_protect('call_notes');

CREATE TABLE agent_counts (
    business uuid NOT NULL REFERENCES businesses (id),
    agent uuid NOT NULL,
    slot bigint NOT NULL,
    counts text NOT NULL,
    PRIMARY KEY (business, agent, slot)
);
INSERT INTO agent_counts (business, agent, slot, counts)
    SELECT business, agent, ended_at_ms / 900000, CAST(json_build_object('inbound', COUNT(*) FILTER (WHERE direction = 'inbound'),
        'outbound', COUNT(*) FILTER (WHERE direction = 'outbound'), 'answered', COUNT(answered_at_ms),
        'missed', COUNT(*) FILTER (WHERE answered_at_ms IS NULL),
        'contained', COUNT(answered_at_ms) FILTER (WHERE state = 'completed' AND ended_reason IS DISTINCT FROM 'transferred'),
        'transferred', COUNT(answered_at_ms) FILTER (WHERE ended_reason = 'transferred'),
        'failed', COUNT(answered_at_ms) FILTER (WHERE state <> 'completed' AND ended_reason IS DISTINCT FROM 'transferred'),
        'talk_ms', SUM(COALESCE(ended_at_ms - answered_at_ms, 0)), 'cost_usd_micros', SUM(cost_usd_micros)) AS text)
    FROM calls WHERE ended_at_ms IS NOT NULL GROUP BY business, agent, ended_at_ms / 900000;
SELECT frontdesk_protect('agent_counts');
