//! Nodes and who has which call. Leases are counted by the database's clock, so that the clocks of nodes do not matter.

use super::statements;

statements! {
    BEAT_NODE = sqlite "INSERT INTO nodes (id, name, address, roles, generation, version, calls_live, calls_max, draining,
            started_at_ms, seen_at_ms, lease_until_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, CAST(unixepoch('subsec') * 1000 AS INTEGER),
            CAST(unixepoch('subsec') * 1000 AS INTEGER), CAST(unixepoch('subsec') * 1000 AS INTEGER) + $10)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, address = excluded.address, roles = excluded.roles,
            generation = excluded.generation, version = excluded.version, calls_live = excluded.calls_live,
            calls_max = excluded.calls_max, draining = excluded.draining, seen_at_ms = excluded.seen_at_ms,
            lease_until_ms = excluded.lease_until_ms
        RETURNING drain_asked"
        postgres "INSERT INTO nodes (id, name, address, roles, generation, version, calls_live, calls_max, draining,
            started_at_ms, seen_at_ms, lease_until_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint),
            CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint),
            CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) + $10)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, address = excluded.address, roles = excluded.roles,
            generation = excluded.generation, version = excluded.version, calls_live = excluded.calls_live,
            calls_max = excluded.calls_max, draining = excluded.draining, seen_at_ms = excluded.seen_at_ms,
            lease_until_ms = excluded.lease_until_ms
        RETURNING drain_asked";
    NODES = sqlite "SELECT id, name, address, roles, generation, version, calls_live, calls_max, draining, drain_asked,
            started_at_ms, seen_at_ms, lease_until_ms > CAST(unixepoch('subsec') * 1000 AS INTEGER) AS is_live
        FROM nodes ORDER BY started_at_ms, id LIMIT $1"
        postgres "SELECT id, name, address, roles, generation, version, calls_live, calls_max, draining, drain_asked,
            started_at_ms, seen_at_ms, lease_until_ms > CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS is_live
        FROM nodes ORDER BY started_at_ms, id LIMIT $1";
    END_OTHERS_AT = "UPDATE nodes SET lease_until_ms = 0 WHERE address = $1 AND id <> $2";
    LEAVE_NODE = "DELETE FROM nodes WHERE id = $1";
    ASK_DRAIN = "UPDATE nodes SET drain_asked = $2 WHERE id = $1";
    PRUNE_NODES = sqlite "DELETE FROM nodes WHERE lease_until_ms < CAST(unixepoch('subsec') * 1000 AS INTEGER) - $1
            AND NOT EXISTS (SELECT 1 FROM call_owners WHERE call_owners.node = nodes.id)"
        postgres "DELETE FROM nodes WHERE lease_until_ms < CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) - $1
            AND NOT EXISTS (SELECT 1 FROM call_owners WHERE call_owners.node = nodes.id)";
    CLAIM_CALL = sqlite "INSERT INTO call_owners (business, call, node, since_ms)
        VALUES ($1, $2, $3, CAST(unixepoch('subsec') * 1000 AS INTEGER))
        ON CONFLICT (business, call) DO UPDATE SET node = excluded.node, since_ms = excluded.since_ms
        WHERE call_owners.node = excluded.node OR call_owners.node = $4"
        postgres "INSERT INTO call_owners (business, call, node, since_ms)
        VALUES ($1, $2, $3, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint))
        ON CONFLICT (business, call) DO UPDATE SET node = excluded.node, since_ms = excluded.since_ms
        WHERE call_owners.node = excluded.node OR call_owners.node = $4";
    RELEASE_CALL = "DELETE FROM call_owners WHERE business = $1 AND call = $2 AND node = $3";
    CALL_OWNER = "SELECT node FROM call_owners WHERE business = $1 AND call = $2";
    ORPHANS = sqlite "SELECT call_owners.business, call_owners.call, call_owners.node
        FROM call_owners LEFT JOIN nodes ON nodes.id = call_owners.node
        WHERE nodes.id IS NULL OR nodes.lease_until_ms <= CAST(unixepoch('subsec') * 1000 AS INTEGER)
        ORDER BY call_owners.since_ms, call_owners.call LIMIT $1"
        postgres "SELECT call_owners.business, call_owners.call, call_owners.node
        FROM call_owners LEFT JOIN nodes ON nodes.id = call_owners.node
        WHERE nodes.id IS NULL OR nodes.lease_until_ms <= CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)
        ORDER BY call_owners.since_ms, call_owners.call LIMIT $1";
}
