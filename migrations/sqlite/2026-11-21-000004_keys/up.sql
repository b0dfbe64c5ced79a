-- A tenant's accounts at providers are listed with those that are archived.

CREATE INDEX provider_accounts_by_tenant ON provider_accounts (tenant_id, mode, account_id);
