//! What Salesforce's data API answers when it refuses, and what to do about it: the one place where
//! that is decided.
//!
//! # Source
//! REST API Developer Guide, "Status Codes and Error Responses".

use connector_api::{Error, ErrorKind};

use crate::settings::org_url::OrgHost;
use crate::transport::answer::Answer;
use crate::transport::http_error::HttpError;
pub(crate) use crate::transport::proof::Refusal;
use crate::transport::proof::{Expected, Proof, Unproven, is_passing, proof};

/// Why a request gave no usable answer.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The run cannot go on.
    Fatal(Error),
    /// Salesforce refused this one request.
    Refused(Refusal),
    /// No answer came, at every try: every other request would meet the same.
    Unreachable(Error),
    /// Salesforce failed at every try.
    Unavailable(Error),
    /// The answer does not have the documented shape, at every try.
    Malformed(String),
}

impl ApiError {
    /// As an error of the contract.
    pub(crate) fn into_error(self) -> Error {
        match self {
            ApiError::Fatal(error)
            | ApiError::Unreachable(error)
            | ApiError::Unavailable(error) => error,
            ApiError::Refused(refusal) => {
                let kind = if refusal.is_hidden() { ErrorKind::DENIED } else { ErrorKind::OTHER };
                Error::new(
                    kind,
                    format_args!("Salesforce refused the request ({})", refusal.shown()),
                )
            }
            ApiError::Malformed(reason) => Error::new(
                ErrorKind::SCHEMA,
                format_args!("the answer does not have the documented shape: {reason}"),
            )
            .with_hint("a proxy may have changed it; try again"),
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> ApiError {
        ApiError::Fatal(error)
    }
}

/// What to do after one try.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Use the answer.
    Success,
    /// The access token is not valid any more: renew it, then try once more. With the org's words, if
    /// it is the org that said so.
    Expired(Option<Refusal>),
    /// Try again after a pause: the platform's, or our own.
    Again { error: Error, retry_after_s: Option<u64>, slow: bool },
    /// No answer came, and no other request would get one: try again.
    NoAnswer(Error),
    /// The answer broke off, or cannot be used: try again.
    NoUse(Error),
    /// The org's data is said to be at another host; with the error if that host is none to move to.
    Moved(OrgHost, Error),
    /// Give up this request.
    Refused(Refusal),
    /// Give up the run.
    Fatal(Error),
}

/// Decides what follows from an answer of the data API. The status speaks before the words, and only
/// what is proven to be the org's decides anything.
pub(crate) fn verdict(answer: &Answer, expected: Expected) -> Verdict {
    match proof(answer, expected) {
        Proof::Data => Verdict::Success,
        Proof::Refused(refusal) => of_refusal(answer, refusal),
        Proof::Word("Bad_OAuth_Token" | "Missing_OAuth_Token") => Verdict::Expired(None),
        Proof::Word(word) => Verdict::Refused(Refusal::of_word(answer.status, word)),
        Proof::Unproven(unproven) => of_unproven(answer, unproven),
    }
}

fn of_refusal(answer: &Answer, refusal: Refusal) -> Verdict {
    if is_passing(refusal.status) {
        return passing(answer, &refusal);
    }
    match (refusal.status, refusal.code.as_str()) {
        (401, _) if never_cured_by_renewal(&refusal) => Verdict::Fatal(
            Error::new(
                ErrorKind::CONFIG,
                format_args!("Salesforce does not accept this session ({})", refusal.shown()),
            )
            .with_hint(SESSION_POLICIES),
        ),
        (401, _) | (_, "INVALID_SESSION_ID") => Verdict::Expired(Some(refusal)),
        (_, "REQUEST_LIMIT_EXCEEDED") if refusal.mentions("concurrent") => Verdict::Again {
            error: unavailable(format_args!(
                "too many requests are running in the org at this moment ({})",
                refusal.shown()
            )),
            retry_after_s: answer.retry_after_s(),
            slow: true,
        },
        (_, "REQUEST_LIMIT_EXCEEDED") => Verdict::Fatal(
            Error::new(
                ErrorKind::RATE_LIMITED,
                format_args!("the org's daily API requests are used up ({})", refusal.shown()),
            )
            .with_hint("collect again in a few hours: the allowance is counted over a rolling 24 hours (Setup > Company Information > API Requests)")
            .with_retry_after_ms(answer.retry_after_s().unwrap_or(3_600).saturating_mul(1_000)),
        ),
        (_, "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED") => Verdict::Fatal(
            Error::new(
                ErrorKind::DENIED,
                format_args!("the API is not enabled for this org or user ({})", refusal.shown()),
            )
            .with_hint("tick `API Enabled` in the connecting user's profile or permission set; some editions have no API"),
        ),
        (403, "ORG_LOCKED" | "TRIAL_EXPIRED" | "INVALID_OPERATION_WITH_EXPIRED_PASSWORD") => Verdict::Fatal(
            Error::new(
                ErrorKind::AUTH,
                format_args!("Salesforce does not let the user in ({})", refusal.shown()),
            )
            .with_hint("see the user and the org in Setup, or contact Salesforce"),
        ),
        (410, _) => Verdict::Fatal(
            Error::new(
                ErrorKind::CONFIG,
                format_args!("Salesforce retired this API version ({})", refusal.shown()),
            )
            .with_hint("leave `api_version` empty or raise it"),
        ),
        (_, "SERVER_UNAVAILABLE" | "UNKNOWN_EXCEPTION" | "UNABLE_TO_LOCK_ROW") => {
            passing(answer, &refusal)
        }
        _ => Verdict::Refused(refusal),
    }
}

fn of_unproven(answer: &Answer, unproven: Unproven) -> Verdict {
    if let Some(host) = unproven.target() {
        return Verdict::Moved(host.clone(), not_the_org(&unproven));
    }
    match unproven.status {
        // A gateway may have taken the words away: renewing once shows it.
        401 => Verdict::Expired(None),
        // Too long for something on the way: a shorter question may pass.
        414 | 431 => Verdict::Refused(Refusal::of_word(unproven.status, "")),
        // A portal or proxy that does so does it to every request.
        300..=399 | 407 => Verdict::NoAnswer(not_the_org(&unproven)),
        _ => Verdict::Again {
            error: not_the_org(&unproven),
            retry_after_s: answer.retry_after_s(),
            slow: false,
        },
    }
}

/// The error for an answer that is not the org's.
pub(crate) fn not_the_org(unproven: &Unproven) -> Error {
    Error::new(ErrorKind::RETRYABLE, format_args!("Salesforce did not answer itself: {unproven}"))
        .with_hint(unproven.hint())
}

fn passing(answer: &Answer, refusal: &Refusal) -> Verdict {
    Verdict::Again {
        error: unavailable(format_args!(
            "Salesforce is not available (HTTP {}, {})",
            answer.status,
            refusal.shown()
        )),
        retry_after_s: answer.retry_after_s(),
        slow: false,
    }
}

/// The verdict on a request that got no answer: data requests only read, so they may be repeated.
pub(crate) fn verdict_on_failure(error: &HttpError) -> Verdict {
    match error {
        HttpError::Setup(_) | HttpError::Certificate { .. } => Verdict::Fatal(error.clone().into()),
        HttpError::Broken { .. } | HttpError::TooLarge { .. } | HttpError::Abused { .. } => {
            Verdict::NoUse(error.clone().into())
        }
        _ => Verdict::NoAnswer(error.clone().into()),
    }
}

/// What an administrator looks at when a session that was just renewed is refused.
pub(crate) const SESSION_POLICIES: &str = "check that the app has the scope `api`, that API Access Control (Setup) lets the app and this user in, that the profile's `Session Security Level Required at Login` is not High Assurance, and the app's IP Relaxation";

/// The error for a session that Salesforce refuses although it was just renewed.
pub(crate) fn refused_after_renewal(refusal: &Refusal) -> Error {
    let message = format_args!("Salesforce refuses the renewed session too ({})", refusal.shown())
        .to_string();
    let hint = if refusal.mentions("ip address") {
        "this server's outbound address is not allowed, or it changes between requests (a pool of proxies): allow it in the profile's Login IP Ranges and the app's IP Relaxation, and see `Lock sessions to the IP address from which they originated` (Setup > Session Settings)"
    } else {
        SESSION_POLICIES
    };
    Error::new(ErrorKind::AUTH, message).with_hint(hint)
}

/// Texts of sessions that every renewal makes again, as the platform's own clients list them.
fn never_cured_by_renewal(refusal: &Refusal) -> bool {
    refusal.mentions("not valid for use with the REST API")
        || refusal.mentions("Connected app is not attached to Agent")
}

fn unavailable(message: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::RETRYABLE, message)
        .with_hint("see https://status.salesforce.com; the next run tries again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Verdict {
        verdict(&Answer::of(status, body), Expected::Json)
    }

