//! What changed between two snapshots of a connector.

use crate::app::analysis;
use crate::app::{App, snapshots};
use crate::error::HostError;
use position::diff::Diff;

/// Compares two snapshots, whichever order they are named in.
///
/// # Errors
/// Of kind usage for an unknown connector, of kind failed when it has no such snapshot.
pub fn compare(app: &App, name: &str, from: &str, to: &str) -> Result<Diff, HostError> {
    let (store, connector) = snapshots::connector(app, name)?;
    let mut from = snapshots::pick(&store, &connector, Some(from))?;
    let mut to = snapshots::pick(&store, &connector, Some(to))?;
    if from.id > to.id {
        std::mem::swap(&mut from, &mut to);
    }
    analysis::compare(&store, &from, &to)
}
