//! The host on a disk that fails: started with the library `failing-io` before it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::host::{NAME, library};

/// A run short enough to be tried with every call of it going wrong.
pub(crate) const RUN: [&str; 6] = [
    "--json",
    "collect",
    NAME,
    "--dataset=organization",
    "--dataset=user",
    "--dataset=user_license",
];

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// As the library takes it.
    pub(crate) what: &'static str,
    /// From then on, not once.
    pub(crate) sticky: bool,
    /// The host's message contains one of these if the fault made it fail.
    pub(crate) says: &'static [&'static str],
}

/// The disk is full.
pub(crate) const FULL: Fault =
    Fault { what: "28", sticky: true, says: &["no space left", "may be full"] };
/// One call is refused by the device.
pub(crate) const BROKEN: Fault = Fault {
    what: "5",
    sticky: false,
    says: &["i/o error", "input/output error", "may be full, read-only or failing"],
};
/// A signal came in between.
pub(crate) const INTERRUPTED: Fault = Fault {
    what: "4",
    sticky: false,
    says: &["i/o error", "interrupted", "may be full, read-only or failing"],
};
/// Half of it was written, and said so.
pub(crate) const SHORT: Fault = Fault { what: "short", sticky: false, says: &[] };
/// The file system was made read-only.
pub(crate) const READ_ONLY: Fault = Fault { what: "30", sticky: true, says: &["read-only"] };
/// Nothing was written, and success was said: as if the host ignored an error. The control.
pub(crate) const IGNORED: Fault = Fault { what: "lie", sticky: false, says: &[] };

/// Half was written when the process was killed.
pub(crate) const KILLED: Fault = Fault { what: "kill", sticky: false, says: &[] };

/// Puts the library before a command of the host; calls on files below `under` count.
pub(crate) fn watched(command: &mut Command, under: &Path, notes: &Path) {
    command
        .env("LD_PRELOAD", library("failing_io"))
        .env("FAILING_IO_UNDER", under)
        .env("FAILING_IO_NOTES", notes);
}

/// Lets the call of that number go wrong.
pub(crate) fn fails(command: &mut Command, at: u64, fault: Fault) {
    command.env("FAILING_IO_AT", at.to_string()).env("FAILING_IO_FAULT", fault.what);
    if fault.sticky {
        command.env("FAILING_IO_STICKY", "1");
    }
}

/// One call that the library noted; the shape is described there.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) operation: String,
    pub(crate) inode: u64,
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

/// Everything that was noted in that file, in order.
pub(crate) fn notes(file: &Path) -> Vec<Note> {
    let all = std::fs::read(file).unwrap_or_default();
    let (mut rest, mut notes) = (&all[..], Vec::new());
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        let mut words = line.splitn(5, ' ');
        let mut word = || words.next().expect("five words").to_owned();
        let (operation, inode, number, length, path) = (word(), word(), word(), word(), word());
        let length: usize = length.parse().expect("a length");
        notes.push(Note {
            operation,
            inode: inode.parse().expect("an inode"),
            number: number.parse().expect("a number"),
            path: path.into(),
            bytes: rest[end + 1..][..length].to_vec(),
        });
        rest = &rest[end + 1 + length..];
    }
    notes
}
