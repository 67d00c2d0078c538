-- Versions of documents whose vectors lie in a vector store elsewhere, or may: noted before they go there, until they are gone.
CREATE TABLE knowledge_mirrors (
    business BLOB NOT NULL REFERENCES businesses (id),
    -- Where: the registry name of the store.
    place TEXT NOT NULL,
    -- It may be deleted here before it is there.
    document BLOB NOT NULL,
    version INTEGER NOT NULL,
    passages INTEGER NOT NULL,
    -- 1: all of them are there.
    whole INTEGER NOT NULL,
    PRIMARY KEY (business, place, document, version)
) STRICT;
