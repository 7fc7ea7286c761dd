//! The results of a query job, by parts side by side where the org names its parts (API 58 on), and
//! one set after the other where it does not.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use arrow_array::RecordBatch;
use connector_api::{ErrorKind, guard};

use crate::client::api_error::ApiError;
use crate::read::bulk::jobs::{Job, Jobs, Parts};
use crate::read::page::Unread;

/// Results of so many records are read by parts.
const PARTS_FROM: u64 = 10_000;
/// Parts read at the same time; with the datasets that are, they stay below what an org lets run.
const SIDE_BY_SIDE: usize = 2;
/// Batches in transit.
const CHANNEL_BATCHES: usize = 2;
/// More sets than any result has: a chain that leads on for ever ends here.
const MOST_SETS: u32 = 20_000;

/// Takes records and those of their values that could not be read.
type Deliver<'a> = &'a mut dyn FnMut(RecordBatch, Vec<Unread>) -> Result<(), ApiError>;

/// Hands over all results. Answers why there may be more, if so.
///
/// # Errors
/// What ends the run or the dataset; the batches before it were handed over.
pub(crate) fn read(
    jobs: &(dyn Jobs + Sync),
    job: &Job,
    mut take: impl FnMut(RecordBatch, Vec<Unread>) -> Result<(), ApiError>,
) -> Result<Option<String>, ApiError> {
    if job.number_records_processed.is_none_or(|count| count >= PARTS_FROM) {
        match jobs.parts(&job.id, None) {
            Ok(first) => return read_parts(jobs, job, first, &mut take),
            Err(error @ (ApiError::Refused(_) | ApiError::Malformed(_))) => {
                log::info!("the parts of a result are not named: {}", error.into_error());
            }
            Err(error) => return Err(error),
        }
    }
    read_sets(jobs, job, &mut take)
}

fn read_sets(jobs: &dyn Jobs, job: &Job, take: Deliver<'_>) -> Result<Option<String>, ApiError> {
    let mut locator: Option<String> = None;
    let mut seen = HashSet::new();
    for _ in 0..MOST_SETS {
        let mut failure = None;
        let read = jobs.set(&job.id, locator.as_deref(), &mut |batch, unread| {
            failure = take(batch, unread).err();
            failure.is_none()
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        match read? {
            None => return Ok(None),
            Some(next) if seen.insert(next.clone()) => locator = Some(next),
            Some(_) => return Ok(Some("the locator of the results leads back".into())),
        }
    }
    Ok(Some("the results have no end".into()))
}

fn read_parts(
    jobs: &(dyn Jobs + Sync),
    job: &Job,
    mut parts: Parts,
    take: Deliver<'_>,
) -> Result<Option<String>, ApiError> {
    let mut broken: Option<String> = None;
    let mut seen = HashSet::new();
    for _ in 0..MOST_SETS {
        if !parts.paths.iter().chain(&parts.next).all(|path| seen.insert(path.clone())) {
            return Ok(Some("the parts of the results lead back".into()));
        }
        match read_side_by_side(jobs, parts.paths, take) {
            Ok(()) => {}
            Err(error @ (ApiError::Fatal(_) | ApiError::Unreachable(_))) => return Err(error),
            Err(error) => broken = broken.or(Some(error.into_error().message)),
        }
        let Some(next) = parts.next else {
            let more = "the org names no further parts, and says that there are some";
            return Ok(broken.or((!parts.done).then(|| more.into())));
        };
        parts = jobs.parts(&job.id, Some(&next))?;
    }
    Ok(Some("the results have no end".into()))
}

/// Reads these parts; their records come in any order. A part that fails costs itself: the first
/// failure is returned once the others were read.
fn read_side_by_side(
    jobs: &(dyn Jobs + Sync),
    paths: Vec<String>,
    take: Deliver<'_>,
) -> Result<(), ApiError> {
    let readers = SIDE_BY_SIDE.min(paths.len());
    let queue = Mutex::new(VecDeque::from(paths));
    let stop = AtomicBool::new(false);
    let (sender, receiver) = sync_channel(CHANNEL_BATCHES);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..readers)
            .map(|_| {
                let sender = sender.clone();
                let (queue, stop) = (&queue, &stop);
                scope.spawn(move || read_queue(jobs, queue, stop, &sender))
            })
            .collect();
        drop(sender);
        let mut failure = None;
        for (batch, unread) in receiver {
            if failure.is_none()
                && let Err(error) = take(batch, unread)
            {
                stop.store(true, Ordering::Release);
                failure = Some(error);
            }
        }
        let mut ends: Vec<Result<(), ApiError>> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(ApiError::Malformed(String::new()))))
            .collect();
        // A reader that was stopped because another one failed is not the reason.
        ends.sort_by_key(
            |end| matches!(end, Err(ApiError::Fatal(error)) if error.kind == ErrorKind::CANCELLED),
        );
        match failure {
            Some(failure) => Err(failure),
            None => ends.into_iter().collect(),
        }
    })
}

/// One part after the other, until none is left or the run ends.
fn read_queue(
    jobs: &dyn Jobs,
    queue: &Mutex<VecDeque<String>>,
    stop: &AtomicBool,
    sender: &SyncSender<(RecordBatch, Vec<Unread>)>,
) -> Result<(), ApiError> {
    let mut take =
        |batch, unread| !stop.load(Ordering::Acquire) && sender.send((batch, unread)).is_ok();
    let mut failed = Ok(());
    while !stop.load(Ordering::Acquire) {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(path) = next else { break };
        // A panic in a reader becomes the dataset's error, not a lost part.
        let read = guard::catch("a part of a job's results", || Ok(jobs.part(&path, &mut take)));
        match read.unwrap_or_else(|error| Err(error.into())) {
            Ok(()) => {}
            Err(error @ (ApiError::Fatal(_) | ApiError::Unreachable(_))) => {
                stop.store(true, Ordering::Release);
                return Err(error);
            }
            Err(error) => failed = failed.and(Err(error)),
        }
    }
    failed
}
