-- The rails: provider accounts, attempts that can be found by what a provider says, webhooks that wait to be confirmed,
-- refunds that are asked about, reversals and subscriptions.

ALTER TABLE attempts ADD COLUMN account_id TEXT COLLATE "C";
ALTER TABLE attempts ADD COLUMN reference TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX attempts_by_provider_ref ON attempts (provider_ref) WHERE provider <> 'mock';
CREATE INDEX attempts_by_reference ON attempts (reference) WHERE reference <> '';

CREATE INDEX receipts_by_transaction ON receipts (provider_transaction);

ALTER TABLE refunds ADD COLUMN provider_transaction TEXT COLLATE "C";
ALTER TABLE refunds ADD COLUMN poll_at BIGINT;
ALTER TABLE refunds ADD COLUMN polls INTEGER NOT NULL DEFAULT 0;
CREATE INDEX refunds_to_poll ON refunds (poll_at) WHERE status = 'initiated' AND poll_at IS NOT NULL;
CREATE UNIQUE INDEX refunds_by_provider_ref ON refunds (payment_id, provider_ref) WHERE provider_ref IS NOT NULL;

CREATE TABLE reversals (
  payment_id TEXT COLLATE "C" NOT NULL CONSTRAINT reversals_payment REFERENCES payments (payment_id),
  provider_transaction TEXT COLLATE "C" NOT NULL,
  amount_minor BIGINT NOT NULL CONSTRAINT reversals_amount CHECK (amount_minor > 0),
  reason TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  CONSTRAINT reversals_key PRIMARY KEY (payment_id, provider_transaction)
);

CREATE TABLE provider_accounts (
  account_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id TEXT COLLATE "C" NOT NULL CONSTRAINT provider_accounts_tenant REFERENCES tenants (tenant_id),
  provider TEXT COLLATE "C" NOT NULL,
  mode TEXT COLLATE "C" NOT NULL CONSTRAINT provider_accounts_mode CHECK (mode IN ('sandbox', 'live')),
  base_url TEXT COLLATE "C",
  credentials_sealed TEXT COLLATE "C" NOT NULL,
  archived_at BIGINT,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX provider_accounts_in_use ON provider_accounts (tenant_id, provider, mode) WHERE archived_at IS NULL;

CREATE TABLE subscriptions (
  subscription_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  app_id TEXT COLLATE "C" NOT NULL CONSTRAINT subscriptions_app REFERENCES apps (app_id),
  payment_id TEXT COLLATE "C" NOT NULL CONSTRAINT subscriptions_payment REFERENCES payments (payment_id),
  mode TEXT COLLATE "C" NOT NULL,
  provider TEXT COLLATE "C" NOT NULL,
  account_id TEXT COLLATE "C",
  provider_ref TEXT COLLATE "C" NOT NULL,
  external_user_id TEXT COLLATE "C" NOT NULL,
  status TEXT COLLATE "C" NOT NULL CONSTRAINT subscriptions_status CHECK (status IN ('incomplete', 'active', 'past_due', 'ended')),
  current_period_end BIGINT,
  cancel_at_period_end BOOLEAN NOT NULL,
  changed_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  CONSTRAINT subscriptions_provider_ref UNIQUE (provider, mode, provider_ref)
);
CREATE INDEX subscriptions_by_app ON subscriptions (app_id, subscription_id);
CREATE INDEX subscriptions_by_status ON subscriptions (app_id, status, subscription_id);
CREATE INDEX subscriptions_by_buyer ON subscriptions (app_id, external_user_id, subscription_id);

CREATE TABLE renewals (
  subscription_id TEXT COLLATE "C" NOT NULL CONSTRAINT renewals_subscription REFERENCES subscriptions (subscription_id),
  provider_transaction TEXT COLLATE "C" NOT NULL,
  amount_minor BIGINT NOT NULL,
  currency TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  CONSTRAINT renewals_key PRIMARY KEY (subscription_id, provider_transaction)
);

ALTER TABLE inbox DROP CONSTRAINT inbox_verdict;
ALTER TABLE inbox ADD CONSTRAINT inbox_verdict CHECK (verdict IN ('applied', 'ignored', 'kept', 'unknown_payment', 'quarantined', 'rejected'));
ALTER TABLE inbox ADD COLUMN account_id TEXT COLLATE "C";
ALTER TABLE inbox ADD COLUMN attempt_id TEXT COLLATE "C";
ALTER TABLE inbox ADD COLUMN due_at BIGINT;
ALTER TABLE inbox ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
DROP INDEX inbox_to_reapply;
CREATE INDEX inbox_due ON inbox (due_at) WHERE due_at IS NOT NULL;
