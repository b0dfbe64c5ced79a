//! Values and rules: what a payment is, what may happen to it, how a request is signed.
//!
//! Nothing here reads a clock, a socket or a database, and nothing here knows the rest of the house.

pub mod accounts;
pub mod api_keys;
pub mod backoff;
pub mod balances;
pub mod countries;
pub mod customers;
pub mod decimals;
pub mod deltas;
pub mod drafts;
pub mod events;
pub mod fields;
pub mod ids;
pub mod invoices;
pub mod leaves;
pub mod merkle;
pub mod metadata;
pub mod mode;
pub mod money;
pub mod notes;
pub mod origins;
pub mod passwords;
pub mod payment_links;
pub mod payments;
pub mod plans;
pub mod proofs;
pub mod report_layouts;
pub mod secrets;
pub mod settlement;
pub mod signing;
pub mod subscriptions;
pub mod time;
pub mod tokens;
pub mod totp;
pub mod writes;
