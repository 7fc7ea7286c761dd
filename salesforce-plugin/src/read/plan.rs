//! What is asked: one dataset of one org, as the settings want it. Does not change while it is read.

use connector_api::message::CollectMode;
use serde::Deserialize;

use crate::client::api_error::ApiError;
use crate::dataset::{Dataset, FieldDef, Paging, Source};
use crate::read::context::{Context, Stop};
use crate::read::parents::Copies;
use crate::read::soql::{Query, instant, query_path, tooling_path};
use crate::read::state::State;
use crate::read::tally::DAY_MS;

/// Longest time between two full reads of a dataset.
pub(crate) const WHOLE_EVERY_MS: i64 = 7 * DAY_MS;
/// How far back Salesforce keeps a log, with a margin, where the settings set no limit.
const LONGEST_LOG_DAYS: u32 = 200;

/// What is asked of one dataset.
pub(crate) struct Plan<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) dataset: &'static Dataset,
    pub(crate) object: &'static str,
    /// The question in short: another question cannot continue from this one's answer.
    pub(crate) question: String,
    /// What it copies from its parents' datasets.
    pub(crate) copies: Copies,
}

/// An answer to `SELECT COUNT()`.
#[derive(Deserialize)]
struct Count {
    #[serde(rename = "totalSize")]
    total_size: u64,
    done: bool,
    records: Vec<serde::de::IgnoredAny>,
}

impl<'a> Plan<'a> {
    /// The plan of a dataset that is read by query. Waits for the datasets whose values it copies.
    pub(crate) fn new(
        context: &'a Context<'a>,
        dataset: &'static Dataset,
        object: &'static str,
    ) -> Plan<'a> {
        let mut plan = Plan {
            context,
            dataset,
            object,
            question: String::new(),
            copies: context.parents.of(dataset),
        };
        let settings = context.session.settings();
        let fields: Vec<&str> = plan.not_left_out().map(|field| field.name).collect();
        plan.question = format!(
            "{};{};{};{};{}",
            fields.join(","),
            plan.custom_fields().join(","),
            dataset.condition.unwrap_or_default(),
            settings.selection.pseudonymize,
            settings.login_history_days.unwrap_or(0),
        );
        plan
    }

    /// The dataset's fields without those that the settings leave out.
    pub(crate) fn not_left_out(&self) -> impl Iterator<Item = &'static FieldDef> + use<'a> {
        let (context, dataset) = (self.context, self.dataset);
        dataset
            .fields
            .iter()
            .filter(move |f| !context.session.settings().selection.leaves_out(dataset, f.name))
    }

    /// The custom fields that the settings add.
    pub(crate) fn custom_fields(&self) -> &'a [String] {
        if self.dataset.custom_fields {
            &self.context.session.settings().selection.custom_user_fields
        } else {
            &[]
        }
    }

    /// A state before the first record.
    pub(crate) fn new_state(&self) -> State {
        State {
            copies: self.copies.fingerprint.clone(),
            ..State::new(self.question.clone(), self.context.now_ms)
        }
    }

    /// The checkpoint that the host keeps, where it answers the same question.
    ///
    /// # Errors
    /// What ends the run.
    pub(crate) fn stored_state(&self) -> Result<Option<State>, Stop> {
        let host = self.context.session.host();
        let stored = host.checkpoint(self.dataset.name).map_err(Stop::Run)?;
        Ok(stored.as_deref().and_then(State::parse).filter(|state| state.question == self.question))
    }

    /// What a former run left, where a run by changes may trust it: the same question was answered,
    /// and the org described its fields not long ago.
    ///
    /// # Errors
    /// What ends the run.
    pub(crate) fn former_state(&self) -> Result<Option<State>, Stop> {
        if self.context.mode != CollectMode::Incremental {
            return Ok(None);
        }
        Ok(self.stored_state()?.filter(|state| state.done && self.is_young(state.described_at)))
    }

    /// Whether an instant is so recent that no full read is due yet.
    pub(crate) fn is_young(&self, at_ms: i64) -> bool {
        self.context.now_ms.abs_diff(at_ms) < WHOLE_EVERY_MS.unsigned_abs()
    }

    /// The org's time in milliseconds since 1970; ours if it does not say.
    pub(crate) fn org_now(&self) -> i64 {
        self.context.session.server_time_ms().unwrap_or_else(|| {
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(self.context.now_ms, |since| {
                    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
                })
        })
    }

    /// How far back a log is read, as a condition.
    pub(crate) fn retention(&self) -> Vec<String> {
        let (true, Paging::Stamp(stamp)) = (self.dataset.bounded_by_days, self.dataset.paging)
        else {
            return Vec::new();
        };
        let days = self.context.session.settings().login_history_days;
        days.map(|days| format!("{stamp} >= {}", instant(self.days_ago(days))))
            .into_iter()
            .collect()
    }

    /// The earliest instant at which a log can begin.
    pub(crate) fn log_start(&self) -> i64 {
        let days = self.context.session.settings().login_history_days;
        self.days_ago(days.unwrap_or(LONGEST_LOG_DAYS))
    }

    fn days_ago(&self, days: u32) -> i64 {
        self.context.now_ms - i64::from(days) * DAY_MS
    }

    /// The dataset's own condition.
    pub(crate) fn condition(&self) -> Vec<String> {
        self.dataset.condition.iter().map(|condition| (*condition).into()).collect()
    }

    /// The conditions of a full read.
    pub(crate) fn whole_conditions(&self) -> Vec<String> {
        let mut conditions = self.condition();
        conditions.extend(self.retention());
        conditions
    }

    /// The query for these fields under these conditions.
    pub(crate) fn query(&self, fields: Vec<String>, conditions: Vec<String>) -> Query {
        Query {
            object: self.object.into(),
            fields,
            conditions,
            stamp: match self.dataset.paging {
                Paging::Stamp(field) => Some(field.into()),
                Paging::Id | Paging::None => None,
            },
            ordered: self.dataset.paging != Paging::None,
            limit: None,
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

    /// Asks the org how many records meet the conditions; `None` if it does not say.
    ///
    /// # Errors
    /// What ends the run.
    pub(crate) fn count(&self, conditions: Vec<String>) -> Result<Option<u64>, Stop> {
        let path = self.path(&self.query(Vec::new(), conditions).count_text());
        let counted = self.context.session.get(&path, Some(self.object), |answer| {
            let count: Count =
                serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
            if !count.done || !count.records.is_empty() {
                return Err("a count is one page without records".into());
            }
            Ok((count.total_size, 0))
        });
        match counted {
            Ok(count) => Ok(Some(count)),
            Err(ApiError::Fatal(error)) => Err(Stop::Run(error)),
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
