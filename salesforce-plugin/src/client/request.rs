//! One request and what becomes of it: the allow-list, the allowance, retries and the journal.

use std::time::Duration;

use connector_api::message::JournalEntry;
use connector_api::{Error, ErrorKind};

use crate::client::allow_list;
use crate::client::api_error::{ApiError, Verdict, judge, judge_failure};
use crate::client::session::{Request, Session};
use crate::settings::org_url::OrgUrl;
use crate::transport::http::{Answer, Consume, Unfinished};
use crate::transport::http_error::HttpError;
use crate::transport::pause::backoff;

/// A longer wait asked for by the server is left to the next run.
const LONGEST_RETRY_AFTER_S: u64 = 15 * 60;
/// Too many requests at once: the others need some time to end.
const CROWDED_PAUSE_MS: u64 = 5_000;

/// Reads an answer; answers its records too.
type ReadAnswer<'a, T> = &'a mut dyn FnMut(&Answer) -> Result<(T, u64), String>;

enum Step {
    Stop(ApiError),
    Renew,
    Again { last: ApiError, pause: Duration, timed_out: bool },
}

impl Session {
    /// Gets `path` (with its query) and reads the answer with `read`, which also counts its records.
    /// `object` names the sObject in the journal.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(crate) fn get<T>(
        &self,
        path: &str,
        object: Option<&str>,
        read: impl FnMut(&Answer) -> Result<(T, u64), String>,
    ) -> Result<T, ApiError> {
        self.request(&Request::get(path, object), read)
    }

    /// Sends a request of the allow-list and reads its answer. An expired token is renewed once;
    /// passing faults are tried again, except of a POST that may have arrived.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(crate) fn request<T>(
        &self,
        request: &Request<'_>,
        mut read: impl FnMut(&Answer) -> Result<(T, u64), String>,
    ) -> Result<T, ApiError> {
        self.exchange(request, None, &mut read)
    }

    /// Sends a GET whose answer is taken while it arrives; at another try it comes from its beginning
    /// again. `read` reads what stands beside the body, and is told how many records that had.
    ///
    /// # Errors
    /// [`ApiError`]; what was taken before stays taken.
    pub(crate) fn stream<T>(
        &self,
        request: &Request<'_>,
        consume: Consume<'_>,
        mut read: impl FnMut(&Answer, u64) -> Result<T, String>,
    ) -> Result<T, ApiError> {
        self.exchange(request, Some(consume), &mut |answer| match &answer.taken {
            Some(Ok(rows)) => Ok((read(answer, *rows)?, *rows)),
            // Nothing came: a result without records.
            None if answer.body.is_empty() => Ok((read(answer, 0)?, 0)),
            Some(Err(Unfinished::Malformed(reason))) => Err(reason.clone()),
            _ => Err("the answer is not the result of a job".into()),
        })
    }

    fn exchange<T>(
        &self,
        request: &Request<'_>,
        mut consume: Option<Consume<'_>>,
        read: ReadAnswer<'_, T>,
    ) -> Result<T, ApiError> {
        let mut failures = 0;
        let mut renewed = false;
        loop {
            self.host().stop_if_cancelled()?;
            let (url, token) = self.address(request.path)?;
            if !allow_list::is_allowed(request.method, url.path()) {
                return Err(Error::new(
                    ErrorKind::SCHEMA,
                    "a request that the connector may not send was held back",
                )
                .into());
            }
            // The list of versions and the OAuth resources are free.
            if url.path().starts_with("/services/data/v") {
                self.budget().take()?;
            }
            let result = {
                let _place = self.gate().enter(self.host())?;
                let consume: Option<Consume<'_>> = match &mut consume {
                    Some(consume) => Some(&mut **consume),
                    None => None,
                };
                self.send(request, &url, &token, consume)
            };
            if let Ok(answer) = &result {
                self.note_headers(answer);
            }
            let mut rows = 0;
            let outcome = self.step(request, &result, failures, renewed, &mut |answer| {
                let (value, count) = read(answer)?;
                rows = count;
                Ok(value)
            });
            self.note(request, &url, rows, result.as_ref().ok());
            match outcome {
                Ok(value) => {
                    self.retries().succeeded();
                    return Ok(value);
                }
                Err(Step::Stop(error)) => return Err(error),
                Err(Step::Renew) => {
                    renewed = true;
                    self.renew(&token)?;
                }
                Err(Step::Again { last, pause, timed_out }) => {
                    failures += 1;
                    if !self.retries().allow(failures, timed_out) {
                        return Err(last);
                    }
                    self.host().sleep(pause)?;
                }
            }
        }
    }

    fn step<T>(
        &self,
        request: &Request<'_>,
        result: &Result<Answer, HttpError>,
        failures: u32,
        renewed: bool,
        read: &mut dyn FnMut(&Answer) -> Result<T, String>,
    ) -> Result<T, Step> {
        let answer = match result {
            Ok(answer) => answer,
            Err(error) => {
                return Err(match judge_failure(error) {
                    Verdict::NoAnswer(last) if request.may_repeat() || error.before_sending() => {
                        let timed_out = matches!(error, HttpError::Timeout { .. });
                        // Slow for this request is not gone for all.
                        let last = if timed_out {
                            ApiError::Unavailable(last)
                        } else {
                            ApiError::Unreachable(last)
                        };
                        Step::Again { last, pause: backoff(failures), timed_out }
                    }
                    Verdict::NoAnswer(last) => Step::Stop(ApiError::Unavailable(last)),
                    Verdict::Fatal(error) => Step::Stop(ApiError::Fatal(error)),
                    _ => Step::Stop(ApiError::Malformed("no answer".into())),
                });
            }
        };
        if answer.taken == Some(Err(Unfinished::Unwanted)) {
            return Err(Step::Stop(Error::cancelled().into()));
        }
        // Without a body: what was to be deleted is gone; a result without records, or a taken one.
        let bare_success = match answer.status {
            204 => true,
            200 => answer.body.is_empty() && request.accept == "text/csv",
            _ => false,
        };
        let verdict = if bare_success { Verdict::Success } else { judge(answer) };
        match verdict {
            Verdict::Success => read(answer).map_err(|reason| {
                let last = ApiError::Malformed(reason);
                if request.may_repeat() {
                    Step::Again { last, pause: backoff(failures), timed_out: false }
                } else {
                    Step::Stop(last)
                }
            }),
            Verdict::Expired if renewed => Err(Step::Stop(ApiError::Fatal(
                Error::new(ErrorKind::AUTH, "Salesforce refuses the renewed session too")
                    .with_hint("check the app's policies, IP restrictions and session settings, then authorize again"),
            ))),
            Verdict::Expired => Err(Step::Renew),
            Verdict::Again { error, retry_after_s, slow } => {
                if slow {
                    self.gate().narrow();
                }
                if retry_after_s.is_some_and(|seconds| seconds > LONGEST_RETRY_AFTER_S) {
                    return Err(Step::Stop(ApiError::Fatal(parked(error, retry_after_s))));
                }
                if !request.may_repeat() && !slow {
                    return Err(Step::Stop(ApiError::Unavailable(error)));
                }
                let pause = match retry_after_s {
                    Some(seconds) => Duration::from_secs(seconds),
                    None if slow => Duration::from_millis(CROWDED_PAUSE_MS) + backoff(failures + 2),
                    None => backoff(failures),
                };
                Err(Step::Again { last: ApiError::Unavailable(error), pause, timed_out: false })
            }
            Verdict::NoAnswer(error) => Err(Step::Stop(ApiError::Unreachable(error))),
            Verdict::Refused(refusal) => Err(Step::Stop(ApiError::Refused(refusal))),
            Verdict::Fatal(error) => Err(Step::Stop(ApiError::Fatal(error))),
        }
    }

    fn note(&self, request: &Request<'_>, url: &OrgUrl, rows: u64, answer: Option<&Answer>) {
        self.host().journal(&JournalEntry {
            method: request.method.into(),
            host: url.host().into(),
            path: allow_list::shown(url.path()),
            object: request.object.map(Into::into),
            status: answer.map_or(0, |answer| answer.status),
            rows,
            bytes: answer.map_or(0, |answer| answer.length),
            duration_ms: answer
                .map_or(0, |answer| u64::try_from(answer.duration.as_millis()).unwrap_or(u64::MAX)),
        });
    }
}

/// The platform asks to be left alone for longer than a run waits.
fn parked(error: Error, retry_after_s: Option<u64>) -> Error {
    let seconds = retry_after_s.unwrap_or(LONGEST_RETRY_AFTER_S);
    Error::new(ErrorKind::RATE_LIMITED, format_args!("{error}, and asks to wait for {seconds} s"))
        .with_hint("collect again after that time")
        .with_retry_after_ms(seconds.saturating_mul(1_000))
}
