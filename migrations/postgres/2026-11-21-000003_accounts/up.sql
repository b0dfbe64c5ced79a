-- Accounts of people and machines: users, their tenants, sessions, mail, environments, API keys and the audit log.
-- E-mail addresses are stored in lower case. Tokens and the secrets of API keys are stored as SHA-256 alone.

ALTER TABLE tenants ADD COLUMN plan TEXT COLLATE "C" NOT NULL DEFAULT 'free';
ALTER TABLE tenants ADD COLUMN is_operator BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE tenants ADD COLUMN suspended_at BIGINT;
-- Until now every tenant was the operator's own.
UPDATE tenants SET plan = 'enterprise', is_operator = TRUE;

CREATE TABLE users (
  user_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  email TEXT COLLATE "C" NOT NULL CONSTRAINT users_email UNIQUE,
  password_hash TEXT COLLATE "C" NOT NULL,
  first_name TEXT COLLATE "C" NOT NULL,
  last_name TEXT COLLATE "C" NOT NULL,
  preferred_environment TEXT COLLATE "C" NOT NULL CONSTRAINT users_environment CHECK (preferred_environment IN ('sandbox', 'production')),
  preferred_mode TEXT COLLATE "C" NOT NULL CONSTRAINT users_mode CHECK (preferred_mode IN ('test', 'sandbox')),
  time_zone TEXT COLLATE "C",
  totp_sealed TEXT COLLATE "C",
  totp_confirmed_at BIGINT,
  totp_last_step BIGINT,
  email_verified_at BIGINT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE members (
  tenant_id TEXT COLLATE "C" NOT NULL CONSTRAINT members_tenant REFERENCES tenants (tenant_id),
  user_id TEXT COLLATE "C" NOT NULL CONSTRAINT members_user REFERENCES users (user_id),
  role TEXT COLLATE "C" NOT NULL CONSTRAINT members_role CHECK (role IN ('owner', 'developer', 'viewer')),
  created_at BIGINT NOT NULL,
  CONSTRAINT members_key PRIMARY KEY (tenant_id, user_id)
);
CREATE INDEX members_by_user ON members (user_id, created_at);

CREATE TABLE invitations (
  invitation_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id TEXT COLLATE "C" NOT NULL CONSTRAINT invitations_tenant REFERENCES tenants (tenant_id),
  email TEXT COLLATE "C" NOT NULL,
  role TEXT COLLATE "C" NOT NULL CONSTRAINT invitations_role CHECK (role IN ('owner', 'developer', 'viewer')),
  token_hash TEXT COLLATE "C" NOT NULL CONSTRAINT invitations_token UNIQUE,
  invited_by TEXT COLLATE "C" NOT NULL,
  expires_at BIGINT NOT NULL,
  accepted_at BIGINT,
  revoked_at BIGINT,
  created_at BIGINT NOT NULL
);
CREATE INDEX invitations_by_tenant ON invitations (tenant_id, invitation_id);

-- A token of the browser or of the API is good for as long as its session is.
CREATE TABLE sessions (
  session_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  user_id TEXT COLLATE "C" NOT NULL CONSTRAINT sessions_user REFERENCES users (user_id),
  tenant_id TEXT COLLATE "C" NOT NULL CONSTRAINT sessions_tenant REFERENCES tenants (tenant_id),
  mode TEXT COLLATE "C" NOT NULL CONSTRAINT sessions_mode CHECK (mode IN ('test', 'sandbox', 'live')),
  address TEXT COLLATE "C" NOT NULL,
  user_agent TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  revoked_at BIGINT
);
CREATE INDEX sessions_by_user ON sessions (user_id, session_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- What a link in a mail proves, once.
CREATE TABLE mail_tokens (
  token_hash TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  user_id TEXT COLLATE "C" NOT NULL CONSTRAINT mail_tokens_user REFERENCES users (user_id),
  purpose TEXT COLLATE "C" NOT NULL CONSTRAINT mail_tokens_purpose CHECK (purpose IN ('verify_email', 'reset_password')),
  expires_at BIGINT NOT NULL,
  used_at BIGINT,
  created_at BIGINT NOT NULL
);
CREATE INDEX mail_tokens_by_user ON mail_tokens (user_id);
CREATE INDEX mail_tokens_by_expiry ON mail_tokens (expires_at);

-- Mail that was sent or is to be. The text is sealed, because links in it let somebody in.
CREATE TABLE mails (
  mail_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  recipient TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C" NOT NULL,
  text_sealed TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL CONSTRAINT mails_state CHECK (state IN ('pending', 'sent', 'dead')),
  attempts INTEGER NOT NULL,
  due_at BIGINT NOT NULL,
  error TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  finished_at BIGINT
);
CREATE INDEX mails_due ON mails (due_at) WHERE state = 'pending';
CREATE INDEX mails_finished ON mails (finished_at) WHERE state <> 'pending';

-- Sandbox and Production of a tenant. `provisioning` is a job: it is due at `due_at`.
CREATE TABLE environments (
  tenant_id TEXT COLLATE "C" NOT NULL CONSTRAINT environments_tenant REFERENCES tenants (tenant_id),
  environment TEXT COLLATE "C" NOT NULL CONSTRAINT environments_name CHECK (environment IN ('sandbox', 'production')),
  status TEXT COLLATE "C" NOT NULL CONSTRAINT environments_status CHECK (status IN ('provisioning', 'active', 'error')),
  error TEXT COLLATE "C",
  attempts INTEGER NOT NULL,
  due_at BIGINT,
  provisioned_at BIGINT,
  created_at BIGINT NOT NULL,
  CONSTRAINT environments_key PRIMARY KEY (tenant_id, environment)
);
CREATE INDEX environments_due ON environments (due_at) WHERE due_at IS NOT NULL;

-- Terms accepted and company shown, per mode.
CREATE TABLE onboardings (
  tenant_id TEXT COLLATE "C" NOT NULL CONSTRAINT onboardings_tenant REFERENCES tenants (tenant_id),
  mode TEXT COLLATE "C" NOT NULL CONSTRAINT onboardings_mode CHECK (mode IN ('test', 'sandbox', 'live')),
  terms_accepted_at BIGINT NOT NULL,
  legal_name TEXT COLLATE "C" NOT NULL,
  country TEXT COLLATE "C" NOT NULL,
  registration_number TEXT COLLATE "C" NOT NULL,
  kyb_status TEXT COLLATE "C" NOT NULL CONSTRAINT onboardings_kyb CHECK (kyb_status IN ('pending', 'approved', 'rejected')),
  reason TEXT COLLATE "C",
  submitted_at BIGINT NOT NULL,
  decided_at BIGINT,
  CONSTRAINT onboardings_key PRIMARY KEY (tenant_id, mode)
);

CREATE TABLE production_requests (
  request_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id TEXT COLLATE "C" NOT NULL CONSTRAINT production_requests_tenant REFERENCES tenants (tenant_id),
  company_name TEXT COLLATE "C" NOT NULL,
  expected_monthly_volume TEXT COLLATE "C" NOT NULL,
  status TEXT COLLATE "C" NOT NULL CONSTRAINT production_requests_status CHECK (status IN ('pending', 'approved', 'rejected')),
  reason TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  decided_at BIGINT
);
CREATE UNIQUE INDEX production_requests_open ON production_requests (tenant_id) WHERE status <> 'rejected';
CREATE INDEX production_requests_by_tenant ON production_requests (tenant_id, request_id);

CREATE TABLE api_keys (
  key_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id TEXT COLLATE "C" NOT NULL CONSTRAINT api_keys_tenant REFERENCES tenants (tenant_id),
  mode TEXT COLLATE "C" NOT NULL CONSTRAINT api_keys_mode CHECK (mode IN ('test', 'sandbox', 'live')),
  name TEXT COLLATE "C" NOT NULL,
  public_key TEXT COLLATE "C" NOT NULL CONSTRAINT api_keys_public_key UNIQUE,
  secret_hash TEXT COLLATE "C" NOT NULL,
  previous_secret_hash TEXT COLLATE "C",
  previous_secret_until BIGINT,
  scopes TEXT COLLATE "C" NOT NULL,
  requests_per_minute INTEGER,
  last_used_at BIGINT,
  disabled_at BIGINT,
  deleted_at BIGINT,
  created_at BIGINT NOT NULL
);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, mode, key_id);

-- Who did what, from where, and what it was before and after. Never changed, never deleted.
CREATE TABLE audit_entries (
  entry_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  tenant_id TEXT COLLATE "C" NOT NULL,
  mode TEXT COLLATE "C",
  actor TEXT COLLATE "C" NOT NULL,
  address TEXT COLLATE "C",
  action TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C",
  before TEXT COLLATE "C",
  after TEXT COLLATE "C",
  created_at BIGINT NOT NULL
);
CREATE INDEX audit_entries_by_tenant ON audit_entries (tenant_id, entry_id);
CREATE FUNCTION audit_entries_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_entries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
  FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_refuse();

-- What a tenant has used of its plan in a month (`YYYY-MM`, UTC), counted in the transaction of what is counted.
CREATE TABLE usage_counters (
  tenant_id TEXT COLLATE "C" NOT NULL CONSTRAINT usage_counters_tenant REFERENCES tenants (tenant_id),
  mode TEXT COLLATE "C" NOT NULL,
  period TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  used BIGINT NOT NULL,
  CONSTRAINT usage_counters_key PRIMARY KEY (tenant_id, period, name, mode)
);

-- Customers as the ledger knows them: a tenant's, per mode.
CREATE TABLE ledger_customers (
  tenant_id TEXT COLLATE "C" NOT NULL CONSTRAINT ledger_customers_tenant REFERENCES tenants (tenant_id),
  mode TEXT COLLATE "C" NOT NULL,
  customer_id TEXT COLLATE "C" NOT NULL,
  display_name TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  CONSTRAINT ledger_customers_key PRIMARY KEY (tenant_id, mode, customer_id)
);

CREATE INDEX apps_by_tenant ON apps (tenant_id, mode, app_id);
