//! The repository of each noun, on the store's handles.

use crate::additions::{Added, Additions};
use crate::connector_names::ConnectorNames;
use crate::connectors::Connectors;
use crate::daily::Daily;
use crate::features::Features;
use crate::journal::Journal;
use crate::runs::Runs;
use crate::schedule::Schedule;
use crate::secrets::Secrets;
use crate::sightings::Sightings;
use crate::snapshots::{Published, Snapshots};
use crate::store::{ReadStore, Store};

impl Store {
    /// The features.
    pub fn features(&self) -> Features<'_> {
        Features(self)
    }

    /// The connectors.
    pub fn connectors(&self) -> Connectors<'_> {
        Connectors(self)
    }

    /// The sealed values of connectors.
    pub fn secrets(&self) -> Secrets<'_> {
        Secrets(self)
    }

    /// The runs.
    pub fn runs(&self) -> Runs<'_> {
        Runs(self)
    }

    /// The requests of runs.
    pub fn journal(&self) -> Journal<'_> {
        Journal(self)
    }

    /// The snapshots that runs published.
    pub fn snapshots(&self) -> Snapshots<'_> {
        Snapshots(self)
    }

    /// Lists and exemptions that administrators add.
    pub fn additions(&self) -> Additions<'_> {
        Additions(self)
    }

    /// The daily sums of uses.
    pub fn daily(&self) -> Daily<'_> {
        Daily(self)
    }

    /// What snapshots showed of accounts.
    pub fn sightings(&self) -> Sightings<'_> {
        Sightings(self)
    }

    /// What the scheduler remembers.
    pub fn schedule(&self) -> Schedule<'_> {
        Schedule(self)
    }
}

impl ReadStore {
    /// The connectors, as reports name them.
    pub fn connectors(&self) -> ConnectorNames<'_> {
        ConnectorNames(self)
    }

    /// The published snapshots.
    pub fn snapshots(&self) -> Published<'_> {
        Published(self)
    }

    /// Lists and exemptions that administrators added.
    pub fn additions(&self) -> Added<'_> {
        Added(self)
    }
}
