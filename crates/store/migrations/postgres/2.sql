-- What happens to an image that comes again: off, flag, refuse; null: the server's setting.
ALTER TABLE livecheck_key ADD COLUMN replay TEXT;

-- Images that were judged: HMAC-SHA256 of the file, until when it is remembered.
CREATE TABLE livecheck_image (
    key_id TEXT NOT NULL REFERENCES livecheck_key (id),
    mac BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (key_id, mac)
);

CREATE INDEX livecheck_image_expiry ON livecheck_image (expires_at);

-- Secrets that all nodes on this database share.
CREATE TABLE livecheck_secret (
    name TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

UPDATE livecheck_schema SET version = 2;
