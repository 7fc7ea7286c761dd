//! Notes of what a program wrote, in the order in which it was done.
//!
//! Each note is one line and, after it, as many bytes as it says:
//! `OPERATION INODE NUMBER LENGTH PATH\n`, where the path is the rest of the line. Operations:
//! `create` (a file that was not there), `write` (NUMBER is the offset, the bytes are the data),
//! `truncate` (NUMBER is the new length), `sync`, `rename` and `link` (the bytes are the new path),
//! `unlink`, `mkdir`, `fault` (NUMBER is which call went wrong). A `sync` of a folder is one of its
//! entries.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;

/// One note.
pub(crate) struct Note<'a> {
    pub(crate) operation: &'static str,
    pub(crate) inode: u64,
    pub(crate) number: u64,
    pub(crate) path: &'a Path,
    pub(crate) bytes: &'a [u8],
}

static FILE: OnceLock<Option<i64>> = OnceLock::new();

/// Notes a call that was done, if notes are wanted. The program continues only when it is noted.
pub(crate) fn note(note: &Note<'_>) {
    let Some(fd) = *FILE.get_or_init(open) else { return };
    let mut text =
        format!("{} {} {} {} ", note.operation, note.inode, note.number, note.bytes.len())
            .into_bytes();
    text.extend_from_slice(note.path.as_os_str().as_bytes());
    text.push(b'\n');
    text.extend_from_slice(note.bytes);
    // SAFETY: the buffer is as long as it is said to be. One call with O_APPEND is one whole note.
    unsafe { libc::syscall(libc::SYS_write, fd, text.as_ptr(), text.len()) };
}

/// Notes that a call went wrong as planned.
pub(crate) fn fault(number: u64) {
    note(&Note { operation: "fault", inode: 0, number, path: Path::new(""), bytes: &[] });
}

fn open() -> Option<i64> {
    let mut path = std::env::var_os("FAILING_IO_NOTES")?.as_bytes().to_owned();
    path.push(0);
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
    // SAFETY: the path ends with a zero byte.
    let fd =
        unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o600) };
    (fd >= 0).then_some(fd)
}
