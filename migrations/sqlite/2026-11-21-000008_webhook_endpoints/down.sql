CREATE TABLE old_webhook_endpoints (
  endpoint_id TEXT NOT NULL PRIMARY KEY,
  app_id TEXT NOT NULL CONSTRAINT webhook_endpoints_app REFERENCES apps (app_id),
  url TEXT NOT NULL,
  secret_sealed TEXT NOT NULL,
  previous_secret_sealed TEXT,
  previous_secret_until INTEGER,
  failing_since INTEGER,
  disabled_at INTEGER,
  disabled_reason TEXT,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO old_webhook_endpoints (endpoint_id, app_id, url, secret_sealed, previous_secret_sealed, previous_secret_until, failing_since, disabled_at, disabled_reason, created_at) SELECT endpoint_id, app_id, url, secret_sealed, previous_secret_sealed, previous_secret_until, failing_since, disabled_at, disabled_reason, created_at FROM webhook_endpoints WHERE app_id IS NOT NULL;

CREATE TABLE old_events (
  event_id TEXT NOT NULL PRIMARY KEY,
  app_id TEXT NOT NULL CONSTRAINT events_app REFERENCES apps (app_id),
  event_type TEXT NOT NULL,
  payment_id TEXT,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
INSERT INTO old_events (event_id, app_id, event_type, payment_id, body, created_at) SELECT event_id, app_id, event_type, payment_id, body, created_at FROM events WHERE app_id IS NOT NULL;

CREATE TABLE old_deliveries (
  delivery_id TEXT NOT NULL PRIMARY KEY,
  event_id TEXT NOT NULL CONSTRAINT deliveries_event REFERENCES old_events (event_id),
  endpoint_id TEXT NOT NULL CONSTRAINT deliveries_endpoint REFERENCES old_webhook_endpoints (endpoint_id),
  app_id TEXT NOT NULL,
  payment_id TEXT,
  state TEXT NOT NULL CONSTRAINT deliveries_state CHECK (state IN ('pending', 'delivered', 'dead')),
  attempts INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  lease TEXT,
  log TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  finished_at INTEGER
) STRICT;
INSERT INTO old_deliveries (delivery_id, event_id, endpoint_id, app_id, payment_id, state, attempts, due_at, lease, log, created_at, finished_at)
  SELECT delivery_id, event_id, endpoint_id, app_id, payment_id, state, attempts, due_at, lease, log, created_at, finished_at FROM deliveries
  WHERE app_id IS NOT NULL AND endpoint_id IN (SELECT endpoint_id FROM old_webhook_endpoints);

DROP TABLE deliveries;
DROP TABLE events;
DROP TABLE webhook_endpoints;
ALTER TABLE old_webhook_endpoints RENAME TO webhook_endpoints;
ALTER TABLE old_events RENAME TO events;
ALTER TABLE old_deliveries RENAME TO deliveries;

CREATE INDEX webhook_endpoints_by_app ON webhook_endpoints (app_id);
CREATE INDEX events_by_app ON events (app_id, event_id);
CREATE INDEX events_by_type ON events (app_id, event_type, event_id);
CREATE INDEX events_by_payment ON events (payment_id, event_id);
CREATE INDEX deliveries_due ON deliveries (endpoint_id, due_at) WHERE state = 'pending';
CREATE INDEX deliveries_never_tried ON deliveries (payment_id, created_at) WHERE state = 'pending' AND attempts = 0;
CREATE INDEX deliveries_by_event ON deliveries (event_id);
CREATE INDEX deliveries_dead ON deliveries (app_id, finished_at) WHERE state = 'dead';
