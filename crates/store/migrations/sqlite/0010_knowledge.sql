-- What businesses know: documents, their versions, the chunks of the version that serves and of those being made, and the
-- questions that found no answer.

CREATE TABLE knowledge_documents (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    slug TEXT NOT NULL,
    title TEXT NOT NULL,
    -- A file's name or an address.
    source TEXT NOT NULL,
    -- The version that serves; 0: none yet.
    serving INTEGER NOT NULL,
    -- The newest version, whatever became of it.
    latest INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    UNIQUE (business, id),
    UNIQUE (business, slug)
) STRICT;

CREATE TABLE knowledge_versions (
    business BLOB NOT NULL,
    document BLOB NOT NULL,
    version INTEGER NOT NULL,
    status TEXT NOT NULL,
    kind TEXT,
    error_code TEXT,
    error TEXT,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    pages INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    -- The space that the vectors lie in.
    space TEXT,
    created_at_ms INTEGER NOT NULL,
    ready_at_ms INTEGER,
    PRIMARY KEY (business, document, version),
    FOREIGN KEY (business, document) REFERENCES knowledge_documents (business, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE knowledge_chunks (
    business BLOB NOT NULL,
    document BLOB NOT NULL,
    version INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    id TEXT NOT NULL,
    heading TEXT NOT NULL,
    page INTEGER,
    -- Sentences, items and rows, one a line.
    text TEXT NOT NULL,
    -- Vectors of the passage, of its heading, of each line: 32-bit floats, little-endian.
    vectors BLOB NOT NULL,
    PRIMARY KEY (business, document, version, ordinal),
    FOREIGN KEY (business, document) REFERENCES knowledge_documents (business, id)
) STRICT;

-- One more whenever what serves has changed, so that nodes know that their index is old.
CREATE TABLE knowledge_revisions (
    business BLOB PRIMARY KEY NOT NULL REFERENCES businesses (id),
    revision INTEGER NOT NULL
) STRICT;

CREATE TABLE knowledge_gaps (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    question TEXT NOT NULL,
    asked_at_ms INTEGER NOT NULL,
    space TEXT NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (business, id)
) STRICT;
CREATE INDEX knowledge_gaps_newest ON knowledge_gaps (business, asked_at_ms DESC, id DESC);
