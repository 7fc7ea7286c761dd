//! The endpoint server: finds connector libraries, keeps configured connectors and their secrets,
//! runs collections, stores the inventory, reports on it.
//!
//! It names no vendor: everything it knows of one comes from the connector's manifest.
//!
//! ```text
//!  cli ──► connector_admin, authorize, run ──► plugin (preflight, load, instance)
//!                │                               │ services (secrets, log, lease …), sink (records)
//!                ▼                               ▼
//!              store ◄───────────────────────────┘──► store::ReadStore ──► source ──► position, export
//! ```

pub mod cli;

pub mod after_run;
pub mod authorize;
pub mod connector_admin;
mod resume;
pub mod run;
pub mod schedule;
pub mod scheduler;
pub mod server;

pub mod analysis;
pub mod export;
pub mod report;
pub mod source;

pub mod conformance;
mod library;
pub mod manifest_check;
pub mod plugin;
pub mod plugin_dir;
pub mod plugin_pins;
pub mod preflight;
pub mod services;
pub mod sink;

pub mod cancel;
pub mod error;
pub mod failure_hook;
pub mod home;
pub mod locks;
pub mod metrics;
mod owned;
mod plausible;
mod process;
pub mod redact;
mod sealed;
pub mod secret_store;
mod service_manager;
pub mod settings;
pub mod store;
pub mod time;
pub mod trust;
pub mod worker;

#[cfg(feature = "demo")]
pub mod demo;

#[cfg(test)]
#[path = "../position/tests/estate/mod.rs"]
#[allow(dead_code, reason = "each program of tests uses its part")]
mod test_estate;
