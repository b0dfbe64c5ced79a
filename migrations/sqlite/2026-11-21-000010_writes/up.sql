-- Writes: whole numbers that add up under keys. A request waits in the line of its tenant and mode and is verified in turn.

-- One line for each tenant and mode: how many requests it has ever taken, and how many items wait in it.
CREATE TABLE write_lines (
  tenant_id TEXT NOT NULL CONSTRAINT write_lines_tenant REFERENCES tenants (tenant_id),
  mode TEXT NOT NULL CONSTRAINT write_lines_mode CHECK (mode IN ('test', 'sandbox', 'live')),
  accepted INTEGER NOT NULL,
  pending INTEGER NOT NULL CONSTRAINT write_lines_pending CHECK (pending >= 0),
  verified_at INTEGER NOT NULL,
  CONSTRAINT write_lines_key PRIMARY KEY (tenant_id, mode)
) STRICT;
CREATE INDEX write_lines_waiting ON write_lines (verified_at) WHERE pending > 0;

-- `items` is a JSON array that never changes; `outcomes`, once there, has null or a reason for each of them.
CREATE TABLE write_requests (
  request_id TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL CONSTRAINT write_requests_tenant REFERENCES tenants (tenant_id),
  mode TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  item_count INTEGER NOT NULL CONSTRAINT write_requests_items CHECK (item_count > 0),
  items TEXT NOT NULL,
  outcomes TEXT,
  created_at INTEGER NOT NULL,
  verified_at INTEGER
) STRICT;
CREATE UNIQUE INDEX write_requests_waiting ON write_requests (tenant_id, mode, sequence) WHERE verified_at IS NULL;

-- What the verified writes to a key add up to.
CREATE TABLE write_buckets (
  tenant_id TEXT NOT NULL CONSTRAINT write_buckets_tenant REFERENCES tenants (tenant_id),
  mode TEXT NOT NULL,
  key TEXT NOT NULL,
  account_id TEXT NOT NULL,
  bits INTEGER NOT NULL,
  writes INTEGER NOT NULL,
  metadata TEXT,
  last_write_at INTEGER NOT NULL,
  CONSTRAINT write_buckets_key PRIMARY KEY (tenant_id, mode, key)
) STRICT, WITHOUT ROWID;

-- Settlement reports name refunds by the providers' ids.
CREATE INDEX refunds_by_reference ON refunds (provider_ref);
