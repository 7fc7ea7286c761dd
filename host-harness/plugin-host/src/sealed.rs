//! A library's bytes as they were checked: read once, into memory that nobody can change, and loaded
//! from there. Between check and use there is nothing to swap.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The checked bytes of a file.
#[derive(Debug)]
pub(crate) struct Sealed {
    /// Where they can be loaded from while `file` is open.
    pub(crate) path: PathBuf,
    /// Their SHA-256 in hexadecimal.
    pub(crate) digest: String,
    /// How many they are.
    pub(crate) length: u64,
    /// Keeps them.
    pub(crate) file: File,
}

impl Sealed {
    /// Reads a file into a sealed memory file.
    #[cfg(target_os = "linux")]
    pub(crate) fn read(path: &Path) -> std::io::Result<Sealed> {
        // The kernel tells nobody when it lets go of a page: there is only asking again later.
        while_busy(|| Sealed::read_once(path), std::thread::sleep)
    }

    #[cfg(target_os = "linux")]
    fn read_once(path: &Path) -> std::io::Result<Sealed> {
        use std::os::fd::AsRawFd;

        use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
        let memory = memfd_create("connector", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let mut memory = File::from(memory);
        let (digest, length) = digest(path, |bytes| memory.write_all(bytes))?;
        fcntl_add_seals(
            &memory,
            SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL,
        )?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", memory.as_raw_fd()));
        Ok(Sealed { path, digest, length, file: memory })
    }

    /// Reads a file. This system has no sealed memory files: the file itself is loaded, and whoever
    /// may write into its folder could swap it in between.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn read(path: &Path) -> std::io::Result<Sealed> {
        let (digest, length) = digest(path, |_| Ok(()))?;
        Ok(Sealed { path: path.into(), digest, length, file: File::open(path)? })
    }
}

/// Tries again while Linux answers that the memory is busy. It refuses to seal a page that another
/// part of the kernel holds for a moment (`memfd_wait_for_pins`), and on a loaded machine that moment
/// outlasts the 150 ms it waits by itself. Each try is a fresh copy, so no page is held twice.
#[cfg(target_os = "linux")]
fn while_busy<T>(
    mut attempt: impl FnMut() -> std::io::Result<T>,
    mut pause: impl FnMut(std::time::Duration),
) -> std::io::Result<T> {
    /// Together with the kernel's own waiting, about 8 s.
    const PAUSES_MS: [u64; 8] = [10, 20, 50, 100, 500, 1_000, 2_000, 3_000];
    for pause_ms in PAUSES_MS {
        match attempt() {
            Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {}
            ended => return ended,
        }
        pause(std::time::Duration::from_millis(pause_ms));
    }
    attempt()
}

fn digest(
    path: &Path,
    mut each: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    // Small enough to stay in the processor's cache between reading, hashing and writing.
    let mut buffer = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((hex::encode(hash.finalize()), length));
        }
        hash.update(&buffer[..read]);
        each(&buffer[..read])?;
        length += read as u64;
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Runs `load` a thousand times while another thread swaps the file between the installed one
    /// and another; answers how often the other one's bytes got through the check.
    fn races(load: impl Fn(&Path, &str) -> Option<Vec<u8>>) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let [target, good, evil] = ["libx.so", "good", "evil"].map(|name| folder.path().join(name));
        let (good_bytes, evil_bytes) = (vec![b'g'; 64 << 10], vec![b'e'; 64 << 10]);
        std::fs::write(&target, &good_bytes).unwrap();
        let pin = Sealed::read(&target).unwrap().digest;
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    for (bytes, place) in [(&evil_bytes, &evil), (&good_bytes, &good)] {
                        std::fs::write(place, bytes).unwrap();
                        std::fs::rename(place, &target).unwrap();
                    }
                    // Written into as well, as `cp` would.
                    std::fs::write(&target, &evil_bytes).unwrap();
                }
            });
            let (mut tried, mut loaded, mut bad) = (0, 0, 0);
            while tried < 1_000 || loaded == 0 {
                tried += 1;
                if let Some(bytes) = load(&target, &pin) {
                    loaded += 1;
                    bad += usize::from(bytes != good_bytes);
                }
            }
            over.store(true, Ordering::Relaxed);
            bad
        })
    }

    #[test]
    fn in_a_thousand_swaps_no_byte_that_was_not_checked_is_loaded() {
        let bad = races(|path, pin| {
            let sealed = Sealed::read(path).ok()?;
            (sealed.digest == pin).then(|| std::fs::read(&sealed.path).unwrap())
        });
        assert_eq!(bad, 0);
    }

    #[test]
    fn without_the_sealed_copy_the_swap_wins_which_is_the_control() {
        let bad = races(|path, pin| {
            let (found, _) = digest(path, |_| Ok(())).ok()?;
            (found == pin).then(|| std::fs::read(path).unwrap_or_default())
        });
        assert!(bad > 0);
    }

    /// The kernel's own refusal, brought about by a mapping that could still write.
    #[test]
    fn memory_that_is_busy_for_a_moment_is_sealed_after_it() {
        use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
        use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
        let memory = memfd_create("busy", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        rustix::fs::ftruncate(&memory, 4096).unwrap();
        let writable = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a mapping of our own at an address that the kernel chooses.
        let mapping = unsafe {
            mmap(std::ptr::null_mut(), 4096, writable, MapFlags::SHARED, &memory, 0).unwrap()
        };
        let seal = || Ok(fcntl_add_seals(&memory, SealFlags::WRITE)?);
        let refused: std::io::Error = seal().unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ResourceBusy);
        let mut pauses = 0;
        while_busy(seal, |_| {
            pauses += 1;
            if pauses == 3 {
                // SAFETY: it is the mapping made above, and nobody uses it any more.
                unsafe { munmap(mapping, 4096).unwrap() };
            }
        })
        .unwrap();
        assert_eq!(pauses, 3);
    }

    #[test]
    fn memory_that_stays_busy_is_an_error_in_the_end() {
        let busy = || Err::<(), _>(std::io::ErrorKind::ResourceBusy.into());
        let mut waited = std::time::Duration::ZERO;
        let error = while_busy(busy, |pause| waited += pause).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ResourceBusy);
        assert!(waited.as_secs() < 10);
    }

    #[test]
    fn sealed_bytes_cannot_be_changed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"bytes").unwrap();
        let sealed = Sealed::read(file.path()).unwrap();
        assert!((&sealed.file).write_all(b"x").is_err());
        assert!(sealed.file.set_len(0).is_err());
        let open = File::options().write(true).open(&sealed.path);
        assert!(open.is_err() || open.is_ok_and(|mut file| file.write_all(b"x").is_err()));
    }
}
