//! Installed libraries and their SHA-256, so that one that was changed afterwards is not loaded.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use connector_api::manifest::Manifest;
use inventory::files::{self, folder_of, sync_folder};
use serde::{Deserialize, Serialize};

use crate::error::{PluginError, PluginErrorKind};

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
    pub fn read(folder: &Path) -> Result<Pins, PluginError> {
        let path = folder.join(FILE);
        match files::read_regular_text(&path, files::MOST_TEXT) {
            Ok(text) => toml::from_str(&text).map_err(|error| {
                PluginError::library(format_args!(
                    "`{}` is not understood: {}",
                    path.display(),
                    error.message()
                ))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Pins::default()),
            Err(error) => {
                let kind = PluginErrorKind::Library;
                Err(PluginError { kind, ..PluginError::io("read", &path, error) })
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
    /// fault that was fixed since. What follows the numbers of a version does not count.
    ///
    /// # Errors
    /// One line.
    pub fn refuse_older(&self, manifest: &Manifest) -> Result<(), String> {
        let Some(newest) = self.newest.get(&manifest.id) else { return Ok(()) };
        match (version(&manifest.version), version(newest)) {
            (_, None) => Err(format!(
                "the highest version installed here before, `{}` in `{FILE}`, is not understood: \
                 use `plugins install --allow-downgrade` if you mean it",
                newest.escape_debug()
            )),
            (found, newest_version) if found < newest_version => Err(format!(
                "its version {} is lower than {newest}, which was installed here before: use \
                 `plugins install --allow-downgrade` if you mean it",
                manifest.version
            )),
            _ => Ok(()),
        }
    }

    /// Records a library that is about to be put into the folder.
    pub(crate) fn add(&mut self, file: &str, digest: &str, manifest: &Manifest) {
        self.sha256.insert(file.into(), digest.into());
        self.newest.insert(manifest.id.clone(), manifest.version.clone());
    }

    /// Pinned files that are not among those.
    pub fn missing(&self, files: &[PathBuf]) -> Vec<String> {
        let there: Vec<String> = files.iter().filter_map(|path| file_name(path)).collect();
        self.sha256.keys().filter(|name| !there.contains(name)).cloned().collect()
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), PluginError> {
        let text = toml::to_string(self).map_err(PluginError::system)?;
        let text = format!(
            "# Written by `plugins install`: a library that differs is not loaded.\n{text}"
        );
        replace(&folder.join(FILE), |file| file.write_all(text.as_bytes()))
    }
}

/// A version by semantic versioning; parts that are left out are zero.
fn version(text: &str) -> Option<(u64, u64, u64)> {
    let numbers = text.split(['-', '+']).next().unwrap_or_default();
    let zeros = ".0".repeat(2_usize.saturating_sub(numbers.matches('.').count()));
    let version = semver::Version::parse(&format!("{numbers}{zeros}")).ok()?;
    Some((version.major, version.minor, version.patch))
}

/// Writes a file beside its final place, then renames it.
pub(crate) fn replace(
    path: &Path,
    write: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
) -> Result<(), PluginError> {
    let folder = folder_of(path);
    let failed = |error: std::io::Error| PluginError::io("write", path, error);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    write(file.as_file_mut()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(sync_folder(folder)?)
}

pub(crate) fn file_name(path: &Path) -> Option<String> {
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
    fn a_recorded_version_that_is_no_version_refuses_every_library() {
        for newest in ["x", "", "99999999999999999999.0.0"] {
            let pins =
                Pins { newest: BTreeMap::from([("x".into(), newest.into())]), ..Pins::default() };
            let refusal = pins.refuse_older(&Manifest::new("x", "X", "0.0.1")).unwrap_err();
            assert!(refusal.contains("not understood"), "{newest}: {refusal}");
        }
    }
}
