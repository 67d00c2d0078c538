-- Recorded calls that were heard for what they teach, and the questions with answers that they propose. None of it serves.

CREATE TABLE heard_calls (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    -- Who said what when: JSON.
    utterances TEXT NOT NULL,
    -- What was left out of the proposals and why: JSON.
    left_out TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    UNIQUE (business, id),
    UNIQUE (business, sha256)
) STRICT;
CREATE INDEX heard_calls_newest ON heard_calls (business, at_ms DESC, id DESC);

CREATE TABLE proposals (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    -- The call that it comes from; absent when that was deleted.
    heard BLOB,
    -- Name of the recording, and where in it the question was asked.
    source TEXT NOT NULL,
    from_ms INTEGER NOT NULL,
    question TEXT NOT NULL,
    answer TEXT NOT NULL,
    state TEXT NOT NULL,
    -- The space of the question's vector, and the vector.
    space TEXT NOT NULL,
    vector BLOB NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    UNIQUE (business, id)
) STRICT;
CREATE INDEX proposals_newest ON proposals (business, state, created_at_ms DESC, id DESC);
CREATE INDEX proposals_of_call ON proposals (business, heard);
