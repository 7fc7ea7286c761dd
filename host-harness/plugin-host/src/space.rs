//! How much of the disk one run may use.

use std::path::{Path, PathBuf};

use connector_api::{Error, ErrorKind};

/// Bounds on the disk one run uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceLimits {
    /// Most bytes of records of one run, as they arrive.
    pub run_bytes: u64,
    /// Bytes that stay free on the disk of the store.
    pub least_free: u64,
}

impl Default for SpaceLimits {
    fn default() -> SpaceLimits {
        SpaceLimits { run_bytes: 16 << 30, least_free: 256 << 20 }
    }
}

/// What one run has used so far.
pub(crate) struct Space {
    limits: SpaceLimits,
    folder: PathBuf,
    used: u64,
}

impl Space {
    /// For a run that writes into that folder.
    pub(crate) fn new(limits: SpaceLimits, folder: &Path) -> Space {
        Space { limits, folder: folder.into(), used: 0 }
    }

    /// Counts records that arrived.
    ///
    /// # Errors
    /// [`ErrorKind::OTHER`] when the run may use no more, or too little would stay free.
    pub(crate) fn take(&mut self, bytes: u64) -> Result<(), Error> {
        self.take_of(bytes, free_bytes(&self.folder))
    }

    fn take_of(&mut self, bytes: u64, free: Option<u64>) -> Result<(), Error> {
        self.used = self.used.saturating_add(bytes);
        let SpaceLimits { run_bytes, least_free } = self.limits;
        let stopped = |why: String| Error::new(ErrorKind::OTHER, why);
        if self.used > run_bytes {
            return Err(stopped(format!(
                "the run was stopped: it brought more than {} MiB of records",
                run_bytes >> 20
            ))
            .with_hint(
                "if the organization really has that many, raise `run_mib` in config.toml",
            ));
        }
        if free.is_some_and(|free| free < least_free.saturating_add(bytes)) {
            return Err(stopped(format!(
                "the run was stopped: less than {} MiB are free on the disk of the store",
                least_free >> 20
            ))
            .with_hint("nothing was published or lost: free some space, then collect again"));
        }
        Ok(())
    }
}

/// What is free for this account; `None` if the system does not tell.
fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let about = rustix::fs::statvfs(folder).ok()?;
        Some(about.f_bavail.saturating_mul(about.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SpaceLimits = SpaceLimits { run_bytes: 10 << 20, least_free: 4 << 20 };

    fn space() -> Space {
        Space::new(LIMITS, Path::new("/"))
    }

    #[test]
    fn a_run_is_stopped_at_its_own_limit_and_not_before() {
        let mut space = space();
        for _ in 0..10 {
            space.take_of(1 << 20, Some(1 << 40)).unwrap();
        }
        let error = space.take_of(1, Some(1 << 40)).unwrap_err();
        assert!(error.message.contains("more than 10 MiB"), "{error}");
        assert!(error.hint.unwrap().contains("run_mib"));
    }

    #[test]
    fn a_run_is_stopped_before_the_disk_is_full_and_where_nobody_tells_it_is_not() {
        space().take_of(1 << 20, Some(5 << 20)).unwrap();
        space().take_of(1 << 20, None).unwrap();
        let error = space().take_of(1 << 20, Some((5 << 20) - 1)).unwrap_err();
        assert!(error.message.contains("less than 4 MiB are free"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn the_system_tells_what_is_free() {
        assert!(free_bytes(&std::env::temp_dir()).is_some_and(|bytes| bytes > 0));
    }
}
