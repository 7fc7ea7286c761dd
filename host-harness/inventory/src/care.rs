//! Care for the file: is it sound, how large is it, a copy of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use tempfile::{NamedTempFile, TempDir};

use crate::error::{StoreError, StoreErrorKind};
use crate::files::{folder_of, make_private_folder, restrict, sync_folder};
use crate::folder::Folder;
use crate::schema;
use crate::store::{ReadStore, Store};

/// Pages copied at a time; between two steps others may write.
const STEP_PAGES: i32 = 2_000;
/// Time to wait for a writer before the next step.
const BUSY_WAIT: Duration = Duration::from_millis(50);

impl Store {
    /// Checks that the file is sound, as far as can be seen quickly.
    ///
    /// # Errors
    /// When it is damaged; nothing is changed.
    pub fn quick_check(&self) -> Result<(), StoreError> {
        self.read(|connection| quick_check(connection, &self.folder().store_file()))
    }

    /// Bytes of the store on disk, with its write-ahead log.
    pub fn size_bytes(&self) -> u64 {
        let store = self.folder().store_file();
        let log = store.with_extension("db-wal");
        [store, log].iter().filter_map(|path| Some(std::fs::metadata(path).ok()?.len())).sum()
    }

    /// Copies the store into a new file while others keep working with it, and checks the copy.
    /// The sealing key is not part of it.
    ///
    /// # Errors
    /// When the file exists, or the copy cannot be made; no file is left behind then.
    pub fn back_up(&self, target: &Path) -> Result<(), StoreError> {
        if target.exists() {
            return Err(StoreError::new(
                StoreErrorKind::Usage,
                format_args!("`{}` exists", target.display()),
            )
            .with_hint("name a file that does not exist yet"));
        }
        let folder = folder_of(target);
        let source = schema::open_read_only(&self.folder().store_file())?;
        let copy = Copy::of(&source, folder)?;
        check_file(copy.file.path())?;
        copy.file
            .persist_noclobber(target)
            .map_err(|error| StoreError::io("write", target, error.error))?;
        // A copy that may not outlive a power cut is none: the command can be run again.
        sync_folder(folder).inspect_err(|_| drop(std::fs::remove_file(target)))
    }
}

/// Puts a copy made by [`Store::back_up`] in the place of a home's store, which is kept next to it.
/// Returns the path of the former store; `None` if there was none. To be called while nobody uses
/// the store.
///
/// # Errors
/// When the copy is damaged, or of a newer version; nothing is changed then.
pub fn restore(folder: &Folder, source: &Path) -> Result<Option<PathBuf>, StoreError> {
    check_file(source)?;
    make_private_folder(folder.path())?;
    let target = folder.store_file();
    let copy = Copy::of(&open_at_rest(source)?, folder.path())?;
    let mut kept = None;
    if target.exists() {
        let stamp = crate::time::now().format("%Y%m%dT%H%M%SZ");
        let aside = folder.path().join(format!("inventory-before-restore-{stamp}.db"));
        set_aside(&target, &aside)?;
        kept = Some(aside);
    }
    copy.file.persist(&target).map_err(|error| StoreError::io("write", &target, error.error))?;
    sync_folder(folder.path())?;
    Ok(kept)
}

/// Gives the store at rest a second name. A sound one keeps its first until the copy takes it: a
/// crash in between leaves the one or the other, never none. A damaged one is renamed, log and all.
fn set_aside(store: &Path, aside: &Path) -> Result<(), StoreError> {
    // The last connection that is closed brings the log into the file and removes it.
    drop(schema::open_writable(store));
    if !with_ending(store, "-wal").exists() && std::fs::hard_link(store, aside).is_ok() {
        return sync_folder(folder_of(store));
    }
    for end in ["", "-wal", "-shm"] {
        let (from, to) = (with_ending(store, end), with_ending(aside, end));
        if from.exists() {
            std::fs::rename(&from, &to).map_err(|error| StoreError::io("rename", &from, error))?;
        }
    }
    Ok(())
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// A copy under construction, in a folder of its own: what the copying leaves there when it fails
/// goes with it.
struct Copy {
    file: NamedTempFile,
    _folder: TempDir,
}

impl Copy {
    /// A copy on disk, next to the place it is meant for.
    fn of(source: &Connection, beside: &Path) -> Result<Copy, StoreError> {
        let failed =
            |error: std::io::Error| StoreError::io("write a copy of the store in", beside, error);
        let folder =
            tempfile::Builder::new().prefix(".copy-").tempdir_in(beside).map_err(failed)?;
        let file = NamedTempFile::new_in(folder.path()).map_err(failed)?;
        restrict(file.path(), 0o600)?;
        copy(source, file.path())?;
        file.as_file().sync_all().map_err(failed)?;
        Ok(Copy { file, _folder: folder })
    }
}

fn copy(source: &Connection, target: &Path) -> Result<(), StoreError> {
    let mut target = Connection::open(target)?;
    let backup = Backup::new(source, &mut target)?;
    loop {
        match backup.step(STEP_PAGES)? {
            StepResult::Done => break,
            StepResult::Busy | StepResult::Locked => {
                std::thread::sleep(BUSY_WAIT);
            }
            _ => {}
        }
    }
    drop(backup);
    // One file that needs no other, wherever it is put.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
}

/// Opens a file nobody writes to, on a read-only disk, too: no other file is made.
fn open_at_rest(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if with_ending(path, "-wal").exists() {
        // Not a copy of ours: part of it is in its log.
        return Connection::open_with_flags(path, flags);
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut uri = String::from("file://");
    for byte in absolute.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' => uri.push('/'),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
}

/// Whether a file is a sound store that this program can use.
fn check_file(path: &Path) -> Result<(), StoreError> {
    let unusable = |error: rusqlite::Error| damaged(path, &error.to_string());
    let connection = open_at_rest(path).map_err(unusable)?;
    let found: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(unusable)?;
    if found != "ok" {
        return Err(damaged(path, &found));
    }
    schema::check_is_store(&connection, path)
}

impl ReadStore {
    /// [`Store::quick_check`], while others write.
    ///
    /// # Errors
    /// As there.
    pub fn quick_check(&self) -> Result<(), StoreError> {
        quick_check(self.connection(), &self.folder().store_file())
    }
}

fn quick_check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(damaged(path, &found)) }
}

fn damaged(path: &Path, found: &str) -> StoreError {
    StoreError::system(format_args!("the store `{}` is damaged: {found}", path.display()))
        .with_hint("put a copy in its place with `store restore FILE`; nothing was changed")
}
