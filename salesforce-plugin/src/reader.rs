//! Reads one dataset whole, page by page, and says truthfully how that ended.
//!
//! Pages follow the platform's locator. When it dies, is missing, or leads nowhere new, the query
//! starts again after the last record read. At the end the records are compared with the org's count.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{Array, RecordBatch};
use connector_api::Error;
use connector_api::message::{DatasetStatus, DatasetSummary};
use serde::Deserialize;

use crate::access::Access;
use crate::api_error::{ApiError, Refusal};
use crate::dataset::{Dataset, FieldDef, Paging};
use crate::describe::Catalogue;
use crate::page::{Columns, Page};
use crate::session::Session;
use crate::soql::{After, Query, instant, query_path};

/// Restarts without a new record before a dataset counts as incomplete.
const FRUITLESS_RESTARTS: u32 = 3;
/// The largest batch the contract recommends.
const BATCH_ROWS: usize = 8_192;

/// Takes the batches of a dataset, with the state from which it could go on.
pub(crate) trait Output {
    /// # Errors
    /// When nothing more is wanted; ends the run.
    fn batch(
        &mut self,
        dataset: &'static str,
        batch: RecordBatch,
        state: String,
    ) -> Result<(), Error>;
}

/// What every dataset's reading needs.
pub(crate) struct Context<'a> {
    pub(crate) session: &'a Session,
    pub(crate) catalogue: &'a Catalogue<'a>,
    pub(crate) access: &'a Access,
    /// When the run started, in milliseconds since 1970.
    pub(crate) now_ms: i64,
}

/// Reads a dataset. Failures that concern it alone are its status.
///
/// # Errors
/// Only what ends the run.
pub(crate) fn read(
    context: &Context<'_>,
    dataset: &'static Dataset,
    output: &mut dyn Output,
) -> Result<DatasetSummary, Error> {
    let outcome = match dataset.sobject() {
        Some(object) => Reader::new(context, dataset, object).read(output),
        None => crate::limits::read(context, dataset, output),
    };
    match outcome {
        Ok(summary) => Ok(summary),
        Err(Ended::Run(error)) => Err(error),
        Err(Ended::Dataset(summary)) => Ok(summary),
    }
}

/// Why reading stopped early.
pub(crate) enum Ended {
    Run(Error),
    Dataset(DatasetSummary),
}

/// A summary without rows.
pub(crate) fn summary(
    dataset: &Dataset,
    status: DatasetStatus,
    reason: impl Into<Option<String>>,
) -> DatasetSummary {
    DatasetSummary {
        dataset: dataset.name.into(),
        status,
        rows: 0,
        expected: None,
        missing_fields: Vec::new(),
        reason: reason.into(),
    }
}

/// The status of a dataset that the org does not show, and why.
pub(crate) fn hidden(
    dataset: &Dataset,
    access: &Access,
    refusal: Option<&Refusal>,
) -> DatasetSummary {
    let labels: Vec<&str> = dataset.permissions.iter().map(|permission| permission.label).collect();
    let labels = labels.join("` or `");
    let said = refusal.map_or_else(String::new, |refusal| format!(" ({})", refusal.shown()));
    if access.has_any(dataset.permissions) == Some(true) || dataset.permissions.is_empty() {
        let reason = format!("the org does not have it: the feature behind it is off{said}");
        return summary(dataset, DatasetStatus::Absent, reason);
    }
    summary(
        dataset,
        DatasetStatus::Denied,
        format!("not visible to the connecting user: grant `{labels}`{said}"),
    )
}

struct Reader<'a> {
    context: &'a Context<'a>,
    dataset: &'static Dataset,
    object: &'static str,
    fields: Vec<&'static FieldDef>,
    missing: Vec<String>,
    rows: u64,
    after: Option<After>,
    /// Whether a record was seen that is not the asking user's.
    saw_others: bool,
    /// Records of the whole result, as the first page said.
    promised: Option<u64>,
    /// Locators followed since the last restart.
    followed: HashSet<String>,
}

/// Why a chain of pages ended.
enum Chain {
    /// The last page said so.
    Done,
    /// A field is not visible any more and was left out.
    FieldGone,
    /// It broke; the text says how.
    Broken(String),
}

