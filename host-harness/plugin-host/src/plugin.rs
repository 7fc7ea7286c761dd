//! One connector library, and instances made from it.

use std::path::PathBuf;
use std::sync::Arc;

use connector_api::Error;
use connector_api::host_side::{HostApi, Instance};
use connector_api::manifest::Manifest;
use connector_api::module::Handshake;

use crate::library::Library;
use crate::manifest_check;
use crate::masked::Masked;
use crate::trust::Trust;

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
    pub(crate) library: Arc<dyn Library>,
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

    /// Makes an instance; what it says is masked.
    ///
    /// # Errors
    /// Those of the connector.
    pub fn instance(&self, host: Arc<dyn HostApi>) -> Result<Box<dyn Instance>, Error> {
        Ok(Box::new(Masked(self.library.instance(host)?)))
    }
}
