//! What is to happen to which call.

use std::ffi::{CStr, OsStr, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::note;

/// What happens to one call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Pass,
    Fail(c_int),
    Short,
    Lie,
    Kill,
}

struct Plan {
    under: PathBuf,
    at: u64,
    fault: Fate,
    sticky: bool,
}

static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
static COUNTED: AtomicU64 = AtomicU64::new(0);

fn plan() -> Option<&'static Plan> {
    let read = || {
        let text = |name: &str| std::env::var_os(name);
        let number = |name: &str| text(name)?.to_str()?.parse().ok();
        let fault = match text("FAILING_IO_FAULT").as_deref().and_then(OsStr::to_str) {
            Some("short") => Fate::Short,
            Some("lie") => Fate::Lie,
            Some("kill") => Fate::Kill,
            Some(errno) => Fate::Fail(errno.parse().unwrap_or(libc::EIO)),
            None => Fate::Fail(libc::EIO),
        };
        Some(Plan {
            under: PathBuf::from(text("FAILING_IO_UNDER")?),
            at: number("FAILING_IO_AT").unwrap_or(u64::MAX),
            fault,
            sticky: text("FAILING_IO_STICKY").is_some(),
        })
    };
    PLAN.get_or_init(read).as_ref()
}

/// The path behind a descriptor, if it lies below the folder.
pub(crate) fn of_descriptor(fd: c_int) -> Option<PathBuf> {
    let plan = plan()?;
    let path = std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
    path.starts_with(&plan.under).then_some(path)
}

/// A path given to a call, if it lies below the folder.
///
/// # Safety
/// `path` is a string that ends with a zero byte.
pub(crate) unsafe fn of_path(path: *const libc::c_char) -> Option<PathBuf> {
    let plan = plan()?;
    if path.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    let path = Path::new(OsStr::from_bytes(bytes));
    path.starts_with(&plan.under).then(|| path.to_owned())
}

/// Counts a call and says what happens to it. `adds` is false for what takes no space: it works on a
/// full disk.
pub(crate) fn next(adds: bool) -> Fate {
    let Some(plan) = plan() else { return Fate::Pass };
    let number = COUNTED.fetch_add(1, Ordering::SeqCst) + 1;
    if number != plan.at && !(plan.sticky && number > plan.at) {
        return Fate::Pass;
    }
    note::fault(number);
    if !adds && plan.fault == Fate::Fail(libc::ENOSPC) { Fate::Pass } else { plan.fault }
}
