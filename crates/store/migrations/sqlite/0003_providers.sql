-- Credentials of providers, sealed (src/seal.rs): of a business, or of the installation when the owner is sixteen zero bytes.
CREATE TABLE credentials (
    owner BLOB NOT NULL,
    provider TEXT NOT NULL,
    sealed BLOB NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (owner, provider)
) STRICT, WITHOUT ROWID;

-- What an operator has set for the whole installation while it runs, by name: JSON, and how often it was changed.
CREATE TABLE settings (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What each provider charged for a call, stage by stage.
CREATE TABLE call_costs (
    call BLOB NOT NULL,
    stage TEXT NOT NULL,
    provider TEXT NOT NULL,
    business BLOB NOT NULL,
    cost_usd_micros INTEGER NOT NULL,
    PRIMARY KEY (call, stage, provider),
    FOREIGN KEY (business, call) REFERENCES calls (business, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_by_start ON calls (business, started_at_ms, cost_usd_micros);
