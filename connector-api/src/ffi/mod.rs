//! The ABI: every type of abi_stable, the Arrow C structures and the guard are in here. Connectors
//! use [`Connector`](crate::Connector), [`Host`](crate::Host) and [`Sink`](crate::Sink) instead, hosts
//! [`host_side`](crate::host_side).
//!
//! Frozen at 1.0; a test holds the layout.

pub mod abi;
pub mod arrow;
mod catch;
pub mod guard;
pub mod host;
pub mod loaded;
pub mod module;

#[cfg(all(test, target_pointer_width = "64"))]
mod layout_tests;

/// What a library needs that speaks the ABI by hand, without the guard.
#[doc(hidden)]
pub mod by_hand {
    pub use abi_stable::erased_types::TD_Opaque;
    pub use abi_stable::prefix_type::PrefixTypeTrait;
    pub use abi_stable::std_types::{RErr, ROk, RStr, RString};
}
