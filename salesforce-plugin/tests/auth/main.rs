//! The connector's authorization against a simulated org, with a host in memory.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod crash;
mod error;
mod grant;
mod host;
mod move_org;
mod network;
mod paste;
mod revoke;
