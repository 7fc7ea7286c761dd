//! What the tests of host and connectors share.

mod scripted_host;
mod sink;

pub use scripted_host::{Death, HostMemory, ScriptedHost};
pub use sink::{discard, each_batch};
