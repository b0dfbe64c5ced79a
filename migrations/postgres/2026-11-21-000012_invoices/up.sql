-- Invoices and payment links, which buyers pay on pages of ours, and where a payment comes from.

-- The invoice or the payment link that a payment was begun for; nothing for those that products begin. A column and no
-- table of its own: every settlement asks for it.
ALTER TABLE payments ADD COLUMN origin TEXT COLLATE "C";
CREATE INDEX payments_by_origin ON payments (origin, payment_id) WHERE origin IS NOT NULL;

-- `content` is the digest of what was asked for: a second request under one `external_id` is held against it.
CREATE TABLE invoices (
  invoice_id TEXT COLLATE "C" NOT NULL CONSTRAINT invoices_key PRIMARY KEY,
  app_id TEXT COLLATE "C" NOT NULL CONSTRAINT invoices_app REFERENCES apps (app_id),
  mode TEXT COLLATE "C" NOT NULL,
  status TEXT COLLATE "C" NOT NULL CONSTRAINT invoices_status CHECK (status IN ('draft', 'open', 'paid', 'void', 'overdue')),
  number TEXT COLLATE "C" NOT NULL CONSTRAINT invoices_number UNIQUE,
  external_user_id TEXT COLLATE "C" NOT NULL,
  email TEXT COLLATE "C",
  currency TEXT COLLATE "C" NOT NULL,
  line_items TEXT COLLATE "C" NOT NULL,
  amount_minor BIGINT NOT NULL CONSTRAINT invoices_amount CHECK (amount_minor > 0),
  due_at BIGINT,
  methods TEXT COLLATE "C",
  return_url TEXT COLLATE "C",
  metadata TEXT COLLATE "C" NOT NULL,
  external_id TEXT COLLATE "C",
  content TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  paid_at BIGINT,
  voided_at BIGINT,
  CONSTRAINT invoices_paid CHECK ((status = 'paid') = (paid_at IS NOT NULL)),
  CONSTRAINT invoices_voided CHECK ((status = 'void') = (voided_at IS NOT NULL))
);
CREATE UNIQUE INDEX invoices_by_external_id ON invoices (app_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX invoices_by_app ON invoices (app_id, invoice_id);
CREATE INDEX invoices_by_status ON invoices (app_id, status, invoice_id);
CREATE INDEX invoices_by_buyer ON invoices (app_id, external_user_id, invoice_id);
CREATE INDEX invoices_due ON invoices (due_at) WHERE status = 'open' AND due_at IS NOT NULL;

-- `uses` are payments that were paid, `reserved` those that may still be: no more are begun than `uses_max` together.
CREATE TABLE payment_links (
  payment_link_id TEXT COLLATE "C" NOT NULL CONSTRAINT payment_links_key PRIMARY KEY,
  app_id TEXT COLLATE "C" NOT NULL CONSTRAINT payment_links_app REFERENCES apps (app_id),
  mode TEXT COLLATE "C" NOT NULL,
  status TEXT COLLATE "C" NOT NULL CONSTRAINT payment_links_status CHECK (status IN ('active', 'used_up', 'expired', 'closed')),
  currency TEXT COLLATE "C" NOT NULL,
  amount_minor BIGINT,
  min_minor BIGINT,
  max_minor BIGINT,
  description TEXT COLLATE "C" NOT NULL,
  methods TEXT COLLATE "C",
  uses_max BIGINT,
  uses BIGINT NOT NULL CONSTRAINT payment_links_uses CHECK (uses >= 0),
  reserved BIGINT NOT NULL CONSTRAINT payment_links_reserved CHECK (reserved >= 0),
  expires_at BIGINT,
  return_url TEXT COLLATE "C",
  metadata TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  CONSTRAINT payment_links_amount CHECK ((amount_minor IS NULL) = (min_minor IS NOT NULL AND max_minor IS NOT NULL))
);
CREATE INDEX payment_links_by_app ON payment_links (app_id, payment_link_id);
CREATE INDEX payment_links_by_status ON payment_links (app_id, status, payment_link_id);
CREATE INDEX payment_links_expiring ON payment_links (expires_at) WHERE status = 'active' AND expires_at IS NOT NULL;
