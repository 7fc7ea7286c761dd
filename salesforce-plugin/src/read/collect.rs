//! One collection: the datasets, a few at a time, into the sink.
//!
//! Readers run in threads that end with the call; one channel brings their batches to the sink, whose
//! back-pressure reaches them through its bound.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow_array::RecordBatch;
use connector_api::batch::ArrowBatch;
use connector_api::message::{
    CollectMode, CollectRequest, CollectSummary, DatasetStatus, DatasetSummary,
};
use connector_api::{Error, ErrorKind, Host, Sink};

use crate::client::api_error::ApiError;
use crate::client::describe::Catalogue;
use crate::client::session::Session;
use crate::dataset::{CATALOGUE, Dataset};
use crate::read::access::Access;
use crate::read::context::{Context, Output, summary};
use crate::read::estimate::{Counts, Estimate, estimate};
use crate::read::parents::Parents;
use crate::read::pseudonym::Pseudonyms;
use crate::read::reader::read;

/// Datasets read at the same time: far below the platform's limit of 5 to 25 long requests.
const READERS: usize = 3;
/// Batches in transit.
const CHANNEL_BATCHES: usize = 4;

/// Collects what the request names.
///
/// # Errors
/// [`ErrorKind::UNSUPPORTED`] for an unknown dataset, and what fails before the first dataset.
pub(crate) fn collect(
    session: &Session,
    request: &CollectRequest,
    sink: &mut Sink,
) -> Result<CollectSummary, Error> {
    let wanted = wanted(&request.datasets)?;
    let selection = &session.settings().selection;
    let asked = |dataset: &Dataset| request.datasets.iter().any(|name| name == dataset.name);
    let chosen: Vec<&'static Dataset> = wanted
        .iter()
        .copied()
        .filter(|dataset| {
            selection.reads(dataset) || asked(dataset) && !selection.rules_out(dataset)
        })
        .collect();
    // An optional dataset that nobody asked for is not worth a word.
    let listed: Vec<&'static Dataset> = wanted
        .iter()
        .copied()
        .filter(|dataset| {
            dataset.by_default
                || asked(dataset)
                || chosen.iter().any(|chosen| chosen.name == dataset.name)
        })
        .collect();
    session.budget().hold_to(selection);
    let catalogue = Catalogue::open(session).map_err(ApiError::into_error)?;
    let access = Access::probe(session, catalogue.version).map_err(ApiError::into_error)?;
    let pseudonyms =
        selection.pseudonymize.then(|| Pseudonyms::open(session.host())).transpose()?;
    // A run by changes reads what is small whole, and what is large not at all.
    let counts = match request.mode {
        CollectMode::Full => Counts::ask(session, catalogue.version, &chosen)?,
        CollectMode::Incremental => Counts::default(),
    };
    if request.mode == CollectMode::Full {
        let estimate = estimate(&chosen, &counts, selection, session.budget().allowance());
        tell(session.host(), &estimate);
    }
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0));
    let parents = Parents::among(&chosen);
    let context = Context {
        session,
        catalogue: &catalogue,
        access: &access,
        pseudonyms: pseudonyms.as_ref(),
        counts: &counts,
        parents: &parents,
        mode: request.mode,
        resume: request.resume,
        now_ms,
    };

    let queue = Mutex::new(VecDeque::from(chosen.clone()));
    let stop = AtomicBool::new(false);
    let (sender, receiver) = sync_channel(CHANNEL_BATCHES);
    let (done, delivered, error) = thread::scope(|scope| {
        for _ in 0..READERS.min(chosen.len()) {
            let sender = sender.clone();
            let (context, queue, stop) = (&context, &queue, &stop);
            scope.spawn(move || read_queue(context, queue, stop, sender));
        }
        drop(sender);
        deliver(receiver, sink, &stop)
    });
    Ok(CollectSummary {
        datasets: in_order(&listed, &chosen, done, &delivered, error.as_ref()),
        api_calls: session.api_calls(),
        error,
    })
}

/// What the run will cost, for the person who watches.
fn tell(host: &Host, estimate: &Estimate) {
    let available = estimate
        .available
        .map_or_else(String::new, |available| format!(" of {available} that this run may use"));
    host.notice(&format!("the run needs about {} API requests{available}", estimate.requests));
    if estimate.available.is_some_and(|available| available < estimate.requests) {
        log::warn!(
            "the run will probably pause before its end: {} API requests are needed, {} may be used",
            estimate.requests,
            estimate.available.unwrap_or(0)
        );
    }
}

/// Estimates a whole reading, as JSON.
///
/// # Errors
/// What keeps the org from being asked.
pub(crate) fn estimate_json(session: &Session) -> Result<String, Error> {
    let selection = &session.settings().selection;
    let chosen: Vec<&'static Dataset> =
        CATALOGUE.iter().copied().filter(|dataset| selection.reads(dataset)).collect();
    session.budget().hold_to(selection);
    let catalogue = Catalogue::open(session).map_err(ApiError::into_error)?;
    let counts = Counts::ask(session, catalogue.version, &chosen)?;
    let estimate = estimate(&chosen, &counts, selection, session.budget().allowance());
    serde_json::to_string(&estimate).map_err(|error| Error::new(ErrorKind::OTHER, error))
}

