//! Reads one dataset and says truthfully how that ended.
//!
//! It is read whole, or by what changed since its checkpoint; by pages (`chain`), user by user where
//! Salesforce cuts a result off (`capped`), or by a query job (`bulk_read`). At the end the records
//! are compared with the org's count.

use std::collections::HashSet;

use arrow_array::RecordBatch;
use connector_api::Error;
use connector_api::message::{CollectMode, DatasetStatus, DatasetSummary};
use serde::Deserialize;

use crate::client::api_error::{ApiError, Refusal};
use crate::client::describe::Catalogue;
use crate::client::session::Session;
use crate::dataset::{Changes, Dataset, FieldDef, Paging, Source};
use crate::read::access::Access;
use crate::read::estimate::Counts;
use crate::read::pseudonym::Pseudonyms;
use crate::read::shape::Shape;
use crate::read::soql::{After, Query, instant, literal, query_path, tooling_path};
use crate::read::state::State;

/// Changes are read from so long before the newest record that was seen: a record's stamp is set
/// before its transaction is there for others to see.
const LOOKBACK_MS: i64 = 15 * 60_000;
/// A dataset is read whole at least so often, whatever is asked for.
const WHOLE_EVERY_MS: i64 = 7 * 86_400_000;
/// Up to so many records a dataset is read whole: that is one request, and shows what is gone.
const ONE_PAGE: u64 = 2_000;

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

    /// A state without records.
    ///
    /// # Errors
    /// When nothing more is wanted; ends the run.
    fn state(&mut self, dataset: &'static str, state: String) -> Result<(), Error>;
}

/// What every dataset's reading needs.
pub(crate) struct Context<'a> {
    pub(crate) session: &'a Session,
    pub(crate) catalogue: &'a Catalogue<'a>,
    pub(crate) access: &'a Access,
    pub(crate) pseudonyms: Option<&'a Pseudonyms>,
    pub(crate) counts: &'a Counts,
    pub(crate) mode: CollectMode,
    /// Whether the records of a run that stopped midway were kept.
    pub(crate) resume: bool,
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
        None => crate::read::limits::read(context, dataset, output),
    };
    match outcome {
        Ok(summary) | Err(Ended::Dataset(summary)) => Ok(summary),
        Err(Ended::Run(error)) => Err(error),
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
        mode: Some(CollectMode::Full),
        total: None,
    }
}

/// The permissions that open a dataset, for a sentence.
pub(crate) fn openers(dataset: &Dataset) -> String {
    let labels: Vec<&str> = dataset.permissions.iter().map(|permission| permission.label).collect();
    labels.join("` or `")
}

/// The status of a dataset that the org does not show, and why.
pub(crate) fn hidden(
    dataset: &Dataset,
    access: &Access,
    refusal: Option<&Refusal>,
) -> DatasetSummary {
    let labels = openers(dataset);
    let said = refusal.map_or_else(String::new, |refusal| format!(" ({})", refusal.shown()));
    if access.has_any(dataset.permissions) == Some(true) || dataset.permissions.is_empty() {
        // That the account is refused says nothing about the org's features.
        if refusal.is_some_and(Refusal::is_of_account) {
            let reason = format!("Salesforce refuses the connecting user access to it{said}");
            return summary(dataset, DatasetStatus::Denied, reason);
        }
        let reason = format!("the org does not have it: the feature behind it is off{said}");
        return summary(dataset, DatasetStatus::Absent, reason);
    }
    summary(
        dataset,
        DatasetStatus::Denied,
        format!("not visible to the connecting user: grant `{labels}`{said}"),
    )
}

