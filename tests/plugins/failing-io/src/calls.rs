//! The calls that are stood between. Each does its work by the system call itself.

use std::ffi::{c_char, c_int, c_long, c_void};
use std::path::Path;

use libc::{iovec, mode_t, off64_t, size_t, ssize_t, syscall};

use crate::note::{Note, note};
use crate::plan::{Fate, next, of_descriptor, of_path};

/// What a call answers, given its fate: by itself, or by `work`.
fn decide(fate: Fate, work: impl FnOnce() -> c_long) -> c_long {
    match fate {
        Fate::Pass | Fate::Short => work(),
        Fate::Lie => 0,
        Fate::Fail(errno) => {
            // SAFETY: the place of this thread's `errno`.
            unsafe { *libc::__errno_location() = errno };
            -1
        }
        Fate::Kill => die(),
    }
}

fn die() -> c_long {
    // SAFETY: plain numbers; the process ends here.
    unsafe { syscall(libc::SYS_kill, libc::getpid(), libc::SIGKILL) }
}

fn inode_of(fd: c_int) -> u64 {
    // SAFETY: all zeros is a valid `stat`, and it is filled by the call.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: a descriptor and a place to write to.
    if unsafe { libc::fstat(fd, &raw mut stat) } == 0 { stat.st_ino } else { 0 }
}

/// Notes a call that went well.
fn done(
    result: c_long,
    operation: &'static str,
    fd: c_int,
    number: i64,
    path: &Path,
    bytes: &[u8],
) {
    if result >= 0 {
        let number = u64::try_from(number).unwrap_or(0);
        let inode = if fd < 0 { 0 } else { inode_of(fd) };
        note(&Note { operation, inode, number, path, bytes });
    }
}

/// Writes at an offset; without one at the descriptor's own place.
unsafe fn write_at(fd: c_int, data: *const c_void, length: size_t, at: Option<off64_t>) -> ssize_t {
    // SAFETY: the caller's own arguments, or fewer of its bytes.
    let real = |length: size_t| unsafe {
        match at {
            Some(at) => syscall(libc::SYS_pwrite64, fd, data, length, at),
            None => syscall(libc::SYS_write, fd, data, length),
        }
    };
    let Some(path) = of_descriptor(fd) else { return real(length) as ssize_t };
    // SAFETY: a descriptor and plain numbers.
    let place = at.unwrap_or_else(|| unsafe { libc::lseek64(fd, 0, libc::SEEK_CUR) });
    let fate = next(true);
    if fate == Fate::Lie {
        return length as ssize_t;
    }
    let length = if fate == Fate::Short { length.div_ceil(2) } else { length };
    if fate == Fate::Kill {
        real(length / 2);
    }
    let result = decide(fate, || real(length));
    // SAFETY: this many of the caller's bytes were written.
    let bytes = unsafe { std::slice::from_raw_parts(data.cast(), result.max(0) as usize) };
    done(result, "write", fd, place, &path, bytes);
    result as ssize_t
}

/// `write(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, data: *const c_void, length: size_t) -> ssize_t {
    // SAFETY: as the caller promises.
    unsafe { write_at(fd, data, length, None) }
}

/// `pwrite(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(
    fd: c_int,
    data: *const c_void,
    length: size_t,
    at: off64_t,
) -> ssize_t {
    // SAFETY: as the caller promises.
    unsafe { write_at(fd, data, length, Some(at)) }
}

/// `pwrite64(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(
    fd: c_int,
    data: *const c_void,
    length: size_t,
    at: off64_t,
) -> ssize_t {
    // SAFETY: as the caller promises.
    unsafe { write_at(fd, data, length, Some(at)) }
}

/// `writev(2)`; below the folder it writes the first piece only, which is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(fd: c_int, pieces: *const iovec, count: c_int) -> ssize_t {
    if of_descriptor(fd).is_none() || count <= 0 {
        // SAFETY: the caller's own arguments.
        return unsafe { syscall(libc::SYS_writev, fd, pieces, count) as ssize_t };
    }
    // SAFETY: there is at least one piece.
    unsafe {
        let mut piece = *pieces;
        for next in 1..count as usize {
            if piece.iov_len > 0 {
                break;
            }
            piece = *pieces.add(next);
        }
        write_at(fd, piece.iov_base, piece.iov_len, None)
    }
}

