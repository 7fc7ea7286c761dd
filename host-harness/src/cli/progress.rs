//! Progress of a run: bars on a terminal, now and then a line elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Reporter;
use crate::redact;
use crate::services::Watcher;

/// The bars on screen, so that other lines can be written above them.
static BARS: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Writes to standard error above the bars, if there are any.
pub(crate) fn above(write: impl FnOnce()) {
    let bars = BARS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match bars {
        Some(bars) => bars.suspend(write),
        None => write(),
    }
}

/// Shows the progress of one run until dropped.
pub(crate) struct Progress {
    reporter: Reporter,
    bars: Option<MultiProgress>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bars: BTreeMap<String, ProgressBar>,
    /// When a dataset was last spoken of, and whether it was at its end.
    said: BTreeMap<String, (Instant, bool)>,
}

/// Without a terminal, a dataset says how far it is so often.
const LINE_EVERY: Duration = Duration::from_secs(10);

impl Progress {
    pub(crate) fn new(reporter: Reporter) -> Progress {
        let bars =
            (!reporter.is_quiet() && std::io::stderr().is_terminal()).then(MultiProgress::new);
        *BARS.lock().unwrap_or_else(PoisonError::into_inner) = bars.clone();
        Progress { reporter, bars, state: Mutex::default() }
    }

    /// Takes the bars off the screen.
    pub(crate) fn clear(&self) {
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
        *BARS.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Watcher for Progress {
    fn notice(&self, text: &str) {
        self.reporter.note(&redact::shown(text));
    }

    fn progress(&self, dataset: &str, rows: u64, expected: Option<u64>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let name = redact::shown(dataset);
        let Some(bars) = &self.bars else {
            let now = Instant::now();
            let at_end = expected == Some(rows);
            let due = state.said.get(&name).is_none_or(|(last, was_at_end)| {
                now.duration_since(*last) >= LINE_EVERY || at_end && !was_at_end
            });
            if due && rows > 0 {
                let of = expected.map_or_else(String::new, |expected| format!(" of {expected}"));
                self.reporter.note(&format!("{name}: {rows}{of} rows"));
                state.said.insert(name, (now, at_end));
            }
            return;
        };
        let bar = state.bars.entry(name.clone()).or_insert_with(|| {
            let bar = bars.add(ProgressBar::no_length().with_message(name));
            bar.set_style(style(expected.is_some()));
            bar
        });
        if let Some(expected) = expected {
            bar.set_length(expected);
        }
        bar.set_position(rows);
    }
}

fn style(bounded: bool) -> ProgressStyle {
    let template = if bounded {
        "{msg:32} {bar:30} {human_pos:>10} of {human_len}"
    } else {
        "{msg:32} {spinner} {human_pos:>10}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
