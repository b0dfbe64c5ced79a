-- The core: tenants, apps, payments, events and their deliveries.
-- Text is collated by byte, as on SQLite, so that keyset pages agree.
-- Times are microseconds since the Unix epoch, UTC. Money is whole minor units of the row's currency.

CREATE TABLE counters (
  name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('directory', 1);
-- A sequence, because a counter's row lock would hold up every other writer until the commit.
CREATE SEQUENCE invoice_numbers;

CREATE TABLE install_secrets (
  name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  sealed TEXT COLLATE "C" NOT NULL
);

CREATE TABLE tenants (
  tenant_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  name TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE apps (
  app_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id TEXT COLLATE "C" NOT NULL CONSTRAINT apps_tenant REFERENCES tenants (tenant_id),
  name TEXT COLLATE "C" NOT NULL,
  mode TEXT COLLATE "C" NOT NULL CONSTRAINT apps_mode CHECK (mode IN ('test', 'sandbox', 'live')),
  public_key TEXT COLLATE "C" NOT NULL CONSTRAINT apps_public_key UNIQUE,
  secret_sealed TEXT COLLATE "C" NOT NULL,
  previous_secret_sealed TEXT COLLATE "C",
  previous_secret_until BIGINT,
  allowed_providers TEXT COLLATE "C",
  allowed_methods TEXT COLLATE "C",
  require_signed_query BOOLEAN NOT NULL,
  archived_at BIGINT,
  created_at BIGINT NOT NULL
);

CREATE TABLE webhook_endpoints (
  endpoint_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  app_id TEXT COLLATE "C" NOT NULL CONSTRAINT webhook_endpoints_app REFERENCES apps (app_id),
  url TEXT COLLATE "C" NOT NULL,
  secret_sealed TEXT COLLATE "C" NOT NULL,
  previous_secret_sealed TEXT COLLATE "C",
  previous_secret_until BIGINT,
  failing_since BIGINT,
  disabled_at BIGINT,
  disabled_reason TEXT COLLATE "C",
  created_at BIGINT NOT NULL
);
CREATE INDEX webhook_endpoints_by_app ON webhook_endpoints (app_id);

CREATE TABLE customers (
  app_id TEXT COLLATE "C" NOT NULL CONSTRAINT customers_app REFERENCES apps (app_id),
  external_user_id TEXT COLLATE "C" NOT NULL,
  email TEXT COLLATE "C",
  name TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  CONSTRAINT customers_key PRIMARY KEY (app_id, external_user_id)
);

CREATE TABLE payments (
  payment_id TEXT COLLATE "C" NOT NULL CONSTRAINT payments_key PRIMARY KEY,
  app_id TEXT COLLATE "C" NOT NULL CONSTRAINT payments_app REFERENCES apps (app_id),
  mode TEXT COLLATE "C" NOT NULL,
  status TEXT COLLATE "C" NOT NULL CONSTRAINT payments_status CHECK (status IN ('initiated', 'succeeded', 'failed', 'canceled')),
  amount_minor BIGINT NOT NULL CONSTRAINT payments_amount CHECK (amount_minor > 0),
  paid_minor BIGINT NOT NULL CONSTRAINT payments_paid CHECK (paid_minor >= 0),
  refunded_minor BIGINT NOT NULL,
  currency TEXT COLLATE "C" NOT NULL,
  method TEXT COLLATE "C" NOT NULL,
  provider TEXT COLLATE "C" NOT NULL,
  provider_ref TEXT COLLATE "C",
  fallback_wanted TEXT COLLATE "C",
  fallback_reason TEXT COLLATE "C",
  provider_checkout_url TEXT COLLATE "C",
  instructions TEXT COLLATE "C",
  invoice_number TEXT COLLATE "C" NOT NULL CONSTRAINT payments_invoice_number UNIQUE,
  external_user_id TEXT COLLATE "C" NOT NULL,
  email TEXT COLLATE "C",
  description TEXT COLLATE "C",
  metadata TEXT COLLATE "C" NOT NULL,
  buyer TEXT COLLATE "C",
  mock TEXT COLLATE "C",
  last_error TEXT COLLATE "C" NOT NULL,
  return_url TEXT COLLATE "C" NOT NULL,
  expires_at BIGINT NOT NULL,
  poll_at BIGINT,
  polls INTEGER NOT NULL,
  needs_attention BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  CONSTRAINT payments_refunded CHECK (refunded_minor BETWEEN 0 AND paid_minor),
  CONSTRAINT payments_no_mock_money_in_live CHECK (NOT (mode = 'live' AND provider = 'mock' AND (status = 'succeeded' OR paid_minor > 0)))
);
CREATE INDEX payments_by_app ON payments (app_id, payment_id);
CREATE INDEX payments_by_status ON payments (app_id, status, payment_id);
CREATE INDEX payments_by_method ON payments (app_id, method, payment_id);
CREATE INDEX payments_by_provider ON payments (app_id, provider, payment_id);
CREATE INDEX payments_by_buyer ON payments (app_id, external_user_id, payment_id);
CREATE INDEX payments_to_poll ON payments (poll_at) WHERE status = 'initiated' AND poll_at IS NOT NULL;

CREATE TABLE attempts (
  attempt_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  payment_id TEXT COLLATE "C" NOT NULL CONSTRAINT attempts_payment REFERENCES payments (payment_id),
  provider TEXT COLLATE "C" NOT NULL,
  mode TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL CONSTRAINT attempts_state CHECK (state IN ('prepared', 'started', 'refused', 'unknown')),
  provider_ref TEXT COLLATE "C",
  error TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  answered_at BIGINT
);
CREATE INDEX attempts_by_payment ON attempts (payment_id);

CREATE TABLE receipts (
  payment_id TEXT COLLATE "C" NOT NULL CONSTRAINT receipts_payment REFERENCES payments (payment_id),
  provider_transaction TEXT COLLATE "C" NOT NULL,
  amount_minor BIGINT NOT NULL CONSTRAINT receipts_amount CHECK (amount_minor > 0),
  created_at BIGINT NOT NULL,
  CONSTRAINT receipts_key PRIMARY KEY (payment_id, provider_transaction)
);

CREATE TABLE refunds (
  refund_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  app_id TEXT COLLATE "C" NOT NULL CONSTRAINT refunds_app REFERENCES apps (app_id),
  payment_id TEXT COLLATE "C" NOT NULL CONSTRAINT refunds_payment REFERENCES payments (payment_id),
  mode TEXT COLLATE "C" NOT NULL,
  status TEXT COLLATE "C" NOT NULL CONSTRAINT refunds_status CHECK (status IN ('initiated', 'succeeded', 'failed')),
  amount_minor BIGINT NOT NULL CONSTRAINT refunds_amount CHECK (amount_minor > 0),
  currency TEXT COLLATE "C" NOT NULL,
  provider_ref TEXT COLLATE "C",
  reason TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX refunds_by_payment ON refunds (payment_id, refund_id);
CREATE INDEX refunds_by_app ON refunds (app_id, refund_id);

-- One row for each signed POST seen: its answer, and proof that neither its signature nor its key is new.
-- (signed_at, signature) leads with the time so that the index grows at its end.
CREATE TABLE requests (
  request_id BIGINT NOT NULL GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  signed_at BIGINT NOT NULL,
  signature BYTEA NOT NULL,
  idempotency_key BYTEA,
  body_digest BYTEA NOT NULL,
  replay_of BIGINT,
  status_code INTEGER,
  answer TEXT COLLATE "C",
  payment_id TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  CONSTRAINT requests_signature UNIQUE (signed_at, signature)
);
CREATE UNIQUE INDEX requests_idempotency_key ON requests (idempotency_key)
  WHERE idempotency_key IS NOT NULL AND replay_of IS NULL;

CREATE TABLE events (
  event_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  app_id TEXT COLLATE "C" NOT NULL CONSTRAINT events_app REFERENCES apps (app_id),
  event_type TEXT COLLATE "C" NOT NULL,
  payment_id TEXT COLLATE "C",
  body TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX events_by_app ON events (app_id, event_id);
CREATE INDEX events_by_type ON events (app_id, event_type, event_id);
CREATE INDEX events_by_payment ON events (payment_id, event_id);

CREATE TABLE deliveries (
  delivery_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  event_id TEXT COLLATE "C" NOT NULL CONSTRAINT deliveries_event REFERENCES events (event_id),
  endpoint_id TEXT COLLATE "C" NOT NULL CONSTRAINT deliveries_endpoint REFERENCES webhook_endpoints (endpoint_id),
  app_id TEXT COLLATE "C" NOT NULL,
  payment_id TEXT COLLATE "C",
  state TEXT COLLATE "C" NOT NULL CONSTRAINT deliveries_state CHECK (state IN ('pending', 'delivered', 'dead')),
  attempts INTEGER NOT NULL,
  due_at BIGINT NOT NULL,
  lease TEXT COLLATE "C",
  log TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  finished_at BIGINT
);
CREATE INDEX deliveries_due ON deliveries (endpoint_id, due_at) WHERE state = 'pending';
CREATE INDEX deliveries_never_tried ON deliveries (payment_id, created_at) WHERE state = 'pending' AND attempts = 0;
CREATE INDEX deliveries_by_event ON deliveries (event_id);
CREATE INDEX deliveries_dead ON deliveries (app_id, finished_at) WHERE state = 'dead';

CREATE TABLE inbox (
  inbox_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  provider TEXT COLLATE "C" NOT NULL,
  mode TEXT COLLATE "C" NOT NULL,
  provider_event TEXT COLLATE "C" NOT NULL,
  verdict TEXT COLLATE "C" NOT NULL CONSTRAINT inbox_verdict CHECK (verdict IN ('applied', 'ignored', 'unknown_payment', 'quarantined', 'rejected')),
  payment_id TEXT COLLATE "C",
  detail TEXT COLLATE "C" NOT NULL,
  headers TEXT COLLATE "C" NOT NULL,
  body TEXT COLLATE "C" NOT NULL,
  received_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX inbox_applied_once ON inbox (provider, mode, provider_event) WHERE verdict = 'applied';
CREATE INDEX inbox_by_payment ON inbox (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX inbox_to_reapply ON inbox (received_at) WHERE verdict = 'unknown_payment';
CREATE INDEX inbox_rejected ON inbox (received_at) WHERE verdict = 'rejected';

-- The mock provider's own books: what it charged, and what it is to do later.
CREATE TABLE mock_charges (
  payment_id TEXT COLLATE "C" NOT NULL PRIMARY KEY CONSTRAINT mock_charges_payment REFERENCES payments (payment_id),
  outcome TEXT COLLATE "C" NOT NULL,
  charges INTEGER NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE mock_jobs (
  job_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  payment_id TEXT COLLATE "C" NOT NULL CONSTRAINT mock_jobs_payment REFERENCES payments (payment_id),
  kind TEXT COLLATE "C" NOT NULL,
  body TEXT COLLATE "C" NOT NULL,
  due_at BIGINT NOT NULL
);
CREATE INDEX mock_jobs_due ON mock_jobs (due_at);
