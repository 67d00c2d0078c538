//! Tickets, messages that agents send, and what calls come to.

use super::statements;

statements! {
    LAST_TICKET = "SELECT COALESCE(MAX(number), 0) AS number FROM tickets WHERE business = $1";
    INSERT_TICKET = "INSERT INTO tickets (id, business, number, subject, text, status, priority, customer, call, agent,
            assignee, request_key, created_at_ms, updated_at_ms, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, 1)";
    TICKET_OF_KEY = "SELECT id, business, number, subject, text, status, priority, customer, call, agent, assignee,
            created_at_ms, updated_at_ms, version FROM tickets WHERE business = $1 AND request_key = $2";
    TICKET = "SELECT id, business, number, subject, text, status, priority, customer, call, agent, assignee, created_at_ms,
            updated_at_ms, version FROM tickets WHERE business = $1 AND id = $2";
    TICKET_TO_CHANGE = locking "SELECT version FROM tickets WHERE business = $1 AND id = $2";
    UPDATE_TICKET = "UPDATE tickets SET subject = $3, text = $4, status = $5, priority = $6, customer = $7, assignee = $8,
            updated_at_ms = $9, version = version + 1 WHERE business = $1 AND id = $2";
    TICKETS_DOWN = "SELECT id, business, number, subject, text, status, priority, customer, call, agent, assignee,
            created_at_ms, updated_at_ms, version FROM tickets
        WHERE business = $1 AND (status = $2 OR $2 IS NULL) AND (priority = $3 OR $3 IS NULL)
            AND (assignee = $4 OR $4 IS NULL) AND (customer = $5 OR $5 IS NULL) AND (call = $6 OR $6 IS NULL)
            AND (created_at_ms, id) < ($7, $8) ORDER BY created_at_ms DESC, id DESC LIMIT $9";
    TICKETS_UP = "SELECT id, business, number, subject, text, status, priority, customer, call, agent, assignee,
            created_at_ms, updated_at_ms, version FROM tickets
        WHERE business = $1 AND (status = $2 OR $2 IS NULL) AND (priority = $3 OR $3 IS NULL)
            AND (assignee = $4 OR $4 IS NULL) AND (customer = $5 OR $5 IS NULL) AND (call = $6 OR $6 IS NULL)
            AND (created_at_ms, id) > ($7, $8) ORDER BY created_at_ms, id LIMIT $9";

    DISPATCH_OF_KEY = "SELECT state FROM dispatches WHERE business = $1 AND request_key = $2";
    DISPATCHES_OF_CALL = "SELECT COUNT(*) AS count FROM dispatches WHERE business = $1 AND call = $2";
    DISPATCHES_TO = "SELECT COUNT(*) AS count FROM dispatches
        WHERE business = $1 AND recipient = $2 AND created_at_ms > $3";
    INSERT_DISPATCH = "INSERT INTO dispatches (id, business, call, channel, recipient, state, request_key, created_at_ms)
        VALUES ($1, $2, $3, $4, $5, 'intended', $6, $7)";
    CLOSE_DISPATCH = "UPDATE dispatches SET state = $3 WHERE business = $1 AND id = $2";
    DISPATCHES = "SELECT id, channel, recipient, state, created_at_ms FROM dispatches
        WHERE business = $1 AND call = $2 ORDER BY created_at_ms, id LIMIT $3";
    FORGET_DISPATCHES = "DELETE FROM dispatches WHERE business = $1 AND call = $2";

    COUNTS_TO_CHANGE = locking "SELECT counts FROM call_counts WHERE business = $1 AND slot = $2";
    PUT_COUNTS = "INSERT INTO call_counts (business, slot, counts) VALUES ($1, $2, $3)
        ON CONFLICT (business, slot) DO UPDATE SET counts = excluded.counts";
    COUNTS = "SELECT slot, counts FROM call_counts WHERE business = $1 AND slot >= $2 AND slot < $3 ORDER BY slot LIMIT 10000";
    AGENT_COUNTS_TO_CHANGE = locking "SELECT counts FROM agent_counts WHERE business = $1 AND agent = $2 AND slot = $3";
    PUT_AGENT_COUNTS = "INSERT INTO agent_counts (business, agent, slot, counts) VALUES ($1, $2, $3, $4)
        ON CONFLICT (business, agent, slot) DO UPDATE SET counts = excluded.counts";
    AGENT_COUNTS = "SELECT slot, counts FROM agent_counts
        WHERE business = $1 AND agent = $2 AND slot >= $3 AND slot < $4 ORDER BY slot LIMIT 10000";
    CALLS_GOING_ON = "SELECT COUNT(*) AS count FROM calls
        WHERE business = $1 AND ended_at_ms IS NULL AND started_at_ms >= $2";
    FILL_COUNTS = sqlite "INSERT INTO call_counts (business, slot, counts)
        SELECT business, ended_at_ms / 900000, json_object('inbound', SUM(direction = 'inbound'),
            'outbound', SUM(direction = 'outbound'), 'answered', SUM(answered_at_ms IS NOT NULL),
            'missed', SUM(answered_at_ms IS NULL),
            'contained', SUM(answered_at_ms IS NOT NULL AND state = 'completed' AND COALESCE(ended_reason, '') <> 'transferred'),
            'transferred', SUM(answered_at_ms IS NOT NULL AND COALESCE(ended_reason, '') = 'transferred'),
            'failed', SUM(answered_at_ms IS NOT NULL AND state <> 'completed' AND COALESCE(ended_reason, '') <> 'transferred'),
            'talk_ms', SUM(COALESCE(ended_at_ms - answered_at_ms, 0)), 'cost_usd_micros', SUM(cost_usd_micros))
        FROM calls WHERE business = $1 AND ended_at_ms IS NOT NULL GROUP BY business, ended_at_ms / 900000
        ON CONFLICT (business, slot) DO UPDATE SET counts = excluded.counts"
        postgres "INSERT INTO call_counts (business, slot, counts)
        SELECT business, ended_at_ms / 900000, CAST(json_build_object('inbound', COUNT(*) FILTER (WHERE direction = 'inbound'),
            'outbound', COUNT(*) FILTER (WHERE direction = 'outbound'), 'answered', COUNT(answered_at_ms),
            'missed', COUNT(*) FILTER (WHERE answered_at_ms IS NULL),
            'contained', COUNT(answered_at_ms) FILTER (WHERE state = 'completed' AND ended_reason IS DISTINCT FROM 'transferred'),
            'transferred', COUNT(answered_at_ms) FILTER (WHERE ended_reason = 'transferred'),
            'failed', COUNT(answered_at_ms) FILTER (WHERE state <> 'completed' AND ended_reason IS DISTINCT FROM 'transferred'),
            'talk_ms', SUM(COALESCE(ended_at_ms - answered_at_ms, 0)), 'cost_usd_micros', SUM(cost_usd_micros)) AS text)
        FROM calls WHERE business = $1 AND ended_at_ms IS NOT NULL GROUP BY business, ended_at_ms / 900000
        ON CONFLICT (business, slot) DO UPDATE SET counts = excluded.counts";
    FILL_AGENT_COUNTS = sqlite "INSERT INTO agent_counts (business, agent, slot, counts)
        SELECT business, agent, ended_at_ms / 900000, json_object('inbound', SUM(direction = 'inbound'),
            'outbound', SUM(direction = 'outbound'), 'answered', SUM(answered_at_ms IS NOT NULL),
            'missed', SUM(answered_at_ms IS NULL),
            'contained', SUM(answered_at_ms IS NOT NULL AND state = 'completed' AND COALESCE(ended_reason, '') <> 'transferred'),
            'transferred', SUM(answered_at_ms IS NOT NULL AND COALESCE(ended_reason, '') = 'transferred'),
            'failed', SUM(answered_at_ms IS NOT NULL AND state <> 'completed' AND COALESCE(ended_reason, '') <> 'transferred'),
            'talk_ms', SUM(COALESCE(ended_at_ms - answered_at_ms, 0)), 'cost_usd_micros', SUM(cost_usd_micros))
        FROM calls WHERE business = $1 AND ended_at_ms IS NOT NULL GROUP BY business, agent, ended_at_ms / 900000
        ON CONFLICT (business, agent, slot) DO UPDATE SET counts = excluded.counts"
        postgres "INSERT INTO agent_counts (business, agent, slot, counts)
        SELECT business, agent, ended_at_ms / 900000, CAST(json_build_object('inbound', COUNT(*) FILTER (WHERE direction = 'inbound'),
            'outbound', COUNT(*) FILTER (WHERE direction = 'outbound'), 'answered', COUNT(answered_at_ms),
            'missed', COUNT(*) FILTER (WHERE answered_at_ms IS NULL),
            'contained', COUNT(answered_at_ms) FILTER (WHERE state = 'completed' AND ended_reason IS DISTINCT FROM 'transferred'),
            'transferred', COUNT(answered_at_ms) FILTER (WHERE ended_reason = 'transferred'),
            'failed', COUNT(answered_at_ms) FILTER (WHERE state <> 'completed' AND ended_reason IS DISTINCT FROM 'transferred'),
            'talk_ms', SUM(COALESCE(ended_at_ms - answered_at_ms, 0)), 'cost_usd_micros', SUM(cost_usd_micros)) AS text)
        FROM calls WHERE business = $1 AND ended_at_ms IS NOT NULL GROUP BY business, agent, ended_at_ms / 900000
        ON CONFLICT (business, agent, slot) DO UPDATE SET counts = excluded.counts";
}
