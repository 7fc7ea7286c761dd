//! The home folder: where everything of one endpoint server lies, readable by its owner only.

use std::path::{Path, PathBuf};

use inventory::Folder;
pub use inventory::files::{folder_of, make_private_folder, restrict, sync_folder};

use crate::error::HostError;

/// The folder that holds the store, the sealing key, the settings file and the plugins.
#[derive(Clone, Debug)]
pub struct Home {
    folder: Folder,
}

impl Home {
    /// A home at that path; nothing is made yet.
    pub fn new(path: impl Into<PathBuf>) -> Home {
        Home { folder: Folder::new(path) }
    }

    /// The platform's data folder for `endpoint-server`.
    ///
    /// # Errors
    /// When the platform names none.
    pub fn platform_default() -> Result<Home, HostError> {
        directories::ProjectDirs::from("", "", "endpoint-server")
            .map(|dirs| Home::new(dirs.data_dir()))
            .ok_or_else(|| {
                HostError::usage("this account has no data folder")
                    .with_hint("name the endpoint server's folder with `--home DIR`")
            })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder as the store takes it: its file, its key, its lock files.
    pub fn inventory(&self) -> &Folder {
        &self.folder
    }

    /// The settings file.
    pub fn config_file(&self) -> PathBuf {
        self.path().join("config.toml")
    }

    /// The SQLite store.
    pub fn store_file(&self) -> PathBuf {
        self.folder.store_file()
    }

    /// Installed connector libraries.
    pub fn plugins(&self) -> PathBuf {
        self.path().join("plugins")
    }

    /// Makes the folder, open to its owner only. A folder that exists keeps its mode unless others
    /// could write to it.
    ///
    /// # Errors
    /// When it cannot be made, or is not a folder.
    pub fn ensure(&self) -> Result<(), HostError> {
        Ok(make_private_folder(self.path())?)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_home_and_an_open_one_end_up_private() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("a/b"));
        home.ensure().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(home.path()), 0o700);
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        home.ensure().unwrap();
        assert_eq!(mode(home.path()), 0o700);
    }

    #[test]
    fn a_file_where_the_home_should_be_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(Home::new(file.path()).ensure().is_err());
    }
}
