-- The core: tenants, apps, payments, events and their deliveries.
-- Times are microseconds since the Unix epoch, UTC. Money is whole minor units of the row's currency.
-- Every table is STRICT: without it, SQLite turns an overflowing integer into a float.

CREATE TABLE counters (
  name TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('directory', 1), ('invoice', 0);

CREATE TABLE install_secrets (
  name TEXT NOT NULL PRIMARY KEY,
  sealed TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tenants (
  tenant_id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE apps (
  app_id TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL CONSTRAINT apps_tenant REFERENCES tenants (tenant_id),
  name TEXT NOT NULL,
  mode TEXT NOT NULL CONSTRAINT apps_mode CHECK (mode IN ('test', 'sandbox', 'live')),
  public_key TEXT NOT NULL CONSTRAINT apps_public_key UNIQUE,
  secret_sealed TEXT NOT NULL,
  previous_secret_sealed TEXT,
  previous_secret_until INTEGER,
  allowed_providers TEXT,
  allowed_methods TEXT,
  require_signed_query INTEGER NOT NULL,
  archived_at INTEGER,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_endpoints (
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
CREATE INDEX webhook_endpoints_by_app ON webhook_endpoints (app_id);

CREATE TABLE customers (
  app_id TEXT NOT NULL CONSTRAINT customers_app REFERENCES apps (app_id),
  external_user_id TEXT NOT NULL,
  email TEXT,
  name TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  CONSTRAINT customers_key PRIMARY KEY (app_id, external_user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE payments (
  payment_id TEXT NOT NULL CONSTRAINT payments_key PRIMARY KEY,
  app_id TEXT NOT NULL CONSTRAINT payments_app REFERENCES apps (app_id),
  mode TEXT NOT NULL,
  status TEXT NOT NULL CONSTRAINT payments_status CHECK (status IN ('initiated', 'succeeded', 'failed', 'canceled')),
  amount_minor INTEGER NOT NULL CONSTRAINT payments_amount CHECK (amount_minor > 0),
  paid_minor INTEGER NOT NULL CONSTRAINT payments_paid CHECK (paid_minor >= 0),
  refunded_minor INTEGER NOT NULL,
  currency TEXT NOT NULL,
  method TEXT NOT NULL,
  provider TEXT NOT NULL,
  provider_ref TEXT,
  fallback_wanted TEXT,
  fallback_reason TEXT,
  provider_checkout_url TEXT,
  instructions TEXT,
  invoice_number TEXT NOT NULL CONSTRAINT payments_invoice_number UNIQUE,
  external_user_id TEXT NOT NULL,
  email TEXT,
  description TEXT,
  metadata TEXT NOT NULL,
  buyer TEXT,
  mock TEXT,
  last_error TEXT NOT NULL,
  return_url TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  poll_at INTEGER,
  polls INTEGER NOT NULL,
  needs_attention INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  CONSTRAINT payments_refunded CHECK (refunded_minor BETWEEN 0 AND paid_minor),
  CONSTRAINT payments_no_mock_money_in_live CHECK (NOT (mode = 'live' AND provider = 'mock' AND (status = 'succeeded' OR paid_minor > 0)))
) STRICT;
CREATE INDEX payments_by_app ON payments (app_id, payment_id);
CREATE INDEX payments_by_status ON payments (app_id, status, payment_id);
CREATE INDEX payments_by_method ON payments (app_id, method, payment_id);
CREATE INDEX payments_by_provider ON payments (app_id, provider, payment_id);
CREATE INDEX payments_by_buyer ON payments (app_id, external_user_id, payment_id);
CREATE INDEX payments_to_poll ON payments (poll_at) WHERE status = 'initiated' AND poll_at IS NOT NULL;

CREATE TABLE attempts (
  attempt_id TEXT NOT NULL PRIMARY KEY,
  payment_id TEXT NOT NULL CONSTRAINT attempts_payment REFERENCES payments (payment_id),
  provider TEXT NOT NULL,
  mode TEXT NOT NULL,
  state TEXT NOT NULL CONSTRAINT attempts_state CHECK (state IN ('prepared', 'started', 'refused', 'unknown')),
  provider_ref TEXT,
  error TEXT,
  created_at INTEGER NOT NULL,
  answered_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_by_payment ON attempts (payment_id);

CREATE TABLE receipts (
  payment_id TEXT NOT NULL CONSTRAINT receipts_payment REFERENCES payments (payment_id),
  provider_transaction TEXT NOT NULL,
  amount_minor INTEGER NOT NULL CONSTRAINT receipts_amount CHECK (amount_minor > 0),
  created_at INTEGER NOT NULL,
  CONSTRAINT receipts_key PRIMARY KEY (payment_id, provider_transaction)
) STRICT, WITHOUT ROWID;

CREATE TABLE refunds (
  refund_id TEXT NOT NULL PRIMARY KEY,
  app_id TEXT NOT NULL CONSTRAINT refunds_app REFERENCES apps (app_id),
  payment_id TEXT NOT NULL CONSTRAINT refunds_payment REFERENCES payments (payment_id),
  mode TEXT NOT NULL,
  status TEXT NOT NULL CONSTRAINT refunds_status CHECK (status IN ('initiated', 'succeeded', 'failed')),
  amount_minor INTEGER NOT NULL CONSTRAINT refunds_amount CHECK (amount_minor > 0),
  currency TEXT NOT NULL,
  provider_ref TEXT,
  reason TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX refunds_by_payment ON refunds (payment_id, refund_id);
CREATE INDEX refunds_by_app ON refunds (app_id, refund_id);

-- One row for each signed POST seen: its answer, and proof that neither its signature nor its key is new.
-- (signed_at, signature) leads with the time so that the index grows at its end.
CREATE TABLE requests (
  request_id INTEGER NOT NULL PRIMARY KEY,
  signed_at INTEGER NOT NULL,
  signature BLOB NOT NULL,
  idempotency_key BLOB,
  body_digest BLOB NOT NULL,
  replay_of INTEGER,
  status_code INTEGER,
  answer TEXT,
  payment_id TEXT,
  created_at INTEGER NOT NULL,
  CONSTRAINT requests_signature UNIQUE (signed_at, signature)
) STRICT;
CREATE UNIQUE INDEX requests_idempotency_key ON requests (idempotency_key)
  WHERE idempotency_key IS NOT NULL AND replay_of IS NULL;

CREATE TABLE events (
  event_id TEXT NOT NULL PRIMARY KEY,
  app_id TEXT NOT NULL CONSTRAINT events_app REFERENCES apps (app_id),
  event_type TEXT NOT NULL,
  payment_id TEXT,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_app ON events (app_id, event_id);
CREATE INDEX events_by_type ON events (app_id, event_type, event_id);
CREATE INDEX events_by_payment ON events (payment_id, event_id);

CREATE TABLE deliveries (
  delivery_id TEXT NOT NULL PRIMARY KEY,
  event_id TEXT NOT NULL CONSTRAINT deliveries_event REFERENCES events (event_id),
  endpoint_id TEXT NOT NULL CONSTRAINT deliveries_endpoint REFERENCES webhook_endpoints (endpoint_id),
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
CREATE INDEX deliveries_due ON deliveries (endpoint_id, due_at) WHERE state = 'pending';
CREATE INDEX deliveries_never_tried ON deliveries (payment_id, created_at) WHERE state = 'pending' AND attempts = 0;
CREATE INDEX deliveries_by_event ON deliveries (event_id);
CREATE INDEX deliveries_dead ON deliveries (app_id, finished_at) WHERE state = 'dead';

CREATE TABLE inbox (
  inbox_id TEXT NOT NULL PRIMARY KEY,
  provider TEXT NOT NULL,
  mode TEXT NOT NULL,
  provider_event TEXT NOT NULL,
  verdict TEXT NOT NULL CONSTRAINT inbox_verdict CHECK (verdict IN ('applied', 'ignored', 'unknown_payment', 'quarantined', 'rejected')),
  payment_id TEXT,
  detail TEXT NOT NULL,
  headers TEXT NOT NULL,
  body TEXT NOT NULL,
  received_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX inbox_applied_once ON inbox (provider, mode, provider_event) WHERE verdict = 'applied';
CREATE INDEX inbox_by_payment ON inbox (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX inbox_to_reapply ON inbox (received_at) WHERE verdict = 'unknown_payment';
CREATE INDEX inbox_rejected ON inbox (received_at) WHERE verdict = 'rejected';

-- The mock provider's own books: what it charged, and what it is to do later.
CREATE TABLE mock_charges (
  payment_id TEXT NOT NULL PRIMARY KEY CONSTRAINT mock_charges_payment REFERENCES payments (payment_id),
  outcome TEXT NOT NULL,
  charges INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE mock_jobs (
  job_id TEXT NOT NULL PRIMARY KEY,
  payment_id TEXT NOT NULL CONSTRAINT mock_jobs_payment REFERENCES payments (payment_id),
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  due_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX mock_jobs_due ON mock_jobs (due_at);
