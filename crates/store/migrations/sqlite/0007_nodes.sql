-- Nodes that share this database, each for as long as it says so again: lease_until_ms is of the database's own clock.
CREATE TABLE nodes (
    id BLOB PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    roles TEXT NOT NULL,
    generation INTEGER NOT NULL,
    version TEXT NOT NULL,
    calls_live INTEGER NOT NULL,
    calls_max INTEGER NOT NULL,
    draining INTEGER NOT NULL,
    drain_asked INTEGER NOT NULL DEFAULT 0,
    started_at_ms INTEGER NOT NULL,
    seen_at_ms INTEGER NOT NULL,
    lease_until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which node has a call. The row of a node may be gone: then nobody has it any more.
CREATE TABLE call_owners (
    business BLOB NOT NULL,
    call BLOB NOT NULL,
    node BLOB NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (business, call)
) STRICT, WITHOUT ROWID;
CREATE INDEX call_owners_by_node ON call_owners (node);
