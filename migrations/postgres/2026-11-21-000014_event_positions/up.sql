-- The order in which events were committed. Ids are given before a commit, by several writers with a clock each, so that
-- who goes on from an id would pass over what is committed late.

-- The transaction that wrote the event. Of two snapshots, the later one sees what the earlier one did not in exactly the
-- transactions that were open then, or had not begun.
ALTER TABLE events ADD COLUMN position BIGINT NOT NULL DEFAULT 0;
-- The snapshot when the event was written: who goes on after it, goes on with what that did not see.
ALTER TABLE events ADD COLUMN horizon TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE events ALTER COLUMN position SET DEFAULT (pg_current_xact_id()::text::bigint);
ALTER TABLE events ALTER COLUMN horizon SET DEFAULT (pg_current_snapshot()::text);
CREATE INDEX events_by_position ON events (app_id, position, event_id);
