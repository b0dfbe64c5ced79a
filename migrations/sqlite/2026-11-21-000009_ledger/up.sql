-- The balance ledger: deltas as they were accepted, the line that they were verified into, and the trees over it. All of
-- that is written once. Decimals are whole millionths: an amount as an integer, a sum, which can be larger than one, as
-- text. Hashes are 32 bytes of SHA-256.

-- The head of each line. Whoever verifies holds its row, so two never give out the same number.
CREATE TABLE ledgers (
  ledger_id INTEGER NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL CONSTRAINT ledgers_tenant REFERENCES tenants (tenant_id),
  mode TEXT NOT NULL CONSTRAINT ledgers_mode CHECK (mode IN ('test', 'sandbox', 'live')),
  last_sequence INTEGER NOT NULL,
  last_hash BLOB,
  last_verified_at INTEGER NOT NULL,
  emitted INTEGER NOT NULL,
  emitted_sum TEXT NOT NULL,
  CONSTRAINT ledgers_scope UNIQUE (tenant_id, mode)
) STRICT;

-- A customer has a number of its own, which keeps the line's index small, and its present balance.
CREATE TABLE new_ledger_customers (
  tenant_id TEXT NOT NULL CONSTRAINT ledger_customers_tenant REFERENCES tenants (tenant_id),
  mode TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  display_name TEXT,
  created_at INTEGER NOT NULL,
  customer_key INTEGER NOT NULL PRIMARY KEY,
  currency TEXT,
  deltas INTEGER NOT NULL DEFAULT 0,
  balance TEXT NOT NULL DEFAULT '0',
  last_delta_at INTEGER,
  CONSTRAINT ledger_customers_id UNIQUE (tenant_id, mode, customer_id)
) STRICT;
INSERT INTO new_ledger_customers (tenant_id, mode, customer_id, display_name, created_at)
  SELECT tenant_id, mode, customer_id, display_name, created_at FROM ledger_customers;
DROP TABLE ledger_customers;
ALTER TABLE new_ledger_customers RENAME TO ledger_customers;

-- The records of one request have consecutive ids. `currency` is set for what a payment posted, and for nothing else.
CREATE TABLE deltas (
  record_id TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  mode TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  currency TEXT,
  millionths INTEGER NOT NULL,
  reason TEXT NOT NULL,
  reference_id TEXT,
  metadata TEXT,
  salt BLOB NOT NULL,
  content_hash BLOB NOT NULL,
  counted_in TEXT,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- A payment can be received twice, and what is booked of it bears its id each time; what is emitted does so once.
CREATE UNIQUE INDEX deltas_by_reference ON deltas (tenant_id, mode, customer_id, reference_id)
  WHERE currency IS NULL AND reference_id IS NOT NULL;
CREATE INDEX deltas_of_payments ON deltas (reference_id) WHERE currency IS NOT NULL;

-- What is to be verified: the records from `first_record_id` to `last_record_id`, which one request made.
CREATE TABLE delta_queue (
  tenant_id TEXT NOT NULL,
  mode TEXT NOT NULL,
  first_record_id TEXT NOT NULL,
  last_record_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  CONSTRAINT delta_queue_key PRIMARY KEY (tenant_id, mode, first_record_id)
) STRICT, WITHOUT ROWID;

-- The line. The sums are those after the entry: of its customer, and of all that API keys emitted.
CREATE TABLE delta_entries (
  ledger_id INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  record_id TEXT NOT NULL CONSTRAINT delta_entries_record UNIQUE,
  customer_key INTEGER NOT NULL,
  customer_sequence INTEGER NOT NULL,
  customer_sum TEXT NOT NULL,
  emitted INTEGER NOT NULL,
  emitted_sum TEXT NOT NULL,
  leaf_hash BLOB NOT NULL,
  verified_at INTEGER NOT NULL,
  CONSTRAINT delta_entries_key PRIMARY KEY (ledger_id, sequence)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX delta_entries_by_customer ON delta_entries (customer_key, customer_sequence);

CREATE TABLE delta_failures (
  record_id TEXT NOT NULL PRIMARY KEY,
  reason TEXT NOT NULL,
  failed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A tree over a stretch of the line: all of it or one customer's (`customer_key`, or 0), up to now or of one month
-- (`period`, or the empty text). `first_leaf` is the number of its first leaf, `size` how many leaves its nodes cover.
CREATE TABLE merkle_trees (
  tree_id INTEGER NOT NULL PRIMARY KEY,
  ledger_id INTEGER NOT NULL CONSTRAINT merkle_trees_ledger REFERENCES ledgers (ledger_id),
  customer_key INTEGER NOT NULL,
  period TEXT NOT NULL,
  first_leaf INTEGER NOT NULL,
  size INTEGER NOT NULL,
  CONSTRAINT merkle_trees_scope UNIQUE (ledger_id, customer_key, period)
) STRICT;

-- The roots of full subtrees of 256, 65,536, … leaves (level 1, 2, …).
CREATE TABLE merkle_nodes (
  tree_id INTEGER NOT NULL CONSTRAINT merkle_nodes_tree REFERENCES merkle_trees (tree_id),
  level INTEGER NOT NULL,
  position INTEGER NOT NULL,
  hash BLOB NOT NULL,
  CONSTRAINT merkle_nodes_key PRIMARY KEY (tree_id, level, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
  checkpoint_id TEXT NOT NULL PRIMARY KEY,
  tree_id INTEGER NOT NULL CONSTRAINT checkpoints_tree REFERENCES merkle_trees (tree_id),
  tenant_id TEXT NOT NULL,
  mode TEXT NOT NULL,
  customer_id TEXT,
  period TEXT,
  size INTEGER NOT NULL,
  root BLOB NOT NULL,
  net_change TEXT NOT NULL,
  note TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  CONSTRAINT checkpoints_size UNIQUE (tree_id, size)
) STRICT;
CREATE INDEX checkpoints_by_root ON checkpoints (root);
CREATE INDEX checkpoints_by_scope ON checkpoints (tenant_id, mode, checkpoint_id);
CREATE INDEX checkpoints_by_customer ON checkpoints (tenant_id, mode, customer_id, checkpoint_id);

-- REPLACE deletes without asking the trigger where a connection has not switched that on, hence the triggers on INSERT.
CREATE TRIGGER deltas_stay BEFORE UPDATE ON deltas BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER deltas_are_kept BEFORE DELETE ON deltas BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER deltas_are_new BEFORE INSERT ON deltas
WHEN EXISTS (SELECT 1 FROM deltas WHERE record_id = new.record_id)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER delta_entries_stay BEFORE UPDATE ON delta_entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER delta_entries_are_kept BEFORE DELETE ON delta_entries BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER delta_entries_are_new BEFORE INSERT ON delta_entries
WHEN EXISTS (SELECT 1 FROM delta_entries WHERE ledger_id = new.ledger_id AND sequence = new.sequence)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER delta_failures_stay BEFORE UPDATE ON delta_failures BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER delta_failures_are_kept BEFORE DELETE ON delta_failures BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER merkle_nodes_stay BEFORE UPDATE ON merkle_nodes BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER merkle_nodes_are_kept BEFORE DELETE ON merkle_nodes BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER checkpoints_stay BEFORE UPDATE ON checkpoints BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER checkpoints_are_kept BEFORE DELETE ON checkpoints BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
