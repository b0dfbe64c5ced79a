-- The rails: provider accounts, attempts that can be found by what a provider says, webhooks that wait to be confirmed,
-- refunds that are asked about, reversals and subscriptions.

ALTER TABLE attempts ADD COLUMN account_id TEXT;
ALTER TABLE attempts ADD COLUMN reference TEXT NOT NULL DEFAULT '';
CREATE INDEX attempts_by_provider_ref ON attempts (provider_ref) WHERE provider <> 'mock';
CREATE INDEX attempts_by_reference ON attempts (reference) WHERE reference <> '';

CREATE INDEX receipts_by_transaction ON receipts (provider_transaction);

ALTER TABLE refunds ADD COLUMN provider_transaction TEXT;
ALTER TABLE refunds ADD COLUMN poll_at INTEGER;
ALTER TABLE refunds ADD COLUMN polls INTEGER NOT NULL DEFAULT 0;
CREATE INDEX refunds_to_poll ON refunds (poll_at) WHERE status = 'initiated' AND poll_at IS NOT NULL;
CREATE UNIQUE INDEX refunds_by_provider_ref ON refunds (payment_id, provider_ref) WHERE provider_ref IS NOT NULL;

CREATE TABLE reversals (
  payment_id TEXT NOT NULL CONSTRAINT reversals_payment REFERENCES payments (payment_id),
  provider_transaction TEXT NOT NULL,
  amount_minor INTEGER NOT NULL CONSTRAINT reversals_amount CHECK (amount_minor > 0),
  reason TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  CONSTRAINT reversals_key PRIMARY KEY (payment_id, provider_transaction)
) STRICT, WITHOUT ROWID;

CREATE TABLE provider_accounts (
  account_id TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL CONSTRAINT provider_accounts_tenant REFERENCES tenants (tenant_id),
  provider TEXT NOT NULL,
  mode TEXT NOT NULL CONSTRAINT provider_accounts_mode CHECK (mode IN ('sandbox', 'live')),
  base_url TEXT,
  credentials_sealed TEXT NOT NULL,
  archived_at INTEGER,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX provider_accounts_in_use ON provider_accounts (tenant_id, provider, mode) WHERE archived_at IS NULL;

CREATE TABLE subscriptions (
  subscription_id TEXT NOT NULL PRIMARY KEY,
  app_id TEXT NOT NULL CONSTRAINT subscriptions_app REFERENCES apps (app_id),
  payment_id TEXT NOT NULL CONSTRAINT subscriptions_payment REFERENCES payments (payment_id),
  mode TEXT NOT NULL,
  provider TEXT NOT NULL,
  account_id TEXT,
  provider_ref TEXT NOT NULL,
  external_user_id TEXT NOT NULL,
  status TEXT NOT NULL CONSTRAINT subscriptions_status CHECK (status IN ('incomplete', 'active', 'past_due', 'ended')),
  current_period_end INTEGER,
  cancel_at_period_end INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  CONSTRAINT subscriptions_provider_ref UNIQUE (provider, mode, provider_ref)
) STRICT, WITHOUT ROWID;
CREATE INDEX subscriptions_by_app ON subscriptions (app_id, subscription_id);
CREATE INDEX subscriptions_by_status ON subscriptions (app_id, status, subscription_id);
CREATE INDEX subscriptions_by_buyer ON subscriptions (app_id, external_user_id, subscription_id);

CREATE TABLE renewals (
  subscription_id TEXT NOT NULL CONSTRAINT renewals_subscription REFERENCES subscriptions (subscription_id),
  provider_transaction TEXT NOT NULL,
  amount_minor INTEGER NOT NULL,
  currency TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  CONSTRAINT renewals_key PRIMARY KEY (subscription_id, provider_transaction)
) STRICT, WITHOUT ROWID;

-- SQLite cannot change a constraint: the inbox is built anew with what it holds.
CREATE TABLE new_inbox (
  inbox_id TEXT NOT NULL PRIMARY KEY,
  provider TEXT NOT NULL,
  mode TEXT NOT NULL,
  provider_event TEXT NOT NULL,
  verdict TEXT NOT NULL CONSTRAINT inbox_verdict CHECK (verdict IN ('applied', 'ignored', 'kept', 'unknown_payment', 'quarantined', 'rejected')),
  payment_id TEXT,
  detail TEXT NOT NULL,
  headers TEXT NOT NULL,
  body TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  account_id TEXT,
  attempt_id TEXT,
  due_at INTEGER,
  tries INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO new_inbox (inbox_id, provider, mode, provider_event, verdict, payment_id, detail, headers, body, received_at)
  SELECT inbox_id, provider, mode, provider_event, verdict, payment_id, detail, headers, body, received_at FROM inbox;
DROP TABLE inbox;
ALTER TABLE new_inbox RENAME TO inbox;
CREATE UNIQUE INDEX inbox_applied_once ON inbox (provider, mode, provider_event) WHERE verdict = 'applied';
CREATE INDEX inbox_by_payment ON inbox (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX inbox_rejected ON inbox (received_at) WHERE verdict = 'rejected';
CREATE INDEX inbox_due ON inbox (due_at) WHERE due_at IS NOT NULL;
