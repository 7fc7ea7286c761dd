//! Installed libraries and their SHA-256, so that one that was changed afterwards is not loaded.

use std::collections::BTreeMap;
use std::env::consts::DLL_EXTENSION;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{HostError, Kind};
use crate::home::make_private_folder;
use crate::preflight;

const FILE: &str = "pins.toml";

/// The SHA-256 of each library `plugins install` put into a folder, by file name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    #[serde(default)]
    sha256: BTreeMap<String, String>,
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

    /// Compares a file with its pin; a file without one passes.
    ///
    /// # Errors
    /// One line.
    pub fn check(&self, path: &Path) -> Result<(), String> {
        let Some(pin) = file_name(path).and_then(|name| self.sha256.get(&name)) else {
            return Ok(());
        };
        let found = sha256(path).map_err(|error| format!("it cannot be read: {error}"))?;
        if found == *pin {
            return Ok(());
        }
        Err("it was changed after it was installed (its SHA-256 is another): install it again"
            .into())
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

/// Puts a library into a plugins folder: checked first, under a temporary name, then renamed, so
/// that a running process keeps the old one. Answers where it lies now.
///
/// # Errors
/// Exit code 6 when the file is refused; otherwise what could not be written.
pub fn install(file: &Path, folder: &Path) -> Result<PathBuf, HostError> {
    let name = file_name(file)
        .filter(|_| file.extension().is_some_and(|extension| extension == DLL_EXTENSION))
        .ok_or_else(|| {
            HostError::usage(format_args!("`{}` is not named like a library", file.display()))
                .with_hint(format_args!("name a file that ends in `.{DLL_EXTENSION}`"))
        })?;
    preflight::check(file).map_err(|refusal| {
        HostError::new(
            Kind::Plugin,
            format_args!("`{}` is refused: {}", file.display(), refusal.reason()),
        )
        .with_hint("nothing was installed")
    })?;
    make_private_folder(folder)?;
    let target = folder.join(&name);
    let mut source =
        std::fs::File::open(file).map_err(|error| HostError::io("read", file, &error))?;
    let mut hash = Sha256::new();
    replace(&target, |copy| {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = source.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            hash.update(&buffer[..read]);
            copy.write_all(&buffer[..read])?;
        }
    })?;
    let mut pins = Pins::read(folder)?;
    pins.sha256.insert(name, hex(&hash.finalize()));
    pins.write(folder)?;
    Ok(target)
}

/// Writes a file beside its final place, then renames it.
fn replace(
    path: &Path,
    write: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
) -> Result<(), HostError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let failed = |error: &std::io::Error| HostError::io("write", path, error);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    write(file.as_file_mut())
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| failed(&error))?;
    file.persist(path).map_err(|error| failed(&error.error))?;
    Ok(())
}

/// A file's SHA-256 in hexadecimal.
pub(crate) fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    Ok(hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn file_name(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_changed_after_installing_is_told_from_the_one_installed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libx.so");
        std::fs::write(&file, b"one").unwrap();
        let pin = sha256(&file).unwrap();
        let pins = Pins { sha256: BTreeMap::from([("libx.so".into(), pin)]) };
        pins.write(folder.path()).unwrap();
        let pins = Pins::read(folder.path()).unwrap();
        pins.check(&file).unwrap();
        std::fs::write(&file, b"two").unwrap();
        assert!(pins.check(&file).unwrap_err().contains("changed after it was installed"));
        assert_eq!(pins.missing(&[]), ["libx.so"]);
    }

    #[test]
    fn a_file_that_is_no_connector_is_not_installed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(format!("libx.{DLL_EXTENSION}"));
        std::fs::write(&file, b"text").unwrap();
        let plugins = folder.path().join("plugins");
        assert_eq!(install(&file, &plugins).unwrap_err().kind.exit_code(), 6);
        assert!(!plugins.exists());
    }
}
