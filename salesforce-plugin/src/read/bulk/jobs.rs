//! Query jobs of Bulk API 2.0: made, waited for, deleted.
//!
//! What is sent goes through [`Jobs`], so that the course of a job can be tried without a network.
//!
//! # Source
//! Bulk API 2.0 Developer Guide, "Query".

use std::time::Duration;

use connector_api::{Error, ErrorKind};
use serde::Deserialize;

use crate::client::api_error::ApiError;
use crate::read::csv_rows::TakeRecords;

/// Records asked for in one set of results: some 60 MB of CSV for users, read as it arrives.
pub(crate) const SET_RECORDS: u32 = 100_000;
/// A job is waited for so long in all; a queue of minutes is normal.
const LONGEST_WAIT_S: u64 = 60 * 60;
const FIRST_PAUSE_MS: u64 = 1_000;
const LONGEST_PAUSE_MS: u64 = 30_000;

/// A query job as the org describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) object: String,
    #[serde(default)]
    pub(crate) created_by_id: String,
    #[serde(default)]
    pub(crate) created_date: String,
    #[serde(default)]
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) number_records_processed: Option<u64>,
    #[serde(default)]
    pub(crate) error_message: Option<String>,
}

impl Job {
    /// Whether nothing more will happen to it.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "JobComplete" | "Failed" | "Aborted")
    }
}

/// Some parts of a result.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Where each can be read.
    pub(crate) paths: Vec<String>,
    /// Where more are named.
    pub(crate) next: Option<String>,
    /// Whether these are the last ones.
    pub(crate) done: bool,
}

/// Takes records of the results; returns whether more are wanted.
pub(crate) type Take<'a> = TakeRecords<'a>;

