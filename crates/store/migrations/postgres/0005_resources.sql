SET LOCAL frontdesk.across = 'on';

-- What people and programs manage through the API. An agent has a draft (NULL: the same as what is published), versions that
-- never change, a status, and a revision that counts every change of these.
ALTER TABLE agents ADD COLUMN draft text;
ALTER TABLE agents ADD COLUMN revision bigint NOT NULL DEFAULT 1;
ALTER TABLE agents ADD COLUMN status text NOT NULL DEFAULT 'enabled';
ALTER TABLE agents ADD COLUMN updated_at_ms bigint NOT NULL DEFAULT 0;

CREATE TABLE agent_versions (
    agent uuid NOT NULL,
    version bigint NOT NULL,
    business uuid NOT NULL,
    config text NOT NULL,
    note text,
    published_by text,
    published_at_ms bigint NOT NULL,
    PRIMARY KEY (agent, version),
    FOREIGN KEY (business, agent) REFERENCES agents (business, id)
);
INSERT INTO agent_versions (agent, version, business, config, published_at_ms)
    SELECT id, version, business, config, 0 FROM agents;

-- The version of its agent that a call began with.
ALTER TABLE calls ADD COLUMN agent_version bigint;
CREATE INDEX calls_by_agent ON calls (business, agent, started_at_ms DESC, id DESC);
CREATE INDEX calls_by_customer ON calls (business, customer, started_at_ms DESC, id DESC);
CREATE INDEX conversations_by_customer ON conversations (business, customer, started_at_ms DESC, id DESC);

ALTER TABLE numbers ADD COLUMN label text;
-- Where calls go while nobody is there: JSON.
ALTER TABLE numbers ADD COLUMN hours text;
ALTER TABLE numbers ADD COLUMN version bigint NOT NULL DEFAULT 1;

ALTER TABLE businesses ADD COLUMN profile text NOT NULL DEFAULT '{}';
ALTER TABLE businesses ADD COLUMN profile_version bigint NOT NULL DEFAULT 1;

CREATE TABLE customers (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    phone text,
    email text,
    name text,
    language text,
    tags text NOT NULL,
    attributes text NOT NULL,
    notes text,
    -- Name, number and address in lower case.
    search text NOT NULL,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    version bigint NOT NULL,
    UNIQUE (business, id)
);
CREATE UNIQUE INDEX customers_by_phone ON customers (business, phone) WHERE phone IS NOT NULL;
CREATE UNIQUE INDEX customers_by_email ON customers (business, email) WHERE email IS NOT NULL;
CREATE INDEX customers_newest ON customers (business, updated_at_ms DESC, id DESC);

-- Settings and feature flags of a business, by name: JSON, and how often it was changed.
CREATE TABLE business_values (
    business uuid NOT NULL REFERENCES businesses (id),
    kind text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    value text NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (business, kind, name)
);

-- What the services of a business know its tools by, sealed (src/seal.rs).
CREATE TABLE tool_credentials (
    business uuid NOT NULL REFERENCES businesses (id),
    name text COLLATE "C" NOT NULL,
    sealed bytea NOT NULL,
    updated_at_ms bigint NOT NULL,
    PRIMARY KEY (business, name)
);

-- Requests with an idempotency key: what tells them apart, and their answer, sealed, as soon as there is one.
CREATE TABLE requests (
    business uuid NOT NULL REFERENCES businesses (id),
    actor text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    hash bytea NOT NULL,
    begun_at_ms bigint NOT NULL,
    answer bytea,
    PRIMARY KEY (business, actor, key)
);
CREATE INDEX requests_oldest ON requests (begun_at_ms);

SELECT frontdesk_protect('agent_versions');
SELECT frontdesk_protect('customers');
SELECT frontdesk_protect('business_values');
SELECT frontdesk_protect('tool_credentials');
SELECT frontdesk_protect('requests');