fn wanted(names: &[String]) -> Result<Vec<&'static Dataset>, Error> {
    if names.is_empty() {
        return Ok(CATALOGUE.to_vec());
    }
    if let Some(unknown) =
        names.iter().find(|name| !CATALOGUE.iter().any(|dataset| dataset.name == **name))
    {
        let known: Vec<&str> = CATALOGUE.iter().map(|dataset| dataset.name).collect();
        return Err(Error::unsupported(format_args!("there is no dataset `{unknown}`"))
            .with_hint(format_args!("choose from {}", known.join(", "))));
    }
    Ok(CATALOGUE
        .iter()
        .copied()
        .filter(|dataset| names.iter().any(|name| name == dataset.name))
        .collect())
}

enum Message {
    Batch {
        dataset: &'static str,
        batch: RecordBatch,
        state: String,
    },
    State {
        dataset: &'static str,
        state: String,
    },
    Done(DatasetSummary),
    /// The run cannot go on.
    Stop(Error),
}

/// A reader thread: one dataset after the other, until none is left or the run stops.
fn read_queue(
    context: &Context<'_>,
    queue: &Mutex<VecDeque<&'static Dataset>>,
    stop: &AtomicBool,
    sender: SyncSender<Message>,
) {
    let mut output = Channel { sender, stop };
    while !stop.load(Ordering::Acquire) {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(dataset) = next else { return };
        // A panic in a reader thread becomes the run's error, not a lost dataset.
        let result =
            connector_api::guard::catch(dataset.name, || read(context, dataset, &mut output));
        context.parents.end(dataset.name, result.as_ref().ok());
        let message = match result {
            Ok(summary) => Message::Done(summary),
            Err(error) => Message::Stop(error),
        };
        if output.sender.send(message).is_err() {
            return;
        }
    }
}

struct Channel<'a> {
    sender: SyncSender<Message>,
    stop: &'a AtomicBool,
}

impl Output for Channel<'_> {
    fn batch(
        &mut self,
        dataset: &'static str,
        batch: RecordBatch,
        state: String,
    ) -> Result<(), Error> {
        if self.stop.load(Ordering::Acquire) {
            return Err(Error::cancelled());
        }
        self.sender.send(Message::Batch { dataset, batch, state }).map_err(|_| Error::cancelled())
    }

    fn state(&mut self, dataset: &'static str, state: String) -> Result<(), Error> {
        self.sender.send(Message::State { dataset, state }).map_err(|_| Error::cancelled())
    }
}

/// Records that the sink took, by dataset.
type Delivered = HashMap<&'static str, u64>;

/// Takes messages until every reader ended. The first failure stops the readers; what they had under
/// way is dropped, so that nothing is stored behind a failure.
fn deliver(
    receiver: Receiver<Message>,
    sink: &mut Sink,
    stop: &AtomicBool,
) -> (Vec<DatasetSummary>, Delivered, Option<Error>) {
    let mut done = Vec::new();
    let mut delivered = Delivered::new();
    let mut failure = None;
    for message in receiver {
        if failure.is_some() {
            continue;
        }
        let result = match message {
            Message::Batch { dataset, batch, state } => {
                let rows = batch.num_rows() as u64;
                ArrowBatch::from_record_batch(batch)
                    .and_then(|batch| sink.batch(dataset, batch))
                    .map(|()| *delivered.entry(dataset).or_default() += rows)
                    .and_then(|()| sink.checkpoint(dataset, &state))
            }
            Message::State { dataset, state } => sink.checkpoint(dataset, &state),
            Message::Done(summary) => {
                done.push(summary);
                Ok(())
            }
            Message::Stop(error) => Err(error),
        };
        if let Err(error) = result {
            stop.store(true, Ordering::Release);
            failure = Some(error);
        }
    }
    (done, delivered, failure)
}

/// Summaries in the catalogue's order; a dataset the run did not reach says so.
fn in_order(
    wanted: &[&'static Dataset],
    chosen: &[&'static Dataset],
    mut done: Vec<DatasetSummary>,
    delivered: &Delivered,
    error: Option<&Error>,
) -> Vec<DatasetSummary> {
    let why = match error {
        Some(error) if error.kind == ErrorKind::CANCELLED => {
            "the run was cancelled before it was read whole"
        }
        _ => "the run ended before it was read whole",
    };
    wanted
        .iter()
        .map(|dataset| match done.iter().position(|summary| summary.dataset == dataset.name) {
            Some(at) => done.swap_remove(at),
            None if !chosen.iter().any(|chosen| chosen.name == dataset.name) => {
                let why = if dataset.by_default {
                    "left out by the setting `datasets`"
                } else {
                    "not read unless the setting `datasets` names it"
                };
                summary(dataset, DatasetStatus::Absent, why.to_owned())
            }
            None => DatasetSummary {
                rows: delivered.get(dataset.name).copied().unwrap_or(0),
                ..summary(dataset, DatasetStatus::Failed, why.to_owned())
            },
        })
        .collect()
}
