-- What the console counts and looks up: totals by day, and payments that need someone.

-- Payments by the UTC day of their creation, as they stand now. `shard` keeps writers that work at the same time apart
-- (always 0 here); what is true is the sum over it.
CREATE TABLE payment_days (
  app_id TEXT NOT NULL CONSTRAINT payment_days_app REFERENCES apps (app_id),
  day INTEGER NOT NULL,
  method TEXT NOT NULL,
  currency TEXT NOT NULL,
  shard INTEGER NOT NULL,
  created INTEGER NOT NULL,
  succeeded INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  canceled INTEGER NOT NULL,
  succeeded_minor INTEGER NOT NULL,
  CONSTRAINT payment_days_key PRIMARY KEY (app_id, day, method, currency, shard)
) STRICT, WITHOUT ROWID;
INSERT INTO payment_days
  SELECT app_id, created_at / 86400000000, method, currency, 0, COUNT(*),
    SUM(status = 'succeeded'), SUM(status = 'failed'), SUM(status = 'canceled'),
    SUM(CASE WHEN status = 'succeeded' THEN amount_minor ELSE 0 END)
  FROM payments GROUP BY 1, 2, 3, 4;

CREATE INDEX payments_needing_attention ON payments (app_id, payment_id) WHERE needs_attention = 1;
