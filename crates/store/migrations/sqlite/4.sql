-- The open sessions of a key are counted.
CREATE INDEX livecheck_session_key ON livecheck_session (key_id, expires_at);

PRAGMA user_version = 4;
