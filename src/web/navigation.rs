//! The console's navigation: its one list of pages, in the order in which they are shown.

/// A page in the navigation.
pub(super) struct Entry {
    /// What [`super::shell::Shell::new`] calls it.
    pub name: &'static str,
    /// What people read.
    pub title: &'static str,
    /// Where it is.
    pub path: &'static str,
}

const fn entry(name: &'static str, title: &'static str, path: &'static str) -> Entry {
    Entry { name, title, path }
}

/// Every page that is reached from everywhere.
pub(super) const ENTRIES: &[Entry] = &[
    entry("overview", "Overview", "/console"),
    entry("payments", "Payments", "/console/payments"),
    entry("invoices", "Invoices", "/console/invoices"),
    entry("payment-links", "Payment links", "/console/payment-links"),
    entry("refunds", "Refunds", "/console/refunds"),
    entry("subscriptions", "Subscriptions", "/console/subscriptions"),
    entry("reconcile", "Reconcile", "/console/reconcile"),
    entry("customers", "Customers", "/console/customers"),
    entry("balances", "Balances", "/console/balances"),
    entry("checkpoints", "Checkpoints", "/console/checkpoints"),
    entry("events", "Events", "/console/events"),
    entry("webhooks", "Webhooks", "/console/webhooks"),
    entry("apps", "Apps", "/console/apps"),
    entry("api-keys", "API keys", "/console/api-keys"),
    entry("providers", "Providers", "/console/providers"),
    entry("quick-start", "Quick start", "/console/quick-start"),
    entry("production", "Plan and Production", "/console/production"),
    entry("audit", "Audit log", "/console/audit"),
    entry("members", "Members", "/console/members"),
    entry("settings", "Settings", "/console/settings"),
];
