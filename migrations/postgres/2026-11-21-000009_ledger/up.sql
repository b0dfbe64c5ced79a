-- The balance ledger: deltas as they were accepted, the line that they were verified into, and the trees over it. All of
-- that is written once. Decimals are whole millionths: an amount as an integer, a sum, which can be larger than one, as
-- text. Hashes are 32 bytes of SHA-256.

-- The head of each line. Whoever verifies holds its row, so two never give out the same number.
CREATE TABLE ledgers (
  ledger_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id TEXT COLLATE "C" NOT NULL CONSTRAINT ledgers_tenant REFERENCES tenants (tenant_id),
  mode TEXT COLLATE "C" NOT NULL CONSTRAINT ledgers_mode CHECK (mode IN ('test', 'sandbox', 'live')),
  last_sequence BIGINT NOT NULL,
  last_hash BYTEA,
  last_verified_at BIGINT NOT NULL,
  emitted BIGINT NOT NULL,
  emitted_sum TEXT COLLATE "C" NOT NULL,
  CONSTRAINT ledgers_scope UNIQUE (tenant_id, mode)
);

-- A customer has a number of its own, which keeps the line's index small, and its present balance.
ALTER TABLE ledger_customers ADD COLUMN customer_key BIGINT GENERATED ALWAYS AS IDENTITY;
ALTER TABLE ledger_customers ADD COLUMN currency TEXT COLLATE "C";
ALTER TABLE ledger_customers ADD COLUMN deltas BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ledger_customers ADD COLUMN balance TEXT COLLATE "C" NOT NULL DEFAULT '0';
ALTER TABLE ledger_customers ADD COLUMN last_delta_at BIGINT;
ALTER TABLE ledger_customers DROP CONSTRAINT ledger_customers_key;
ALTER TABLE ledger_customers ADD PRIMARY KEY (customer_key);
ALTER TABLE ledger_customers ADD CONSTRAINT ledger_customers_id UNIQUE (tenant_id, mode, customer_id);

-- The records of one request have consecutive ids. `currency` is set for what a payment posted, and for nothing else.
CREATE TABLE deltas (
  record_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id TEXT COLLATE "C" NOT NULL,
  mode TEXT COLLATE "C" NOT NULL,
  customer_id TEXT COLLATE "C" NOT NULL,
  currency TEXT COLLATE "C",
  millionths BIGINT NOT NULL,
  reason TEXT COLLATE "C" NOT NULL,
  reference_id TEXT COLLATE "C",
  metadata TEXT COLLATE "C",
  salt BYTEA NOT NULL,
  content_hash BYTEA NOT NULL,
  counted_in TEXT COLLATE "C",
  created_at BIGINT NOT NULL
);
-- A payment can be received twice, and what is booked of it bears its id each time; what is emitted does so once.
CREATE UNIQUE INDEX deltas_by_reference ON deltas (tenant_id, mode, customer_id, reference_id)
  WHERE currency IS NULL AND reference_id IS NOT NULL;
CREATE INDEX deltas_of_payments ON deltas (reference_id) WHERE currency IS NOT NULL;

-- What is to be verified: the records from `first_record_id` to `last_record_id`, which one request made.
CREATE TABLE delta_queue (
  tenant_id TEXT COLLATE "C" NOT NULL,
  mode TEXT COLLATE "C" NOT NULL,
  first_record_id TEXT COLLATE "C" NOT NULL,
  last_record_id TEXT COLLATE "C" NOT NULL,
  number BIGINT NOT NULL,
  CONSTRAINT delta_queue_key PRIMARY KEY (tenant_id, mode, first_record_id)
);

-- The line. The sums are those after the entry: of its customer, and of all that API keys emitted.
CREATE TABLE delta_entries (
  ledger_id BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  record_id TEXT COLLATE "C" NOT NULL CONSTRAINT delta_entries_record UNIQUE,
  customer_key BIGINT NOT NULL,
  customer_sequence BIGINT NOT NULL,
  customer_sum TEXT COLLATE "C" NOT NULL,
  emitted BIGINT NOT NULL,
  emitted_sum TEXT COLLATE "C" NOT NULL,
  leaf_hash BYTEA NOT NULL,
  verified_at BIGINT NOT NULL,
  CONSTRAINT delta_entries_key PRIMARY KEY (ledger_id, sequence)
);
CREATE UNIQUE INDEX delta_entries_by_customer ON delta_entries (customer_key, customer_sequence);

CREATE TABLE delta_failures (
  record_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  reason TEXT COLLATE "C" NOT NULL,
  failed_at BIGINT NOT NULL
);

-- A tree over a stretch of the line: all of it or one customer's (`customer_key`, or 0), up to now or of one month
-- (`period`, or the empty text). `first_leaf` is the number of its first leaf, `size` how many leaves its nodes cover.
CREATE TABLE merkle_trees (
  tree_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  ledger_id BIGINT NOT NULL CONSTRAINT merkle_trees_ledger REFERENCES ledgers (ledger_id),
  customer_key BIGINT NOT NULL,
  period TEXT COLLATE "C" NOT NULL,
  first_leaf BIGINT NOT NULL,
  size BIGINT NOT NULL,
  CONSTRAINT merkle_trees_scope UNIQUE (ledger_id, customer_key, period)
);

-- The roots of full subtrees of 256, 65,536, … leaves (level 1, 2, …).
CREATE TABLE merkle_nodes (
  tree_id BIGINT NOT NULL CONSTRAINT merkle_nodes_tree REFERENCES merkle_trees (tree_id),
  level BIGINT NOT NULL,
  position BIGINT NOT NULL,
  hash BYTEA NOT NULL,
  CONSTRAINT merkle_nodes_key PRIMARY KEY (tree_id, level, position)
);

CREATE TABLE checkpoints (
  checkpoint_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tree_id BIGINT NOT NULL CONSTRAINT checkpoints_tree REFERENCES merkle_trees (tree_id),
  tenant_id TEXT COLLATE "C" NOT NULL,
  mode TEXT COLLATE "C" NOT NULL,
  customer_id TEXT COLLATE "C",
  period TEXT COLLATE "C",
  size BIGINT NOT NULL,
  root BYTEA NOT NULL,
  net_change TEXT COLLATE "C" NOT NULL,
  note TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  CONSTRAINT checkpoints_size UNIQUE (tree_id, size)
);
CREATE INDEX checkpoints_by_root ON checkpoints (root);
CREATE INDEX checkpoints_by_scope ON checkpoints (tenant_id, mode, checkpoint_id);
CREATE INDEX checkpoints_by_customer ON checkpoints (tenant_id, mode, customer_id, checkpoint_id);

CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$;
CREATE TRIGGER deltas_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON deltas
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER delta_entries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON delta_entries
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER delta_failures_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON delta_failures
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER merkle_nodes_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON merkle_nodes
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER checkpoints_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
