-- What businesses know: documents, their versions, the chunks of the version that serves and of those being made, and the
-- questions that found no answer.

CREATE TABLE knowledge_documents (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    slug text COLLATE "C" NOT NULL,
    title text NOT NULL,
    -- A file's name or an address.
    source text NOT NULL,
    -- The version that serves; 0: none yet.
    serving bigint NOT NULL,
    -- The newest version, whatever became of it.
    latest bigint NOT NULL,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    UNIQUE (business, id),
    UNIQUE (business, slug)
);
SELECT frontdesk_protect('knowledge_documents');

CREATE TABLE knowledge_versions (
    business uuid NOT NULL,
    document uuid NOT NULL,
    version bigint NOT NULL,
    status text NOT NULL,
    kind text,
    error_code text,
    error text,
    bytes bigint NOT NULL,
    sha256 text NOT NULL,
    pages bigint NOT NULL,
    chunks bigint NOT NULL,
    -- The space that the vectors lie in.
    space text,
    created_at_ms bigint NOT NULL,
    ready_at_ms bigint,
    PRIMARY KEY (business, document, version),
    FOREIGN KEY (business, document) REFERENCES knowledge_documents (business, id)
);
SELECT frontdesk_protect('knowledge_versions');

CREATE TABLE knowledge_chunks (
    business uuid NOT NULL,
    document uuid NOT NULL,
    version bigint NOT NULL,
    ordinal bigint NOT NULL,
    id text NOT NULL,
    heading text NOT NULL,
    page bigint,
    -- Sentences, items and rows, one a line.
    text text NOT NULL,
    -- Vectors of the passage, of its heading, of each line: 32-bit floats, little-endian.
    vectors bytea NOT NULL,
    PRIMARY KEY (business, document, version, ordinal),
    FOREIGN KEY (business, document) REFERENCES knowledge_documents (business, id)
);
SELECT frontdesk_protect('knowledge_chunks');

-- One more whenever what serves has changed, so that nodes know that their index is old.
CREATE TABLE knowledge_revisions (
    business uuid PRIMARY KEY REFERENCES businesses (id),
    revision bigint NOT NULL
);
SELECT frontdesk_protect('knowledge_revisions');

CREATE TABLE knowledge_gaps (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    question text NOT NULL,
    asked_at_ms bigint NOT NULL,
    space text NOT NULL,
    vector bytea NOT NULL,
    UNIQUE (business, id)
);
CREATE INDEX knowledge_gaps_newest ON knowledge_gaps (business, asked_at_ms DESC, id DESC);
SELECT frontdesk_protect('knowledge_gaps');