fn sync(number: c_long, fd: c_int) -> c_int {
    // SAFETY: a descriptor.
    let real = || unsafe { syscall(number, fd) };
    let Some(path) = of_descriptor(fd) else { return real() as c_int };
    let result = decide(next(true), real);
    done(result, "sync", fd, 0, &path, &[]);
    result as c_int
}

/// `fsync(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    sync(libc::SYS_fsync, fd)
}

/// `fdatasync(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    sync(libc::SYS_fdatasync, fd)
}

fn truncate(fd: c_int, length: off64_t) -> c_int {
    // SAFETY: a descriptor and a number.
    let real = || unsafe { syscall(libc::SYS_ftruncate, fd, length) };
    let Some(path) = of_descriptor(fd) else { return real() as c_int };
    let result = decide(next(true), real);
    done(result, "truncate", fd, length, &path, &[]);
    result as c_int
}

/// `ftruncate(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate(fd: c_int, length: off64_t) -> c_int {
    truncate(fd, length)
}

/// `ftruncate64(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(fd: c_int, length: off64_t) -> c_int {
    truncate(fd, length)
}

unsafe fn open_at(folder: c_int, name: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's own arguments.
    let real = || unsafe { syscall(libc::SYS_openat, folder, name, flags, mode) };
    let writes = flags & (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT) != 0;
    // SAFETY: the caller's string.
    let Some(path) = unsafe { of_path(name) }.filter(|_| writes) else { return real() as c_int };
    // SAFETY: the caller's string.
    let there = unsafe { syscall(libc::SYS_faccessat, folder, name, libc::F_OK) } == 0;
    // A descriptor cannot be made up: an opening that is lied about is done.
    let fate = match next(!there || flags & libc::O_TRUNC != 0) {
        Fate::Lie => Fate::Pass,
        fate => fate,
    };
    let result = decide(fate, real);
    if result >= 0 && !there {
        done(result, "create", result as c_int, 0, &path, &[]);
    } else if result >= 0 && flags & libc::O_TRUNC != 0 {
        done(result, "truncate", result as c_int, 0, &path, &[]);
    }
    result as c_int
}

/// `open(2)`; the third argument is there where a file may be made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { open_at(libc::AT_FDCWD, path, flags, mode) }
}

/// `open64(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { open_at(libc::AT_FDCWD, path, flags, mode) }
}

/// `openat(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat(
    folder: c_int,
    path: *const c_char,
    flags: c_int,
    mode: mode_t,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { open_at(folder, path, flags, mode) }
}

/// `openat64(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(
    folder: c_int,
    path: *const c_char,
    flags: c_int,
    mode: mode_t,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { open_at(folder, path, flags, mode) }
}

/// A call on one or two paths; what it did is noted with the second one as its bytes.
unsafe fn on_paths(
    operation: &'static str,
    adds: bool,
    from: *const c_char,
    to: Option<*const c_char>,
    real: impl FnOnce() -> c_long,
) -> c_int {
    // SAFETY: the caller's string.
    let Some(path) = (unsafe { of_path(from) }) else { return real() as c_int };
    let result = decide(next(adds), real);
    let bytes = match to {
        // SAFETY: the caller's string.
        Some(to) => unsafe { std::ffi::CStr::from_ptr(to) }.to_bytes(),
        None => &[],
    };
    done(result, operation, -1, 0, &path, bytes);
    result as c_int
}

/// `rename(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe {
        on_paths("rename", true, from, Some(to), || {
            syscall(libc::SYS_renameat2, libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0)
        })
    }
}

/// `link(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn link(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe {
        on_paths("link", true, from, Some(to), || {
            syscall(libc::SYS_linkat, libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0)
        })
    }
}

/// `unlink(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe {
        on_paths("unlink", false, path, None, || {
            syscall(libc::SYS_unlinkat, libc::AT_FDCWD, path, 0)
        })
    }
}

/// `mkdir(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe {
        on_paths("mkdir", true, path, None, || {
            syscall(libc::SYS_mkdirat, libc::AT_FDCWD, path, mode)
        })
    }
}
