-- What documents name and say of it: entities with their names, where they are mentioned, relations, and what people took out.

CREATE TABLE knowledge_entities (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Lower-case words of the name: lists are ordered by it.
    key TEXT NOT NULL,
    -- Other names: JSON.
    aliases TEXT NOT NULL,
    origin TEXT NOT NULL,
    -- Taken out by a person; kept so that the next version does not bring it back.
    hidden INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    UNIQUE (business, id)
) STRICT;
CREATE INDEX knowledge_entities_by_key ON knowledge_entities (business, key, id);

-- Every name that leads to an entity, as lower-case words.
CREATE TABLE knowledge_entity_names (
    business BLOB NOT NULL,
    key TEXT NOT NULL,
    entity BLOB NOT NULL,
    PRIMARY KEY (business, key),
    FOREIGN KEY (business, entity) REFERENCES knowledge_entities (business, id)
) STRICT;
CREATE INDEX knowledge_entity_names_of ON knowledge_entity_names (business, entity);

-- Passages that name an entity. As with chunks, those of the version that serves count.
CREATE TABLE knowledge_mentions (
    business BLOB NOT NULL,
    document BLOB NOT NULL,
    version INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    entity BLOB NOT NULL,
    heading TEXT NOT NULL,
    PRIMARY KEY (business, document, version, ordinal, entity),
    FOREIGN KEY (business, document) REFERENCES knowledge_documents (business, id)
) STRICT;
CREATE INDEX knowledge_mentions_of ON knowledge_mentions (business, entity);

CREATE TABLE knowledge_relations (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    subject BLOB NOT NULL,
    predicate TEXT NOT NULL,
    object BLOB,
    value TEXT NOT NULL,
    negated INTEGER NOT NULL,
    -- Absent: a person said so.
    document BLOB,
    version INTEGER,
    ordinal INTEGER,
    heading TEXT,
    -- The sentence, verbatim.
    quote TEXT,
    UNIQUE (business, id),
    FOREIGN KEY (business, document) REFERENCES knowledge_documents (business, id)
) STRICT;
CREATE INDEX knowledge_relations_of ON knowledge_relations (business, subject);
CREATE INDEX knowledge_relations_to ON knowledge_relations (business, object);
CREATE INDEX knowledge_relations_from ON knowledge_relations (business, document, version);

-- What a person took out and no document brings back.
CREATE TABLE knowledge_denials (
    business BLOB NOT NULL REFERENCES businesses (id),
    subject BLOB NOT NULL,
    predicate TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (business, subject, predicate, value)
) STRICT;
