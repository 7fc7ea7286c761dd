//! The jobs of an org: who made them, what they are to read, how far they are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use estate::{ApiError, CsvFormat, ResultSet};

use super::super::Caller;
use super::super::usage::ApiUsage;
use super::MANAGE;
use crate::clock::delta;
use crate::data_policy::BulkQueue;
use crate::random::alphanumeric;
use crate::sync::lock;

/// How the result is written, by the names of the API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    pub(super) delimiter: &'static str,
    pub(super) line_ending: &'static str,
    pub(super) csv: CsvFormat,
}

impl Format {
    /// The format with these names, if they are names of the API.
    pub(super) fn new(delimiter: &str, line_ending: &str) -> Option<Self> {
        const DELIMITERS: [(&str, char); 6] = [
            ("BACKQUOTE", '`'),
            ("CARET", '^'),
            ("COMMA", ','),
            ("PIPE", '|'),
            ("SEMICOLON", ';'),
            ("TAB", '\t'),
        ];
        const ENDINGS: [(&str, &str); 2] = [("LF", "\n"), ("CRLF", "\r\n")];
        let (delimiter, character) = DELIMITERS.into_iter().find(|(name, _)| *name == delimiter)?;
        let (line_ending, text) = ENDINGS.into_iter().find(|(name, _)| *name == line_ending)?;
        let csv = CsvFormat { delimiter: character, line_ending: text, nul_every: None };
        Some(Self { delimiter, line_ending, csv })
    }
}

/// One query job.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) operation: &'static str,
    pub(super) soql: String,
    pub(super) object: String,
    pub(super) created_by: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) changed_at: DateTime<Utc>,
    pub(super) version: u16,
    pub(super) format: Format,
    pub(super) state: &'static str,
    pub(super) error: Option<String>,
    /// What it reads, or why it cannot.
    pub(super) result: Result<Arc<ResultSet>, ApiError>,
    queue: BulkQueue,
    polls: u32,
    /// The locator of each part that was named, by the part's first record.
    locators: BTreeMap<u64, String>,
}

impl Job {
    /// A job of the caller.
    pub(super) fn new(
        caller: &Caller<'_>,
        all_rows: bool,
        soql: &str,
        object: &str,
        format: Format,
        result: Result<ResultSet, ApiError>,
        queue: &BulkQueue,
    ) -> Self {
        let now = caller.core.clock.now();
        Self {
            id: with_check(&format!("750{}", alphanumeric(12))),
            operation: if all_rows { "queryAll" } else { "query" },
            soql: soql.to_owned(),
            object: object.to_owned(),
            created_by: caller.session.user_id.clone(),
            created_at: now,
            changed_at: now,
            version: caller.version,
            format,
            state: "UploadComplete",
            error: None,
            result: result.map(Arc::new),
            queue: *queue,
            polls: 0,
            locators: BTreeMap::new(),
        }
    }

    /// Whether nothing more will happen to it.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, "JobComplete" | "Failed" | "Aborted")
    }

    /// Records it has read so far.
    pub(super) fn processed(&self) -> u64 {
        match (&self.result, self.state) {
            (Ok(result), "JobComplete") => result.len(),
            _ => 0,
        }
    }

    /// Lets it go on as far as it is by now.
    fn go_on(&mut self, now: DateTime<Utc>) {
        if self.is_over() {
            return;
        }
        let (working, done) = match self.queue {
            BulkQueue::Polls(polls) => (2 * self.polls > polls, self.polls > polls),
            BulkQueue::Clock(time) => {
                let age = now - self.created_at;
                (age >= delta(time / 2), age >= delta(time))
            }
            BulkQueue::Stuck => (false, false),
        };
        // A queue of no length is empty before anybody looks.
        let done = done || self.queue == BulkQueue::Polls(0);
        let state = match (done, working, &self.result) {
            (true, _, Ok(_)) => "JobComplete",
            (true, _, Err(error)) => {
                self.error = Some(format!(
                    "InvalidBatch : Failed to process query: {}: {}",
                    error.error_code, error.message
                ));
                "Failed"
            }
            (false, true, _) => "InProgress",
            (false, false, _) => "UploadComplete",
        };
        if state != self.state {
            self.state = state;
            self.changed_at = now;
        }
    }
}

