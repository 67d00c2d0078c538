-- Work on what businesses know: jobs with their progress, sites that are visited again, questions with known answers and how
-- well they were answered.

CREATE TABLE knowledge_works (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    source TEXT NOT NULL,
    -- How far it is, and what became of each document: JSON.
    progress TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    finished_at_ms INTEGER,
    UNIQUE (business, id)
) STRICT;
CREATE INDEX knowledge_works_newest ON knowledge_works (business, created_at_ms DESC, id DESC);

CREATE TABLE knowledge_sites (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    url TEXT NOT NULL,
    pages_max INTEGER NOT NULL,
    depth_max INTEGER NOT NULL,
    -- Absent: visited when somebody asks.
    every_hours INTEGER,
    next_at_ms INTEGER,
    last_work BLOB,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    UNIQUE (business, id),
    UNIQUE (business, url)
) STRICT;
CREATE INDEX knowledge_sites_due ON knowledge_sites (next_at_ms);

CREATE TABLE knowledge_questions (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    question TEXT NOT NULL,
    -- Heading or title that answers it; absent: nothing does.
    expected TEXT,
    origin TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    UNIQUE (business, id)
) STRICT;
CREATE INDEX knowledge_questions_newest ON knowledge_questions (business, created_at_ms DESC, id DESC);

CREATE TABLE knowledge_reports (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    at_ms INTEGER NOT NULL,
    report TEXT NOT NULL,
    UNIQUE (business, id)
) STRICT;
CREATE INDEX knowledge_reports_newest ON knowledge_reports (business, at_ms DESC, id DESC);

-- What an agent is taught: the examples as they are typed, and the version that serves; 0: none.
CREATE TABLE agent_lessons (
    business BLOB NOT NULL REFERENCES businesses (id),
    agent BLOB NOT NULL,
    -- Intents with examples, entity types: JSON.
    draft TEXT NOT NULL,
    serving INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (business, agent)
) STRICT, WITHOUT ROWID;

-- What was learned of them.
CREATE TABLE agent_trainings (
    business BLOB NOT NULL REFERENCES businesses (id),
    agent BLOB NOT NULL,
    version INTEGER NOT NULL,
    lesson TEXT NOT NULL,
    -- Numbers of the classifier: 32-bit floats, little-endian.
    model BLOB NOT NULL,
    -- The space that the vectors lie in which it was learned from.
    space TEXT NOT NULL,
    -- How well it tells intents apart: JSON.
    report TEXT NOT NULL,
    trained_at_ms INTEGER NOT NULL,
    PRIMARY KEY (business, agent, version)
) STRICT;
