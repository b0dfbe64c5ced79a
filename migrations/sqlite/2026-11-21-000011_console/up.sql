-- What the console finds payments by besides: their metadata and their currency; what people noted when they had looked
-- after one; and the test inbox.

-- The values of payments' metadata, as text, in the order of the payments. A payment without metadata has no row.
CREATE TABLE payment_metadata (
  app_id TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  payment_id TEXT NOT NULL CONSTRAINT payment_metadata_payment REFERENCES payments (payment_id),
  CONSTRAINT payment_metadata_key PRIMARY KEY (app_id, name, value, payment_id)
) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO payment_metadata (app_id, name, value, payment_id)
  SELECT payments.app_id, pair.key, CASE pair.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(pair.atom AS TEXT) END,
    payments.payment_id
  FROM payments, json_each(payments.metadata) AS pair
  WHERE payments.metadata <> '{}' AND pair.type IN ('text', 'integer', 'real', 'true', 'false')
    AND length(pair.key) BETWEEN 1 AND 100 AND length(pair.atom) BETWEEN 1 AND 200;

CREATE INDEX payments_by_currency ON payments (app_id, currency, payment_id);

CREATE TABLE attention_notes (
  payment_id TEXT NOT NULL CONSTRAINT attention_notes_payment REFERENCES payments (payment_id),
  created_at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  actor_name TEXT NOT NULL,
  note TEXT NOT NULL,
  CONSTRAINT attention_notes_key PRIMARY KEY (payment_id, created_at)
) STRICT, WITHOUT ROWID;

-- What the console's own receiver was sent in test mode, so that people without a server of their own see it.
CREATE TABLE test_inbox (
  received_id TEXT NOT NULL CONSTRAINT test_inbox_key PRIMARY KEY,
  endpoint_id TEXT NOT NULL CONSTRAINT test_inbox_endpoint REFERENCES webhook_endpoints (endpoint_id),
  headers TEXT NOT NULL,
  body TEXT NOT NULL,
  received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX test_inbox_by_endpoint ON test_inbox (endpoint_id, received_id);
