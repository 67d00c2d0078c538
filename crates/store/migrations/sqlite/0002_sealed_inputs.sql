-- Recorded inputs are sealed (src/seal.rs). What was recorded before is unsealed and goes: it served replays alone.
DROP TABLE inputs;

CREATE TABLE inputs (
    call BLOB NOT NULL,
    seq INTEGER NOT NULL,
    business BLOB NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (call, seq),
    FOREIGN KEY (business, call) REFERENCES calls (business, id)
) STRICT, WITHOUT ROWID;

-- The parts of a call's recording, relative to the folder of recordings: one for each process that had the call.
CREATE TABLE recordings (
    call BLOB NOT NULL,
    name TEXT NOT NULL,
    business BLOB NOT NULL,
    opened_at_ms INTEGER NOT NULL,
    PRIMARY KEY (call, name),
    FOREIGN KEY (business, call) REFERENCES calls (business, id)
) STRICT, WITHOUT ROWID;

INSERT INTO recordings (call, name, business, opened_at_ms)
    SELECT id, recording, business, started_at_ms FROM calls WHERE recording IS NOT NULL;

-- When what was said and heard in a call was deleted, because the time for which it is kept was over.
ALTER TABLE calls ADD COLUMN forgotten_at_ms INTEGER;
CREATE INDEX calls_not_forgotten ON calls (started_at_ms, id) WHERE forgotten_at_ms IS NULL;
