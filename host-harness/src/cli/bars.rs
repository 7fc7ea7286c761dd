//! The progress bars on the terminal, so that other lines can be written above them.

use indicatif::MultiProgress;
use parking_lot::Mutex;

static BARS: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Names the bars that are on the screen, if any.
pub(crate) fn show(bars: Option<MultiProgress>) {
    *BARS.lock() = bars;
}

/// Writes to standard error above the bars, if there are any.
pub(crate) fn above(write: impl FnOnce()) {
    let bars = BARS.lock().clone();
    match bars {
        Some(bars) => bars.suspend(write),
        None => write(),
    }
}
