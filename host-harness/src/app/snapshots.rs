//! Snapshots as a person names them.

use chrono::{DateTime, NaiveDate, Utc};

use crate::app::App;
use crate::error::HostError;
use crate::store::{ConnectorInfo, ReadStore, SnapshotInfo};

/// The snapshot a command is about, with the store it lies in: the last one, or the one of that
/// number, or the last one of a day (`2026-03-01`, in UTC) or instant (RFC 3339).
///
/// # Errors
/// Of kind usage for an unknown connector, of kind failed when it has no such snapshot.
pub(crate) fn find(
    app: &App,
    name: &str,
    which: Option<&str>,
) -> Result<(ReadStore, SnapshotInfo), HostError> {
    let (store, connector) = connector(app, name)?;
    let snapshot = pick(&store, &connector, which)?;
    Ok((store, snapshot))
}

/// A connector of the store. Reading makes no store.
///
/// # Errors
/// Of kind usage for an unknown connector.
pub(crate) fn connector(app: &App, name: &str) -> Result<(ReadStore, ConnectorInfo), HostError> {
    let unknown = || {
        HostError::usage(format_args!("there is no connector `{name}`"))
            .with_hint("`connectors list` shows all connectors")
    };
    let store = app.read_store()?.ok_or_else(unknown)?;
    let connector = store.connectors().named(name)?.ok_or_else(unknown)?;
    Ok((store, connector))
}

/// The snapshot of a connector that a text names; the last one without text.
///
/// # Errors
/// Of kind usage when the text names none, of kind failed when the connector has no such snapshot.
pub(crate) fn pick(
    store: &ReadStore,
    connector: &ConnectorInfo,
    which: Option<&str>,
) -> Result<SnapshotInfo, HostError> {
    let Some(which) = which else {
        return store.snapshots().latest(connector.id)?.ok_or_else(|| {
            HostError::failed(format_args!(
                "nothing was collected of connector `{}` yet",
                connector.name
            ))
            .with_hint(format_args!("run `collect {}`", connector.name))
        });
    };
    if let Ok(id) = which.parse::<i64>() {
        return store
            .snapshots()
            .numbered(connector.id, id)?
            .ok_or_else(|| no_such_snapshot(store, connector, &id.to_string()));
    }
    let at = instant(which).ok_or_else(|| {
        HostError::usage(format_args!("`{which}` is neither a snapshot nor a day"))
            .with_hint("write a snapshot's number, a day like 2026-03-01, or an RFC 3339 instant")
    })?;
    store
        .snapshots()
        .at(connector.id, at)?
        .ok_or_else(|| no_such_snapshot(store, connector, &format!("up to {which}")))
}

/// The end of a day, or an instant.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let next = text.parse::<NaiveDate>().ok()?.succ_opt()?;
    Some(next.and_hms_opt(0, 0, 0)?.and_utc() - chrono::Duration::milliseconds(1))
}

fn no_such_snapshot(store: &ReadStore, connector: &ConnectorInfo, which: &str) -> HostError {
    let error =
        HostError::failed(format_args!("connector `{}` has no snapshot {which}", connector.name));
    match store.snapshots().numbers(connector.id).as_deref() {
        Ok([]) | Err(_) => error.with_hint(format_args!("run `collect {}`", connector.name)),
        Ok(ids) => {
            const SHOWN: usize = 10;
            let newest: Vec<String> = ids.iter().rev().take(SHOWN).map(i64::to_string).collect();
            error.with_hint(format_args!("the newest snapshots are {}", newest.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_means_its_last_moment_and_an_instant_itself() {
        let shown = |text| instant(text).map(|at| at.to_rfc3339());
        assert_eq!(shown("2026-03-01").as_deref(), Some("2026-03-01T23:59:59.999+00:00"));
        assert_eq!(
            shown("2026-03-01T04:05:06+02:00").as_deref(),
            Some("2026-03-01T02:05:06+00:00")
        );
        assert_eq!(shown("yesterday"), None);
    }
}
