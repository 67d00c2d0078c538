-- The first schema. migrations/postgres will hold files of the same numbers; a statement in src/sqlite/sql.rs means the
-- same on both. Times are Unix milliseconds, ids are UUIDs, money is millionths of a dollar. Every table carries the
-- business, and references between tenant tables carry it too, so that no row can point into another business.

CREATE TABLE businesses (
    id BLOB PRIMARY KEY NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    time_zone TEXT NOT NULL
) STRICT;

CREATE TABLE agents (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    slug TEXT NOT NULL,
    config TEXT NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (business, id),
    UNIQUE (business, slug)
) STRICT;

CREATE TABLE numbers (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL,
    number TEXT NOT NULL,
    carrier TEXT NOT NULL,
    agent BLOB NOT NULL,
    UNIQUE (carrier, number),
    FOREIGN KEY (business, agent) REFERENCES agents (business, id)
) STRICT;
CREATE INDEX numbers_by_business ON numbers (business, number);

CREATE TABLE conversations (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL,
    agent BLOB NOT NULL,
    customer TEXT,
    started_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER,
    UNIQUE (business, id),
    FOREIGN KEY (business, agent) REFERENCES agents (business, id)
) STRICT;
CREATE INDEX conversations_newest ON conversations (business, started_at_ms DESC, id DESC);

CREATE TABLE calls (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL,
    agent BLOB NOT NULL,
    conversation BLOB NOT NULL,
    direction TEXT NOT NULL,
    carrier TEXT NOT NULL,
    carrier_ref TEXT,
    customer TEXT,
    number TEXT,
    state TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    answered_at_ms INTEGER,
    ended_at_ms INTEGER,
    ended_reason TEXT,
    recording TEXT,
    cost_usd_micros INTEGER NOT NULL,
    UNIQUE (business, id),
    FOREIGN KEY (business, agent) REFERENCES agents (business, id),
    FOREIGN KEY (business, conversation) REFERENCES conversations (business, id)
) STRICT;
CREATE INDEX calls_newest ON calls (business, started_at_ms DESC, id DESC);
CREATE UNIQUE INDEX calls_by_carrier_ref ON calls (carrier, carrier_ref) WHERE carrier_ref IS NOT NULL;
CREATE INDEX calls_unfinished ON calls (started_at_ms) WHERE ended_at_ms IS NULL;

CREATE TABLE call_log (
    id INTEGER PRIMARY KEY,
    business BLOB NOT NULL,
    call BLOB NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    FOREIGN KEY (business, call) REFERENCES calls (business, id)
) STRICT;
CREATE INDEX call_log_by_call ON call_log (call, id);

CREATE TABLE journal (
    call BLOB NOT NULL,
    seq INTEGER NOT NULL,
    business BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    writer BLOB NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (call, seq),
    FOREIGN KEY (business, call) REFERENCES calls (business, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL,
    conversation BLOB NOT NULL,
    seq INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    role TEXT NOT NULL,
    text TEXT NOT NULL,
    complete INTEGER NOT NULL,
    citations TEXT NOT NULL,
    latency TEXT,
    at_ms INTEGER NOT NULL,
    UNIQUE (conversation, seq),
    FOREIGN KEY (business, conversation) REFERENCES conversations (business, id)
) STRICT;

CREATE TABLE inputs (
    call BLOB NOT NULL,
    seq INTEGER NOT NULL,
    business BLOB NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (call, seq),
    FOREIGN KEY (business, call) REFERENCES calls (business, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE documents (
    business BLOB NOT NULL REFERENCES businesses (id),
    slug TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (business, slug)
) STRICT, WITHOUT ROWID;

-- What the tools of a business look up and record: order status, bookings. Keys compare without regard to case, because
-- callers spell them and recognisers write them down.
CREATE TABLE business_rows (
    business BLOB NOT NULL REFERENCES businesses (id),
    name TEXT NOT NULL,
    key TEXT NOT NULL COLLATE NOCASE,
    data TEXT NOT NULL,
    PRIMARY KEY (business, name, key)
) STRICT, WITHOUT ROWID;

-- Deliveries of carriers that were seen. Not a tenant's: a delivery is checked before it is known whose it is.
CREATE TABLE replay_keys (
    carrier TEXT NOT NULL,
    key TEXT NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    PRIMARY KEY (carrier, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX replay_keys_oldest ON replay_keys (first_seen_ms);
