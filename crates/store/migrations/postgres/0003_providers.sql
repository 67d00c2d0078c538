-- Credentials of providers, sealed (src/seal.rs): of a business, or of the installation when the owner is sixteen zero bytes.
CREATE TABLE credentials (
    owner uuid NOT NULL,
    provider text COLLATE "C" NOT NULL,
    sealed bytea NOT NULL,
    updated_at_ms bigint NOT NULL,
    PRIMARY KEY (owner, provider)
);
SELECT frontdesk_protect('credentials', 'owner');

-- What an operator has set for the whole installation while it runs, by name: JSON, and how often it was changed.
CREATE TABLE settings (
    name text PRIMARY KEY,
    value text NOT NULL,
    version bigint NOT NULL
);

-- What each provider charged for a call, stage by stage.
CREATE TABLE call_costs (
    call uuid NOT NULL,
    stage text COLLATE "C" NOT NULL,
    provider text COLLATE "C" NOT NULL,
    business uuid NOT NULL,
    cost_usd_micros bigint NOT NULL,
    PRIMARY KEY (call, stage, provider),
    FOREIGN KEY (business, call) REFERENCES calls (business, id)
);
SELECT frontdesk_protect('call_costs');
CREATE INDEX calls_by_start ON calls (business, started_at_ms, cost_usd_micros);

SELECT frontdesk_make_partitions(1, 3);
