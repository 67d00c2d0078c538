-- Versions of documents whose vectors lie in a vector store elsewhere, or may: noted before they go there, until they are gone.
CREATE TABLE knowledge_mirrors (
    business uuid NOT NULL REFERENCES businesses (id),
    -- Where: the registry name of the store.
    place text COLLATE "C" NOT NULL,
    -- It may be deleted here before it is there.
    document uuid NOT NULL,
    version bigint NOT NULL,
    passages bigint NOT NULL,
    -- 1: all of them are there.
    whole bigint NOT NULL,
    PRIMARY KEY (business, place, document, version)
);
SELECT frontdesk_protect('knowledge_mirrors');
