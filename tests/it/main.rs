//! The tests that go through the front door: a real server, a real database, real HTTP.
//!
//! They run on SQLite, and on PostgreSQL when `TEST_DATABASE_URL` is set; each test has a database of its own.

#[path = "../simulators/mod.rs"]
mod simulators;
mod support;
mod surfer;

mod accounts;
mod across;
mod api_keys;
mod apps_cli;
mod architecture;
mod attention;
mod bad_input;
mod browser;
mod checkout;
mod checkpoints;
mod console;
mod console_browser;
mod crash;
mod deliveries;
mod deltas;
mod fault_proxy;
mod finding;
mod idempotency;
mod isolation;
mod mail;
mod members;
mod merkle;
mod mock_provider;
mod modes_apart;
mod money_browser;
mod money_pages;
mod nicepay_driver;
mod payments;
mod paypal_driver;
mod person;
mod polar_driver;
mod production_page;
mod proofs;
mod psp_fixtures;
mod query_plans;
mod rail_crash;
mod rail_histories;
mod rail_isolation;
mod rail_races;
mod rail_settings;
mod rails;
mod readme;
mod reconcile;
mod reconcile_page;
mod settings;
mod signed_requests;
mod store;
mod subscriptions;
mod tenant_apps;
mod tenants;
mod tenants_cli;
mod test_inbox;
mod verify_page;
mod webhook_endpoints;
mod webhook_pages;
mod writes;
mod writes_crash;
