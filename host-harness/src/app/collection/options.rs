//! What a run collects, and its time limits.

use std::time::Duration;

use connector_api::message::CollectMode;

/// What to collect, and the time limits.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything, or what changed.
    pub mode: CollectMode,
    /// Datasets by name; empty means all.
    pub datasets: Vec<String>,
    /// Publish even if a dataset lost many of its records since the last snapshot.
    pub accept_shrink: bool,
    /// Stop a connector after this long without activity.
    pub silence: Duration,
    /// Time a connector gets to end after it was asked to stop.
    pub grace: Duration,
    /// Longest run.
    pub longest: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            mode: CollectMode::Full,
            datasets: Vec::new(),
            accept_shrink: false,
            silence: Duration::from_secs(600),
            grace: Duration::from_secs(30),
            longest: Duration::from_secs(24 * 3_600),
        }
    }
}
