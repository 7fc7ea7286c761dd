//! A library's file, checked before any code of it runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use connector_api::module::Handshake;

use crate::loader;
use crate::plugin::Plugin;
use crate::preflight::{self, Refusal};
use crate::sealed::Sealed;
use crate::trust::Trust;

/// A library of which everything was checked that can be checked without running it.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Its path without links.
    pub(crate) path: PathBuf,
    pub(crate) sealed: Sealed,
    pub(crate) handshake: Handshake,
    pub(crate) trust: Trust,
}

impl Checked {
    /// Reads a file and checks it; `judge` says whether these bytes at that path are trusted.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn new(
        path: &Path,
        judge: impl FnOnce(&Path, &Sealed) -> Result<Trust, String>,
    ) -> Result<Checked, Refusal> {
        preflight::check_place(path)?;
        let unreadable =
            |error: std::io::Error| Refusal::Bad(format!("it cannot be read: {error}"));
        let path = path.canonicalize().map_err(unreadable)?;
        let sealed = Sealed::read(&path).map_err(unreadable)?;
        let file = sealed.file.try_clone().map_err(unreadable)?;
        let handshake = preflight::check_bytes(file, sealed.length)?;
        let trust = judge(&path, &sealed).map_err(Refusal::Bad)?;
        Ok(Checked { path, sealed, handshake, trust })
    }

    /// Reads a file that was judged before, by its SHA-256.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn known(path: &Path, digest: &str) -> Result<Checked, Refusal> {
        Checked::new(path, |_, sealed| match sealed.digest == digest {
            true => Ok(Trust::Pinned),
            false => Err("it was changed while the endpoint server was at work".into()),
        })
    }

    /// Loads the very bytes that were checked, for ever.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn load(self) -> Result<Plugin, Refusal> {
        let Checked { path, sealed: Sealed { path: bytes, digest, file, .. }, handshake, trust } =
            self;
        // The system's loader knows a library by the name it was opened with, and answers the first
        // one for the same name: the number of this open file must never be used again, even if the
        // library is refused below.
        std::mem::forget(file);
        let module = loader::open(&bytes).map_err(Refusal::Bad)?;
        let plugin = Plugin::of(path, handshake, Arc::new(module)).map_err(Refusal::Bad)?;
        Ok(Plugin { digest, trust, ..plugin })
    }
}
