//! Connector libraries as an endpoint server uses them: found, checked before any code of them runs,
//! loaded or run in worker processes, given what a host offers, and checked against the contract.
//!
//! ```text
//!  dir, install ──► pins, checked ──► preflight, sealed, trust
//!        │             │
//!        ▼             ▼
//!      worker ─────► plugin ──► library: in this process (loader) or in workers
//!                                 │
//!                                 ▼
//!                              instance ──► services (secrets, log, lease …), sink (records) ──► inventory
//! ```

mod checked;
pub mod conformance;
pub mod dir;
pub mod error;
mod install;
mod library;
mod loader;
pub mod manifest_check;
mod masked;
pub mod owned;
pub mod pins;
pub mod plugin;
pub mod preflight;
mod sealed;
pub mod services;
pub mod sink;
pub mod trust;
pub mod worker;

pub mod cancel;
pub mod redact;

pub use error::{PluginError, PluginErrorKind};
pub use install::install;
pub use library::Library;
