-- Recorded inputs are sealed (src/seal.rs).
CREATE TABLE inputs (
    call uuid NOT NULL,
    seq bigint NOT NULL,
    business uuid NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (call, seq),
    FOREIGN KEY (business, call) REFERENCES calls (business, id)
);
SELECT frontdesk_protect('inputs');

-- The parts of a call's recording, relative to the folder of recordings: one for each process that had the call.
CREATE TABLE recordings (
    call uuid NOT NULL,
    name text NOT NULL,
    business uuid NOT NULL,
    opened_at_ms bigint NOT NULL,
    PRIMARY KEY (call, name),
    FOREIGN KEY (business, call) REFERENCES calls (business, id)
);
SELECT frontdesk_protect('recordings');

-- When what was said and heard in a call was deleted, because the time for which it is kept was over.
ALTER TABLE calls ADD COLUMN forgotten_at_ms bigint;
CREATE INDEX calls_not_forgotten ON calls (started_at_ms, id) WHERE forgotten_at_ms IS NULL;
