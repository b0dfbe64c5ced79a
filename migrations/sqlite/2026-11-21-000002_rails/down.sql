DROP TABLE renewals;
DROP TABLE subscriptions;
DROP TABLE provider_accounts;
DROP TABLE reversals;
DROP INDEX refunds_by_provider_ref;
DROP INDEX refunds_to_poll;
ALTER TABLE refunds DROP COLUMN polls;
ALTER TABLE refunds DROP COLUMN poll_at;
ALTER TABLE refunds DROP COLUMN provider_transaction;
DROP INDEX receipts_by_transaction;
DROP INDEX attempts_by_reference;
DROP INDEX attempts_by_provider_ref;
ALTER TABLE attempts DROP COLUMN reference;
ALTER TABLE attempts DROP COLUMN account_id;
DROP INDEX inbox_due;
CREATE TABLE old_inbox (
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
INSERT INTO old_inbox SELECT inbox_id, provider, mode, provider_event, verdict, payment_id, detail, headers, body, received_at FROM inbox WHERE verdict <> 'kept';
DROP TABLE inbox;
ALTER TABLE old_inbox RENAME TO inbox;
CREATE UNIQUE INDEX inbox_applied_once ON inbox (provider, mode, provider_event) WHERE verdict = 'applied';
CREATE INDEX inbox_by_payment ON inbox (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX inbox_to_reapply ON inbox (received_at) WHERE verdict = 'unknown_payment';
CREATE INDEX inbox_rejected ON inbox (received_at) WHERE verdict = 'rejected';
