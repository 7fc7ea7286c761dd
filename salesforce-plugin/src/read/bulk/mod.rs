//! Query jobs of Bulk API 2.0.

pub(crate) mod jobs;
pub(crate) mod results;
pub(crate) mod strategy;
