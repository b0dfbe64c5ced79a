//! Switchyard: a self-hosted, multi-tenant payment gateway router.
//!
//! Doors (`api`, `web`, `work`, `cli`) translate, the `gateway` decides in which order things happen, hands (`store`,
//! `psp`, `courier`, `mailer`) touch the world, and the `domain` thinks without touching anything. The
//! `client` is our own API from outside, for the command line.

pub mod api;
pub mod arriving;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod courier;
pub mod domain;
pub mod error;
pub mod gateway;
pub mod mailer;
pub mod problem;
pub mod psp;
pub mod serve;
pub mod store;
pub mod telemetry;
pub mod web;
pub mod work;
