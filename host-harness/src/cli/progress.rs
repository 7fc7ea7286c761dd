//! Progress of a run: bars on a terminal, now and then a line elsewhere; both say when a dataset will
//! be finished.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use chrono::{DateTime, Local};
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use parking_lot::Mutex;

use super::{Reporter, bars};
use crate::redact;
use crate::services::Watcher;

/// Shows the progress of one run until dropped.
pub(crate) struct Progress {
    reporter: Reporter,
    bars: Option<MultiProgress>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bars: BTreeMap<String, ProgressBar>,
    lines: BTreeMap<String, Lines>,
}

/// What was printed about a dataset without a terminal.
struct Lines {
    /// When it began, and how many records it had then.
    began: (Instant, u64),
    /// When its last line was printed.
    said: Option<Instant>,
    at_end: bool,
}

/// Interval between two lines about a dataset, without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

impl Progress {
    pub(crate) fn new(reporter: Reporter) -> Progress {
        let bars =
            (!reporter.is_quiet() && std::io::stderr().is_terminal()).then(MultiProgress::new);
        bars::show(bars.clone());
        Progress { reporter, bars, state: Mutex::default() }
    }

    /// Takes the bars off the screen.
    pub(crate) fn clear(&self) {
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
        bars::show(None);
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
        let mut state = self.state.lock();
        let name = redact::shown(dataset);
        match &self.bars {
            Some(bars) => show(bars, &mut state.bars, name, rows, expected),
            None => {
                if let Some(line) = line(&mut state.lines, name, rows, expected, Instant::now()) {
                    self.reporter.note(&line);
                }
            }
        }
    }
}

fn show(
    all: &MultiProgress,
    bars: &mut BTreeMap<String, ProgressBar>,
    name: String,
    rows: u64,
    expected: Option<u64>,
) {
    let bar = bars.entry(name.clone()).or_insert_with(|| {
        let bar = all.add(ProgressBar::no_length().with_message(name));
        bar.set_style(style(UNBOUNDED));
        bar
    });
    // How many there are is known only once the dataset has begun.
    if let Some(expected) = expected {
        if bar.length().is_none() {
            bar.set_style(style(BOUNDED));
        }
        bar.set_length(expected);
    }
    bar.set_position(rows);
}

const BOUNDED: &str = "{msg:32} {bar:20} {human_pos:>10} of {human_len:10} {ends}";
const UNBOUNDED: &str = "{msg:32} {spinner} {human_pos:>10}";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("ends", |state: &ProgressState, to: &mut dyn std::fmt::Write| {
            let under_way =
                state.pos() > 0 && state.len().is_some_and(|length| state.pos() < length);
            if under_way {
                let _ = to.write_str(&ends(state.eta(), Local::now()));
            }
        })
}

/// What there is to say now, if anything.
fn line(
    lines: &mut BTreeMap<String, Lines>,
    name: String,
    rows: u64,
    expected: Option<u64>,
    now: Instant,
) -> Option<String> {
    let of = expected.map_or_else(String::new, |expected| format!(" of {expected}"));
    let mut text = format!("{name}: {rows}{of} rows");
    let known =
        lines.entry(name).or_insert(Lines { began: (now, rows), said: None, at_end: false });
    let at_end = expected == Some(rows);
    let due = known.said.is_none_or(|said| now.duration_since(said) >= LINE_EVERY)
        || at_end && !known.at_end;
    if !due || rows == 0 {
        return None;
    }
    (known.said, known.at_end) = (Some(now), at_end);
    let (began, first) = known.began;
    if let Some(left) = expected.and_then(|expected| expected.checked_sub(rows)).filter(|n| *n > 0)
        && let Some(read) = rows.checked_sub(first).filter(|n| *n > 0)
    {
        let rate = now.duration_since(began).as_secs_f64() / read as f64;
        let left = Duration::try_from_secs_f64(rate * left as f64).unwrap_or(Duration::MAX);
        text.push_str(&format!(", {}", ends(left, Local::now())));
    }
    Some(text)
}

/// When a dataset will be read to its end at its present speed.
fn ends(left: Duration, now: DateTime<Local>) -> String {
    let end = chrono::Duration::from_std(left).ok().and_then(|left| now.checked_add_signed(left));
    match end {
        Some(end) if left < Duration::from_secs(86_400) => {
            format!("ends at {} (in {})", end.format("%H:%M"), HumanDuration(left))
        }
        Some(end) => format!("ends on {}", end.format("%Y-%m-%d %H:%M")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use indicatif::{InMemoryTerm, ProgressDrawTarget};

    use super::*;

    #[test]
    fn on_a_terminal_a_dataset_shows_its_total_and_when_it_ends() {
        let terminal = InMemoryTerm::new(10, 120);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let (all, mut bars) = (MultiProgress::with_draw_target(target), BTreeMap::new());
        show(&all, &mut bars, "user".into(), 0, None);
        show(&all, &mut bars, "user".into(), 2_000, Some(9_000));
        bars["user"].tick();
        let shown = terminal.contents();
        assert!(shown.contains("2,000 of 9,000") && shown.contains("ends at"), "{shown}");
        show(&all, &mut bars, "user".into(), 9_000, Some(9_000));
        bars["user"].tick();
        let shown = terminal.contents();
        assert!(shown.contains("9,000 of 9,000") && !shown.contains("ends"), "{shown}");
    }

    #[test]
    fn without_a_terminal_a_line_now_and_then_says_so() {
        let (mut lines, began) = (BTreeMap::new(), Instant::now());
        let mut at = |s: u64, rows, expected| {
            line(&mut lines, "user".into(), rows, expected, began + Duration::from_secs(s))
        };
        assert_eq!(at(0, 0, None), None);
        let first = at(10, 2_000, Some(10_000)).unwrap();
        assert!(first.starts_with("user: 2000 of 10000 rows, ends at "), "{first}");
        assert!(first.ends_with("(in 40 seconds)"), "{first}");
        assert_eq!(at(12, 4_000, Some(10_000)), None, "not so soon again");
        assert!(at(20, 8_000, Some(10_000)).unwrap().ends_with("(in 5 seconds)"));
        assert_eq!(at(22, 10_000, Some(10_000)).unwrap(), "user: 10000 of 10000 rows");
        assert_eq!(at(23, 10_000, Some(10_000)), None, "the end is said once");
    }

    #[test]
    fn an_end_that_is_far_away_names_its_day() {
        let now = Local::now();
        assert!(ends(Duration::from_secs(90_000), now).starts_with("ends on "));
        assert_eq!(ends(Duration::MAX, now), "");
    }
}
