//! What this process uses of its machine.

use std::fs;

/// Memory, threads and open files of this process.
#[derive(Clone, Copy, Debug)]
pub struct Owned {
    /// Memory that is in use and not merely reserved.
    pub memory_bytes: u64,
    /// Threads.
    pub threads: usize,
    /// Open files and connections.
    pub files: usize,
}

/// The present figures; `None` if the system does not provide them.
pub fn owned() -> Option<Owned> {
    let count = |folder: &str| fs::read_dir(folder).ok().map(Iterator::count);
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = resident.split_whitespace().next()?.parse().ok()?;
    Some(Owned {
        memory_bytes: kibibytes << 10,
        threads: count("/proc/self/task")?,
        files: count("/proc/self/fd")?,
    })
}
