-- What people and programs manage through the API. An agent has a draft (NULL: the same as what is published), versions that
-- never change, a status, and a revision that counts every change of these.
ALTER TABLE agents ADD COLUMN draft TEXT;
ALTER TABLE agents ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
ALTER TABLE agents ADD COLUMN status TEXT NOT NULL DEFAULT 'enabled';
ALTER TABLE agents ADD COLUMN updated_at_ms INTEGER NOT NULL DEFAULT 0;

CREATE TABLE agent_versions (
    agent BLOB NOT NULL,
    version INTEGER NOT NULL,
    business BLOB NOT NULL,
    config TEXT NOT NULL,
    note TEXT,
    published_by TEXT,
    published_at_ms INTEGER NOT NULL,
    PRIMARY KEY (agent, version),
    FOREIGN KEY (business, agent) REFERENCES agents (business, id)
) STRICT, WITHOUT ROWID;
INSERT INTO agent_versions (agent, version, business, config, published_at_ms)
    SELECT id, version, business, config, 0 FROM agents;

-- The version of its agent that a call began with.
ALTER TABLE calls ADD COLUMN agent_version INTEGER;
CREATE INDEX calls_by_agent ON calls (business, agent, started_at_ms DESC, id DESC);
CREATE INDEX calls_by_customer ON calls (business, customer, started_at_ms DESC, id DESC);
CREATE INDEX conversations_by_customer ON conversations (business, customer, started_at_ms DESC, id DESC);

ALTER TABLE numbers ADD COLUMN label TEXT;
-- Where calls go while nobody is there: JSON.
ALTER TABLE numbers ADD COLUMN hours TEXT;
ALTER TABLE numbers ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

ALTER TABLE businesses ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';
ALTER TABLE businesses ADD COLUMN profile_version INTEGER NOT NULL DEFAULT 1;

CREATE TABLE customers (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    phone TEXT,
    email TEXT,
    name TEXT,
    language TEXT,
    tags TEXT NOT NULL,
    attributes TEXT NOT NULL,
    notes TEXT,
    -- Name, number and address in lower case.
    search TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (business, id)
) STRICT;
CREATE UNIQUE INDEX customers_by_phone ON customers (business, phone) WHERE phone IS NOT NULL;
CREATE UNIQUE INDEX customers_by_email ON customers (business, email) WHERE email IS NOT NULL;
CREATE INDEX customers_newest ON customers (business, updated_at_ms DESC, id DESC);

-- Settings and feature flags of a business, by name: JSON, and how often it was changed.
CREATE TABLE business_values (
    business BLOB NOT NULL REFERENCES businesses (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (business, kind, name)
) STRICT, WITHOUT ROWID;

-- What the services of a business know its tools by, sealed (src/seal.rs).
CREATE TABLE tool_credentials (
    business BLOB NOT NULL REFERENCES businesses (id),
    name TEXT NOT NULL,
    sealed BLOB NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (business, name)
) STRICT, WITHOUT ROWID;

-- Requests with an idempotency key: what tells them apart, and their answer, sealed, as soon as there is one.
CREATE TABLE requests (
    business BLOB NOT NULL REFERENCES businesses (id),
    actor TEXT NOT NULL,
    key TEXT NOT NULL,
    hash BLOB NOT NULL,
    begun_at_ms INTEGER NOT NULL,
    answer BLOB,
    PRIMARY KEY (business, actor, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_oldest ON requests (begun_at_ms);
