//! What a process of the host costs, for the benchmarks.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::Duration;

/// Peak resident memory and processor time of a process, read from /proc until it ends: both only
/// grow, so the last reading is at most one interval old.
pub(crate) fn watch(child: &mut Child) -> (f64, f64) {
    let process = Path::new("/proc").join(child.id().to_string());
    let (mut peak_mb, mut cpu_seconds) = (0.0, 0.0);
    while child.try_wait().expect("a status").is_none() {
        if let Some(kb) = peak_kb(&process) {
            peak_mb = kb / 1024.0;
        }
        if let Some(ticks) = cpu_ticks(&process) {
            cpu_seconds = ticks / 100.0; // USER_HZ
        }
        thread::park_timeout(Duration::from_millis(5));
    }
    (peak_mb, cpu_seconds)
}

fn peak_kb(process: &Path) -> Option<f64> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn cpu_ticks(process: &Path) -> Option<f64> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let after_name = stat.rsplit_once(") ")?.1;
    let mut fields = after_name.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

/// Processor time of a process so far.
pub(crate) fn cpu_seconds(child: &Child) -> f64 {
    let process = Path::new("/proc").join(child.id().to_string());
    cpu_ticks(&process).map_or(0.0, |ticks| ticks / 100.0) // USER_HZ
}
