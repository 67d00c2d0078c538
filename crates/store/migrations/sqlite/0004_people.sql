-- People of businesses, their sessions, what programs know us by, and who did what. Secrets are not here: of passwords,
-- tokens and keys there are hashes, of what must be read again (TOTP, identity providers) there is ciphertext (src/seal.rs).

CREATE TABLE users (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    -- In lower case, so that it is found however it is typed.
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    active INTEGER NOT NULL,
    -- When it was shown that the person reads this address.
    verified_at_ms INTEGER,
    -- In the form of PHC strings.
    password_hash TEXT,
    totp_sealed BLOB,
    totp_on INTEGER NOT NULL DEFAULT 0,
    -- The last time step whose code was used: a code counts once.
    totp_step INTEGER NOT NULL DEFAULT 0,
    created_at_ms INTEGER NOT NULL,
    UNIQUE (business, id),
    UNIQUE (business, email)
) STRICT;
CREATE INDEX users_by_email ON users (email);
CREATE INDEX users_newest ON users (business, created_at_ms DESC, id DESC);

CREATE TABLE recovery_codes (
    business BLOB NOT NULL,
    user_id BLOB NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (user_id, hash),
    FOREIGN KEY (business, user_id) REFERENCES users (business, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL,
    user_id BLOB NOT NULL,
    -- How the person signed in: password, totp, identity_provider.
    method TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    address TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    seen_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER,
    UNIQUE (business, id),
    FOREIGN KEY (business, user_id) REFERENCES users (business, id)
) STRICT;
CREATE INDEX sessions_by_user ON sessions (business, user_id, created_at_ms DESC);
CREATE INDEX sessions_by_end ON sessions (expires_at_ms);

CREATE TABLE refresh_tokens (
    hash BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL,
    session BLOB NOT NULL,
    -- When it was exchanged for the next one. Coming a second time means that it was stolen.
    used_at_ms INTEGER,
    FOREIGN KEY (business, session) REFERENCES sessions (business, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session);

-- What somebody may do once, who has the token: join the business, or set a new password.
CREATE TABLE one_time_tokens (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    purpose TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    -- Whose password; none for an invitation.
    user_id BLOB,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    used_at_ms INTEGER
) STRICT;
CREATE INDEX one_time_tokens_newest ON one_time_tokens (business, purpose, created_at_ms DESC, id DESC);

-- API keys and clients of OAuth 2.0.
CREATE TABLE access_keys (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    -- The beginning of the secret, by which people tell keys apart.
    prefix TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    -- The secret before this one, which still opens for a while.
    previous_hash BLOB UNIQUE,
    previous_until_ms INTEGER,
    -- Names separated by spaces.
    permissions TEXT NOT NULL,
    created_by TEXT,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    used_at_ms INTEGER,
    revoked_at_ms INTEGER,
    UNIQUE (business, id)
) STRICT;
CREATE INDEX access_keys_newest ON access_keys (business, kind, created_at_ms DESC, id DESC);

-- From where a business may be reached: networks in CIDR notation, as a JSON array. None: from everywhere.
CREATE TABLE address_lists (
    business BLOB PRIMARY KEY NOT NULL REFERENCES businesses (id),
    networks TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Where people of a business may sign in instead of here (OpenID Connect).
CREATE TABLE identity_providers (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    -- JSON without the secret.
    settings TEXT NOT NULL,
    secret_sealed BLOB,
    created_at_ms INTEGER NOT NULL,
    UNIQUE (business, id)
) STRICT;

CREATE TABLE identities (
    business BLOB NOT NULL,
    provider BLOB NOT NULL,
    subject TEXT NOT NULL,
    user_id BLOB NOT NULL,
    PRIMARY KEY (provider, subject),
    FOREIGN KEY (business, provider) REFERENCES identity_providers (business, id),
    FOREIGN KEY (business, user_id) REFERENCES users (business, id)
) STRICT, WITHOUT ROWID;

-- Who did what. Rows are added and never changed.
CREATE TABLE audit_log (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    at_ms INTEGER NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL,
    address TEXT,
    UNIQUE (business, id)
) STRICT;
CREATE INDEX audit_log_newest ON audit_log (business, at_ms DESC, id DESC);
