//! A connector to "the Memory service", which lives in this library: people, licences and events made
//! from a count. It is what a connector should be, small enough to be read in one go, and shares
//! nothing with any other.

mod connector;
mod dataset;
mod manifest;
mod service;
mod settings;

pub use connector::Memory;

connector_api::export_connector!(Memory);
