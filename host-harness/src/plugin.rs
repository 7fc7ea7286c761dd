//! One connector library in this process, and instances made from it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use connector_api::Error;
use connector_api::host_side::{HostApi, Instance, Module};
use connector_api::manifest::Manifest;
use connector_api::module::Handshake;

use crate::library;
use crate::manifest_check;
use crate::preflight::{self, Refusal};
use crate::sealed::Sealed;
use crate::trust::Trust;
use crate::worker::{Isolated, Limits};

/// A loaded connector library. Never unloaded: code and data of it live as long as the process.
#[derive(Clone)]
pub struct Plugin {
    /// The file, without links.
    pub path: PathBuf,
    /// What it says about itself.
    pub manifest: Manifest,
    /// The contract it was built with.
    pub handshake: Handshake,
    /// The file's SHA-256 in hexadecimal; empty for one that was made from no file.
    pub digest: String,
    /// Why it is trusted.
    pub trust: Trust,
    library: Arc<dyn Library>,
}

/// A library as its way of running decides: in this process ([`Module`]) or in worker processes.
pub trait Library: Send + Sync {
    /// Returns the manifest as JSON.
    ///
    /// # Errors
    /// Those of the connector.
    fn describe(&self) -> Result<String, Error>;

    /// Makes an instance.
    ///
    /// # Errors
    /// Those of the connector.
    fn instance(&self, host: Arc<dyn HostApi>) -> Result<Box<dyn Instance>, Error>;
}

impl Library for Module {
    fn describe(&self) -> Result<String, Error> {
        Module::describe(self)
    }

    fn instance(&self, host: Arc<dyn HostApi>) -> Result<Box<dyn Instance>, Error> {
        Module::instance(self, host)
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Plugin {
    /// A plugin of a library, which is asked what it is.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn of(
        path: PathBuf,
        handshake: Handshake,
        library: Arc<dyn Library>,
    ) -> Result<Plugin, String> {
        let json = library
            .describe()
            .map_err(|error| format!("it cannot describe itself: {}", error.message))?;
        let manifest: Manifest = serde_json::from_str(&json)
            .map_err(|error| format!("its description is not understood: {error}"))?;
        manifest_check::check(&manifest)
            .map_err(|reason| format!("its description is not usable: {reason}"))?;
        Ok(Plugin {
            path,
            manifest,
            handshake,
            digest: String::new(),
            trust: Trust::ByPolicy,
            library,
        })
    }

    /// Asks it once more what it is; JSON.
    ///
    /// # Errors
    /// Those of the connector.
    pub(crate) fn describe_again(&self) -> Result<String, Error> {
        self.library.describe()
    }

    /// The contract it was built with, as people write it.
    pub fn contract(&self) -> String {
        format!("{}.{}", self.handshake.major, self.handshake.minor)
    }

    /// Makes an instance.
    ///
    /// # Errors
    /// Those of the connector.
    pub fn instance(&self, host: Arc<dyn HostApi>) -> Result<Box<dyn Instance>, Error> {
        self.library.instance(host)
    }
}

/// A library of which everything was checked that can be checked without running it.
#[derive(Debug)]
pub struct Checked {
    /// Its path without links.
    path: PathBuf,
    sealed: Sealed,
    handshake: Handshake,
    trust: Trust,
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
        let module = library::open(&bytes).map_err(Refusal::Bad)?;
        let plugin = Plugin::of(path, handshake, Arc::new(module)).map_err(Refusal::Bad)?;
        Ok(Plugin { digest, trust, ..plugin })
    }

    /// Gets to know a library that runs in worker processes only: nothing of it runs in this one.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn isolate(self, limits: Limits) -> Result<Plugin, Refusal> {
        let Checked { path, sealed: Sealed { digest, .. }, handshake, trust } = self;
        let library = Isolated { path: path.clone(), digest: digest.clone(), limits };
        let plugin = Plugin::of(path, handshake, Arc::new(library)).map_err(Refusal::Bad)?;
        Ok(Plugin { digest, trust, ..plugin })
    }
}
