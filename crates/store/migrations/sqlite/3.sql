-- Thresholds of a key's own, in millionths; null: the server's setting. A preset by its name.
ALTER TABLE livecheck_key ADD COLUMN preset TEXT;
ALTER TABLE livecheck_key ADD COLUMN liveness_threshold INTEGER;
ALTER TABLE livecheck_key ADD COLUMN face_threshold INTEGER;
ALTER TABLE livecheck_key ADD COLUMN mask_threshold INTEGER;
ALTER TABLE livecheck_key ADD COLUMN review_threshold INTEGER;

-- 1: for integration tests, judges no photo.
ALTER TABLE livecheck_key ADD COLUMN sandbox INTEGER NOT NULL DEFAULT 0;

PRAGMA user_version = 3;
