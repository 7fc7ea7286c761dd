//! Switches of the data API: bulk jobs, allowances, and queries that take too long.

use std::collections::BTreeSet;
use std::time::Duration;

/// How long a bulk job waits and works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkQueue {
    /// This many looks at the job find it unfinished.
    Polls(u32),
    /// It is finished after this long on the org's clock; the first half of it waits.
    Clock(Duration),
    /// It waits for ever.
    Stuck,
}

/// Where a query that cannot be run is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BulkErrors {
    /// By the answer to the request that creates the job.
    #[default]
    AtCreate,
    /// By the job's state `Failed`.
    AsFailed,
}

/// What a result without records looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmptyCsv {
    /// A header and nothing else.
    #[default]
    HeaderOnly,
    /// No body at all.
    NoBody,
}

/// Switches of Bulk API 2.0 queries.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkPolicy {
    /// Objects refused with `INVALIDENTITY`.
    pub refused_objects: BTreeSet<String>,
    /// Wait before a job is done.
    pub queue: BulkQueue,
    /// Where bad queries are refused.
    pub errors: BulkErrors,
    /// What an empty result looks like.
    pub empty_result: EmptyCsv,
    /// Records of one part of a result at most, whatever the client asks for.
    pub rows_per_part: u64,
    /// Query jobs in a rolling day; the next one is refused.
    pub daily_jobs: u64,
    /// How long jobs and results are kept.
    pub lifetime: Duration,
    /// Jobs on one page of the list.
    pub jobs_per_page: usize,
    /// Write `nextRecordUrl` for the next page of result parts, as the reference's table says.
    pub next_record_url: bool,
    /// After every how many records a text holds a NUL.
    pub nul_every: Option<u64>,
}

impl Default for BulkPolicy {
    fn default() -> Self {
        let refused = ["AuthSession", "OauthToken", "TwoFactorMethodsInfo", "UserPermissionAccess"];
        Self {
            refused_objects: refused.map(str::to_owned).into(),
            queue: BulkQueue::Polls(1),
            errors: BulkErrors::default(),
            empty_result: EmptyCsv::default(),
            rows_per_part: 50_000,
            daily_jobs: 10_000,
            lifetime: Duration::from_secs(7 * 24 * 3_600),
            jobs_per_page: 1_000,
            next_record_url: false,
            nul_every: None,
        }
    }
}

/// What `Sforce-Limit-Info` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LimitInfo {
    /// The calls so far.
    #[default]
    Exact,
    /// Every second answer shows this many calls less, as answers that overtake each other do.
    Backwards(u64),
    /// The header is not sent.
    Absent,
}

/// An allowance of one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppLimit {
    /// The app's name.
    pub name: String,
    /// Its calls in a rolling day.
    pub calls: u64,
}

/// Which queries run too long.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct QueryTimeout {
    /// Objects it is about; none means every object.
    pub objects: BTreeSet<String>,
    /// A result of more rows than this.
    pub rows: Option<u64>,
    /// A window over `LoginHistory.LoginTime` of more days than this; one without a bound counts from the first or
    /// to the last login.
    pub days: Option<u64>,
}

impl QueryTimeout {
    /// Queries over this object.
    pub fn on(object: &str) -> Self {
        Self { objects: [object.to_owned()].into(), ..Self::default() }
    }

    /// Results of more rows than this.
    #[must_use]
    pub fn above_rows(mut self, rows: u64) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Windows of more days than this.
    #[must_use]
    pub fn above_days(mut self, days: u64) -> Self {
        self.days = Some(days);
        self
    }
}

/// Switches of allowances and of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BudgetPolicy {
    /// Calls others made today.
    pub used_by_others: u64,
    /// Calls beyond the daily limit that are still answered, as paid orgs may make some.
    pub over_run: u64,
    /// The client's own allowance; shown in `Sforce-Limit-Info` and in `/limits`.
    pub app_limit: Option<AppLimit>,
    /// What `Sforce-Limit-Info` says.
    pub limit_info: LimitInfo,
    /// Data requests that may be in work at once; one more is refused. An answer is in work until it was sent.
    pub concurrent_calls: Option<usize>,
    /// How long the body of a data answer keeps its client waiting.
    pub call_time: Option<Duration>,
    /// Which queries end with `QUERY_TIMEOUT`.
    pub query_timeout: Option<QueryTimeout>,
}
