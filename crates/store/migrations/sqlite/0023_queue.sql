-- Callers who wait for a person of the business: since when, why in one word, and what they want. Absent: they do not wait.
ALTER TABLE calls ADD COLUMN waiting_since_ms INTEGER;
ALTER TABLE calls ADD COLUMN waiting_reason TEXT;
ALTER TABLE calls ADD COLUMN waiting_brief TEXT;
-- When somebody was given this call as the next one; the call itself says soon after whether they have it.
ALTER TABLE calls ADD COLUMN waiting_claimed_ms INTEGER;
CREATE INDEX calls_waiting ON calls (business, waiting_since_ms, id) WHERE waiting_since_ms IS NOT NULL;
