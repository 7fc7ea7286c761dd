//! The home folder: where everything of one endpoint server lies, readable by its owner only.

use std::path::{Path, PathBuf};

use crate::error::HostError;

/// The folder that holds the store, the sealing key, the settings file and the plugins.
#[derive(Clone, Debug)]
pub struct Home {
    path: PathBuf,
}

impl Home {
    /// A home at that path; nothing is made yet.
    pub fn new(path: impl Into<PathBuf>) -> Home {
        Home { path: path.into() }
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
        &self.path
    }

    /// The settings file.
    pub fn config_file(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// The SQLite store.
    pub fn store_file(&self) -> PathBuf {
        self.path.join("inventory.db")
    }

    /// The sealing key, unless another place is named.
    pub fn key_file(&self) -> PathBuf {
        self.path.join("key")
    }

    /// Installed connector libraries.
    pub fn plugins(&self) -> PathBuf {
        self.path.join("plugins")
    }

    /// Tables that reports read, one file for the latest snapshot of each connector; they can be
    /// deleted at any time.
    pub fn positions(&self) -> PathBuf {
        self.path.join("positions")
    }

    /// Lock files, one for each connector with a run in progress.
    pub fn locks(&self) -> PathBuf {
        self.path.join("locks")
    }

    /// Makes the folder, open to its owner only. A folder that exists keeps its mode unless others
    /// could write to it.
    ///
    /// # Errors
    /// When it cannot be made, or is not a folder.
    pub fn ensure(&self) -> Result<(), HostError> {
        make_private_folder(&self.path)
    }
}

/// Makes a folder (and its parents) with mode 0700; takes away group and other access from one that exists.
///
/// # Errors
/// When it cannot be made or is something else.
pub fn make_private_folder(path: &Path) -> Result<(), HostError> {
    if !path.is_dir() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(|error| {
            HostError::io("make the folder", path, &error)
                .with_hint("name another folder with `--home DIR`, or make this one writable")
        })?;
    }
    restrict(path, 0o700)
}

/// Takes all access beyond `mode` away from a file or folder; does nothing where modes are unknown.
///
/// # Errors
/// When the mode cannot be read or changed.
pub fn restrict(path: &Path, mode: u32) -> Result<(), HostError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let failed = |error| HostError::io("restrict the mode of", path, &error);
        let now = std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
        if now & !mode != 0 {
            let permissions = std::fs::Permissions::from_mode(now & mode);
            std::fs::set_permissions(path, permissions).map_err(failed)?;
        }
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
    Ok(())
}

/// The folder a file lies in; the current one for a bare name.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes the names in a folder to disk: a file that was made or renamed is there after a power cut
/// only once its folder is written. Does nothing where folders cannot be opened.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), HostError> {
    #[cfg(unix)]
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| HostError::io("write to disk the folder", folder, &error))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
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
