//! One request and what becomes of it: the allow-list, the allowance, retries and the journal.

use std::time::{Duration, Instant};

use connector_api::message::JournalEntry;
use connector_api::{Error, ErrorKind, Secret};

use crate::client::allow_list;
use crate::client::api_error::{
    ApiError, Verdict, refused_after_renewal, verdict, verdict_on_failure,
};
use crate::client::session::{Request, Session};
use crate::settings::org_url::OrgUrl;
use crate::transport::answer::{Answer, Consume, Unfinished};
use crate::transport::http_error::HttpError;
use crate::transport::pause::backoff;

/// Longest wait within a run; a longer one that the server asks for is left to the next run.
const LONGEST_RETRY_AFTER_S: u64 = 15 * 60;
/// Shortest pause after too many requests at once, so that others can end.
const CROWDED_PAUSE_MS: u64 = 5_000;
/// Most time on the network for all tries of one request whose answer is read to its end.
const LONGEST_EXCHANGE: Duration = Duration::from_secs(300);
/// How often a session that another reader renewed meanwhile is taken over for one request.
const MOST_TAKEOVERS: u32 = 3;

/// Reads an answer; counts its records too.
type ReadAnswer<'a, T> = &'a mut dyn FnMut(&Answer) -> Result<(T, u64), String>;

enum Step {
    Stop(ApiError),
    Renew,
    /// Another reader renewed the session meanwhile.
    TakeOver,
    Again {
        last: ApiError,
        pause: Duration,
        timed_out: bool,
    },
}

/// What one request has been through.
#[derive(Default)]
struct Tries {
    failures: u32,
    renewed: bool,
    takeovers: u32,
    on_the_network: Duration,
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
    /// again. `read` reads what accompanies the body, given the number of its records.
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
        let streamed = consume.is_some();
        let mut tries = Tries::default();
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
            let sent = Instant::now();
            let result = {
                let _place = self.gate().enter(self.host())?;
                let consume: Option<Consume<'_>> = match &mut consume {
                    Some(consume) => Some(&mut **consume),
                    None => None,
                };
                self.send(request, &url, &token, consume)
            };
            tries.on_the_network += sent.elapsed();
            if let Ok(answer) = &result {
                self.note_headers(answer);
            }
            let mut rows = 0;
            let outcome = self.step(request, &token, &result, &tries, &mut |answer| {
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
                    tries.renewed = true;
                    self.renew(&token)?;
                }
                Err(Step::TakeOver) => tries.takeovers += 1,
                Err(Step::Again { last, pause, timed_out }) => {
                    tries.failures += 1;
                    let late = !streamed && tries.on_the_network >= LONGEST_EXCHANGE;
                    if late || !self.retries().allow(tries.failures, timed_out) {
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
        token: &Secret,
        result: &Result<Answer, HttpError>,
        tries: &Tries,
        read: &mut dyn FnMut(&Answer) -> Result<T, String>,
    ) -> Result<T, Step> {
        let pause = || backoff(tries.failures);
        let answer = match result {
            Ok(answer) => answer,
            Err(error) => return Err(after_failure(request, error, pause())),
        };
        if answer.taken == Some(Err(Unfinished::Unwanted)) {
            return Err(Step::Stop(Error::cancelled().into()));
        }
        let again = |last| Step::Again { last, pause: pause(), timed_out: false };
        match verdict(answer, request.expected()) {
            Verdict::Success => read(answer).map_err(|reason| {
                let last = ApiError::Malformed(answer.foreign(&reason).to_string());
                if request.may_repeat() { again(last) } else { Step::Stop(last) }
            }),
            Verdict::Expired(_) if !tries.renewed => Err(Step::Renew),
            Verdict::Expired(refusal) => {
                if tries.takeovers < MOST_TAKEOVERS && self.take_over(token).map_err(stop)? {
                    return Err(Step::TakeOver);
                }
                Err(match refusal {
                    Some(refusal) => stop(refused_after_renewal(&refusal)),
                    None => again(ApiError::Unavailable(unproven_expiry(answer.status))),
                })
            }
            Verdict::Again { error, retry_after_s, slow } => {
                if slow {
                    self.gate().narrow();
                }
                if let Some(seconds) = retry_after_s.filter(|s| *s > LONGEST_RETRY_AFTER_S) {
                    return Err(stop(parked(error, seconds)));
                }
                if !request.may_repeat() && !slow {
                    return Err(Step::Stop(ApiError::Unavailable(error)));
                }
                let pause = match retry_after_s {
                    Some(seconds) => Duration::from_secs(seconds),
                    None if slow => {
                        Duration::from_millis(CROWDED_PAUSE_MS) + backoff(tries.failures + 2)
                    }
                    None => pause(),
                };
                Err(Step::Again { last: ApiError::Unavailable(error), pause, timed_out: false })
            }
            Verdict::NoUse(error) => Err(again(ApiError::Unavailable(error))),
            Verdict::NoAnswer(error) => Err(again(ApiError::Unreachable(error))),
            Verdict::Moved(host, error) => match self.note_move(&host).map_err(stop)? {
                Some(moved) => Err(stop(moved)),
                None => Err(again(ApiError::Unreachable(error))),
            },
            Verdict::Refused(refusal) => Err(Step::Stop(ApiError::Refused(refusal))),
            Verdict::Fatal(error) => Err(stop(error)),
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

fn stop(error: Error) -> Step {
    Step::Stop(ApiError::Fatal(error))
}

/// What follows from a request that got no answer.
fn after_failure(request: &Request<'_>, error: &HttpError, pause: Duration) -> Step {
    let timed_out = matches!(error, HttpError::Timeout { .. });
    let last = match verdict_on_failure(error) {
        // Slow for this request is not gone for all.
        Verdict::NoAnswer(last) if timed_out => ApiError::Unavailable(last),
        Verdict::NoAnswer(last) => ApiError::Unreachable(last),
        Verdict::NoUse(last) => ApiError::Unavailable(last),
        Verdict::Fatal(error) => return stop(error),
        _ => ApiError::Malformed("no answer".into()),
    };
    if request.may_repeat() || error.before_sending() {
        return Step::Again { last, pause, timed_out };
    }
    Step::Stop(match last {
        ApiError::Unreachable(error) => ApiError::Unavailable(error),
        last => last,
    })
}

/// A session that is said to be refused by something that is not the org.
fn unproven_expiry(status: u16) -> Error {
    Error::new(
        ErrorKind::RETRYABLE,
        format_args!("the session is refused, and not by Salesforce itself (HTTP {status})"),
    )
    .with_hint("a proxy or gateway on the way may have answered: try again later")
}

/// The platform asks to be left alone for longer than a run waits.
fn parked(error: Error, seconds: u64) -> Error {
    Error::new(ErrorKind::RATE_LIMITED, format_args!("{error}, and asks to wait for {seconds} s"))
        .with_hint("collect again after that time")
        .with_retry_after_ms(seconds.saturating_mul(1_000))
}
