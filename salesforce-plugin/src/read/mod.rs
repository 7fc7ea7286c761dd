//! Reads the datasets of an org, and says how each ended.

pub(crate) mod access;
pub(crate) mod bulk;
pub(crate) mod capped;
pub(crate) mod chain;
pub(crate) mod collect;
pub(crate) mod csv_rows;
pub(crate) mod estimate;
pub(crate) mod limits;
#[cfg(test)]
pub(crate) mod mutation;
pub(crate) mod page;
pub(crate) mod pseudonym;
pub(crate) mod reader;
pub(crate) mod shape;
pub(crate) mod soql;
pub(crate) mod state;
