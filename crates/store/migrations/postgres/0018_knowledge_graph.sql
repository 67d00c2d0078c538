-- What documents name and say of it: entities with their names, where they are mentioned, relations, and what people took out.

CREATE TABLE knowledge_entities (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    kind text NOT NULL,
    name text NOT NULL,
    -- Lower-case words of the name: lists are ordered by it.
    key text COLLATE "C" NOT NULL,
    -- Other names: JSON.
    aliases text NOT NULL,
    origin text NOT NULL,
    -- Taken out by a person; kept so that the next version does not bring it back.
    hidden boolean NOT NULL,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    UNIQUE (business, id)
);
CREATE INDEX knowledge_entities_by_key ON knowledge_entities (business, key, id);
SELECT frontdesk_protect('knowledge_entities');

-- Every name that leads to an entity, as lower-case words.
CREATE TABLE knowledge_entity_names (
    business uuid NOT NULL,
    key text NOT NULL,
    entity uuid NOT NULL,
    PRIMARY KEY (business, key),
    FOREIGN KEY (business, entity) REFERENCES knowledge_entities (business, id)
);
CREATE INDEX knowledge_entity_names_of ON knowledge_entity_names (business, entity);
SELECT frontdesk_protect('knowledge_entity_names');

-- Passages that name an entity. As with chunks, those of the version that serves count.
CREATE TABLE knowledge_mentions (
    business uuid NOT NULL,
    document uuid NOT NULL,
    version bigint NOT NULL,
    ordinal bigint NOT NULL,
    entity uuid NOT NULL,
    heading text NOT NULL,
    PRIMARY KEY (business, document, version, ordinal, entity),
    FOREIGN KEY (business, document) REFERENCES knowledge_documents (business, id)
);
CREATE INDEX knowledge_mentions_of ON knowledge_mentions (business, entity);
SELECT frontdesk_protect('knowledge_mentions');

CREATE TABLE knowledge_relations (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    subject uuid NOT NULL,
    predicate text NOT NULL,
    object uuid,
    value text NOT NULL,
    negated boolean NOT NULL,
    -- Absent: a person said so.
    document uuid,
    version bigint,
    ordinal bigint,
    heading text,
    -- The sentence, verbatim.
    quote text,
    UNIQUE (business, id),
    FOREIGN KEY (business, document) REFERENCES knowledge_documents (business, id)
);
CREATE INDEX knowledge_relations_of ON knowledge_relations (business, subject);
CREATE INDEX knowledge_relations_to ON knowledge_relations (business, object);
CREATE INDEX knowledge_relations_from ON knowledge_relations (business, document, version);
SELECT frontdesk_protect('knowledge_relations');

-- What a person took out and no document brings back.
CREATE TABLE knowledge_denials (
    business uuid NOT NULL REFERENCES businesses (id),
    subject uuid NOT NULL,
    predicate text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (business, subject, predicate, value)
);
SELECT frontdesk_protect('knowledge_denials');