/// The requests of a query job.
pub(crate) trait Jobs {
    fn create(&self, query: &str) -> Result<Job, ApiError>;
    fn get(&self, id: &str) -> Result<Job, ApiError>;
    /// Reads the set at a locator, or the first one; answers the next one's locator.
    fn set(
        &self,
        id: &str,
        locator: Option<&str>,
        take: Take<'_>,
    ) -> Result<Option<String>, ApiError>;
    /// The parts of the results, at first or from a path that an answer named.
    fn parts(&self, id: &str, next: Option<&str>) -> Result<Parts, ApiError>;
    /// Reads a part by its path.
    fn part(&self, path: &str, take: Take<'_>) -> Result<(), ApiError>;
    /// Jobs of the org, newest or oldest first as it likes.
    fn list(&self) -> Result<Vec<Job>, ApiError>;
    fn abort(&self, id: &str) -> Result<(), ApiError>;
    fn delete(&self, id: &str) -> Result<(), ApiError>;
    /// Waits, unless the run is cancelled.
    fn pause(&self, duration: Duration) -> Result<(), Error>;
}

/// How a job ended.
#[derive(Debug)]
pub(crate) enum Waited {
    /// It can be read.
    Complete(Job),
    /// It cannot; the text says why.
    Useless(String),
}

/// Waits until a job is over, with growing pauses.
///
/// # Errors
/// What ends the run.
pub(crate) fn wait(jobs: &dyn Jobs, mut job: Job) -> Result<Waited, ApiError> {
    let mut pause_ms = FIRST_PAUSE_MS;
    let mut waited_ms = 0;
    while !job.is_over() {
        if waited_ms >= LONGEST_WAIT_S * 1_000 {
            return Ok(Waited::Useless(format!("the job did not end within {LONGEST_WAIT_S} s")));
        }
        jobs.pause(Duration::from_millis(pause_ms))?;
        waited_ms += pause_ms;
        pause_ms = (pause_ms * 2).min(LONGEST_PAUSE_MS);
        job = match jobs.get(&job.id) {
            Ok(job) => job,
            Err(ApiError::Refused(refusal)) => {
                return Ok(Waited::Useless(format!("the job is gone ({})", refusal.shown())));
            }
            Err(error) => return Err(error),
        };
    }
    Ok(match job.state.as_str() {
        "JobComplete" => Waited::Complete(job),
        state => {
            let said = job.error_message.as_deref().unwrap_or("no reason was given");
            let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
            Waited::Useless(format!("the job ended as `{state}`: {said}"))
        }
    })
}

/// Deletes a job, aborting it first where it still runs. What goes wrong is only noted: Salesforce
/// deletes it after seven days.
///
/// # Errors
/// Only a cancelled run.
pub(crate) fn discard(jobs: &dyn Jobs, id: &str) -> Result<(), ApiError> {
    let first = jobs.delete(id);
    let second = match first {
        Err(ApiError::Refused(refusal)) if refusal.status == 404 => return Ok(()),
        Err(ApiError::Refused(_)) => jobs.abort(id).and_then(|()| jobs.delete(id)),
        other => other,
    };
    match second {
        Err(ApiError::Fatal(error)) if error.kind == ErrorKind::CANCELLED => {
            Err(ApiError::Fatal(error))
        }
        Err(error) => {
            log::warn!("a query job could not be deleted: {}", error.into_error());
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// The jobs that a lost answer left behind: of this object and user, made since that time, in
/// milliseconds since 1970.
pub(crate) fn orphans<'a>(
    jobs: &'a [Job],
    object: &str,
    user_id: &str,
    since_ms: i64,
) -> Vec<&'a Job> {
    jobs.iter()
        .filter(|job| {
            job.object == object
                && !job.created_by_id.is_empty()
                && job.created_by_id.get(..15) == user_id.get(..15)
                && crate::read::page::parse_timestamp(&job.created_date)
                    .is_some_and(|made| made >= since_ms)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::client::api_error::Refusal;

    /// Query jobs as the documentation tells them: a queue, 404 once deleted.
    struct Fake {
        /// States that the job goes through, one for each look.
        states: RefCell<Vec<&'static str>>,
        log: RefCell<Vec<String>>,
        runs: bool,
    }

    impl Fake {
        fn new(states: &[&'static str]) -> Fake {
            Fake { states: RefCell::new(states.to_vec()), log: RefCell::default(), runs: false }
        }

        fn note(&self, text: impl Into<String>) {
            self.log.borrow_mut().push(text.into());
        }
    }

    fn job(state: &str) -> Job {
        // Keys as in a job that an org described; not all are used.
        serde_json::from_value(serde_json::json!({
            "id": "750000000000001AAA", "operation": "query", "object": "User",
            "createdById": "005000000000001AAA", "createdDate": "2026-05-06T10:00:00.000+0000",
            "state": state, "apiVersion": 66.0, "jobType": "V2Query", "numberRecordsProcessed": 5
        }))
        .unwrap()
    }

    fn refused(status: u16) -> ApiError {
        ApiError::Refused(Refusal::new(status, "API_ERROR", ""))
    }

    impl Jobs for Fake {
        fn create(&self, _: &str) -> Result<Job, ApiError> {
            Ok(job("UploadComplete"))
        }
        fn get(&self, _: &str) -> Result<Job, ApiError> {
            let state = self.states.borrow_mut().remove(0);
            if state == "gone" { Err(refused(404)) } else { Ok(job(state)) }
        }
        fn set(&self, _: &str, _: Option<&str>, _: Take<'_>) -> Result<Option<String>, ApiError> {
            Ok(None)
        }
        fn parts(&self, _: &str, _: Option<&str>) -> Result<Parts, ApiError> {
            Err(refused(404))
        }
        fn part(&self, _: &str, _: Take<'_>) -> Result<(), ApiError> {
            Ok(())
        }
        fn list(&self) -> Result<Vec<Job>, ApiError> {
            Ok(vec![job("InProgress")])
        }
        fn abort(&self, _: &str) -> Result<(), ApiError> {
            self.note("abort");
            Ok(())
        }
        fn delete(&self, _: &str) -> Result<(), ApiError> {
            self.note("delete");
            let aborted = self.log.borrow().iter().any(|step| step == "abort");
            if self.runs && !aborted { Err(refused(400)) } else { Ok(()) }
        }
        fn pause(&self, duration: Duration) -> Result<(), Error> {
            self.note(format!("pause {}", duration.as_secs()));
            Ok(())
        }
    }

    #[test]
    fn a_job_is_waited_for_with_growing_pauses() {
        let fake = Fake::new(&["UploadComplete", "InProgress", "InProgress", "JobComplete"]);
        let ended = wait(&fake, job("UploadComplete")).unwrap();
        assert!(matches!(ended, Waited::Complete(job) if job.number_records_processed == Some(5)));
        assert_eq!(*fake.log.borrow(), ["pause 1", "pause 2", "pause 4", "pause 8"]);
    }

    #[test]
    fn a_job_that_failed_was_aborted_or_is_gone_is_told() {
        for state in ["Failed", "Aborted", "gone"] {
            let ended = wait(&Fake::new(&[state]), job("InProgress")).unwrap();
            assert!(matches!(ended, Waited::Useless(_)), "{state}: {ended:?}");
        }
    }

    #[test]
    fn a_job_that_never_ends_is_left() {
        let fake = Fake::new(&["InProgress"; 200]);
        assert!(matches!(wait(&fake, job("InProgress")).unwrap(), Waited::Useless(_)));
    }

    #[test]
    fn a_job_that_still_runs_is_aborted_before_it_is_deleted() {
        let mut fake = Fake::new(&[]);
        fake.runs = true;
        discard(&fake, "750000000000001AAA").unwrap();
        assert_eq!(*fake.log.borrow(), ["delete", "abort", "delete"]);
    }

    #[test]
    fn only_ones_own_jobs_of_that_time_and_object_are_orphans() {
        let jobs = Fake::new(&[]).list().unwrap();
        let made = crate::read::page::parse_timestamp("2026-05-06T10:00:00.000+0000").unwrap();
        assert_eq!(orphans(&jobs, "User", "005000000000001AAA", made).len(), 1);
        assert_eq!(orphans(&jobs, "User", "005000000000001", made - 5).len(), 1);
        assert!(orphans(&jobs, "Account", "005000000000001AAA", made).is_empty());
        assert!(orphans(&jobs, "User", "005000000000002AAA", made).is_empty());
        assert!(orphans(&jobs, "User", "005000000000001AAA", made + 1).is_empty());
    }
}