/// The reading of one dataset.
pub(crate) struct Reader<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) dataset: &'static Dataset,
    pub(crate) object: &'static str,
    pub(crate) shape: Option<Shape<'a>>,
    /// The fields that are asked for; one that vanished is not.
    pub(crate) asked: Vec<String>,
    missing: Vec<String>,
    /// Records handed over.
    pub(crate) rows: u64,
    /// Records of the present question that were handed over.
    pub(crate) answered: u64,
    /// Conditions of the present question beside the dataset's own.
    pub(crate) conditions: Vec<String>,
    pub(crate) after: Option<After>,
    /// Whether a record was seen that is not the asking user's.
    pub(crate) saw_others: bool,
    /// Records of the whole answer, as its first page said.
    pub(crate) promised: Option<u64>,
    /// Whether one page held the whole answer, and as many records as it said.
    pub(crate) one_whole_page: bool,
    /// Locators followed since the last restart.
    pub(crate) followed: HashSet<String>,
    /// The keys of the page before: pages may overlap.
    pub(crate) page_keys: HashSet<String>,
    /// Whether the org's order of keys was the bytes' so far.
    pub(crate) in_order: bool,
    /// Whether the object was described again after something vanished.
    pub(crate) described_again: bool,
    /// Queries that share the fields, where one would be too long.
    pub(crate) parts: usize,
    /// A window's end while windows are in use, and its length.
    pub(crate) window_ms: Option<i64>,
    pub(crate) window_from: Option<i64>,
    /// Records in one answer at most, once a query took too long.
    pub(crate) limit: Option<u64>,
    /// Whether the last answer was as long as Salesforce lets it be: more may have been cut off.
    pub(crate) cut: bool,
    pub(crate) stamps: Stamps,
    pub(crate) state: State,
    /// Records at the last reading.
    pub(crate) former_count: Option<u64>,
    mode: CollectMode,
}

/// The stamps of the records seen.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    pub(crate) newest: Option<i64>,
    /// Records changed, and records made, after the newest one of the last reading.
    pub(crate) changed: u64,
    pub(crate) created: u64,
}

#[derive(Deserialize)]
struct Count {
    #[serde(rename = "totalSize")]
    total_size: u64,
}

/// How reading by changes went.
enum ByChanges {
    Done(DatasetSummary),
    /// It has to be read whole; the text says why.
    Whole(String),
}

