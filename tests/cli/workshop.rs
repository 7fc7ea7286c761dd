//! Where tests build crates of their own: offline, with the workspace's lock file, and with what cargo
//! has built for this test already.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A folder for crates. It lies below cargo's own, which nobody else may write to: libraries are not
/// loaded from a shared temporary folder.
pub(crate) struct Workshop(TempDir);

/// The workspace's folder.
pub(crate) fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the host lies in the workspace").to_owned()
}

impl Workshop {
    pub(crate) fn new() -> Workshop {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        Workshop(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file of a crate; a crate gets the workspace's lock file with its manifest.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        let folder = path.parent().expect("a folder");
        fs::create_dir_all(folder).expect("a folder");
        fs::write(&path, text).expect("a file");
        if path.ends_with("Cargo.toml") {
            fs::copy(workspace().join("Cargo.lock"), folder.join("Cargo.lock")).expect("the lock");
        }
        path
    }

    /// A program in that folder, with cargo as it was when it built this test.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder);
        // What cargo tells a test is not meant for another cargo.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PKG") || name == "CARGO_MANIFEST_DIR" {
                command.env_remove(name);
            }
        }
        let deps = std::env::current_exe().expect("this test's path");
        let build_dir = deps.ancestors().nth(3).expect("target/debug/deps").to_owned();
        command.env("CARGO_BUILD_BUILD_DIR", build_dir);
        command.env("CARGO_NET_OFFLINE", "true");
        // The workspace's profile, so that what is built already fits.
        command.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
        command
    }
}
