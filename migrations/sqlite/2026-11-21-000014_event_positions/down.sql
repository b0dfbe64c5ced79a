DROP TRIGGER events_position;
DROP INDEX events_by_position;
ALTER TABLE events DROP COLUMN horizon;
ALTER TABLE events DROP COLUMN position;
