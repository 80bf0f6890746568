-- Thresholds of a key's own, in millionths; null: the server's setting. A preset by its name.
ALTER TABLE livecheck_key ADD COLUMN preset TEXT;
ALTER TABLE livecheck_key ADD COLUMN liveness_threshold BIGINT;
ALTER TABLE livecheck_key ADD COLUMN face_threshold BIGINT;
ALTER TABLE livecheck_key ADD COLUMN mask_threshold BIGINT;
ALTER TABLE livecheck_key ADD COLUMN review_threshold BIGINT;

-- 1: for integration tests, judges no photo.
ALTER TABLE livecheck_key ADD COLUMN sandbox BIGINT NOT NULL DEFAULT 0;

UPDATE livecheck_schema SET version = 3;
