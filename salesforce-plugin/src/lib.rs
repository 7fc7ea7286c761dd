//! The Salesforce connector: reads the licence estate of an org, read-only.
//!
//! Each folder uses those before it, and none after it:
//!
//! ```text
//! dataset ─► settings ─► transport ─► auth ─► client ─► read ─► check ─► connector
//! position
//! ```

mod auth;
mod check;
mod client;
mod connector;
mod dataset;
#[cfg(fuzzing)]
pub mod fuzz;
mod position;
mod read;
mod settings;
mod transport;

pub use connector::Salesforce;

connector_api::export_connector!(Salesforce);
