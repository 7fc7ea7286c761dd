//! The endpoint server: finds connector libraries, keeps configured connectors and their secrets,
//! runs collections, stores the inventory, reports on it.
//!
//! It names no vendor: everything it knows of one comes from the connector's manifest.
//!
//! ```text
//!  cli, serve ──► app ──► plugin-host (crate): load, instance ──► services (secrets, log, lease …), sink (records)
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

pub mod error;
pub mod home;
mod process;
pub mod safe_file;
pub mod settings;
pub mod time;

pub use inventory as store;
pub use inventory::locks;
pub use inventory::vault as secret_store;
pub use plugin_host::{
    cancel, conformance, dir as plugin_dir, owned, plugin, redact, services, sink, trust, worker,
};

#[cfg(test)]
#[path = "../position/tests/estate/mod.rs"]
#[allow(dead_code, reason = "each program of tests uses its part")]
mod test_estate;
