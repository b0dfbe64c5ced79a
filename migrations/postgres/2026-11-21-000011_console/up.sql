-- What the console finds payments by besides: their metadata and their currency; what people noted when they had looked
-- after one; and the test inbox.

-- The values of payments' metadata, as text, in the order of the payments. A payment without metadata has no row.
CREATE TABLE payment_metadata (
  app_id TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  value TEXT COLLATE "C" NOT NULL,
  payment_id TEXT COLLATE "C" NOT NULL CONSTRAINT payment_metadata_payment REFERENCES payments (payment_id),
  CONSTRAINT payment_metadata_key PRIMARY KEY (app_id, name, value, payment_id)
);
INSERT INTO payment_metadata (app_id, name, value, payment_id)
  SELECT payments.app_id, pair.key, pair.value #>> '{}', payments.payment_id
  FROM payments CROSS JOIN LATERAL json_each(payments.metadata::json) AS pair
  WHERE payments.metadata <> '{}' AND json_typeof(pair.value) IN ('string', 'number', 'boolean')
    AND length(pair.key) BETWEEN 1 AND 100 AND length(pair.value #>> '{}') BETWEEN 1 AND 200
  ON CONFLICT DO NOTHING;

CREATE INDEX payments_by_currency ON payments (app_id, currency, payment_id);

CREATE TABLE attention_notes (
  payment_id TEXT COLLATE "C" NOT NULL CONSTRAINT attention_notes_payment REFERENCES payments (payment_id),
  created_at BIGINT NOT NULL,
  actor TEXT COLLATE "C" NOT NULL,
  actor_name TEXT COLLATE "C" NOT NULL,
  note TEXT COLLATE "C" NOT NULL,
  CONSTRAINT attention_notes_key PRIMARY KEY (payment_id, created_at)
);

-- What the console's own receiver was sent in test mode, so that people without a server of their own see it.
CREATE TABLE test_inbox (
  received_id TEXT COLLATE "C" NOT NULL CONSTRAINT test_inbox_key PRIMARY KEY,
  endpoint_id TEXT COLLATE "C" NOT NULL CONSTRAINT test_inbox_endpoint REFERENCES webhook_endpoints (endpoint_id),
  headers TEXT COLLATE "C" NOT NULL,
  body TEXT COLLATE "C" NOT NULL,
  received_at BIGINT NOT NULL
);
CREATE INDEX test_inbox_by_endpoint ON test_inbox (endpoint_id, received_id);
