SET LOCAL frontdesk.across = 'on';

-- Mails that wait to be handed over: whom to and what they say is sealed (src/seal.rs), because they hold links that let people in.
-- A row goes when its mail has gone.
CREATE TABLE mails (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    purpose text NOT NULL,
    -- The message of an agent that it is; such a mail is never handed over twice.
    dispatch uuid,
    sealed bytea NOT NULL,
    -- Since when a server may have it.
    begun_at_ms bigint,
    created_at_ms bigint NOT NULL
);
CREATE INDEX mails_oldest ON mails (created_at_ms);
CREATE INDEX mails_by_business ON mails (business, id);
SELECT frontdesk_protect('mails');
