//! The datasets: records of the service as record batches, and how far they were read.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use connector_api::batch::{ArrowBatch, PREFERRED_ROWS};
use connector_api::message::{CollectMode, DatasetStatus, DatasetSummary};
use connector_api::{Error, ErrorKind, Host, Sink};

use crate::service::{self, LICENSES};
use crate::settings::Settings;

/// What the datasets of one run share.
pub(crate) struct Reading<'a> {
    pub(crate) host: &'a Host,
    pub(crate) settings: &'a Settings,
    pub(crate) mode: CollectMode,
    /// The run before stopped midway, and this one goes on.
    pub(crate) resume: bool,
    /// Batches this run may still read.
    pub(crate) allowance: Option<u64>,
}

impl Reading<'_> {
    /// Before each batch: a cancelled run stops, and so does one whose allowance is used up.
    fn next(&mut self) -> Result<(), Error> {
        self.host.stop_if_cancelled()?;
        if !self.settings.pause.is_zero() {
            self.host.sleep(self.settings.pause)?;
        }
        match &mut self.allowance {
            Some(0) => Err(Error::new(ErrorKind::RATE_LIMITED, "the allowance is used up")
                .with_hint("the next run goes on after the last record")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Reads one dataset.
    pub(crate) fn read(&mut self, dataset: &str, sink: &mut Sink) -> Result<DatasetSummary, Error> {
        match dataset {
            "license" => self.license(sink),
            "person" => self.person(sink),
            "event" => self.event(sink),
            "badge" => Ok(summary("badge", 0, CollectMode::Full, None)),
            _ => Err(Error::unsupported(format_args!("there is no dataset `{dataset}`"))),
        }
    }

    fn license(&mut self, sink: &mut Sink) -> Result<DatasetSummary, Error> {
        self.next()?;
        let names: ArrayRef = Arc::new(StringArray::from_iter_values(LICENSES.map(|l| l.0)));
        let seats: ArrayRef = Arc::new(Int64Array::from_iter(LICENSES.map(|license| license.1)));
        sink.batch("license", batch([("Name", names), ("Seats", seats)])?)?;
        Ok(summary("license", LICENSES.len() as u64, CollectMode::Full, None))
    }

    /// Read whole, and gone on with where a run stopped: the state is the last id.
    fn person(&mut self, sink: &mut Sink) -> Result<DatasetSummary, Error> {
        let total = self.settings.people;
        let state = if self.resume { self.host.checkpoint("person")? } else { None };
        let mut next = state.as_deref().and_then(service::number).map_or(0, |last| last + 1);
        let first = next;
        while next < total {
            self.next()?;
            let end = total.min(next + PREFERRED_ROWS as u64);
            sink.batch("person", people(next..end)?)?;
            sink.checkpoint("person", &service::id(end - 1))?;
            next = end;
            self.host.progress("person", next, Some(total));
        }
        let summary = summary("person", next - first, CollectMode::Full, None);
        Ok(DatasetSummary { expected: Some(total - first), ..summary })
    }

    /// Only added to, so a run by changes reads what came after the last number.
    fn event(&mut self, sink: &mut Sink) -> Result<DatasetSummary, Error> {
        let total = self.settings.events;
        let goes_on = self.resume || self.mode == CollectMode::Incremental;
        let state = if goes_on { self.host.checkpoint("event")? } else { None };
        let known = state.as_deref().and_then(|state| state.parse().ok());
        let first: u64 = known.unwrap_or(0).min(total);
        let mode = match (self.mode, known) {
            (CollectMode::Incremental, Some(_)) => CollectMode::Incremental,
            _ => CollectMode::Full,
        };
        let mut next = first;
        while next < total {
            self.next()?;
            let end = total.min(next + PREFERRED_ROWS as u64);
            sink.batch("event", events(next..end)?)?;
            next = end;
            sink.checkpoint("event", &next.to_string())?;
        }
        Ok(summary("event", next - first, mode, Some(total)))
    }
}

fn summary(dataset: &str, rows: u64, mode: CollectMode, total: Option<u64>) -> DatasetSummary {
    DatasetSummary {
        rows,
        mode: Some(mode),
        total,
        ..DatasetSummary::new(dataset, DatasetStatus::Complete)
    }
}

fn people(numbers: std::ops::Range<u64>) -> Result<ArrowBatch, Error> {
    let people: Vec<service::Person> = numbers.map(service::person).collect();
    let created = people.iter().map(|person| person.created_ms);
    batch([
        ("Id", Arc::new(StringArray::from_iter_values(people.iter().map(|p| &p.id))) as ArrayRef),
        ("Name", Arc::new(StringArray::from_iter(people.iter().map(|p| p.name.as_deref())))),
        ("IsActive", Arc::new(BooleanArray::from_iter(people.iter().map(|p| Some(p.active))))),
        ("License.Name", Arc::new(StringArray::from_iter_values(people.iter().map(|p| p.license)))),
        ("Logins", Arc::new(Int64Array::from_iter(people.iter().map(|p| p.logins)))),
        ("Score", Arc::new(Float64Array::from_iter(people.iter().map(|p| p.score)))),
        ("CreatedAt", instants(created)),
        ("LeftOn", Arc::new(Date32Array::from_iter(people.iter().map(|p| p.left_on)))),
    ])
}

fn events(numbers: std::ops::Range<u64>) -> Result<ArrowBatch, Error> {
    let at = instants(numbers.clone().map(service::event_ms));
    let numbers = numbers.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    batch([("Number", Arc::new(Int64Array::from_iter_values(numbers)) as ArrayRef), ("At", at)])
}

fn instants(ms: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from_iter_values(ms).with_timezone("+00:00"))
}

fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> Result<ArrowBatch, Error> {
    // Every column can hold nulls, whether or not this batch has some.
    let columns = columns.map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns)
        .map_err(|error| Error::new(ErrorKind::OTHER, error))?;
    ArrowBatch::from_record_batch(batch)
}
