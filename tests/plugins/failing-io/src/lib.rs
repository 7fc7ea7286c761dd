//! Comes between a program and the disk when it is named in `LD_PRELOAD` (Linux, glibc): counts what
//! the program writes below one folder, makes the n-th of these calls fail, and can note all of them.
//! Everything else passes untouched. Settings, from the environment:
//!
//! | variable | meaning |
//! |---|---|
//! | `FAILING_IO_UNDER` | the folder; without it nothing is counted |
//! | `FAILING_IO_AT` | which call goes wrong, from 1; without it none does |
//! | `FAILING_IO_FAULT` | what happens to it: the number of an `errno`, `short` (half is written), `lie` (nothing is done, success is said) or `kill` (half is written, then the process ends by SIGKILL) |
//! | `FAILING_IO_STICKY` | every later call goes wrong in the same way, too; with `ENOSPC` what takes no space works |
//! | `FAILING_IO_NOTES` | a file outside the folder that every counted call is noted in, see [`note`] |
//!
//! Counted are `write`, `pwrite`, `writev`, `fsync`, `fdatasync`, `ftruncate`, `open` for writing,
//! `rename`, `link`, `unlink` and `mkdir`. What reaches the kernel without the C library (`renameat2`
//! of the crate `tempfile`) and what is written through mapped memory is not seen.
#![cfg(target_os = "linux")]
#![expect(
    clippy::missing_safety_doc,
    reason = "each function has the contract of its namesake in C"
)]

mod calls;
mod note;
mod plan;

pub use calls::*;
