//! Requests with the grant's access token: the one place that attaches it.
//!
//! Only GET leaves here, only to the grant's instance host, which is the host of a Salesforce org, over https.
//! An expired token is renewed once per request; passing faults are tried again a few times.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use connector_api::message::JournalEntry;
use connector_api::{Error, ErrorKind, Host, Secret};

use crate::api_error::{ApiError, Verdict, judge, judge_failure};
use crate::authorize::client;
use crate::grant::Grant;
use crate::http::{Answer, Http};
use crate::org_url::{OrgHost, OrgUrl};
use crate::renew::{jitter_ms, renew};
use crate::settings::Settings;

const DATA_TIMEOUT: Duration = Duration::from_secs(120);
const TRIES: u32 = 4;
const LONGEST_PAUSE_S: u64 = 60;
/// A longer wait asked for by the server is left to the next run.
const LONGEST_RETRY_AFTER_S: u64 = 15 * 60;

/// An authorized connection to one org.
pub(crate) struct Session {
    host: Host,
    http: Http,
    settings: Settings,
    current: Mutex<Current>,
    api_calls: AtomicU64,
}

struct Current {
    access_token: Secret,
    instance_host: OrgHost,
    organization_id: Option<String>,
    user_id: Option<String>,
}

impl Current {
    fn of(grant: &Grant) -> Option<Current> {
        Some(Current {
            access_token: grant.access_token()?,
            instance_host: grant.instance_host.clone(),
            organization_id: grant.organization_id.clone(),
            user_id: grant.user_id.clone(),
        })
    }
}

impl Session {
    /// Opens a session with the stored grant; renews it first where it has no access token, or where
    /// an earlier renewal was interrupted.
    ///
    /// # Errors
    /// [`ErrorKind::AUTH`] when there is no usable grant, [`ErrorKind::CONFIG`] for network settings
    /// that cannot be used.
    pub(crate) fn open(host: &Host, settings: &Settings) -> Result<Session, Error> {
        let http = client(settings)?;
        let mut grant = Grant::load(host)?;
        grant.still_usable()?;
        if grant.access_token().is_none() || grant.is_doubtful() {
            grant = renew(host, &http, settings, None)?;
        }
        let current = Current::of(&grant)
            .ok_or_else(|| Error::new(ErrorKind::AUTH, "the grant holds no access token"))?;
        Ok(Session {
            host: host.clone(),
            http,
            settings: settings.clone(),
            current: Mutex::new(current),
            api_calls: AtomicU64::new(0),
        })
    }

    /// The host services.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The host data is read from.
    pub(crate) fn instance_host(&self) -> OrgHost {
        self.current().instance_host.clone()
    }

    /// The org's and the connecting user's id, as far as the grant tells.
    pub(crate) fn ids(&self) -> (Option<String>, Option<String>) {
        let current = self.current();
        (current.organization_id.clone(), current.user_id.clone())
    }

    /// Requests sent so far that count against the org's allowance.
    pub(crate) fn api_calls(&self) -> u64 {
        self.api_calls.load(Ordering::Relaxed)
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gets `path` (with its query) and reads the answer with `read`, which also counts its records.
    /// `object` names the sObject in the journal.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(crate) fn get<T>(
        &self,
        path: &str,
        object: Option<&str>,
        mut read: impl FnMut(&Answer) -> Result<(T, u64), String>,
    ) -> Result<T, ApiError> {
        let mut failures = 0;
        let mut renewed = false;
        loop {
            self.host.stop_if_cancelled()?;
            self.host.acquire("api", 1)?;
            let (url, token) = self.address(path)?;
            let result = self.send(&url, &token);
            let verdict = match &result {
                Ok(answer) => judge(answer),
                Err(error) => judge_failure(error),
            };
            let mut rows = 0;
            let outcome = match (verdict, &result) {
                (Verdict::Success, Ok(answer)) => match read(answer) {
                    Ok((value, count)) => {
                        rows = count;
                        Ok(value)
                    }
                    Err(reason) => Err(Step::Again { last: ApiError::Malformed(reason), pause: backoff(failures) }),
                },
                (Verdict::Success, Err(_)) => Err(Step::Stop(ApiError::Malformed("no answer".into()))),
                (Verdict::Expired, _) if renewed => Err(Step::Stop(ApiError::Fatal(
                    Error::new(ErrorKind::AUTH, "Salesforce refuses the renewed session too")
                        .with_hint("check the app's policies, IP restrictions and session settings, then authorize again"),
                ))),
                (Verdict::Expired, _) => Err(Step::Renew),
                (Verdict::Again { error, retry_after_s, slow }, _) => again(error, retry_after_s, slow, failures),
                (Verdict::NoAnswer(error), _) => {
                    Err(Step::Again { last: ApiError::Unreachable(error), pause: backoff(failures) })
                }
                (Verdict::Refused(refusal), _) => Err(Step::Stop(ApiError::Refused(refusal))),
                (Verdict::Fatal(error), _) => Err(Step::Stop(ApiError::Fatal(error))),
            };
            self.note(&url, object, rows, result.as_ref().ok());
            match outcome {
                Ok(value) => return Ok(value),
                Err(Step::Stop(error)) => return Err(error),
                Err(Step::Renew) => {
                    renewed = true;
                    self.renew(&token)?;
                }
                Err(Step::Again { last, pause }) => {
                    failures += 1;
                    if failures >= TRIES {
                        return Err(last);
                    }
                    self.host.sleep(pause)?;
                }
            }
        }
    }

