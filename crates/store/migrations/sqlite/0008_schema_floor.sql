-- The number of the migration that a program has to know in order to serve on this schema; see src/db/migrate.rs. A migration
-- that takes something away raises it.
CREATE TABLE schema_floor (
    floor INTEGER NOT NULL
) STRICT;
INSERT INTO schema_floor (floor) VALUES (1);

-- A conversation is deleted after a look at whether a call still refers to it.
CREATE INDEX calls_by_conversation ON calls (conversation);
