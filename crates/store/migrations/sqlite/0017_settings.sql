-- How a business looks to its own people. The domain is looked up before anybody has signed in.
CREATE TABLE branding (
    business BLOB PRIMARY KEY NOT NULL REFERENCES businesses (id),
    config TEXT NOT NULL,
    domain TEXT UNIQUE,
    -- Empty: there is none.
    logo BLOB NOT NULL,
    logo_type TEXT,
    version INTEGER NOT NULL
) STRICT;

-- When numbers and addresses were taken out of the words of a call.
ALTER TABLE calls ADD COLUMN redacted_at_ms INTEGER;
CREATE INDEX calls_with_customer ON calls (business, started_at_ms) WHERE customer IS NOT NULL;
CREATE INDEX recordings_by_age ON recordings (business, opened_at_ms);
