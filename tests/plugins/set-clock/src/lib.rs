//! Comes between a program and the time of day when it is named in `LD_PRELOAD` (Linux, glibc): the
//! program sees the time that a file holds, as eight bytes of seconds since 1970 in this machine's
//! order, and it passes only when the file is written. `SET_CLOCK` names the file; without it the time
//! is the real one. Clocks that measure how long something takes are left alone.
#![cfg(target_os = "linux")]
#![expect(
    clippy::missing_safety_doc,
    reason = "the function has the contract of its namesake in C"
)]

use std::ffi::c_int;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use libc::{clockid_t, timespec};

/// The file's bytes, seen through mapped memory: they change when it is written.
fn time_of_day() -> Option<&'static AtomicI64> {
    static FILE: OnceLock<Option<&'static AtomicI64>> = OnceLock::new();
    *FILE.get_or_init(map)
}

fn map() -> Option<&'static AtomicI64> {
    let mut path = std::env::var_os("SET_CLOCK")?.as_bytes().to_owned();
    path.push(0);
    // SAFETY: the path ends with a zero byte; the mapping is never given back, and a page begins at
    // a multiple of eight.
    unsafe {
        let fd = libc::open(path.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC);
        let length = size_of::<AtomicI64>();
        let seen =
            libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ, libc::MAP_SHARED, fd, 0);
        libc::close(fd);
        (seen != libc::MAP_FAILED).then(|| &*seen.cast::<AtomicI64>())
    }
}

/// `clock_gettime(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    if clock == libc::CLOCK_REALTIME
        && let Some(seconds) = time_of_day()
    {
        // SAFETY: the caller's place for the time.
        unsafe { *time = timespec { tv_sec: seconds.load(Ordering::Relaxed), tv_nsec: 0 } };
        return 0;
    }
    // SAFETY: the caller's own arguments.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as c_int }
}
