//! Care for the file: is it sound, how large is it, a copy of it.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::{Store, schema};
use crate::error::HostError;
use crate::home::restrict;

/// Pages copied at a time; between two steps others may write.
const STEP_PAGES: i32 = 2_000;

impl Store {
    /// Checks that the file is sound, as far as can be seen quickly.
    ///
    /// # Errors
    /// When it is damaged; nothing is changed.
    pub fn quick_check(&self) -> Result<(), HostError> {
        let path = self.home().store_file();
        self.read(|connection| {
            let found: String =
                connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if found == "ok" { Ok(()) } else { Err(damaged(&path, &found)) }
        })
    }

    /// Bytes of the store on disk, with its write-ahead log.
    pub fn size_bytes(&self) -> u64 {
        let store = self.home().store_file();
        let log = store.with_extension("db-wal");
        [store, log].iter().filter_map(|path| Some(std::fs::metadata(path).ok()?.len())).sum()
    }

    /// Copies the store into a new file while others go on working with it, and checks the copy.
    /// The sealing key is not part of it.
    ///
    /// # Errors
    /// When the file exists, or the copy cannot be made; no file is left behind then.
    pub fn back_up(&self, target: &Path) -> Result<(), HostError> {
        if target.exists() {
            return Err(HostError::usage(format_args!("`{}` exists", target.display()))
                .with_hint("name a file that does not exist yet"));
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
            .map_err(|error| HostError::io("write", target, &error))?;
        restrict(file.path(), 0o600)?;
        let source = schema::open_read_only(&self.home().store_file())?;
        copy(&source, file.path())?;
        check_file(file.path())?;
        file.as_file().sync_all().map_err(|error| HostError::io("write", target, &error))?;
        file.persist_noclobber(target)
            .map_err(|error| HostError::io("write", target, &error.error))?;
        Ok(())
    }
}

/// Puts a copy made by [`Store::back_up`] in the place of a home's store, which is kept beside it.
/// Answers where the former store lies now; none if there was none. To be called while nobody uses
/// the store.
///
/// # Errors
/// When the copy is damaged, or of a newer version; nothing is changed then.
pub fn restore(
    home: &crate::home::Home,
    source: &Path,
) -> Result<Option<std::path::PathBuf>, HostError> {
    check_file(source)?;
    home.ensure()?;
    let target = home.store_file();
    let file = tempfile::NamedTempFile::new_in(home.path())
        .map_err(|error| HostError::io("write a file in", home.path(), &error))?;
    restrict(file.path(), 0o600)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    copy(&Connection::open_with_flags(source, flags)?, file.path())?;
    file.as_file().sync_all().map_err(|error| HostError::io("write", &target, &error))?;
    let mut kept = None;
    if target.exists() {
        // With its log, whatever state it is in: a copy by the file system of a store at rest.
        let stamp = crate::time::now().format("%Y%m%dT%H%M%SZ");
        let aside = home.path().join(format!("inventory-before-restore-{stamp}.db"));
        for (from, to) in [("", ""), ("-wal", "-wal"), ("-shm", "-shm")] {
            let name = |path: &Path, end: &str| {
                let mut name = path.as_os_str().to_owned();
                name.push(end);
                std::path::PathBuf::from(name)
            };
            let (from, to) = (name(&target, from), name(&aside, to));
            if from.exists() {
                std::fs::rename(&from, &to)
                    .map_err(|error| HostError::io("rename", &from, &error))?;
            }
        }
        kept = Some(aside);
    }
    file.persist(&target).map_err(|error| HostError::io("write", &target, &error.error))?;
    Ok(kept)
}

fn copy(source: &Connection, target: &Path) -> Result<(), HostError> {
    let mut target = Connection::open(target)?;
    let backup = Backup::new(source, &mut target)?;
    loop {
        match backup.step(STEP_PAGES)? {
            StepResult::Done => return Ok(()),
            StepResult::Busy | StepResult::Locked => {
                crate::cancel::Cancel::default().sleep(Duration::from_millis(50));
            }
            _ => {}
        }
    }
}

/// Whether a file is a sound store that this program can use.
fn check_file(path: &Path) -> Result<(), HostError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let unusable = |error: rusqlite::Error| damaged(path, &error.to_string());
    let connection = Connection::open_with_flags(path, flags).map_err(unusable)?;
    let found: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(unusable)?;
    if found != "ok" {
        return Err(damaged(path, &found));
    }
    schema::check_is_store(&connection, path)
}

fn damaged(path: &Path, found: &str) -> HostError {
    HostError::failed(format_args!("the store `{}` is damaged: {found}", path.display()))
        .with_hint("put a copy in its place with `store restore FILE`; nothing was changed")
}
