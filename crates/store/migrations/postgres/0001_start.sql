-- The first schema, of the same meaning as migrations/sqlite/0001_start.sql: times are Unix milliseconds, ids are UUIDs, money
-- is millionths of a dollar. Every table carries the business, and references between tenant tables carry it too.
--
-- Row-level security is the second lock behind `WHERE business = $1`. Each unit of work says whose rows it may reach, for its
-- transaction alone: `SET LOCAL frontdesk.business = 'UUID'`, or `SET LOCAL frontdesk.across = 'on'` where the program says
-- that it reaches several. A connection that said nothing reaches no row. The policies bind the owner of the tables, too, but
-- never a superuser or a role with BYPASSRLS: let the program connect as a role that is neither (docs/storage.md).
--
-- `calls`, `messages` and `journal` are partitioned by month. The partition key is the id that every statement knows: of the
-- call, of the conversation. Such ids are UUIDs of version 7 (RFC 9562, 5.7), which begin with the millisecond in which
-- they were made, so a month of time is a range of ids. That keeps what crosses months sound without more: (id) and
-- (call, seq) are unique over all partitions because equal keys can only meet in one of them, and a look-up by id opens one
-- partition. An id that is no version 7, or of a month without a partition, goes to the default partition and is found as
-- well. What is unique by something else has a table of its own: `carrier_refs`.

CREATE FUNCTION frontdesk_business() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
    $$ SELECT NULLIF(current_setting('frontdesk.business', true), '')::uuid $$;

CREATE FUNCTION frontdesk_across() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
    $$ SELECT COALESCE(current_setting('frontdesk.across', true), '') = 'on' $$;

-- Puts a table of tenants behind the second lock. `SELECT` around the functions makes them run once for each statement.
CREATE FUNCTION frontdesk_protect(table_name text, business_column text DEFAULT 'business') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', table_name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', table_name);
    EXECUTE format(
        'CREATE POLICY own_rows ON %I USING (%I = (SELECT frontdesk_business()) OR (SELECT frontdesk_across()))',
        table_name, business_column);
END $$;

-- What a role needs to serve: rows, never the schema, and no partition by itself.
CREATE FUNCTION frontdesk_grant(role_name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE relation record;
BEGIN
    -- Nodes that start together grant one after the other: two at once cannot change one table.
    PERFORM pg_advisory_xact_lock(hashtextextended('frontdesk grants', 0));
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role_name);
    FOR relation IN
        SELECT relname FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
            AND relname NOT LIKE '\_sqlx%'
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO %I', relation.relname, role_name);
    END LOOP;
    EXECUTE format('GRANT SELECT ON _sqlx_migrations TO %I', role_name);
    EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %I TO %I', current_schema(), role_name);
    EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %I TO %I', current_schema(), role_name);
END $$;

-- The first id of the month in which this moment lies, months later.
CREATE FUNCTION frontdesk_first_id(moment timestamptz, months integer) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM
        date_trunc('month', moment AT TIME ZONE 'UTC') + make_interval(months => months)) * 1000)::bigint), 12, '0')
        || '00000000000000000000')::uuid
$$;

-- Makes the partitions of months that were, of this one and of those to come, and answers how many are new. Runs with the rights of the owner.
-- A month of which the default partition already holds rows stays there: nothing is moved while calls are in progress.
CREATE FUNCTION frontdesk_make_partitions(months_back integer, months_ahead integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT SET lock_timeout = '400ms' AS $$
DECLARE
    made integer := 0;
    parent text;
    partition text;
    ahead integer;
    low uuid;
    high uuid;
    taken boolean;
    reach text := COALESCE(current_setting('frontdesk.across', true), '');
BEGIN
    -- One node at a time; and rather not now than in the way of a call.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('frontdesk partitions', 0)) THEN
        RETURN 0;
    END IF;
    PERFORM set_config('frontdesk.across', 'on', true);
    FOR ahead IN -LEAST(months_back, 120)..LEAST(months_ahead, 24) LOOP
        low := frontdesk_first_id(now(), ahead);
        high := frontdesk_first_id(now(), ahead + 1);
        FOREACH parent IN ARRAY ARRAY['calls', 'journal', 'messages'] LOOP
            partition := parent || to_char(
                date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead), '_YYYY_MM');
            IF to_regclass(format('%I', partition)) IS NULL THEN
                EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE %I >= $1 AND %I < $2)', parent,
                    frontdesk_partition_key(parent), frontdesk_partition_key(parent)) INTO taken USING low, high;
                IF NOT taken THEN
                    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', partition, parent, low, high);
                    PERFORM frontdesk_close(partition);
                    made := made + 1;
                END IF;
            END IF;
        END LOOP;
    END LOOP;
    PERFORM set_config('frontdesk.across', reach, true);
    RETURN made;
