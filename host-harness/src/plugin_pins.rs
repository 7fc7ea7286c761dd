//! Installed libraries and their SHA-256, so that one that was changed afterwards is not loaded.

use std::collections::BTreeMap;
use std::env::consts::DLL_EXTENSION;
use std::io::Write;
use std::path::{Path, PathBuf};

use connector_api::manifest::Manifest;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{HostError, Kind};
use crate::home::{folder_of, make_private_folder, sync_folder};
use crate::plugin::Checked;
use crate::trust::Trust;
use crate::worker::Limits;

const FILE: &str = "pins.toml";

/// The SHA-256 of each library `plugins install` put into a folder, by file name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    #[serde(default)]
    sha256: BTreeMap<String, String>,
    /// The highest version of each feature's library that was installed here.
    #[serde(default)]
    newest: BTreeMap<String, String>,
}

impl Pins {
    /// Reads the pins of a folder; no file means none.
    ///
    /// # Errors
    /// When the file cannot be read or understood: nothing of the folder is loaded then.
    pub fn read(folder: &Path) -> Result<Pins, HostError> {
        let path = folder.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| {
                HostError::new(
                    Kind::Plugin,
                    format_args!("`{}` is not understood: {}", path.display(), error.message()),
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Pins::default()),
            Err(error) => {
                Err(HostError { kind: Kind::Plugin, ..HostError::io("read", &path, &error) })
            }
        }
    }

    /// Whether a file has a pin.
    pub fn has(&self, path: &Path) -> bool {
        file_name(path).is_some_and(|name| self.sha256.contains_key(&name))
    }

    /// The SHA-256 a file must have; none for one that was not installed.
    pub fn of(&self, path: &Path) -> Option<&str> {
        file_name(path).and_then(|name| self.sha256.get(&name)).map(String::as_str)
    }

    /// Refuses a library below the highest version that was installed here: an older one may have a
    /// fault that was mended since.
    ///
    /// # Errors
    /// One line.
    pub fn refuse_older(&self, manifest: &Manifest) -> Result<(), String> {
        match self.newest.get(&manifest.id) {
            Some(newest) if version(&manifest.version) < version(newest) => Err(format!(
                "its version {} is lower than {newest}, which was installed here before: use \
                 `plugins install --allow-downgrade` if you mean it",
                manifest.version
            )),
            _ => Ok(()),
        }
    }

    /// Pinned files that are not among those.
    pub fn missing(&self, files: &[PathBuf]) -> Vec<String> {
        let there: Vec<String> = files.iter().filter_map(|path| file_name(path)).collect();
        self.sha256.keys().filter(|name| !there.contains(name)).cloned().collect()
    }

    fn write(&self, folder: &Path) -> Result<(), HostError> {
        let text = toml::to_string(self).map_err(HostError::failed)?;
        let text = format!(
            "# Written by `plugins install`: a library that differs is not loaded.\n{text}"
        );
        replace(&folder.join(FILE), |file| file.write_all(text.as_bytes()))
    }
}

/// Puts a library into a plugins folder, with a signature that lies beside it: checked first, and
/// asked in a process of its own what it is; then copied under a temporary name and renamed, so that
/// a running process keeps the old one. Answers where it lies now.
///
/// # Errors
/// Exit code 6 when the file is refused; otherwise what could not be written.
pub fn install(
    file: &Path,
    folder: &Path,
    limits: Limits,
    allow_downgrade: bool,
) -> Result<PathBuf, HostError> {
    let name = file_name(file)
        .filter(|_| file.extension().is_some_and(|extension| extension == DLL_EXTENSION))
        .ok_or_else(|| {
            HostError::usage(format_args!("`{}` is not named like a library", file.display()))
                .with_hint(format_args!("name a file that ends in `.{DLL_EXTENSION}`"))
        })?;
    let refused = |reason: &str| {
        HostError::new(Kind::Plugin, format_args!("`{}` is refused: {reason}", file.display()))
            .with_hint("nothing was installed")
    };
    let checked =
        Checked::new(file, |_, _| Ok(Trust::ByPolicy)).map_err(|error| refused(error.reason()))?;
    let plugin = checked.isolate(limits).map_err(|error| refused(error.reason()))?;
    let mut pins = Pins::read(folder)?;
    if !allow_downgrade {
        pins.refuse_older(&plugin.manifest).map_err(|reason| refused(&reason))?;
    }
    make_private_folder(folder)?;
    let target = folder.join(&name);
    let bytes = std::fs::read(file).map_err(|error| HostError::io("read", file, &error))?;
    if hex(&Sha256::digest(&bytes)) != plugin.digest {
        return Err(refused("it changed while it was checked"));
    }
    // The pin first: a crash in between leaves a file that is refused, never one that is not pinned.
    pins.sha256.insert(name, plugin.digest);
    pins.newest.insert(plugin.manifest.id, plugin.manifest.version);
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
                return Err(HostError::io("remove", &signature(&target), &error));
            }
        }
        Err(error) => return Err(HostError::io("read", &signature(file), &error)),
    }
    Ok(target)
}

/// A version's numbers, for comparison; what follows them does not count.
fn version(text: &str) -> Vec<u64> {
    let numbers = text.split(['-', '+']).next().unwrap_or_default();
    let mut numbers: Vec<u64> = numbers.split('.').map_while(|part| part.parse().ok()).collect();
    numbers.resize(3, 0);
    numbers
}

/// Writes a file beside its final place, then renames it.
fn replace(
    path: &Path,
    write: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
) -> Result<(), HostError> {
    let folder = folder_of(path);
    let failed = |error: &std::io::Error| HostError::io("write", path, error);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    write(file.as_file_mut())
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| failed(&error))?;
    file.persist(path).map_err(|error| failed(&error.error))?;
    Ok(sync_folder(folder)?)
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn file_name(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_kept_by_file_name_and_missing_files_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let pins =
            Pins { sha256: BTreeMap::from([("libx.so".into(), "ab".into())]), ..Pins::default() };
        pins.write(folder.path()).unwrap();
        let pins = Pins::read(folder.path()).unwrap();
        assert_eq!(pins.of(&folder.path().join("libx.so")), Some("ab"));
        assert_eq!(pins.of(&folder.path().join("liby.so")), None);
        assert_eq!(pins.missing(&[]), ["libx.so"]);
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let pins =
            Pins { newest: BTreeMap::from([("x".into(), "1.10.0".into())]), ..Pins::default() };
        let refused = |version| pins.refuse_older(&Manifest::new("x", "X", version)).is_err();
        assert!(refused("1.9.9") && refused("0.99") && refused("1"));
        assert!(!refused("1.10.0") && !refused("1.10.1-rc.1") && !refused("2"));
        assert!(pins.refuse_older(&Manifest::new("y", "Y", "0.1.0")).is_ok());
    }

    #[test]
    fn a_file_that_is_no_connector_is_not_installed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(format!("libx.{DLL_EXTENSION}"));
        std::fs::write(&file, b"text").unwrap();
        let plugins = folder.path().join("plugins");
        assert_eq!(
            install(&file, &plugins, Limits::default(), false).unwrap_err().kind.exit_code(),
            6
        );
        assert!(!plugins.exists());
    }
}
