-- Times are milliseconds since the Unix epoch; 0/1 stands for false/true.
CREATE TABLE livecheck_schema (version BIGINT NOT NULL);
INSERT INTO livecheck_schema (version) VALUES (1);

CREATE TABLE livecheck_key (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    shown TEXT NOT NULL,
    hash BYTEA NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    expires_at BIGINT,
    revoked_at BIGINT,
    successor TEXT,
    require_session BIGINT NOT NULL,
    rate_per_kilosecond BIGINT,
    rate_burst BIGINT
);

-- A name belongs to one key at a time: the newest of it that isn't revoked.
CREATE UNIQUE INDEX livecheck_key_name ON livecheck_key (name)
    WHERE successor IS NULL AND revoked_at IS NULL;

-- Rows change a few times each: room on the page keeps those changes out of the indexes.
CREATE TABLE livecheck_session (
    token_hash BYTEA PRIMARY KEY,
    key_id TEXT NOT NULL REFERENCES livecheck_key (id),
    uses_left BIGINT NOT NULL CHECK (uses_left BETWEEN 0 AND uses_total),
    uses_total BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX livecheck_session_expiry ON livecheck_session (expires_at);

-- arrival: microseconds since the Unix epoch.
CREATE TABLE livecheck_rate (
    key_id TEXT PRIMARY KEY,
    arrival BIGINT NOT NULL
) WITH (fillfactor = 50);