#[derive(Deserialize)]
struct Count {
    #[serde(rename = "totalSize")]
    total_size: u64,
}

impl<'a> Reader<'a> {
    fn new(
        context: &'a Context<'a>,
        dataset: &'static Dataset,
        object: &'static str,
    ) -> Reader<'a> {
        Reader {
            context,
            dataset,
            object,
            fields: Vec::new(),
            missing: Vec::new(),
            rows: 0,
            after: None,
            saw_others: false,
            promised: None,
            followed: HashSet::new(),
        }
    }

    fn read(mut self, output: &mut dyn Output) -> Result<DatasetSummary, Ended> {
        self.choose_fields()?;
        let mut broken = self.read_to_end(output)?;
        let count = self.count()?.or(self.promised);
        // Records that came while reading, or that a page lost at its end, stand after the last one.
        while broken.is_none() && count.is_some_and(|count| count > self.rows) {
            let before = self.rows;
            broken = self.read_to_end(output)?;
            if self.rows == before {
                break;
            }
        }
        self.context.session.host().progress(
            self.dataset.name,
            self.rows,
            count.or(Some(self.rows)),
        );
        Ok(DatasetSummary { expected: count, ..self.judge(broken, count) })
    }

    /// Follows pages from the last record on, starting again where a chain breaks. Answers how it
    /// broke for good.
    fn read_to_end(&mut self, output: &mut dyn Output) -> Result<Option<String>, Ended> {
        let mut fruitless = 0;
        loop {
            let before = self.rows;
            match self.read_chain(output)? {
                Chain::Done => return Ok(None),
                Chain::FieldGone => {}
                Chain::Broken(reason) => {
                    fruitless = if self.rows > before { 0 } else { fruitless + 1 };
                    if fruitless >= FRUITLESS_RESTARTS {
                        return Ok(Some(reason));
                    }
                    log::warn!("{}: {reason}; going on after the last record", self.dataset.name);
                }
            }
        }
    }

    /// Takes the wanted fields that the org shows; a missing one is named.
    fn choose_fields(&mut self) -> Result<(), Ended> {
        let catalogue = self.context.catalogue;
        if self.check(catalogue.describe(self.object))?.is_none() {
            return Err(Ended::Dataset(hidden(self.dataset, self.context.access, None)));
        }
        for field in self.dataset.fields {
            if self.check(catalogue.shows(self.object, field.name))? {
                self.fields.push(field);
            } else {
                self.leave_out(field);
            }
        }
        if !self.fields.iter().any(|field| field.name == self.dataset.key) {
            let reason = format!("the field `{}` is not visible", self.dataset.key);
            return Err(Ended::Dataset(summary(self.dataset, DatasetStatus::Failed, reason)));
        }
        Ok(())
    }

    fn leave_out(&mut self, field: &FieldDef) {
        if !field.optional {
            self.missing.push(field.name.into());
        }
    }

    fn query(&self) -> Query {
        let mut conditions: Vec<String> =
            self.dataset.condition.iter().map(|c| (*c).into()).collect();
        let stamp = match self.dataset.paging {
            Paging::Stamp(field) => Some(field),
            Paging::Id | Paging::Single => None,
        };
        if let (Some(stamp), Some(days)) =
            (stamp, self.context.session.settings().login_history_days)
        {
            let since = self.context.now_ms - i64::from(days) * 86_400_000;
            conditions.push(format!("{stamp} >= {}", instant(since)));
        }
        Query {
            object: self.object.into(),
            fields: self.fields.iter().map(|field| field.name.into()).collect(),
            conditions,
            stamp: stamp.map(Into::into),
            ordered: true,
        }
    }

    /// One query and the pages its locators lead to.
    fn read_chain(&mut self, output: &mut dyn Output) -> Result<Chain, Ended> {
        self.followed.clear();
        let columns =
            Columns::new(self.fields.iter().map(|field| (field.name.into(), field.kind)).collect());
        let mut path =
            query_path(self.context.catalogue.version, &self.query().text(self.after.as_ref()));
        let start = self.rows;
        loop {
            let page = self.context.session.get(&path, Some(self.object), |answer| {
                let page = Page::parse(&answer.body, &columns)?;
                let rows = page.batch.num_rows() as u64;
                Ok((page, rows))
            });
            let page = match page {
                Ok(page) => page,
                Err(ApiError::Refused(refusal)) => return self.refused(&refusal),
                Err(error) => return Err(self.failed(error)),
            };
            let expected = page.total_size.map(|total| total + start);
            if start == 0 {
                self.promised = self.promised.max(expected);
            }
            let keep = self.take(&page.batch, &columns, output, expected)?;
            if let Err(reason) = keep {
                return Ok(Chain::Broken(reason));
            }
            if page.done {
                return Ok(Chain::Done);
            }
            match page.next_records_url.as_deref().map(|url| self.next_path(url)) {
                Some(Ok(next)) => path = next,
                Some(Err(reason)) => return Ok(Chain::Broken(reason)),
                None => {
                    return Ok(Chain::Broken(
                        "a page that is not the last has no link to the next".into(),
                    ));
                }
            }
        }
    }

    /// The path of the next page: on this host, of the expected shape, and not followed before.
    fn next_path(&mut self, url: &str) -> Result<String, String> {
        let Some(path) = self.context.session.instance_host().next_records_path(url) else {
            return Err("the link to the next page leads elsewhere".into());
        };
        if !self.followed.insert(path.clone()) {
            return Err("the link to the next page leads back".into());
        }
        Ok(path)
    }

    /// Hands a page's records over. The inner error says why they cannot be right.
    fn take(
        &mut self,
        batch: &RecordBatch,
        columns: &Columns,
        output: &mut dyn Output,
        expected: Option<u64>,
    ) -> Result<Result<(), String>, Ended> {
        if batch.num_rows() == 0 {
            return Ok(Ok(()));
        }
        let position = |name: &str| columns.names().position(|column| column == name);
        let Some(key) = position(self.dataset.key) else {
            return Ok(Err("a page has no key".into()));
        };
        let keys = batch.column(key).as_string::<i32>();
        if keys.null_count() > 0 {
            return Ok(Err("a record has no key".into()));
        }
        let last = keys.value(batch.num_rows() - 1).to_owned();
        let after = match self.dataset.paging {
            Paging::Stamp(field) => {
                let stamps = position(field)
                    .map(|at| batch.column(at).as_primitive::<TimestampMillisecondType>());
                match stamps {
                    Some(stamps) if stamps.null_count() == 0 => {
                        After::StampAndId(stamps.value(batch.num_rows() - 1), last)
                    }
                    _ => return Ok(Err(format!("a record has no `{field}`"))),
                }
            }
            Paging::Id | Paging::Single => After::Id(last),
        };
        if self.after.as_ref() == Some(&after) {
            return Ok(Err("a page holds nothing new".into()));
        }
        self.note_owners(batch, columns);

        let mut offset = 0;
        while offset < batch.num_rows() {
            let length = BATCH_ROWS.min(batch.num_rows() - offset);
            let state = serde_json::json!({ "rows": self.rows + length as u64 }).to_string();
            output
                .batch(self.dataset.name, batch.slice(offset, length), state)
                .map_err(Ended::Run)?;
            self.rows += length as u64;
            offset += length;
        }
        self.after = Some(after);
        self.context.session.host().progress(self.dataset.name, self.rows, expected);
        Ok(Ok(()))
    }

    fn note_owners(&mut self, batch: &RecordBatch, columns: &Columns) {
        let Some(owner) = self.dataset.own_rows.filter(|_| !self.saw_others) else { return };
        let (_, own_id) = self.context.session.ids();
        let Some(position) = columns.names().position(|column| column == owner) else { return };
        let own = own_id.as_deref().and_then(|id| id.get(..15));
        let others = batch.column(position).as_string::<i32>();
        self.saw_others = others.iter().flatten().any(|id| own.is_none() || id.get(..15) != own);
    }

    /// A refused query: what vanished is left out and the rest kept.
    fn refused(&mut self, refusal: &Refusal) -> Result<Chain, Ended> {
        if refusal.is_hidden() && self.rows == 0 {
            return Err(Ended::Dataset(hidden(self.dataset, self.context.access, Some(refusal))));
        }
        if let Some(column) = refusal.invalid_column().map(str::to_owned)
            && let Some(at) = self.fields.iter().position(|field| names_column(field.name, &column))
            && self.fields[at].name != self.dataset.key
            && self.rows == 0
        {
            let field = self.fields.remove(at);
            self.leave_out(field);
            return Ok(Chain::FieldGone);
        }
        if refusal.code == "INVALID_QUERY_LOCATOR" || refusal.code == "QUERY_TIMEOUT" {
            return Ok(Chain::Broken(refusal.shown()));
        }
        let reason = format!("Salesforce refused the query ({})", refusal.shown());
        let status = if self.rows == 0 { DatasetStatus::Failed } else { DatasetStatus::Incomplete };
        Err(Ended::Dataset(self.summary(status, Some(reason))))
    }

    fn check<T>(&self, result: Result<T, ApiError>) -> Result<T, Ended> {
        result.map_err(|error| self.failed(error))
    }

    /// A request that failed at every try: fatal ones, and a network that is gone, end the run.
    fn failed(&self, error: ApiError) -> Ended {
        let reason = match error {
            ApiError::Fatal(error) | ApiError::Unreachable(error) => return Ended::Run(error),
            other => other.into_error(),
        };
        let status = if self.rows == 0 { DatasetStatus::Failed } else { DatasetStatus::Incomplete };
        Ended::Dataset(self.summary(status, Some(reason.message)))
    }

    fn summary(&self, status: DatasetStatus, reason: Option<String>) -> DatasetSummary {
        DatasetSummary {
            rows: self.rows,
            missing_fields: self.missing.clone(),
            ..summary(self.dataset, status, reason)
        }
    }

    /// Judges by the org's count.
    fn judge(&self, broken: Option<String>, count: Option<u64>) -> DatasetSummary {
        if let Some(count) = count.filter(|count| *count > self.rows) {
            let why = broken.map_or_else(String::new, |reason| format!(": {reason}"));
            let reason = format!("{} of {count} records arrived{why}", self.rows);
            return self.summary(DatasetStatus::Incomplete, Some(reason));
        }
        if let Some(reason) = broken {
            return self.summary(DatasetStatus::Incomplete, Some(reason));
        }
        if let Some(reason) = self.own_rows_only() {
            return self.summary(DatasetStatus::PartialSelf, Some(reason));
        }
        if !self.missing.is_empty() {
            let reason = format!("not visible to the connecting user: {}", self.missing.join(", "));
            return self.summary(DatasetStatus::Degraded, Some(reason));
        }
        self.summary(DatasetStatus::Complete, None)
    }

    /// Whether Salesforce showed only the asking user's records, as it does instead of refusing.
    fn own_rows_only(&self) -> Option<String> {
        self.dataset.own_rows?;
        let labels: Vec<&str> =
            self.dataset.permissions.iter().map(|permission| permission.label).collect();
        let reason = format!(
            "only the connecting user's own records are visible: grant `{}`",
            labels.join("` or `")
        );
        let allowed = self.context.access.has_any(self.dataset.permissions) == Some(true);
        (!allowed && !self.saw_others).then_some(reason)
    }

    /// The org's count of the whole result; none where it cannot be had.
    fn count(&self) -> Result<Option<u64>, Ended> {
        let path = query_path(self.context.catalogue.version, &self.query().count_text());
        let counted = self.context.session.get(&path, Some(self.object), |answer| {
            let count: Count =
                serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
            Ok((count.total_size, 0))
        });
        match counted {
            Ok(count) => Ok(Some(count)),
            Err(ApiError::Fatal(error)) => Err(Ended::Run(error)),
            Err(error) => {
                log::warn!(
                    "{}: the records could not be counted: {}",
                    self.dataset.name,
                    error.into_error()
                );
                Ok(None)
            }
        }
    }
}

/// Whether an error message's column is that field; over a relationship only its last part is named.
fn names_column(field: &str, column: &str) -> bool {
    field == column || field.rsplit('.').next() == Some(column)
}
