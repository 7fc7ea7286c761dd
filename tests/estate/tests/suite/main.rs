//! The estate as its users see it: through queries and describes only.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the failure report")]
#![allow(clippy::unwrap_used, reason = "a test that meets nothing ends there")]

mod errors;
mod licences;
mod org;
mod queries;
mod resources;
mod scale;
mod visibility;
