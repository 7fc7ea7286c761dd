//! The endpoint server: finds connector libraries, keeps configured connectors and their secrets,
//! runs collections, stores the inventory, reports on it.
//!
//! It names no vendor: everything it knows of one comes from the connector's manifest.
//!
//! ```text
//!  cli, serve ──► app ──► plugin (preflight, load, instance) ──► services (secrets, log, lease …), sink (records)
//!                  │                                                 │
//!                  ├──► source ──► position (crate), report          │
//!                  └──► inventory ◄──────────────────────────────────┘
//! ```

pub mod app;
pub mod cli;
pub mod schedule;
pub mod serve;
mod source;

pub mod report;

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
pub mod home;
mod owned;
mod process;
pub mod redact;
pub mod safe_file;
mod sealed;
pub mod settings;
pub mod time;
pub mod trust;
pub mod worker;

pub use inventory as store;
pub use inventory::locks;
pub use inventory::vault as secret_store;

#[cfg(test)]
#[path = "../position/tests/estate/mod.rs"]
#[allow(dead_code, reason = "each program of tests uses its part")]
mod test_estate;
