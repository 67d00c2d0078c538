-- Nodes that share this database, each for as long as it says so again: lease_until_ms is of the database's own clock.
CREATE TABLE nodes (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    address text NOT NULL,
    roles text NOT NULL,
    generation bigint NOT NULL,
    version text NOT NULL,
    calls_live bigint NOT NULL,
    calls_max bigint NOT NULL,
    draining boolean NOT NULL,
    drain_asked boolean NOT NULL DEFAULT false,
    started_at_ms bigint NOT NULL,
    seen_at_ms bigint NOT NULL,
    lease_until_ms bigint NOT NULL
);

-- Which node has a call. The row of a node may be gone: then nobody has it any more.
CREATE TABLE call_owners (
    business uuid NOT NULL,
    call uuid NOT NULL,
    node uuid NOT NULL,
    since_ms bigint NOT NULL,
    PRIMARY KEY (business, call)
);
CREATE INDEX call_owners_by_node ON call_owners (node);
SELECT frontdesk_protect('call_owners');
