//! The endpoint server: finds connector libraries, keeps configured connectors and their secrets,
//! runs collections, stores the inventory, reports on it.
//!
//! It names no vendor: everything it knows of one comes from the connector's manifest.
//!
//! ```text
//!  cli ──► connector_admin, authorize, run ──► plugin (preflight, load, instance)
//!                │                               │ services (secrets, log, lease …), sink (records)
//!                ▼                               ▼
//!            inventory ◄─────────────────────────┘──► inventory::ReadStore ──► position, export
//! ```

pub mod cli;

pub mod after_run;
pub mod authorize;
pub mod connector_admin;
mod resume;
pub mod run;
mod settle;
mod source;
pub mod schedule;
pub mod scheduler;
pub mod server;

pub mod diff;
pub mod export;
pub mod findings;
pub mod money;
pub mod position;

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
pub mod metrics;
mod owned;
mod plausible;
mod process;
pub mod redact;
mod sealed;
mod service_manager;
pub mod settings;
pub mod time;
pub mod trust;
pub mod worker;

#[cfg(feature = "demo")]
pub mod demo;

pub use inventory as store;
pub use inventory::locks;
pub use inventory::vault as secret_store;
