//! The canonical tables of a snapshot in a file, so that the next report over a million people reads
//! them instead of making them. Losing one costs time only; it is made again.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::db::AnalysisDb;
use super::totals::Totals;
use super::{Tables, load};
use crate::error::Error;
use crate::evidence::Evidence;
use crate::inputs::BaseInputs;
use crate::model::Movement;
use crate::source::SnapshotSource;

/// Where the tables of one snapshot are kept.
#[derive(Clone, Debug)]
pub struct Kept {
    /// A folder that only this account may enter; it is there.
    pub folder: PathBuf,
    /// The connector's number.
    pub connector_id: i64,
    /// The snapshot's number.
    pub snapshot: i64,
    /// Whether tables that are made are kept: only the latest snapshot's are worth it.
    pub keep: bool,
}

impl Kept {
    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}-{}.db", self.connector_id, self.snapshot))
    }
}

/// What the movement is kept as.
const MOVEMENT: &str = "movement";
/// What the digest of the inputs is kept as.
const DIGEST: &str = "digest";

/// The tables of a snapshot: those that were kept for the same inputs, or else new ones. `movement`
/// is asked for only if they are made.
pub(crate) fn tables(
    kept: Option<&Kept>,
    source: &dyn SnapshotSource,
    evidence: &Evidence<'_>,
    inputs: &BaseInputs,
    movement: &dyn Fn() -> Option<Movement>,
) -> Result<Tables, Error> {
    if let Some(kept) = kept {
        let path = kept.path();
        match open(&path, &inputs.digest()) {
            Ok(Some(tables)) => return Ok(tables),
            Ok(None) => {}
            Err(error) => log::debug!("`{}` is not used: {error}", path.display()),
        }
    }
    let movement = movement();
    if let Some(kept) = kept.filter(|kept| kept.keep) {
        let path = kept.path();
        match keep(&path, source, evidence, inputs, movement.as_ref()) {
            Ok(tables) => return Ok(tables),
            Err(error) => log::debug!("`{}` cannot be kept: {error}", path.display()),
        }
    }
    let tables = load(Connection::open("")?, source, evidence, inputs)?;
    Ok(Tables { movement, ..tables })
}

fn open(path: &Path, digest: &str) -> Result<Option<Tables>, Error> {
    if !path.is_file() {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = AnalysisDb::reopen(Connection::open_with_flags(path, flags)?)?;
    if db.fact(DIGEST)?.as_deref() != Some(digest) {
        return Ok(None);
    }
    let movement = db.fact(MOVEMENT)?.map(|text| serde_json::from_str(&text)).transpose()?;
    let totals = Totals::read(&db)?;
    Ok(Some(Tables { db, totals, movement }))
}

/// Fills the tables in a file of their own and puts it in its place when it is complete.
fn keep(
    path: &Path,
    source: &dyn SnapshotSource,
    evidence: &Evidence<'_>,
    inputs: &BaseInputs,
    movement: Option<&Movement>,
) -> Result<Tables, Error> {
    let folder = path.parent().unwrap_or(path);
    // A temporary file is readable by its owner alone.
    let temporary = tempfile::Builder::new()
        .prefix(".position-")
        .tempfile_in(folder)
        .map_err(|error| Error::io("make a file in", folder, error))?
        .into_temp_path();
    let tables = load(Connection::open(&temporary)?, source, evidence, inputs)?;
    if let Some(movement) = movement {
        tables.db.put_fact(MOVEMENT, &serde_json::to_string(movement)?)?;
    }
    tables.db.put_fact(DIGEST, &inputs.digest())?;
    drop(tables);
    temporary.persist(path).map_err(|error| Error::io("write", path, error.error))?;
    open(path, &inputs.digest())?.ok_or_else(|| {
        Error::io("read", path, std::io::Error::other("what was written cannot be read again"))
    })
}

/// Removes the tables kept for a connector.
pub fn forget(folder: &Path, connector_id: i64) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let own = format!("{connector_id}-");
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        if name.is_some_and(|name| name.starts_with(&own)) {
            let _ = fs::remove_file(path);
        }
    }
}
