//! Waits for another process or for a file, in the kernel and with a time limit.

use std::mem::MaybeUninit;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Whether the process has ended within that time. It may be another's child; a process that is not
/// there has ended.
#[must_use]
pub fn has_ended(id: u32, limit: Duration) -> bool {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    let Some(process) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return true;
    };
    is_readable(&process, limit)
}

/// Lets time pass, at most until the process ended.
pub fn pass(id: u32, duration: Duration) {
    let _ = has_ended(id, duration);
}

/// Watches a folder for changes of its files.
#[derive(Debug)]
pub struct FolderWatch(OwnedFd);

impl FolderWatch {
    /// Begins to watch the files in that folder; changes from now on are seen.
    ///
    /// # Panics
    /// If the folder is not there.
    #[must_use]
    pub fn new(folder: &Path) -> FolderWatch {
        let flags = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::MOVED_TO;
        let watch = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .and_then(|watch| add_watch(&watch, folder, flags).map(|_| watch));
        match watch {
            Ok(watch) => FolderWatch(watch),
            Err(error) => panic!("{}: {error}", folder.display()),
        }
    }

    /// Waits until `met` after a change, which is also asked at once.
    ///
    /// # Panics
    /// If it is not met within the limit.
    #[track_caller]
    pub fn until(&self, limit: Duration, mut met: impl FnMut() -> bool) {
        let end = Instant::now() + limit;
        while !met() {
            let left = end.saturating_duration_since(Instant::now());
            assert!(is_readable(&self.0, left), "it was not met within {limit:?}");
            let mut buffer = [MaybeUninit::uninit(); 4_096];
            let mut seen = Reader::new(&self.0, &mut buffer);
            while seen.next().is_ok() {}
        }
    }
}

fn is_readable(file: &OwnedFd, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        match poll(&mut [PollFd::from_borrowed_fd(file.as_fd(), PollFlags::IN)], Some(&left)) {
            Ok(ready) => return ready > 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
    }
}
