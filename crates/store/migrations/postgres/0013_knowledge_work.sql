-- Work on what businesses know: jobs with their progress, sites that are visited again, questions with known answers and how
-- well they were answered.

CREATE TABLE knowledge_works (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    kind text NOT NULL,
    state text NOT NULL,
    source text NOT NULL,
    -- How far it is, and what became of each document: JSON.
    progress text NOT NULL,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    finished_at_ms bigint,
    UNIQUE (business, id)
);
CREATE INDEX knowledge_works_newest ON knowledge_works (business, created_at_ms DESC, id DESC);
SELECT frontdesk_protect('knowledge_works');

CREATE TABLE knowledge_sites (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    url text NOT NULL,
    pages_max bigint NOT NULL,
    depth_max bigint NOT NULL,
    -- Absent: visited when somebody asks.
    every_hours bigint,
    next_at_ms bigint,
    last_work uuid,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    UNIQUE (business, id),
    UNIQUE (business, url)
);
CREATE INDEX knowledge_sites_due ON knowledge_sites (next_at_ms);
SELECT frontdesk_protect('knowledge_sites');

CREATE TABLE knowledge_questions (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    question text NOT NULL,
    -- Heading or title that answers it; absent: nothing does.
    expected text,
    origin text NOT NULL,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    UNIQUE (business, id)
);
CREATE INDEX knowledge_questions_newest ON knowledge_questions (business, created_at_ms DESC, id DESC);
SELECT frontdesk_protect('knowledge_questions');

CREATE TABLE knowledge_reports (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    at_ms bigint NOT NULL,
    report text NOT NULL,
    UNIQUE (business, id)
);
CREATE INDEX knowledge_reports_newest ON knowledge_reports (business, at_ms DESC, id DESC);
SELECT frontdesk_protect('knowledge_reports');

-- What an agent is taught: the examples as they are typed, and the version that serves; 0: none.
CREATE TABLE agent_lessons (
    business uuid NOT NULL REFERENCES businesses (id),
    agent uuid NOT NULL,
    -- Intents with examples, entity types: JSON.
    draft text NOT NULL,
    serving bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    PRIMARY KEY (business, agent)
);
SELECT frontdesk_protect('agent_lessons');

-- What was learned of them.
CREATE TABLE agent_trainings (
    business uuid NOT NULL REFERENCES businesses (id),
    agent uuid NOT NULL,
    version bigint NOT NULL,
    lesson text NOT NULL,
    -- Numbers of the classifier: 32-bit floats, little-endian.
    model bytea NOT NULL,
    -- The space that the vectors lie in which it was learned from.
    space text NOT NULL,
    -- How well it tells intents apart: JSON.
    report text NOT NULL,
    trained_at_ms bigint NOT NULL,
    PRIMARY KEY (business, agent, version)
);
SELECT frontdesk_protect('agent_trainings');