impl<'a> Reader<'a> {
    fn new(
        context: &'a Context<'a>,
        dataset: &'static Dataset,
        object: &'static str,
    ) -> Reader<'a> {
        let mut reader = Reader {
            context,
            dataset,
            object,
            shape: None,
            asked: Vec::new(),
            missing: Vec::new(),
            rows: 0,
            answered: 0,
            conditions: Vec::new(),
            after: None,
            saw_others: false,
            promised: None,
            one_whole_page: false,
            followed: HashSet::new(),
            page_keys: HashSet::new(),
            in_order: true,
            described_again: false,
            parts: 1,
            window_ms: None,
            window_from: None,
            limit: None,
            cut: false,
            stamps: Stamps::default(),
            state: State::new(String::new(), context.now_ms),
            former_count: None,
            mode: CollectMode::Full,
        };
        reader.state.question = reader.question();
        reader
    }

    fn read(mut self, output: &mut dyn Output) -> Result<DatasetSummary, Ended> {
        self.context.session.host().progress(self.dataset.name, 0, None);
        if self.context.resume
            && let Some(state) = self.stored_state()?
            && state.question == self.question()
            && state.since.is_none_or(|_| state.done)
        {
            if let Some(summary) = self.go_on(state, output)? {
                return Ok(summary);
            }
            self.start_over();
        }
        let former = self.former_state()?;
        if let Some(state) = former.as_ref().filter(|state| self.shows_changes(state)) {
            match self.read_changes(state, output)? {
                ByChanges::Done(summary) => return Ok(summary),
                ByChanges::Whole(why) => {
                    log::info!("{} is read whole: {why}", self.dataset.name);
                    self.start_over();
                }
            }
            return self.read_whole(None, output);
        }
        self.read_whole(former, output)
    }

    /// What a former run left, where a run by changes may trust it: the same question was answered,
    /// and the org described its fields not long ago.
    fn former_state(&self) -> Result<Option<State>, Ended> {
        if self.context.mode != CollectMode::Incremental {
            return Ok(None);
        }
        Ok(self.stored_state()?.filter(|state| {
            let age = self.context.now_ms.abs_diff(state.described_at);
            state.done && state.question == self.question() && age < WHOLE_EVERY_MS.unsigned_abs()
        }))
    }

    fn stored_state(&self) -> Result<Option<State>, Ended> {
        let host = self.context.session.host();
        let stored = host.checkpoint(self.dataset.name).map_err(Ended::Run)?;
        Ok(stored.as_deref().and_then(State::parse))
    }

    /// Goes on where a run stopped. None where it must be read anew.
    fn go_on(
        &mut self,
        state: State,
        output: &mut dyn Output,
    ) -> Result<Option<DatasetSummary>, Ended> {
        let young = self.context.now_ms.abs_diff(state.whole_at) < WHOLE_EVERY_MS.unsigned_abs();
        if state.done || state.after.is_none() || !young || self.dataset.row_cap.is_some() {
            return Ok(None);
        }
        self.note_missing(&state.fields);
        self.take_fields(state.fields.clone());
        self.conditions = self.retention();
        self.after = state.after.clone();
        self.answered = state.rows;
        self.stamps.newest = state.newest;
        let began = state.whole_at;
        self.state = State { newest: None, ..state };
        let broken = self.read_to_the_count(output)?;
        let mut summary = self.judged(broken)?;
        // What this run handed over is not all there is.
        summary.total = summary.expected;
        self.finish(summary, began, output).map(Some)
    }

    /// Whether changes can be read from there. What fits one page is read whole: that is one request
    /// too, and shows what is gone.
    fn shows_changes(&self, state: &State) -> bool {
        let small = matches!(self.dataset.changes, Changes::Stamps { .. })
            && state.count.is_some_and(|count| count <= ONE_PAGE);
        self.dataset.changes != Changes::Unknown
            && state.since.is_some()
            && !small
            && self.context.now_ms.abs_diff(state.whole_at) < WHOLE_EVERY_MS.unsigned_abs()
    }

    /// What is asked for, in short: another question cannot go on from this one's answer.
    fn question(&self) -> String {
        let settings = self.context.session.settings();
        let fields: Vec<&str> = self
            .dataset
            .fields
            .iter()
            .map(|field| field.name)
            .filter(|field| !settings.selection.leaves_out(self.dataset, field))
            .collect();
        let custom = match self.object {
            "User" => settings.selection.custom_user_fields.join(","),
            _ => String::new(),
        };
        format!(
            "{};{custom};{};{};{}",
            fields.join(","),
            self.dataset.condition.unwrap_or_default(),
            settings.selection.pseudonymize,
            settings.login_history_days.unwrap_or(0),
        )
    }

    /// What was handed over stays; everything else starts anew.
    fn start_over(&mut self) {
        self.answered = 0;
        self.conditions.clear();
        self.after = None;
        self.promised = None;
        self.one_whole_page = false;
        self.window_from = None;
        self.page_keys.clear();
        self.stamps = Stamps::default();
        self.mode = CollectMode::Full;
        self.missing.clear();
        self.state = State::new(self.question(), self.context.now_ms);
    }

    /// Every record, with the fields that the org shows, or showed not long ago.
    fn read_whole(
        &mut self,
        former: Option<State>,
        output: &mut dyn Output,
    ) -> Result<DatasetSummary, Ended> {
        match former {
            Some(state) => {
                self.state.described_at = state.described_at;
                self.former_count = state.count;
                self.note_missing(&state.fields);
                self.take_fields(state.fields);
            }
            None => self.choose_fields()?,
        }
        let began = self.org_now();
        self.conditions = self.retention();
        if self.dataset.row_cap.is_some() {
            return self.read_capped(output);
        }
        if let Some(summary) = self.read_by_job(output)? {
            return self.finish(summary, began, output);
        }
        let broken = self.read_to_the_count(output)?;
        let summary = self.judged(broken)?;
        self.finish(summary, began, output)
    }

    /// What changed since the state. The records that were handed over before are the host's.
    fn read_changes(
        &mut self,
        former: &State,
        output: &mut dyn Output,
    ) -> Result<ByChanges, Ended> {
        let (Some(since), Some(newest)) = (former.since, former.newest) else {
            return Ok(ByChanges::Whole("its checkpoint has no stamp".into()));
        };
        let fields: &[&str] = match &self.dataset.changes {
            Changes::Unknown => return Ok(ByChanges::Whole("it has no stamp".into())),
            Changes::Stamps { fields, .. } => fields,
            Changes::Log(field) => std::slice::from_ref(field),
        };
        self.mode = CollectMode::Incremental;
        self.state = State { since: Some(since), newest: Some(newest), ..former.clone() };
        self.note_missing(&former.fields);
        self.take_fields(former.fields.clone());
        let began = self.org_now();
        let from = instant(since - LOOKBACK_MS);
        let tests: Vec<String> = fields
            .iter()
            .filter(|field| self.asked.iter().any(|asked| asked == *field))
            .map(|field| format!("{field} >= {from}"))
            .collect();
        self.conditions = self.retention();
        self.conditions.push(match tests.as_slice() {
            [one] => one.clone(),
            several => format!("({})", several.join(" OR ")),
        });
        let asked = self.asked.len();
        let broken = match self.read_to_the_count(output) {
            Ok(broken) => broken,
            // A stamp itself may be gone.
            Err(Ended::Dataset(_)) if self.asked.len() != asked => {
                return Ok(ByChanges::Whole("its fields are no longer the same".into()));
            }
            Err(ended) => return Err(ended),
        };
        if self.asked.len() != asked {
            return Ok(ByChanges::Whole("its fields are no longer the same".into()));
        }
        let mut summary = self.judged(broken)?;
        if !summary.status.has_every_record() {
            return Ok(ByChanges::Done(summary));
        }
        let Changes::Stamps { created, deletable, .. } = self.dataset.changes else {
            return self.finish(summary, began, output).map(ByChanges::Done);
        };
        if deletable {
            let all = self.count_of(
                &self.dataset.condition.map(str::to_owned).into_iter().collect::<Vec<_>>(),
            )?;
            let added = if created.is_some() { self.stamps.created } else { self.stamps.changed };
            match (all, former.count) {
                (Some(now), Some(then)) if now == then + added => summary.total = Some(now),
                (Some(now), Some(then)) => {
                    return Ok(ByChanges::Whole(format!(
                        "{then} records and {added} new ones should be {}, the org counts {now}: some are gone",
                        then + added
                    )));
                }
                _ => return Ok(ByChanges::Whole("the org does not count its records".into())),
            }
        }
        self.finish(summary, began, output).map(ByChanges::Done)
    }

    /// Pages until the records are as many as the org counts.
    fn read_to_the_count(&mut self, output: &mut dyn Output) -> Result<Option<String>, Ended> {
        let mut broken = self.read_to_end(output)?;
        if broken.is_none() && self.one_whole_page {
            return Ok(None);
        }
        let count = self.count()?.or(self.promised);
        self.promised = count;
        // Records that came while reading, or that a page lost at its end, stand after the last one.
        while broken.is_none()
            && self.dataset.paging != Paging::None
            && count.is_some_and(|count| count > self.answered)
        {
            let before = self.answered;
            broken = self.read_to_end(output)?;
            if self.answered == before {
                break;
            }
        }
        Ok(broken)
    }

    /// Ends a dataset: the state from which changes are read next goes to the host with its rows.
    pub(crate) fn finish(
        &mut self,
        mut summary: DatasetSummary,
        began: i64,
        output: &mut dyn Output,
    ) -> Result<DatasetSummary, Ended> {
        summary.mode = Some(self.mode);
        let whole = summary.total.or(summary.expected).or(Some(self.rows));
        self.context.session.host().progress(self.dataset.name, self.rows, Some(self.rows));
        if summary.status.has_every_record() {
            let newest = self.stamps.newest.max(self.state.newest);
            let state = State {
                done: true,
                after: None,
                rows: self.rows,
                fields: self.asked.clone(),
                count: match self.mode {
                    CollectMode::Full => whole,
                    CollectMode::Incremental => summary.total.or(self.state.count),
                },
                since: newest.map(|newest| newest.min(began)),
                newest,
                ..self.state.clone()
            };
            output.state(self.dataset.name, state.text()).map_err(Ended::Run)?;
        }
        Ok(summary)
    }

    /// The org's time; ours where it does not say.
    fn org_now(&self) -> i64 {
        self.context.session.server_time_ms().unwrap_or_else(|| {
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(self.context.now_ms, |since| {
                    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
                })
        })
    }

    /// How far back a log is read.
    fn retention(&self) -> Vec<String> {
        let stamp = match (self.dataset.paging, self.dataset.name) {
            (Paging::Stamp(field), "login_history" | "login_geo") => field,
            _ => return Vec::new(),
        };
        let days = self.context.session.settings().login_history_days;
        days.map(|days| {
            let since = self.context.now_ms - i64::from(days) * 86_400_000;
            format!("{stamp} >= {}", instant(since))
        })
        .into_iter()
        .collect()
    }

    /// Takes the wanted fields that the org shows; a missing one is named.
    fn choose_fields(&mut self) -> Result<(), Ended> {
        let (catalogue, settings) = (self.context.catalogue, self.context.session.settings());
        // Tooling objects are not described: what is not there is refused by name.
        let described = !matches!(self.dataset.source, Source::Tooling(_));
        if described && self.check(catalogue.describe(self.object))?.is_none() {
            return Err(Ended::Dataset(self.hidden(catalogue.refusal(self.object).as_ref())));
        }
        let mut shown: Vec<String> = Vec::new();
        for field in self.dataset.fields.iter().filter(|field| !field.computed) {
            if settings.selection.leaves_out(self.dataset, field.name) {
                continue;
            }
            if !described || self.check(catalogue.shows(self.object, field.name))? {
                shown.push(field.name.into());
            } else if !field.optional {
                self.missing.push(field.name.into());
            }
        }
        if self.object == "User" {
            for custom in &settings.selection.custom_user_fields {
                if self.check(catalogue.shows(self.object, custom))? {
                    shown.push(custom.clone());
                } else {
                    self.missing.push(custom.clone());
                }
            }
        }
        let key_is_made =
            self.dataset.fields.iter().any(|f| f.name == self.dataset.key && f.computed);
        if !key_is_made && !shown.iter().any(|field| field == self.dataset.key) {
            let reason = format!("the field `{}` is not visible", self.dataset.key);
            return Err(Ended::Dataset(self.summary(DatasetStatus::Failed, Some(reason))));
        }
        self.take_fields(shown);
        Ok(())
    }

    /// Names what is wanted and not among these fields.
    fn note_missing(&mut self, shown: &[String]) {
        let selection = &self.context.session.settings().selection;
        let wanted = self
            .dataset
            .fields
            .iter()
            .filter(|field| !field.computed && !field.optional)
            .map(|field| field.name)
            .filter(|field| !selection.leaves_out(self.dataset, field));
        let custom = match self.object {
            "User" => selection.custom_user_fields.as_slice(),
            _ => &[],
        };
        self.missing = wanted
            .chain(custom.iter().map(String::as_str))
            .filter(|field| !shown.iter().any(|shown| shown == field))
            .map(str::to_owned)
            .collect();
    }

    /// Asks for those fields. Once records were handed over, their columns stay.
    fn take_fields(&mut self, fields: Vec<String>) {
        if self.rows > 0
            && let Some(shape) = &self.shape
        {
            let known: HashSet<&str> = shape.columns().names().collect();
            self.asked =
                fields.into_iter().filter(|field| known.contains(field.as_str())).collect();
            return;
        }
        let shown: Vec<&'static FieldDef> = self
            .dataset
            .fields
            .iter()
            .filter(|known| fields.iter().any(|field| field == known.name))
            .collect();
        let custom: Vec<String> = fields
            .iter()
            .filter(|field| !shown.iter().any(|known| known.name == field.as_str()))
            .cloned()
            .collect();
        self.shape = Some(Shape::new(self.dataset, &shown, &custom, self.context.pseudonyms));
        self.asked = fields;
    }

    /// Leaves a field out that is not shown any more.
    pub(crate) fn leave_out(&mut self, at: usize) {
        let name = self.asked.remove(at);
        let field = self.dataset.fields.iter().find(|field| field.name == name);
        if field.is_none_or(|field| !field.optional) && !self.missing.contains(&name) {
            self.missing.push(name);
        }
    }

    /// The present question.
    pub(crate) fn query(&self) -> Query {
        let mut conditions: Vec<String> =
            self.dataset.condition.iter().map(|c| (*c).into()).collect();
        conditions.extend(self.conditions.iter().cloned());
        Query {
            object: self.object.into(),
            fields: self.asked.clone(),
            conditions,
            stamp: match self.dataset.paging {
                Paging::Stamp(field) => Some(field.into()),
                Paging::Id | Paging::None => None,
            },
            ordered: self.dataset.paging != Paging::None,
            limit: self.limit,
        }
    }

    /// The path of a query.
    pub(crate) fn path(&self, soql: &str) -> String {
        let version = self.context.catalogue.version;
        match self.dataset.source {
            Source::Tooling(_) => tooling_path(version, soql),
            _ => query_path(version, soql),
        }
    }

    /// The dataset is not shown; what was handed over before is counted.
    pub(crate) fn hidden(&self, refusal: Option<&Refusal>) -> DatasetSummary {
        DatasetSummary {
            rows: self.rows,
            missing_fields: self.missing.clone(),
            ..hidden(self.dataset, self.context.access, refusal)
        }
    }

    fn check<T>(&self, result: Result<T, ApiError>) -> Result<T, Ended> {
        result.map_err(|error| self.failed(error))
    }

    /// A request that failed at every try: fatal ones, and a network that is gone, end the run.
    pub(crate) fn failed(&self, error: ApiError) -> Ended {
        let reason = match error {
            ApiError::Fatal(error) | ApiError::Unreachable(error) => return Ended::Run(error),
            other => other.into_error(),
        };
        let status = if self.rows == 0 { DatasetStatus::Failed } else { DatasetStatus::Incomplete };
        Ended::Dataset(self.summary(status, Some(reason.message)))
    }

    pub(crate) fn summary(&self, status: DatasetStatus, reason: Option<String>) -> DatasetSummary {
        DatasetSummary {
            rows: self.rows,
            expected: self.promised,
            missing_fields: self.missing.clone(),
            mode: Some(self.mode),
            ..summary(self.dataset, status, reason)
        }
    }

    /// Judges the present question's answer by the org's count of it.
    pub(crate) fn judged(&self, broken: Option<String>) -> Result<DatasetSummary, Ended> {
        if let Some(count) = self.promised.filter(|count| *count > self.answered) {
            let why = broken.map_or_else(String::new, |reason| format!(": {reason}"));
            let reason = format!("{} of {count} records arrived{why}", self.answered);
            return Ok(self.summary(DatasetStatus::Incomplete, Some(reason)));
        }
        if let Some(reason) = broken {
            return Ok(self.summary(DatasetStatus::Incomplete, Some(reason)));
        }
        if let Some(reason) = self.own_rows_only()? {
            return Ok(self.summary(DatasetStatus::PartialSelf, Some(reason)));
        }
        if !self.missing.is_empty() {
            let reason = format!("not visible to the connecting user: {}", self.missing.join(", "));
            return Ok(self.summary(DatasetStatus::Degraded, Some(reason)));
        }
        Ok(self.summary(DatasetStatus::Complete, None))
    }

    /// Whether Salesforce showed only the asking user's records, as it does instead of refusing.
    fn own_rows_only(&self) -> Result<Option<String>, Ended> {
        let Some(owner) = self.dataset.own_rows else { return Ok(None) };
        if self.saw_others || self.context.access.has_any(self.dataset.permissions) == Some(true) {
            return Ok(None);
        }
        // Among a few changes nobody else's may be: the org is asked for one record of another.
        if self.mode == CollectMode::Incremental
            && let (_, Some(own)) = self.context.session.ids()
        {
            let others = self.count_of(&[format!("{owner} != {}", literal(&own))])?;
            if others.is_some_and(|others| others > 0) {
                return Ok(None);
            }
        }
        Ok(Some(format!(
            "only the connecting user's own records are visible: grant `{}`",
            openers(self.dataset)
        )))
    }

    /// The org's count of the present question's answer; none where it cannot be had.
    pub(crate) fn count(&self) -> Result<Option<u64>, Ended> {
        self.count_of(&self.query().conditions)
    }

    fn count_of(&self, conditions: &[String]) -> Result<Option<u64>, Ended> {
        let query = Query { conditions: conditions.to_vec(), limit: None, ..self.query() };
        let path = self.path(&query.count_text());
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
