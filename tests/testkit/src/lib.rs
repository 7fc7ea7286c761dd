//! What the tests of host and connectors share.

mod scripted_host;
mod sink;
mod store_probe;
mod store_state;
#[cfg(target_os = "linux")]
mod wait;

pub use scripted_host::{Death, HostMemory, ScriptedHost};
pub use sink::{discard, each_batch};
pub use store_probe::{Content, StoreProbe, Value};
pub use store_state::State;
#[cfg(target_os = "linux")]
pub use wait::{FolderWatch, has_ended, pass};
