//! What the endpoint server can do: one file per noun, functions that return typed views.
//!
//! No command line and no terminal here: whoever calls parses, calls and prints.

pub(crate) mod analysis;
pub mod authorization;
pub mod checks;
pub mod collection;
pub mod connectors;
mod context;
pub mod deployment;
pub mod diffs;
pub mod exemptions;
pub mod exports;
pub mod features;
pub mod findings;
pub mod fleet;
pub mod imports;
pub mod plugins;
pub mod reports;
pub mod runs;
pub mod schedules;
pub(crate) mod snapshots;
pub mod status;
pub mod store_care;
pub(crate) mod text_file;

pub use context::{App, Options};
