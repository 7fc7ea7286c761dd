//! Reads the datasets of an org, and says how each ended.

pub(crate) mod access;
pub(crate) mod bulk;
pub(crate) mod capped;
pub(crate) mod changes;
pub(crate) mod collect;
pub(crate) mod context;
pub(crate) mod csv_rows;
pub(crate) mod cursor;
pub(crate) mod estimate;
pub(crate) mod fields;
pub(crate) mod limits;
#[cfg(test)]
pub(crate) mod mutation;
pub(crate) mod page;
pub(crate) mod pages;
pub(crate) mod parents;
pub(crate) mod parts;
pub(crate) mod plan;
pub(crate) mod proof;
pub(crate) mod pseudonym;
pub(crate) mod reader;
pub(crate) mod reading;
pub(crate) mod refusal;
pub(crate) mod second;
mod seen_keys;
pub(crate) mod shape;
pub(crate) mod soql;
pub(crate) mod state;
pub(crate) mod tally;
pub(crate) mod windows;
