//! A connector in a process of its own: the same program, which talks to the host over its standard
//! input and output. What kills it costs one run.
//!
//! The worker has no sealing key, no store and no environment; it asks the host for what a connector
//! may ask for, one secret at a time. Its memory, processor time and open files are limited, it can
//! write no file and gain no rights. What it says is checked as if it came from a stranger.
//!
//! ```text
//!  host                                       worker
//!  start: library, its SHA-256, limits  ────► loads it, makes an instance
//!                                       ◄──── done: ready
//!  operate, collect                     ────► runs one operation of the instance
//!  answers, cancel                      ────► services as the connector knows them
//!                                       ◄──── calls, log, progress, journal, record batches (Arrow IPC)
//!                                       ◄──── done: the result
//!  end                                  ────► drops the instance and exits
//! ```

mod child;
mod frame;
mod parent;
mod process;

use std::collections::BTreeMap;
use std::time::Duration;

use connector_api::Error;
use connector_api::message::JournalEntry;
use serde::{Deserialize, Serialize};

pub use child::run;
pub(crate) use parent::{Isolated, how_it_ended, program};

/// What a worker may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Address space.
    pub memory_mib: u64,
    /// Processor time.
    pub cpu_s: u64,
    /// Open files and connections.
    pub files: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { memory_mib: 1_024, cpu_s: 6 * 3_600, files: 256 }
    }
}

/// The first message to a worker.
#[derive(Debug, Serialize, Deserialize)]
struct Start {
    library: std::path::PathBuf,
    /// The library's SHA-256; another file is not loaded.
    digest: String,
    /// Most detailed log level.
    log_level: log::LevelFilter,
    limits: Limits,
    job: Job,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Job {
    /// Say what the library is, and exit.
    Describe,
    /// Make an instance and run its operations.
    Operate,
}

/// From the host to the worker.
#[derive(Debug, Serialize, Deserialize)]
enum ToWorker {
    Start(Box<Start>),
    Operate { operation: String, json: String },
    Collect { request: String },
    End,
    Reply { id: u32, result: Result<Answer, Error> },
    Cancel,
}

/// The answer to a call.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Nothing,
    Text(Option<String>),
    Number(u64),
}

/// From the worker to the host. Record batches travel in frames of their own kind.
#[derive(Debug, Serialize, Deserialize)]
enum ToHost {
    /// It is at work, although it has nothing to say.
    Sign,
    Log {
        level: log::Level,
        target: String,
        message: String,
    },
    Progress {
        dataset: String,
        rows: u64,
        expected: Option<u64>,
    },
    Journal {
        entry: JournalEntry,
    },
    LeaseRelease {
        name: String,
        lease: u64,
    },
    Call {
        id: u32,
        call: Call,
    },
    Done {
        result: Result<String, Error>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
enum Call {
    SecretGet { name: String },
    SecretPut { name: String, value: Option<String> },
    LeaseAcquire { name: String, ttl: Duration },
    Checkpoint { dataset: String },
    KeepCheckpoint { dataset: String, state: String },
    Extension { id: String, json: String },
}

/// The environment of a worker: nothing of the host's.
fn environment() -> BTreeMap<&'static str, std::ffi::OsString> {
    // Each arena of the allocator takes address space, which is limited.
    let mut environment = BTreeMap::from([("MALLOC_ARENA_MAX", "2".into())]);
    if cfg!(windows)
        && let Some(root) = std::env::var_os("SystemRoot")
    {
        environment.insert("SystemRoot", root);
    }
    environment
}