END $$;

CREATE FUNCTION frontdesk_partition_key(parent text) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE parent WHEN 'calls' THEN 'id' WHEN 'journal' THEN 'call' ELSE 'conversation' END $$;

-- A partition is reached through its table, whose policy applies, and by no other way: it has no policy of its own.
CREATE FUNCTION frontdesk_close(partition text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', partition);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', partition);
END $$;

CREATE TABLE businesses (
    id uuid PRIMARY KEY,
    slug text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL,
    time_zone text NOT NULL
);
SELECT frontdesk_protect('businesses', 'id');

CREATE TABLE agents (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    slug text COLLATE "C" NOT NULL,
    config text NOT NULL,
    version bigint NOT NULL,
    UNIQUE (business, id),
    UNIQUE (business, slug)
);
SELECT frontdesk_protect('agents');

CREATE TABLE numbers (
    id uuid PRIMARY KEY,
    business uuid NOT NULL,
    number text COLLATE "C" NOT NULL,
    carrier text NOT NULL,
    agent uuid NOT NULL,
    UNIQUE (carrier, number),
    FOREIGN KEY (business, agent) REFERENCES agents (business, id)
);
CREATE INDEX numbers_by_business ON numbers (business, number);
SELECT frontdesk_protect('numbers');

CREATE TABLE conversations (
    id uuid PRIMARY KEY,
    business uuid NOT NULL,
    agent uuid NOT NULL,
    customer text,
    started_at_ms bigint NOT NULL,
    ended_at_ms bigint,
    UNIQUE (business, id),
    FOREIGN KEY (business, agent) REFERENCES agents (business, id)
);
CREATE INDEX conversations_newest ON conversations (business, started_at_ms DESC, id DESC);
SELECT frontdesk_protect('conversations');

CREATE TABLE calls (
    id uuid NOT NULL,
    business uuid NOT NULL,
    agent uuid NOT NULL,
    conversation uuid NOT NULL,
    direction text NOT NULL,
    carrier text NOT NULL,
    carrier_ref text,
    customer text,
    number text,
    state text NOT NULL,
    started_at_ms bigint NOT NULL,
    answered_at_ms bigint,
    ended_at_ms bigint,
    ended_reason text,
    recording text,
    cost_usd_micros bigint NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (business, id),
    FOREIGN KEY (business, agent) REFERENCES agents (business, id),
    FOREIGN KEY (business, conversation) REFERENCES conversations (business, id)
) PARTITION BY RANGE (id);
CREATE TABLE calls_default PARTITION OF calls DEFAULT;
CREATE INDEX calls_newest ON calls (business, started_at_ms DESC, id DESC);
CREATE INDEX calls_unfinished ON calls (started_at_ms) WHERE ended_at_ms IS NULL;
SELECT frontdesk_protect('calls'), frontdesk_close('calls_default');

-- A carrier's id of a call is unique over all months. Kept by the table of calls itself, so that no statement can forget it.
CREATE TABLE carrier_refs (
    carrier text NOT NULL,
    carrier_ref text NOT NULL,
    business uuid NOT NULL,
    call uuid NOT NULL,
    PRIMARY KEY (carrier, carrier_ref)
);
CREATE INDEX carrier_refs_by_call ON carrier_refs (call);
SELECT frontdesk_protect('carrier_refs');

