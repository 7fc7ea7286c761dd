//! The endpoint server: finds connector libraries, keeps configured connectors and their secrets,
//! runs collections, stores the inventory, reports on it.
//!
//! It names no vendor: everything it knows of one comes from the connector's manifest.
//!
//! ```text
//!  cli, serve ──► app ──► plugin (preflight, load, instance) ──► services (secrets, log, lease …), sink (records)
//!                  │                                                 │
//!                  ├──► position, findings, money, diff              │
//!                  └──► store ◄──────────────────────────────────────┘
//! ```

pub mod app;
pub mod cli;
pub mod schedule;
pub mod serve;

pub mod diff;
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
pub mod home;
pub mod locks;
mod owned;
mod process;
pub mod redact;
pub mod safe_file;
mod sealed;
pub mod secret_store;
pub mod settings;
pub mod store;
pub mod time;
pub mod trust;
pub mod worker;
