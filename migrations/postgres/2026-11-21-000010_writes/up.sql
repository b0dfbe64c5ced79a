-- Writes: whole numbers that add up under keys. A request waits in the line of its tenant and mode and is verified in turn.

-- One line for each tenant and mode: how many requests it has ever taken, and how many items wait in it.
CREATE TABLE write_lines (
  tenant_id TEXT COLLATE "C" NOT NULL CONSTRAINT write_lines_tenant REFERENCES tenants (tenant_id),
  mode TEXT COLLATE "C" NOT NULL CONSTRAINT write_lines_mode CHECK (mode IN ('test', 'sandbox', 'live')),
  accepted BIGINT NOT NULL,
  pending BIGINT NOT NULL CONSTRAINT write_lines_pending CHECK (pending >= 0),
  verified_at BIGINT NOT NULL,
  CONSTRAINT write_lines_key PRIMARY KEY (tenant_id, mode)
);
CREATE INDEX write_lines_waiting ON write_lines (verified_at) WHERE pending > 0;

-- `items` is a JSON array that never changes; `outcomes`, once there, has null or a reason for each of them.
CREATE TABLE write_requests (
  request_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id TEXT COLLATE "C" NOT NULL CONSTRAINT write_requests_tenant REFERENCES tenants (tenant_id),
  mode TEXT COLLATE "C" NOT NULL,
  sequence BIGINT NOT NULL,
  item_count BIGINT NOT NULL CONSTRAINT write_requests_items CHECK (item_count > 0),
  items TEXT COLLATE "C" NOT NULL,
  outcomes TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  verified_at BIGINT
);
CREATE UNIQUE INDEX write_requests_waiting ON write_requests (tenant_id, mode, sequence) WHERE verified_at IS NULL;

-- What the verified writes to a key add up to.
CREATE TABLE write_buckets (
  tenant_id TEXT COLLATE "C" NOT NULL CONSTRAINT write_buckets_tenant REFERENCES tenants (tenant_id),
  mode TEXT COLLATE "C" NOT NULL,
  key TEXT COLLATE "C" NOT NULL,
  account_id TEXT COLLATE "C" NOT NULL,
  bits BIGINT NOT NULL,
  writes BIGINT NOT NULL,
  metadata TEXT COLLATE "C",
  last_write_at BIGINT NOT NULL,
  CONSTRAINT write_buckets_key PRIMARY KEY (tenant_id, mode, key)
);

-- Settlement reports name refunds by the providers' ids.
CREATE INDEX refunds_by_reference ON refunds (provider_ref);
