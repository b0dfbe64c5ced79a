-- The order in which events were committed. Ids are given before a commit, by several processes, so that who goes on from
-- an id would pass over what is committed late.

-- Here writers take turns, so that events are committed in the order of their rows; none is ever deleted.
ALTER TABLE events ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
-- Of use where writers do not take turns.
ALTER TABLE events ADD COLUMN horizon TEXT NOT NULL DEFAULT '';
UPDATE events SET position = rowid;
CREATE INDEX events_by_position ON events (app_id, position, event_id);
CREATE TRIGGER events_position AFTER INSERT ON events BEGIN
  UPDATE events SET position = NEW.rowid WHERE rowid = NEW.rowid;
END;