CREATE FUNCTION frontdesk_keep_carrier_ref() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM carrier_refs WHERE call = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.carrier_ref IS NOT NULL THEN
        INSERT INTO carrier_refs (carrier, carrier_ref, business, call)
            VALUES (NEW.carrier, NEW.carrier_ref, NEW.business, NEW.id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER carrier_ref_of_new AFTER INSERT ON calls
    FOR EACH ROW WHEN (NEW.carrier_ref IS NOT NULL) EXECUTE FUNCTION frontdesk_keep_carrier_ref();
CREATE TRIGGER carrier_ref_of_changed AFTER UPDATE OF carrier, carrier_ref ON calls
    FOR EACH ROW WHEN (NEW.carrier_ref IS DISTINCT FROM OLD.carrier_ref OR NEW.carrier <> OLD.carrier)
    EXECUTE FUNCTION frontdesk_keep_carrier_ref();
CREATE TRIGGER carrier_ref_of_gone AFTER DELETE ON calls
    FOR EACH ROW WHEN (OLD.carrier_ref IS NOT NULL) EXECUTE FUNCTION frontdesk_keep_carrier_ref();

CREATE TABLE call_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    business uuid NOT NULL,
    call uuid NOT NULL,
    kind text NOT NULL,
    data text NOT NULL,
    at_ms bigint NOT NULL,
    FOREIGN KEY (business, call) REFERENCES calls (business, id)
);
CREATE INDEX call_log_by_call ON call_log (call, id);
SELECT frontdesk_protect('call_log');

CREATE TABLE journal (
    call uuid NOT NULL,
    seq bigint NOT NULL,
    business uuid NOT NULL,
    at_ms bigint NOT NULL,
    version bigint NOT NULL,
    writer uuid NOT NULL,
    entry text NOT NULL,
    PRIMARY KEY (call, seq),
    FOREIGN KEY (business, call) REFERENCES calls (business, id)
) PARTITION BY RANGE (call);
CREATE TABLE journal_default PARTITION OF journal DEFAULT;
SELECT frontdesk_protect('journal'), frontdesk_close('journal_default');

-- A message is found by its conversation and place. Its own id is made of 74 random bits and has no index over all months.
CREATE TABLE messages (
    id uuid NOT NULL,
    business uuid NOT NULL,
    conversation uuid NOT NULL,
    seq bigint NOT NULL,
    turn bigint NOT NULL,
    role text NOT NULL,
    text text NOT NULL,
    complete boolean NOT NULL,
    citations text NOT NULL,
    latency text,
    at_ms bigint NOT NULL,
    PRIMARY KEY (conversation, seq),
    FOREIGN KEY (business, conversation) REFERENCES conversations (business, id)
) PARTITION BY RANGE (conversation);
CREATE TABLE messages_default PARTITION OF messages DEFAULT;
SELECT frontdesk_protect('messages'), frontdesk_close('messages_default');

CREATE TABLE documents (
    business uuid NOT NULL REFERENCES businesses (id),
    slug text COLLATE "C" NOT NULL,
    title text NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (business, slug)
);
SELECT frontdesk_protect('documents');

-- Keys compare without regard to the case of ASCII letters, as SQLite's NOCASE does: lower() in the collation C.
CREATE TABLE business_rows (
    business uuid NOT NULL REFERENCES businesses (id),
    name text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    folded text COLLATE "C" GENERATED ALWAYS AS (lower(key)) STORED,
    data text NOT NULL,
    PRIMARY KEY (business, name, folded)
);
SELECT frontdesk_protect('business_rows');

CREATE TABLE replay_keys (
    carrier text NOT NULL,
    key text NOT NULL,
    first_seen_ms bigint NOT NULL,
    PRIMARY KEY (carrier, key)
);
CREATE INDEX replay_keys_oldest ON replay_keys (first_seen_ms);
