//! One collection of a connector, from its settings to a published snapshot.

pub(crate) mod plan;
pub(crate) mod plausible;
pub mod retention;
pub mod run;
