//! Query jobs of Bulk API 2.0.

mod jobs;
mod requests;
mod results;
pub(crate) mod strategy;
