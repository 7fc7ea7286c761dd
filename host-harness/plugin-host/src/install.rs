//! Installs a library into a plugins folder.

use std::env::consts::DLL_EXTENSION;
use std::io::Write;
use std::path::{Path, PathBuf};

use inventory::files::make_private_folder;
use sha2::{Digest, Sha256};

use crate::checked::Checked;
use crate::error::PluginError;
use crate::pins::{Pins, file_name, replace};
use crate::trust::Trust;
use crate::worker::{Isolated, Limits};

/// Puts a library into a plugins folder, with a signature that lies beside it: checked first, and
/// asked in a process of its own what it is; then copied under a temporary name and renamed, so that
/// a running process keeps the old one. Returns its new path.
///
/// # Errors
/// Of kind library when the file is refused; otherwise what could not be written.
pub fn install(
    file: &Path,
    folder: &Path,
    limits: Limits,
    allow_downgrade: bool,
) -> Result<PathBuf, PluginError> {
    let name = file_name(file)
        .filter(|_| file.extension().is_some_and(|extension| extension == DLL_EXTENSION))
        .ok_or_else(|| {
            PluginError::usage(format_args!("`{}` is not named like a library", file.display()))
                .with_hint(format_args!("name a file that ends in `.{DLL_EXTENSION}`"))
        })?;
    let refused = |reason: &str| {
        PluginError::library(format_args!("`{}` is refused: {reason}", file.display()))
            .with_hint("nothing was installed")
    };
    let checked =
        Checked::new(file, |_, _| Ok(Trust::ByPolicy)).map_err(|error| refused(error.reason()))?;
    let plugin = Isolated::plugin(checked, limits).map_err(|error| refused(error.reason()))?;
    let mut pins = Pins::read(folder)?;
    if !allow_downgrade {
        pins.refuse_older(&plugin.manifest).map_err(|reason| refused(&reason))?;
    }
    make_private_folder(folder)?;
    let target = folder.join(&name);
    let bytes = std::fs::read(file).map_err(|error| PluginError::io("read", file, error))?;
    if hex::encode(Sha256::digest(&bytes)) != plugin.digest {
        return Err(refused("it changed while it was checked"));
    }
    // The pin first: a crash in between leaves a file that is refused, never one that is not pinned.
    pins.add(&name, &plugin.digest, &plugin.manifest);
    pins.write(folder)?;
    replace(&target, |copy| copy.write_all(&bytes))?;
    let signature = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push(".minisig");
        PathBuf::from(name)
    };
    match std::fs::read(signature(file)) {
        Ok(bytes) => replace(&signature(&target), |copy| copy.write_all(&bytes))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // One of an earlier version must not stay beside this one.
            if let Err(error) = std::fs::remove_file(signature(&target))
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(PluginError::io("remove", &signature(&target), error));
            }
        }
        Err(error) => return Err(PluginError::io("read", &signature(file), error)),
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::PluginErrorKind;

    #[test]
    fn a_file_that_is_no_connector_is_not_installed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(format!("libx.{DLL_EXTENSION}"));
        std::fs::write(&file, b"text").unwrap();
        let plugins = folder.path().join("plugins");
        let refused = install(&file, &plugins, Limits::default(), false).unwrap_err();
        assert_eq!(refused.kind, PluginErrorKind::Library);
        assert!(!plugins.exists());
    }
}
