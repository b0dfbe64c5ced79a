-- Endpoints of a tenant and mode beside those of an app, and events that are a tenant's and no app's.

ALTER TABLE webhook_endpoints ALTER COLUMN app_id DROP NOT NULL;
ALTER TABLE webhook_endpoints ADD COLUMN tenant_id TEXT COLLATE "C" CONSTRAINT webhook_endpoints_tenant REFERENCES tenants (tenant_id);
ALTER TABLE webhook_endpoints ADD COLUMN mode TEXT COLLATE "C";
ALTER TABLE webhook_endpoints ADD COLUMN description TEXT COLLATE "C";
ALTER TABLE webhook_endpoints ADD COLUMN event_types TEXT COLLATE "C";
ALTER TABLE webhook_endpoints ADD COLUMN header_prefix TEXT COLLATE "C";
ALTER TABLE webhook_endpoints ADD COLUMN deleted_at BIGINT;
UPDATE webhook_endpoints SET tenant_id = apps.tenant_id, mode = apps.mode FROM apps WHERE apps.app_id = webhook_endpoints.app_id;
ALTER TABLE webhook_endpoints ALTER COLUMN tenant_id SET NOT NULL;
ALTER TABLE webhook_endpoints ALTER COLUMN mode SET NOT NULL;
CREATE INDEX webhook_endpoints_by_tenant ON webhook_endpoints (tenant_id, mode, endpoint_id) WHERE app_id IS NULL;

ALTER TABLE events ALTER COLUMN app_id DROP NOT NULL;
ALTER TABLE events ADD COLUMN tenant_id TEXT COLLATE "C" CONSTRAINT events_tenant REFERENCES tenants (tenant_id);
ALTER TABLE events ADD COLUMN mode TEXT COLLATE "C";
ALTER TABLE events ADD CONSTRAINT events_owner CHECK ((app_id IS NULL) = (tenant_id IS NOT NULL AND mode IS NOT NULL));
CREATE INDEX events_by_tenant ON events (tenant_id, mode, event_id) WHERE app_id IS NULL;

ALTER TABLE deliveries ALTER COLUMN app_id DROP NOT NULL;
CREATE INDEX deliveries_by_endpoint ON deliveries (endpoint_id, delivery_id);
CREATE INDEX deliveries_dead_by_endpoint ON deliveries (endpoint_id, delivery_id) WHERE state = 'dead';
