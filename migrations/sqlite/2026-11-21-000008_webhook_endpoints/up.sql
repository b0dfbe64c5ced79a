-- Endpoints of a tenant and mode beside those of an app, and events that are a tenant's and no app's.
-- SQLite cannot make a column optional: the tables are built anew with what they hold.

CREATE TABLE new_webhook_endpoints (
  endpoint_id TEXT NOT NULL PRIMARY KEY,
  app_id TEXT CONSTRAINT webhook_endpoints_app REFERENCES apps (app_id),
  url TEXT NOT NULL,
  secret_sealed TEXT NOT NULL,
  previous_secret_sealed TEXT,
  previous_secret_until INTEGER,
  failing_since INTEGER,
  disabled_at INTEGER,
  disabled_reason TEXT,
  created_at INTEGER NOT NULL,
  tenant_id TEXT NOT NULL CONSTRAINT webhook_endpoints_tenant REFERENCES tenants (tenant_id),
  mode TEXT NOT NULL,
  description TEXT,
  event_types TEXT,
  header_prefix TEXT,
  deleted_at INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO new_webhook_endpoints (endpoint_id, app_id, url, secret_sealed, previous_secret_sealed, previous_secret_until, failing_since, disabled_at, disabled_reason, created_at, tenant_id, mode)
  SELECT endpoint_id, webhook_endpoints.app_id, url, webhook_endpoints.secret_sealed, webhook_endpoints.previous_secret_sealed,
    webhook_endpoints.previous_secret_until, failing_since, disabled_at, disabled_reason, webhook_endpoints.created_at, tenant_id, mode
  FROM webhook_endpoints JOIN apps ON apps.app_id = webhook_endpoints.app_id;

CREATE TABLE new_events (
  event_id TEXT NOT NULL PRIMARY KEY,
  app_id TEXT CONSTRAINT events_app REFERENCES apps (app_id),
  event_type TEXT NOT NULL,
  payment_id TEXT,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  tenant_id TEXT CONSTRAINT events_tenant REFERENCES tenants (tenant_id),
  mode TEXT,
  CONSTRAINT events_owner CHECK ((app_id IS NULL) = (tenant_id IS NOT NULL AND mode IS NOT NULL))
) STRICT;
INSERT INTO new_events (event_id, app_id, event_type, payment_id, body, created_at)
  SELECT event_id, app_id, event_type, payment_id, body, created_at FROM events ORDER BY event_id;

CREATE TABLE new_deliveries (
  delivery_id TEXT NOT NULL PRIMARY KEY,
  event_id TEXT NOT NULL CONSTRAINT deliveries_event REFERENCES new_events (event_id),
  endpoint_id TEXT NOT NULL CONSTRAINT deliveries_endpoint REFERENCES new_webhook_endpoints (endpoint_id),
  app_id TEXT,
  payment_id TEXT,
  state TEXT NOT NULL CONSTRAINT deliveries_state CHECK (state IN ('pending', 'delivered', 'dead')),
  attempts INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  lease TEXT,
  log TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  finished_at INTEGER
) STRICT;
INSERT INTO new_deliveries (delivery_id, event_id, endpoint_id, app_id, payment_id, state, attempts, due_at, lease, log, created_at, finished_at)
  SELECT delivery_id, event_id, endpoint_id, app_id, payment_id, state, attempts, due_at, lease, log, created_at, finished_at FROM deliveries ORDER BY delivery_id;

DROP TABLE deliveries;
DROP TABLE events;
DROP TABLE webhook_endpoints;
ALTER TABLE new_webhook_endpoints RENAME TO webhook_endpoints;
ALTER TABLE new_events RENAME TO events;
ALTER TABLE new_deliveries RENAME TO deliveries;

CREATE INDEX webhook_endpoints_by_app ON webhook_endpoints (app_id);
CREATE INDEX events_by_app ON events (app_id, event_id);
CREATE INDEX events_by_type ON events (app_id, event_type, event_id);
CREATE INDEX events_by_payment ON events (payment_id, event_id);
CREATE INDEX deliveries_due ON deliveries (endpoint_id, due_at) WHERE state = 'pending';
CREATE INDEX deliveries_never_tried ON deliveries (payment_id, created_at) WHERE state = 'pending' AND attempts = 0;
CREATE INDEX deliveries_by_event ON deliveries (event_id);
CREATE INDEX deliveries_dead ON deliveries (app_id, finished_at) WHERE state = 'dead';
CREATE INDEX webhook_endpoints_by_tenant ON webhook_endpoints (tenant_id, mode, endpoint_id) WHERE app_id IS NULL;
CREATE INDEX events_by_tenant ON events (tenant_id, mode, event_id) WHERE app_id IS NULL;
CREATE INDEX deliveries_by_endpoint ON deliveries (endpoint_id, delivery_id);
CREATE INDEX deliveries_dead_by_endpoint ON deliveries (endpoint_id, delivery_id) WHERE state = 'dead';
