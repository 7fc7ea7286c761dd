//! The licence position of one snapshot of an organization, computed from a connector's datasets.
//!
//! The floors, each knowing only those before it:
//!
//! ```text
//! model ─► source ─► tables ─► seats ─► money, reconcile, rules ─► position ─► listing, diff
//! ```
//!
//! It names no vendor and knows no store: the host hands in a [`SnapshotSource`](source::SnapshotSource)
//! and, where tables are to be kept between reports, a folder. Its own tables are SQLite, a local
//! compute file.

mod claims;
pub mod daily;
pub mod diff;
pub mod error;
pub mod evidence;
pub mod inputs;
pub mod listing;
pub mod model;
pub mod money;
mod number;
pub mod position;
mod reconcile;
pub mod rules;
mod seats;
pub mod source;
mod summary;
mod tables;
pub mod time;
mod visibility;

pub use error::Error;
pub use inputs::{Imported, Inputs, RuleSettings};
pub use model::{License, Position};
pub use number::{counted, grouped};
pub use position::{Analysis, compute, compute_kept, points, unread_families};
pub use source::{DatasetInfo, Snapshot, SnapshotSource, SnapshotStatus};
pub use tables::kept::{Kept, forget};
