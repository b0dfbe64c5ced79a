-- What the console counts and looks up: totals by day, and payments that need someone.

-- Payments by the UTC day of their creation, as they stand now. `shard` is the connection that wrote the row, so that
-- writers at the same time never wait for each other; what is true is the sum over it.
CREATE TABLE payment_days (
  app_id TEXT COLLATE "C" NOT NULL CONSTRAINT payment_days_app REFERENCES apps (app_id),
  day BIGINT NOT NULL,
  method TEXT COLLATE "C" NOT NULL,
  currency TEXT COLLATE "C" NOT NULL,
  shard INTEGER NOT NULL,
  created BIGINT NOT NULL,
  succeeded BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  canceled BIGINT NOT NULL,
  succeeded_minor BIGINT NOT NULL,
  CONSTRAINT payment_days_key PRIMARY KEY (app_id, day, method, currency, shard)
);
INSERT INTO payment_days
  SELECT app_id, created_at / 86400000000, method, currency, 0, COUNT(*),
    COUNT(*) FILTER (WHERE status = 'succeeded'), COUNT(*) FILTER (WHERE status = 'failed'),
    COUNT(*) FILTER (WHERE status = 'canceled'),
    CAST(COALESCE(SUM(amount_minor) FILTER (WHERE status = 'succeeded'), 0) AS BIGINT)
  FROM payments GROUP BY 1, 2, 3, 4;

CREATE INDEX payments_needing_attention ON payments (app_id, payment_id) WHERE needs_attention;
