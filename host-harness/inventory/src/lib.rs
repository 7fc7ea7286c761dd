//! The store of an endpoint server: features, connectors and their sealed secrets, runs and their
//! journal, the records they read and the snapshots they published.
//!
//! One SQLite file, its lock files and its sealing key in one [`Folder`]. This crate knows the plain
//! data types of the contract and nothing else of the host.

mod additions;
mod care;
mod checkpoints;
mod connectors;
mod daily;
mod error;
pub mod files;
mod folder;
mod journal;
pub mod locks;
mod retention;
mod rows;
mod runs;
mod schedule;
mod schema;
mod sightings;
mod snapshots;
mod source;
mod store;
pub mod time;
pub mod vault;

pub use additions::{ExemptionRow, Import, ImportKind, LicensePoint};
pub use care::restore;
pub use connectors::{Connector, FeatureState, NewConnector, SETTINGS, Sealed, SealedChanges};
pub use daily::{DaySpan, DayUse, DayWriter};
pub use error::{StoreError, StoreErrorKind, io_hint};
pub use folder::Folder;
pub use journal::JournalRow;
pub use rows::RowWriter;
pub use runs::{Run, RunEnd, RunError, RunStatus};
pub use sightings::{Note, Sighting};
pub use snapshots::{ConnectorInfo, DatasetInfo, ReadStore, SnapshotInfo};
pub use source::{Changed, DayRow, SnapshotReader, StatementError, Value};
pub use store::Store;
