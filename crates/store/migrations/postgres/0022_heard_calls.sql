-- Recorded calls that were heard for what they teach, and the questions with answers that they propose. None of it serves.

CREATE TABLE heard_calls (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    name text NOT NULL,
    sha256 text NOT NULL,
    duration_ms bigint NOT NULL,
    -- Who said what when: JSON.
    utterances text NOT NULL,
    -- What was left out of the proposals and why: JSON.
    left_out text NOT NULL,
    at_ms bigint NOT NULL,
    UNIQUE (business, id),
    UNIQUE (business, sha256)
);
CREATE INDEX heard_calls_newest ON heard_calls (business, at_ms DESC, id DESC);
SELECT frontdesk_protect('heard_calls');

CREATE TABLE proposals (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    -- The call that it comes from; absent when that was deleted.
    heard uuid,
    -- Name of the recording, and where in it the question was asked.
    source text NOT NULL,
    from_ms bigint NOT NULL,
    question text NOT NULL,
    answer text NOT NULL,
    state text NOT NULL,
    -- The space of the question's vector, and the vector.
    space text NOT NULL,
    vector bytea NOT NULL,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    UNIQUE (business, id)
);
CREATE INDEX proposals_newest ON proposals (business, state, created_at_ms DESC, id DESC);
CREATE INDEX proposals_of_call ON proposals (business, heard);
SELECT frontdesk_protect('proposals');
