//! The estate as its users see it: through queries and describes only.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

mod errors;
mod later;
mod licences;
mod org;
mod queries;
mod resources;
mod rules;
mod scale;
mod visibility;
