//! The store: check, copy, restore.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::app::App;
use crate::error::HostError;
use crate::locks::{KeyLock, ServerLock};
use crate::store;

/// The result of a check.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedStore {
    /// Always true: a damaged store is an error.
    pub ok: bool,
}

/// A copy of the store.
#[derive(Clone, Debug, Serialize)]
pub struct Backup {
    /// The copy.
    pub file: PathBuf,
}

/// A copy put in the place of the store.
#[derive(Clone, Debug, Serialize)]
pub struct Restored {
    /// The copy.
    pub restored: PathBuf,
    /// Where the former store is kept; `None` if there was none.
    pub former_store: Option<PathBuf>,
}

/// Checks that the store is sound.
///
/// # Errors
/// When it is damaged.
pub fn check(app: &App) -> Result<CheckedStore, HostError> {
    app.store()?.quick_check()?;
    Ok(CheckedStore { ok: true })
}

/// Copies the store into a new file.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn back_up(app: &App, file: &Path) -> Result<Backup, HostError> {
    app.store()?.back_up(file)?;
    Ok(Backup { file: file.to_owned() })
}

/// Puts a copy in the place of the store.
///
/// # Errors
/// When the copy is damaged, or another process of this home is at work.
pub fn restore(app: &App, file: &Path) -> Result<Restored, HostError> {
    app.home().ensure()?;
    let _server = ServerLock::take(app.home().inventory())?;
    let _key = KeyLock::exclusive(app.home().inventory())?;
    let former_store = store::restore(app.home().inventory(), file)?;
    Ok(Restored { restored: file.to_owned(), former_store })
}
