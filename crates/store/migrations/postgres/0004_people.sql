-- People of businesses, their sessions, what programs know us by, and who did what. Secrets are not here: of passwords,
-- tokens and keys there are hashes, of what must be read again (TOTP, identity providers) there is ciphertext (src/seal.rs).

CREATE TABLE users (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    -- In lower case, so that it is found however it is typed.
    email text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    active boolean NOT NULL,
    -- When it was shown that the person reads this address.
    verified_at_ms bigint,
    -- In the form of PHC strings.
    password_hash text,
    totp_sealed bytea,
    totp_on boolean NOT NULL DEFAULT false,
    -- The last time step whose code was used: a code counts once.
    totp_step bigint NOT NULL DEFAULT 0,
    created_at_ms bigint NOT NULL,
    UNIQUE (business, id),
    UNIQUE (business, email)
);
CREATE INDEX users_by_email ON users (email);
CREATE INDEX users_newest ON users (business, created_at_ms DESC, id DESC);
SELECT frontdesk_protect('users');

CREATE TABLE recovery_codes (
    business uuid NOT NULL,
    user_id uuid NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (user_id, hash),
    FOREIGN KEY (business, user_id) REFERENCES users (business, id)
);
SELECT frontdesk_protect('recovery_codes');

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    business uuid NOT NULL,
    user_id uuid NOT NULL,
    -- How the person signed in: password, totp, identity_provider.
    method text NOT NULL,
    user_agent text NOT NULL,
    address text NOT NULL,
    created_at_ms bigint NOT NULL,
    seen_at_ms bigint NOT NULL,
    expires_at_ms bigint NOT NULL,
    revoked_at_ms bigint,
    UNIQUE (business, id),
    FOREIGN KEY (business, user_id) REFERENCES users (business, id)
);
CREATE INDEX sessions_by_user ON sessions (business, user_id, created_at_ms DESC);
CREATE INDEX sessions_by_end ON sessions (expires_at_ms);
SELECT frontdesk_protect('sessions');

CREATE TABLE refresh_tokens (
    hash bytea PRIMARY KEY,
    business uuid NOT NULL,
    session uuid NOT NULL,
    -- When it was exchanged for the next one. Coming a second time means that it was stolen.
    used_at_ms bigint,
    FOREIGN KEY (business, session) REFERENCES sessions (business, id)
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session);
SELECT frontdesk_protect('refresh_tokens');

-- What somebody may do once, who has the token: join the business, or set a new password.
CREATE TABLE one_time_tokens (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    purpose text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    email text NOT NULL,
    role text NOT NULL,
    -- Whose password; none for an invitation.
    user_id uuid,
    created_at_ms bigint NOT NULL,
    expires_at_ms bigint NOT NULL,
    used_at_ms bigint
);
CREATE INDEX one_time_tokens_newest ON one_time_tokens (business, purpose, created_at_ms DESC, id DESC);
SELECT frontdesk_protect('one_time_tokens');

-- API keys and clients of OAuth 2.0.
CREATE TABLE access_keys (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    kind text NOT NULL,
    name text NOT NULL,
    -- The beginning of the secret, by which people tell keys apart.
    prefix text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    -- The secret before this one, which still opens for a while.
    previous_hash bytea UNIQUE,
    previous_until_ms bigint,
    -- Names separated by spaces.
    permissions text NOT NULL,
    created_by text,
    created_at_ms bigint NOT NULL,
    expires_at_ms bigint,
    used_at_ms bigint,
    revoked_at_ms bigint,
    UNIQUE (business, id)
);
CREATE INDEX access_keys_newest ON access_keys (business, kind, created_at_ms DESC, id DESC);
SELECT frontdesk_protect('access_keys');

-- From where a business may be reached: networks in CIDR notation, as a JSON array. None: from everywhere.
CREATE TABLE address_lists (
    business uuid PRIMARY KEY REFERENCES businesses (id),
    networks text NOT NULL,
    version bigint NOT NULL
);
SELECT frontdesk_protect('address_lists');

-- Where people of a business may sign in instead of here (OpenID Connect).
CREATE TABLE identity_providers (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    -- JSON without the secret.
    settings text NOT NULL,
    secret_sealed bytea,
    created_at_ms bigint NOT NULL,
    UNIQUE (business, id)
);
SELECT frontdesk_protect('identity_providers');

CREATE TABLE identities (
    business uuid NOT NULL,
    provider uuid NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL,
    PRIMARY KEY (provider, subject),
    FOREIGN KEY (business, provider) REFERENCES identity_providers (business, id),
    FOREIGN KEY (business, user_id) REFERENCES users (business, id)
);
SELECT frontdesk_protect('identities');

-- Who did what. Rows are added and never changed.
CREATE TABLE audit_log (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    at_ms bigint NOT NULL,
    actor_kind text NOT NULL,
    actor_id text,
    action text NOT NULL,
    subject text NOT NULL,
    details text NOT NULL,
    address text,
    UNIQUE (business, id)
);
CREATE INDEX audit_log_newest ON audit_log (business, at_ms DESC, id DESC);
SELECT frontdesk_protect('audit_log');
