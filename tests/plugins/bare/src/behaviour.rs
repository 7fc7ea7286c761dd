//! What it does when it collects.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use connector_api::batch::ArrowBatch;
use connector_api::ffi::abi::{BatchSinkBox, HostBox, PResult, from_wire};
use connector_api::ffi::by_hand::{RErr, ROk, RString};
use connector_api::message::{CollectSummary, ConfigureRequest, DatasetStatus, DatasetSummary};
use connector_api::{Error, ErrorKind};

/// The behaviour that the settings ask for.
pub(super) fn of(request: &str) -> String {
    let request: ConfigureRequest = serde_json::from_str(request).unwrap_or_default();
    request.settings.get("behaviour").cloned().unwrap_or_default()
}

/// - `panic`: a panic that nothing catches
/// - `summary`: a summary that is no JSON
/// - `threads`: hands four batches over from each of two threads
/// - `keep`: goes on to use the sink after it returned, and says what the sink answers in the end
pub(super) fn act(behaviour: &str, host: &HostBox, mut sink: BatchSinkBox) -> PResult<RString> {
    let rows = match behaviour {
        "panic" => panic!("told to panic"),
        "summary" => return ROk("{".into()),
        "threads" => from_two_threads(sink),
        "keep" => {
            let one = hand_over(&mut sink, 0);
            keep(host.clone(), sink);
            one
        }
        _ => hand_over(&mut sink, 0),
    };
    match rows.map(summary) {
        Ok(summary) => ROk(serde_json::to_string(&summary).unwrap_or_default().into()),
        Err(error) => RErr(error.into()),
    }
}

fn summary(rows: u64) -> CollectSummary {
    let thing = DatasetSummary {
        rows,
        expected: Some(rows),
        ..DatasetSummary::new("thing", DatasetStatus::Complete)
    };
    CollectSummary { datasets: vec![thing], ..CollectSummary::default() }
}

/// A batch of one row.
fn hand_over(sink: &mut BatchSinkBox, number: i64) -> Result<u64, Error> {
    let id = Arc::new(StringArray::from(vec![format!("T{number}")])) as ArrayRef;
    let size = Arc::new(Int64Array::from(vec![number])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("Id", id), ("Size", size)])
        .map_err(|error| Error::new(ErrorKind::OTHER, error))?;
    from_wire(sink.batch("thing".into(), ArrowBatch::from_record_batch(batch)?)).map(|()| 1)
}

fn from_two_threads(sink: BatchSinkBox) -> Result<u64, Error> {
    // One call at a time: that is in the sink's type.
    let sink = Mutex::new(sink);
    let four = |from: i64| -> Result<u64, Error> {
        (from..from + 4)
            .map(|n| hand_over(&mut sink.lock().unwrap_or_else(PoisonError::into_inner), n))
            .sum()
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| four(4));
        Ok(four(0)? + other.join().map_err(|_| Error::cancelled())??)
    })
}

static KEPT: Mutex<Option<JoinHandle<()>>> = Mutex::new(None);

unsafe extern "C" {
    fn atexit(callback: extern "C" fn()) -> i32;
}

/// The process does not end before the thread has said its last word.
extern "C" fn wait_for_kept() {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(thread) = kept {
        let _ = thread.join();
    }
}

fn keep(host: HostBox, mut sink: BatchSinkBox) {
    let thread = std::thread::spawn(move || {
        let until = Instant::now() + Duration::from_secs(60);
        let mut answer = Ok(());
        while answer.is_ok() && Instant::now() < until {
            answer = from_wire(sink.checkpoint("thing".into(), "{}".into()));
        }
        let words = format!("the sink answers in the end: {answer:?}");
        host.log(2, "bare".into(), words.as_str().into());
    });
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    // SAFETY: the function is part of this library, which is never unloaded.
    unsafe { atexit(wait_for_kept) };
}
