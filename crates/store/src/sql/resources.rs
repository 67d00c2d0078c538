//! Drafts and versions of agents, lines, customers, profiles, named values, credentials of tools, requests with a key, and the
//! lists of calls and conversations.

use super::statements;

statements! {
    CREATE_DRAFT = "INSERT INTO agents (id, business, slug, config, version, draft, revision, status, updated_at_ms)
        VALUES ($1, $2, $3, $4, 0, NULL, 1, 'enabled', $5)";
    DRAFTED = "SELECT config, draft, version, revision, status, updated_at_ms FROM agents WHERE business = $1 AND id = $2";
    DRAFTED_TO_CHANGE = locking "SELECT config, draft, version, revision, status, updated_at_ms FROM agents
        WHERE business = $1 AND id = $2";
    DRAFTED_AGENTS = "SELECT config, draft, version, revision, status, updated_at_ms FROM agents
        WHERE business = $1 AND slug > $2 AND status IN ($3, $4) AND slug LIKE $5 ESCAPE '\\' ORDER BY slug LIMIT $6";
    DRAFTED_AGENTS_DOWN = "SELECT config, draft, version, revision, status, updated_at_ms FROM agents
        WHERE business = $1 AND slug < $2 AND status IN ($3, $4) AND slug LIKE $5 ESCAPE '\\' ORDER BY slug DESC LIMIT $6";
    PUT_DRAFT = "UPDATE agents SET draft = $3, config = CASE WHEN version = 0 THEN $3 ELSE config END,
            revision = revision + 1, updated_at_ms = $4 WHERE business = $1 AND id = $2";
    PUBLISH = "UPDATE agents SET config = $3, draft = NULL, version = version + 1, revision = revision + 1,
            updated_at_ms = $4 WHERE business = $1 AND id = $2";
    SET_AGENT_STATUS = "UPDATE agents SET status = $3, revision = revision + 1, updated_at_ms = $4
        WHERE business = $1 AND id = $2";
    AGENT_HAS_NUMBERS = "SELECT 1 AS one FROM numbers WHERE business = $1 AND agent = $2 LIMIT 1";
    INSERT_VERSION = "INSERT INTO agent_versions (agent, version, business, config, note, published_by, published_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    AGENT_VERSIONS = "SELECT version, config, note, published_by, published_at_ms FROM agent_versions
        WHERE business = $1 AND agent = $2 AND version < $3 ORDER BY version DESC LIMIT $4";
    AGENT_VERSION = "SELECT version, config, note, published_by, published_at_ms FROM agent_versions
        WHERE business = $1 AND agent = $2 AND version = $3";
    AGENT_OF_CALL = "SELECT agent_versions.config AS config, agent_versions.version AS version, agents.status AS status
        FROM calls JOIN agents ON agents.id = calls.agent AND agents.business = calls.business
        JOIN agent_versions ON agent_versions.agent = calls.agent AND agent_versions.version = calls.agent_version
        WHERE calls.business = $1 AND calls.id = $2";

    INSERT_LINE = "INSERT INTO numbers (id, business, number, carrier, agent, label, hours, overflow, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)";
    LINE = "SELECT id, business, number, carrier, agent, label, hours, overflow, version FROM numbers
        WHERE business = $1 AND id = $2";
    LINE_TO_CHANGE = locking "SELECT version FROM numbers WHERE business = $1 AND id = $2";
    LINES = "SELECT id, business, number, carrier, agent, label, hours, overflow, version FROM numbers
        WHERE business = $1 AND number > $2 AND (agent = $3 OR $3 IS NULL) AND (carrier = $4 OR $4 IS NULL)
        ORDER BY number LIMIT $5";
    UPDATE_LINE = "UPDATE numbers SET number = $3, carrier = $4, agent = $5, label = $6, hours = $7, overflow = $8,
            version = version + 1 WHERE business = $1 AND id = $2";
    OUTGOING_FIGURES = "SELECT carrier, COUNT(*) AS asked, COUNT(answered_at_ms) AS answered,
            SUM(CASE WHEN carrier_ref IS NULL AND state = 'failed' THEN 1 ELSE 0 END) AS refused
        FROM calls WHERE business = $1 AND direction = 'outbound' AND started_at_ms >= $2
            AND SUBSTR(customer, 1, LENGTH(CAST($3 AS TEXT))) = CAST($3 AS TEXT) GROUP BY carrier ORDER BY carrier";
    DELETE_LINE = "DELETE FROM numbers WHERE business = $1 AND id = $2
        AND (version = CAST($3 AS BIGINT) OR CAST($3 AS BIGINT) IS NULL)";

    INSERT_CUSTOMER = "INSERT INTO customers (id, business, phone, email, name, language, tags, attributes, notes, search,
            created_at_ms, updated_at_ms, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1)";
    CUSTOMER = "SELECT id, business, phone, email, name, language, tags, attributes, notes, created_at_ms, updated_at_ms,
            version FROM customers WHERE business = $1 AND id = $2";
    CUSTOMER_TO_CHANGE = locking "SELECT version FROM customers WHERE business = $1 AND id = $2";
    UPDATE_CUSTOMER = "UPDATE customers SET phone = $3, email = $4, name = $5, language = $6, tags = $7, attributes = $8,
            notes = $9, search = $10, updated_at_ms = $11, version = version + 1 WHERE business = $1 AND id = $2";
    CUSTOMERS = "SELECT id, business, phone, email, name, language, tags, attributes, notes, created_at_ms, updated_at_ms,
            version FROM customers
        WHERE business = $1 AND (phone = $2 OR $2 IS NULL) AND (email = $3 OR $3 IS NULL)
            AND (search LIKE $4 ESCAPE '\\' OR $4 IS NULL) AND (tags LIKE $5 ESCAPE '\\' OR $5 IS NULL)
            AND (updated_at_ms, id) < ($6, $7) ORDER BY updated_at_ms DESC, id DESC LIMIT $8";
    CUSTOMERS_UP = "SELECT id, business, phone, email, name, language, tags, attributes, notes, created_at_ms, updated_at_ms,
            version FROM customers
        WHERE business = $1 AND (phone = $2 OR $2 IS NULL) AND (email = $3 OR $3 IS NULL)
            AND (search LIKE $4 ESCAPE '\\' OR $4 IS NULL) AND (tags LIKE $5 ESCAPE '\\' OR $5 IS NULL)
            AND (updated_at_ms, id) > ($6, $7) ORDER BY updated_at_ms, id LIMIT $8";
    DELETE_CUSTOMER = "DELETE FROM customers WHERE business = $1 AND id = $2";

    PROFILE = "SELECT id, slug, name, time_zone, profile, profile_version FROM businesses WHERE id = $1";
    PROFILE_TO_CHANGE = locking "SELECT profile_version FROM businesses WHERE id = $1";
    PUT_PROFILE = "UPDATE businesses SET name = $2, time_zone = $3, profile = $4, profile_version = profile_version + 1
        WHERE id = $1";

    VALUE = "SELECT value, version FROM business_values WHERE business = $1 AND kind = $2 AND name = $3";
    VALUE_TO_CHANGE = locking "SELECT value, version FROM business_values WHERE business = $1 AND kind = $2 AND name = $3";
    VALUES_AFTER = "SELECT name, value, version FROM business_values
        WHERE business = $1 AND kind = $2 AND name > $3 ORDER BY name LIMIT $4";
    PUT_VALUE = "INSERT INTO business_values (business, kind, name, value, version) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (business, kind, name) DO UPDATE SET value = excluded.value, version = excluded.version";
    VALUES_OF_ALL = "SELECT business, name, value, version FROM business_values
        WHERE kind = $1 AND business > $2 ORDER BY business LIMIT $3";
    DELETE_VALUE = "DELETE FROM business_values WHERE business = $1 AND kind = $2 AND name = $3";

    PUT_TOOL_CREDENTIAL = "INSERT INTO tool_credentials (business, name, sealed, updated_at_ms) VALUES ($1, $2, $3, $4)
        ON CONFLICT (business, name) DO UPDATE SET sealed = excluded.sealed, updated_at_ms = excluded.updated_at_ms";
    TOOL_CREDENTIAL = "SELECT name, sealed, updated_at_ms FROM tool_credentials WHERE business = $1 AND name = $2";
    TOOL_CREDENTIALS = "SELECT name, sealed, updated_at_ms FROM tool_credentials WHERE business = $1 ORDER BY name LIMIT $2";
    DELETE_TOOL_CREDENTIAL = "DELETE FROM tool_credentials WHERE business = $1 AND name = $2";
    TOOL_CREDENTIALS_OF_ALL = "SELECT business, name, sealed, updated_at_ms FROM tool_credentials
        ORDER BY business, name LIMIT 10000";
    RESEAL_TOOL_CREDENTIAL = "UPDATE tool_credentials SET sealed = $3
        WHERE business = $1 AND name = $2 AND updated_at_ms = $4";

    BEGIN_REQUEST = "INSERT INTO requests (business, actor, key, hash, begun_at_ms, answer)
        VALUES ($1, $2, $3, $4, $5, NULL) ON CONFLICT (business, actor, key) DO NOTHING";
    REQUEST = locking "SELECT hash, begun_at_ms, answer FROM requests WHERE business = $1 AND actor = $2 AND key = $3";
    TAKE_REQUEST = "UPDATE requests SET hash = $4, begun_at_ms = $5, answer = NULL
        WHERE business = $1 AND actor = $2 AND key = $3";
    KEEP_ANSWER = "UPDATE requests SET answer = $4 WHERE business = $1 AND actor = $2 AND key = $3";
    RELEASE_REQUEST = "DELETE FROM requests WHERE business = $1 AND actor = $2 AND key = $3 AND answer IS NULL";
    PRUNE_REQUESTS = "DELETE FROM requests WHERE (business, actor, key) IN
        (SELECT business, actor, key FROM requests WHERE begun_at_ms < $1 LIMIT 1000)";

    CALLS_DOWN = "SELECT id, business, agent, conversation, direction, carrier, carrier_ref, customer, number, state,
            started_at_ms, answered_at_ms, ended_at_ms, ended_reason, recording, cost_usd_micros,
            agent_version FROM calls
        WHERE business = $1 AND (state = $2 OR $2 IS NULL) AND (agent = $3 OR $3 IS NULL)
            AND (direction = $4 OR $4 IS NULL) AND (number = $5 OR $5 IS NULL) AND (customer = $6 OR $6 IS NULL)
            AND started_at_ms >= $7 AND started_at_ms < $8 AND (started_at_ms, id) < ($9, $10)
            AND (agent_version = $12 OR $12 IS NULL)
        ORDER BY started_at_ms DESC, id DESC LIMIT $11";
    CALLS_UP = "SELECT id, business, agent, conversation, direction, carrier, carrier_ref, customer, number, state,
            started_at_ms, answered_at_ms, ended_at_ms, ended_reason, recording, cost_usd_micros,
            agent_version FROM calls
        WHERE business = $1 AND (state = $2 OR $2 IS NULL) AND (agent = $3 OR $3 IS NULL)
            AND (direction = $4 OR $4 IS NULL) AND (number = $5 OR $5 IS NULL) AND (customer = $6 OR $6 IS NULL)
            AND started_at_ms >= $7 AND started_at_ms < $8 AND (started_at_ms, id) > ($9, $10)
            AND (agent_version = $12 OR $12 IS NULL)
        ORDER BY started_at_ms, id LIMIT $11";
    CALLS_SAID_DOWN = "SELECT id, business, agent, conversation, direction, carrier, carrier_ref, customer, number, state,
            started_at_ms, answered_at_ms, ended_at_ms, ended_reason, recording, cost_usd_micros,
            agent_version FROM calls
        WHERE business = $1 AND (state = $2 OR $2 IS NULL) AND (agent = $3 OR $3 IS NULL)
            AND (direction = $4 OR $4 IS NULL) AND (number = $5 OR $5 IS NULL) AND (customer = $6 OR $6 IS NULL)
            AND started_at_ms >= $7 AND started_at_ms < $8 AND (started_at_ms, id) < ($9, $10)
            AND (agent_version = $12 OR $12 IS NULL)
            AND EXISTS (SELECT 1 FROM messages WHERE messages.business = calls.business
                AND messages.conversation = calls.conversation AND LOWER(messages.text) LIKE $13 ESCAPE '\\')
        ORDER BY started_at_ms DESC, id DESC LIMIT $11";
    CALLS_SAID_UP = "SELECT id, business, agent, conversation, direction, carrier, carrier_ref, customer, number, state,
            started_at_ms, answered_at_ms, ended_at_ms, ended_reason, recording, cost_usd_micros,
            agent_version FROM calls
        WHERE business = $1 AND (state = $2 OR $2 IS NULL) AND (agent = $3 OR $3 IS NULL)
            AND (direction = $4 OR $4 IS NULL) AND (number = $5 OR $5 IS NULL) AND (customer = $6 OR $6 IS NULL)
            AND started_at_ms >= $7 AND started_at_ms < $8 AND (started_at_ms, id) > ($9, $10)
            AND (agent_version = $12 OR $12 IS NULL)
            AND EXISTS (SELECT 1 FROM messages WHERE messages.business = calls.business
                AND messages.conversation = calls.conversation AND LOWER(messages.text) LIKE $13 ESCAPE '\\')
        ORDER BY started_at_ms, id LIMIT $11";
    CONVERSATIONS_DOWN = "SELECT id, business, agent, customer, started_at_ms, ended_at_ms FROM conversations
        WHERE business = $1 AND (agent = $2 OR $2 IS NULL) AND (customer = $3 OR $3 IS NULL)
            AND (EXISTS (SELECT 1 FROM messages WHERE messages.business = conversations.business
                AND messages.conversation = conversations.id AND LOWER(messages.text) LIKE $4 ESCAPE '\\') OR $4 IS NULL)
            AND started_at_ms >= $5 AND started_at_ms < $6 AND (started_at_ms, id) < ($7, $8)
        ORDER BY started_at_ms DESC, id DESC LIMIT $9";
    CONVERSATIONS_UP = "SELECT id, business, agent, customer, started_at_ms, ended_at_ms FROM conversations
        WHERE business = $1 AND (agent = $2 OR $2 IS NULL) AND (customer = $3 OR $3 IS NULL)
            AND (EXISTS (SELECT 1 FROM messages WHERE messages.business = conversations.business
                AND messages.conversation = conversations.id AND LOWER(messages.text) LIKE $4 ESCAPE '\\') OR $4 IS NULL)
            AND started_at_ms >= $5 AND started_at_ms < $6 AND (started_at_ms, id) > ($7, $8)
        ORDER BY started_at_ms, id LIMIT $9";

    BRANDING = "SELECT business, config, domain, logo_type, CAST(LENGTH(logo) AS BIGINT) AS size, version FROM branding WHERE business = $1";
    BRANDING_OF_DOMAIN = "SELECT business, config, domain, logo_type, CAST(LENGTH(logo) AS BIGINT) AS size, version FROM branding WHERE domain = $1";
    BRANDING_TO_CHANGE = locking "SELECT version, config, domain FROM branding WHERE business = $1";
    PROVE_DOMAIN = "UPDATE branding SET domain = $2, version = $3 WHERE business = $1";
    PUT_BRANDING = sqlite "INSERT INTO branding (business, config, domain, logo, logo_type, version) VALUES ($1, $2, $3, x'', NULL, $4)
            ON CONFLICT (business) DO UPDATE SET config = excluded.config, domain = excluded.domain, version = excluded.version"
        postgres "INSERT INTO branding (business, config, domain, logo, logo_type, version) VALUES ($1, $2, $3, '', NULL, $4)
            ON CONFLICT (business) DO UPDATE SET config = excluded.config, domain = excluded.domain, version = excluded.version";
    PUT_LOGO = "INSERT INTO branding (business, config, domain, logo, logo_type, version) VALUES ($1, '{}', NULL, $2, $3, $4)
        ON CONFLICT (business) DO UPDATE SET logo = excluded.logo, logo_type = excluded.logo_type, version = excluded.version";
    LOGO = "SELECT logo, logo_type FROM branding WHERE business = $1 AND logo_type IS NOT NULL";
}