    fn coded(status: u16, code: &str, message: &str) -> Verdict {
        of(status, &serde_json::json!([{"message": message, "errorCode": code}]).to_string())
    }

    #[test]
    fn the_two_texts_of_the_request_limit_are_handled_differently() {
        let daily = coded(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
        assert!(matches!(daily, Verdict::Fatal(error) if error.kind == ErrorKind::RATE_LIMITED));
        let concurrent = coded(
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
        );
        assert!(matches!(concurrent, Verdict::Again { slow: true, .. }));
    }

    #[test]
    fn what_is_not_the_orgs_answer_is_tried_again_and_decides_nothing() {
        let page = " <html><title>Blocked</title></html>";
        for status in [200, 400, 403, 404, 405, 408, 410, 420, 421, 429, 451, 500, 502, 503] {
            for body in [page, "", r#"{"message":"Forbidden"}"#] {
                if (status, body) == (200, r#"{"message":"Forbidden"}"#) {
                    continue;
                }
                let verdict = of(status, body);
                let Verdict::Again { error, .. } = verdict else { panic!("{status}: {verdict:?}") };
                assert_eq!(error.kind, ErrorKind::RETRYABLE, "{status}: {error}");
                assert!(error.message.contains(&status.to_string()), "{error}");
            }
        }
        for status in [302, 307, 407] {
            assert!(matches!(of(status, page), Verdict::NoAnswer(_)), "{status}");
        }
    }

    #[test]
    fn the_status_speaks_before_the_code() {
        for status in [408, 420, 421, 429, 451, 500, 502, 503, 504] {
            for code in ["INVALID_TYPE", "INSUFFICIENT_ACCESS", "NOT_FOUND", "ORG_LOCKED"] {
                let verdict = coded(status, code, "words");
                assert!(matches!(verdict, Verdict::Again { .. }), "{status} {code}: {verdict:?}");
            }
        }
        assert!(matches!(coded(400, "UNABLE_TO_LOCK_ROW", "unable"), Verdict::Again { .. }));
        assert!(matches!(coded(404, "NOT_FOUND", "x"), Verdict::Refused(_)));
    }

    #[test]
    fn only_sessions_that_a_renewal_can_cure_are_renewed() {
        assert!(matches!(
            coded(401, "INVALID_SESSION_ID", "Session expired or invalid"),
            Verdict::Expired(Some(_))
        ));
        assert!(matches!(of(401, ""), Verdict::Expired(None)));
        assert!(matches!(of(403, "Bad_OAuth_Token"), Verdict::Expired(None)));
        let cureless =
            coded(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API");
        assert!(matches!(cureless, Verdict::Fatal(_)));
    }

    #[test]
    fn a_redirect_to_another_host_of_an_org_is_a_move() {
        let moved = Answer::of(301, "")
            .with_header("location", "https://new.my.salesforce.com/services/data");
        let verdict = verdict(&moved, Expected::Json);
        assert!(matches!(verdict, Verdict::Moved(host, _) if host == "new.my.salesforce.com"));
    }

    #[test]
    fn a_page_that_is_too_long_for_the_way_asks_for_a_shorter_question() {
        let Verdict::Refused(refusal) = of(414, "<html>") else { panic!("not refused") };
        assert!(refusal.status == 414 && !refusal.is_hidden());
    }

    #[test]
    fn messages_repeat_what_salesforce_said() {
        let body = r#"[{"message":"An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-12345 (-1234567890)","errorCode":"UNKNOWN_EXCEPTION"}]"#;
        let answer = Answer::of(500, body).with_header("x-sfdc-request-id", "4kq2vAfJm1aZ9sQp");
        let Verdict::Again { error, .. } = verdict(&answer, Expected::Json) else { panic!() };
        for words in ["UNKNOWN_EXCEPTION", "1234567890-12345 (-1234567890)", "4kq2vAfJm1aZ9sQp"] {
            assert!(error.message.contains(words), "{error}");
        }
    }
}
