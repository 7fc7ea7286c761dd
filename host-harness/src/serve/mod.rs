//! The endpoint server as a service: its loop, its health page, what it calls when a run fails.

pub mod failure_hook;
pub mod metrics;
pub mod server;
pub(crate) mod service_manager;
