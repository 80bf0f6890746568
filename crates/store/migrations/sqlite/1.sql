-- Times are milliseconds since the Unix epoch; 0/1 stands for false/true.
CREATE TABLE livecheck_key (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    shown TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER,
    expires_at INTEGER,
    revoked_at INTEGER,
    successor TEXT,
    require_session INTEGER NOT NULL,
    rate_per_kilosecond INTEGER,
    rate_burst INTEGER
) STRICT;

-- A name belongs to one key at a time: the newest of it that isn't revoked.
CREATE UNIQUE INDEX livecheck_key_name ON livecheck_key (name)
    WHERE successor IS NULL AND revoked_at IS NULL;

CREATE TABLE livecheck_session (
    token_hash BLOB PRIMARY KEY,
    key_id TEXT NOT NULL REFERENCES livecheck_key (id),
    uses_left INTEGER NOT NULL CHECK (uses_left BETWEEN 0 AND uses_total),
    uses_total INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX livecheck_session_expiry ON livecheck_session (expires_at);

-- arrival: microseconds since the Unix epoch.
CREATE TABLE livecheck_rate (
    key_id TEXT PRIMARY KEY,
    arrival INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 1;
