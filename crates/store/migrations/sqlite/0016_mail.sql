-- Mails that wait to be handed over: whom to and what they say is sealed (src/seal.rs), because they hold links that let people in.
-- A row goes when its mail has gone.
CREATE TABLE mails (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    purpose TEXT NOT NULL,
    -- The message of an agent that it is; such a mail is never handed over twice.
    dispatch BLOB,
    sealed BLOB NOT NULL,
    -- Since when a server may have it.
    begun_at_ms INTEGER,
    created_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX mails_oldest ON mails (created_at_ms);
CREATE INDEX mails_by_business ON mails (business, id);
