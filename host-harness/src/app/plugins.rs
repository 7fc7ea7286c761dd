//! Connector libraries: list, install, check against the contract.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::app::App;
use crate::app::status::HeldLibrary;
use crate::conformance::{self, Status, Verdict};
use crate::error::HostError;
use crate::schedule::scheduler::PluginState;
use crate::time;
use crate::trust::Trust;
use plugin_host::pins::Pins;

/// The connector libraries of an endpoint server.
#[derive(Clone, Debug, Serialize)]
pub struct LibraryList {
    /// Libraries that were loaded, one for each feature.
    pub plugins: Vec<Library>,
    /// Files that were refused.
    pub refused: Vec<RefusedLibrary>,
    /// Folders that were looked into.
    pub folders: Vec<PathBuf>,
}

/// A connector library.
#[derive(Clone, Debug, Serialize)]
pub struct Library {
    /// The feature it offers.
    pub feature: String,
    /// The feature's name for people.
    pub title: String,
    /// Its version.
    pub version: String,
    /// The version of the contract it was built for.
    pub contract: String,
    /// The file.
    pub path: PathBuf,
    /// Whether its SHA-256 was recorded when it was installed.
    pub pinned: bool,
    /// Whether a trusted key signed it.
    pub signed: bool,
    /// Its SHA-256, in hex.
    pub sha256: String,
}

/// A file that was not loaded.
#[derive(Clone, Debug, Serialize)]
pub struct RefusedLibrary {
    /// The file.
    pub path: PathBuf,
    /// Why, in one line.
    pub reason: String,
}

/// A library that was installed.
#[derive(Clone, Debug, Serialize)]
pub struct Installed {
    /// Where it is now.
    pub installed: PathBuf,
}

/// Whether a library keeps to the contract.
#[derive(Clone, Debug, Serialize)]
pub struct Conformance {
    /// The file.
    pub file: PathBuf,
    /// Whether no check failed.
    pub ok: bool,
    /// One verdict for each check.
    pub checks: Vec<Verdict>,
}

impl Conformance {
    /// The number of checks that failed.
    pub fn failed(&self) -> usize {
        self.checks.iter().filter(|verdict| verdict.status == Status::Failed).count()
    }

    /// Whether it could not even be loaded.
    pub fn is_refused(&self) -> bool {
        let load = |verdict: &Verdict| verdict.check == conformance::LOAD;
        self.checks.iter().any(|verdict| load(verdict) && verdict.status == Status::Failed)
    }
}

/// The libraries found, and the files that were refused.
///
/// # Errors
/// When a folder or a key that was named is not there.
pub fn list(app: &App) -> Result<LibraryList, HostError> {
    let scan = app.scan()?;
    let pinned = |path: &Path| {
        path.parent().and_then(|folder| Pins::read(folder).ok()).is_some_and(|pins| pins.has(path))
    };
    let plugins = scan.plugins.iter().map(|plugin| Library {
        feature: plugin.manifest.id.clone(),
        title: plugin.manifest.title.clone(),
        version: plugin.manifest.version.clone(),
        contract: plugin.contract(),
        pinned: pinned(&plugin.path),
        signed: plugin.trust == Trust::Signed,
        sha256: plugin.digest.clone(),
        path: plugin.path.clone(),
    });
    let refused = scan
        .refused
        .iter()
        .map(|file| RefusedLibrary { path: file.path.clone(), reason: file.reason.clone() });
    Ok(LibraryList {
        plugins: plugins.collect(),
        refused: refused.collect(),
        folders: scan.folders.clone(),
    })
}

/// Libraries that a server holds back because they crashed.
///
/// # Errors
/// When the store cannot be read.
pub fn held_back(app: &App) -> Result<Vec<HeldLibrary>, HostError> {
    let now = time::now();
    let held = app.store()?.schedule().libraries::<PluginState>()?.into_iter().filter_map(
        |(feature, state)| {
            Some(HeldLibrary {
                feature,
                held_until: state.held_until.filter(|until| *until > now)?,
                reason: state.reason.unwrap_or_default(),
            })
        },
    );
    Ok(held.collect())
}

/// Copies a library into the plugins folder and records its SHA-256.
///
/// # Errors
/// Of kind plugin when the file is refused or older than the one installed before.
pub fn install(app: &App, file: &Path, allow_downgrade: bool) -> Result<Installed, HostError> {
    let folder = app.install_folder();
    if folder == app.home().plugins() {
        app.home().ensure()?;
    }
    let limits = app.config().limits();
    let installed = plugin_host::install(file, &folder, limits, allow_downgrade)?;
    Ok(Installed { installed })
}

/// Checks whether a library keeps to the contract; `each` sees every verdict as it comes.
///
/// # Errors
/// When the settings file is wrong, or a check is unknown.
pub(crate) fn check(
    options: &conformance::Options<'_>,
    each: impl FnMut(&Verdict),
) -> Result<Conformance, HostError> {
    let checks = conformance::run(options, each)?;
    let ok = checks.iter().all(|verdict| verdict.status != Status::Failed);
    Ok(Conformance { file: options.file.to_owned(), ok, checks })
}
