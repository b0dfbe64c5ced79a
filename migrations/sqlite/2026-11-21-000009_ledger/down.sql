DROP TABLE checkpoints;
DROP TABLE merkle_nodes;
DROP TABLE merkle_trees;
DROP TABLE delta_failures;
DROP TABLE delta_entries;
DROP TABLE delta_queue;
DROP TABLE deltas;
DROP TABLE ledgers;
CREATE TABLE old_ledger_customers (
  tenant_id TEXT NOT NULL CONSTRAINT ledger_customers_tenant REFERENCES tenants (tenant_id),
  mode TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  display_name TEXT,
  created_at INTEGER NOT NULL,
  CONSTRAINT ledger_customers_key PRIMARY KEY (tenant_id, mode, customer_id)
) STRICT;
INSERT INTO old_ledger_customers SELECT tenant_id, mode, customer_id, display_name, created_at FROM ledger_customers;
DROP TABLE ledger_customers;
ALTER TABLE old_ledger_customers RENAME TO ledger_customers;
