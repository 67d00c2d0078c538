SET LOCAL frontdesk.across = 'on';

-- How a business looks to its own people. The domain is looked up before anybody has signed in.
CREATE TABLE branding (
    business uuid PRIMARY KEY REFERENCES businesses (id),
    config text NOT NULL,
    domain text UNIQUE,
    -- Empty: there is none.
    logo bytea NOT NULL,
    logo_type text,
    version bigint NOT NULL
);
SELECT frontdesk_protect('branding');
-- When numbers and addresses were taken out of the words of a call.
ALTER TABLE calls ADD COLUMN redacted_at_ms bigint;
CREATE INDEX calls_with_customer ON calls (business, started_at_ms) WHERE customer IS NOT NULL;
CREATE INDEX recordings_by_age ON recordings (business, opened_at_ms);
