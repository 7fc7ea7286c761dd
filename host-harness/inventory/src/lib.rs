//! The store of an endpoint server: features, connectors and their sealed secrets, runs and their
//! journal, the records they read and the snapshots they published.
//!
//! One SQLite file, its lock files and its sealing key in one [`Folder`]. This crate knows the plain
//! data types of the contract and nothing else of the host.

mod additions;
mod care;
mod connector_names;
mod connectors;
mod daily;
mod error;
mod features;
pub mod files;
mod folder;
mod journal;
pub mod locks;
mod retention;
mod rows;
mod runs;
mod schedule;
mod schema;
mod secrets;
mod sightings;
mod snapshots;
mod source;
mod store;
pub mod time;
pub mod vault;

pub use additions::{Added, Additions, ExemptionRow, Import, ImportKind, LicensePoint};
pub use care::restore;
pub use connector_names::{ConnectorInfo, ConnectorNames};
pub use connectors::{Connector, Connectors, NewConnector};
pub use daily::{Daily, DaySpan, DayUse, DayWriter};
pub use error::{StoreError, StoreErrorKind, io_hint};
pub use features::{FeatureState, Features};
pub use folder::Folder;
pub use journal::{Journal, JournalKey, JournalRow, RunJournal};
pub use rows::RowWriter;
pub use runs::{Run, RunEnd, RunError, RunStatus, Runs};
pub use schedule::Schedule;
pub use secrets::{SETTINGS, Secrets};
pub use sightings::{Note, Sighting, Sightings};
pub use snapshots::{DatasetInfo, Published, SnapshotInfo, Snapshots};
pub use source::{Changed, DayRow, SnapshotReader, StatementError, Value};
pub use store::{ReadStore, Store};
