//! Where the files of a store lie.

use std::path::{Path, PathBuf};

/// The folder that holds a store, its sealing key, its lock files and what is derived from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The store's folder at that path; nothing is made yet.
    pub fn new(path: impl Into<PathBuf>) -> Folder {
        Folder { path: path.into() }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SQLite store.
    pub fn store_file(&self) -> PathBuf {
        self.path.join("inventory.db")
    }

    /// The sealing key, unless another place is named.
    pub fn key_file(&self) -> PathBuf {
        self.path.join("key")
    }

    /// How far the store had come when it was last written to with its key.
    pub(crate) fn generation_file(&self) -> PathBuf {
        self.path.join("generation")
    }

    /// Lock files, one for each connector with a run in progress.
    pub fn locks(&self) -> PathBuf {
        self.path.join("locks")
    }

    /// Tables that reports read, one file for the latest snapshot of each connector; they can be
    /// deleted at any time.
    pub fn positions(&self) -> PathBuf {
        self.path.join("positions")
    }
}