/// All jobs of an org.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    jobs: Mutex<Vec<Job>>,
    /// Jobs made in the last day.
    pub(in crate::api) created: ApiUsage,
    /// Bytes of results that were read in the last day.
    pub(in crate::api) bytes: ApiUsage,
}

impl Jobs {
    /// Keeps a new job.
    pub(super) fn keep(&self, job: Job) {
        lock(&self.jobs).push(job);
    }

    /// The job as it is now; a poll is what counts as a look.
    ///
    /// # Errors
    /// 404 for a job that does not exist any more or belongs to somebody else.
    pub(super) fn look(&self, caller: &Caller<'_>, id: &str, poll: bool) -> Result<Job, ApiError> {
        let now = caller.core.clock.now();
        let mut jobs = self.alive(now, caller.core.policy().bulk.lifetime);
        let job = jobs.iter_mut().find(|job| same_id(&job.id, id) && may_see(caller, job));
        let job = job.ok_or_else(ApiError::not_found)?;
        job.polls += u32::from(poll);
        job.go_on(now);
        Ok(job.clone())
    }

    /// Every job the caller may see, oldest first.
    pub(super) fn list(&self, caller: &Caller<'_>) -> Vec<Job> {
        let now = caller.core.clock.now();
        let mut jobs = self.alive(now, caller.core.policy().bulk.lifetime);
        jobs.iter_mut().for_each(|job| job.go_on(now));
        jobs.iter().filter(|job| may_see(caller, job)).cloned().collect()
    }

    fn alive(&self, now: DateTime<Utc>, lifetime: Duration) -> std::sync::MutexGuard<'_, Vec<Job>> {
        let mut jobs = lock(&self.jobs);
        jobs.retain(|job| now - job.created_at < delta(lifetime));
        jobs
    }

    /// Ends a job, unless it is over.
    pub(super) fn end(&self, id: &str, state: &'static str, error: Option<&str>) {
        self.change(id, |job| {
            job.state = state;
            job.error = error.map(str::to_owned);
        });
    }

    /// Keeps a job in the queue for ever.
    pub(super) fn hold(&self, id: &str) {
        self.change(id, |job| job.queue = BulkQueue::Stuck);
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Job)) {
        if let Some(job) = lock(&self.jobs).iter_mut().find(|job| same_id(&job.id, id)) {
            change(job);
        }
    }

    /// Removes a job and its result.
    pub(super) fn forget(&self, id: &str) {
        lock(&self.jobs).retain(|job| !same_id(&job.id, id));
    }

    /// The locator of the part that begins with this record; always the same one.
    pub(super) fn locator(&self, id: &str, record: u64) -> String {
        let mut locator = String::new();
        self.change(id, |job| {
            locator.clone_from(job.locators.entry(record).or_insert_with(|| alphanumeric(10)));
        });
        locator
    }

    /// The record that a locator names.
    pub(super) fn record(&self, id: &str, locator: &str) -> Option<u64> {
        let mut found = None;
        self.change(id, |job| {
            found = job.locators.iter().find(|(_, known)| *known == locator).map(|(at, _)| *at);
        });
        found
    }

    /// SOQL and object of a job, whoever asks.
    pub(in crate::api) fn describe(&self, id: &str) -> Option<(String, String)> {
        let jobs = lock(&self.jobs);
        let job = jobs.iter().find(|job| same_id(&job.id, id))?;
        Some((job.soql.clone(), job.object.clone()))
    }
}

fn may_see(caller: &Caller<'_>, job: &Job) -> bool {
    job.created_by == caller.session.user_id || caller.viewer.has(MANAGE)
}

fn same_id(known: &str, asked: &str) -> bool {
    known == asked || (asked.len() == 15 && known.starts_with(asked))
}

fn with_check(short: &str) -> String {
    super::super::tooling::with_check(short)
}