    /// The only place where an address gets a token: it is on the grant's host, and an org's.
    fn address(&self, path: &str) -> Result<(OrgUrl, Secret), Error> {
        let current = self.current();
        let url = current.instance_host.url(path).ok_or_else(|| {
            Error::new(
                ErrorKind::SCHEMA,
                "an address outside the org was refused; nothing was sent to it",
            )
        })?;
        Ok((url, current.access_token.clone()))
    }

    fn send(&self, url: &OrgUrl, token: &Secret) -> Result<Answer, crate::http::HttpError> {
        // The list of versions and the OAuth resources are free.
        if url.path().starts_with("/services/data/v") {
            self.api_calls.fetch_add(1, Ordering::Relaxed);
        }
        let authorization = Secret::new(format!("Bearer {}", token.expose()));
        let headers = [("Authorization", authorization.expose()), ("Accept", "application/json")];
        self.http.send("GET", url, &headers, None, DATA_TIMEOUT)
    }

    fn renew(&self, seen: &Secret) -> Result<(), Error> {
        let grant = renew(&self.host, &self.http, &self.settings, Some(seen))?;
        if let Some(now) = Current::of(&grant) {
            *self.current() = now;
        }
        Ok(())
    }

    fn note(&self, url: &OrgUrl, object: Option<&str>, rows: u64, answer: Option<&Answer>) {
        self.host.journal(&JournalEntry {
            method: "GET".into(),
            host: url.host().into(),
            path: path_shape(url.path()),
            object: object.map(Into::into),
            status: answer.map_or(0, |answer| answer.status),
            rows,
            bytes: answer.map_or(0, |answer| answer.body.len() as u64),
            duration_ms: answer
                .map_or(0, |answer| u64::try_from(answer.duration.as_millis()).unwrap_or(u64::MAX)),
        });
    }
}

enum Step {
    Stop(ApiError),
    Renew,
    Again { last: ApiError, pause: Duration },
}

fn again<T>(
    error: Error,
    retry_after_s: Option<u64>,
    slow: bool,
    failures: u32,
) -> Result<T, Step> {
    match retry_after_s {
        Some(seconds) if seconds > LONGEST_RETRY_AFTER_S => {
            Err(Step::Stop(ApiError::Unavailable(error.with_retry_after_ms(seconds * 1_000))))
        }
        Some(seconds) => Err(Step::Again {
            last: ApiError::Unavailable(error),
            pause: Duration::from_secs(seconds),
        }),
        None if slow => Err(Step::Again {
            last: ApiError::Unavailable(error),
            pause: Duration::from_millis(5_000) + backoff(failures + 2),
        }),
        None => Err(Step::Again { last: ApiError::Unavailable(error), pause: backoff(failures) }),
    }
}

/// Full jitter: anything up to 0.5 s, doubled with each failure.
fn backoff(failures: u32) -> Duration {
    let most = (500u64 << failures.min(10)).min(LONGEST_PAUSE_S * 1_000);
    Duration::from_millis(jitter_ms(most))
}

/// The path with a locator's opaque part shortened.
fn path_shape(path: &str) -> String {
    match path.split_once("/query/") {
        Some((before, _)) => format!("{before}/query/*"),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locators_do_not_reach_the_journal() {
        assert_eq!(
            path_shape("/services/data/v66.0/query/0r8xx5R2yF2gs3VASQ-2000"),
            "/services/data/v66.0/query/*"
        );
        assert_eq!(path_shape("/services/data/v66.0/limits"), "/services/data/v66.0/limits");
    }

    #[test]
    fn pauses_grow_and_stay_within_a_minute() {
        assert!(backoff(0) < Duration::from_millis(500));
        assert!((0..40).all(|failures| backoff(failures) <= Duration::from_secs(LONGEST_PAUSE_S)));
    }
}
