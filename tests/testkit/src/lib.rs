//! What the tests of host and connectors share.

mod scripted_host;
mod sink;
#[cfg(target_os = "linux")]
mod wait;

pub use scripted_host::{Death, HostMemory, ScriptedHost};
pub use sink::{discard, each_batch};
#[cfg(target_os = "linux")]
pub use wait::{FolderWatch, has_ended, pass};
