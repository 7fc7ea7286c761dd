//! What Salesforce's data API answers when it refuses, and what to do about it: the one place where
//! that is decided.
//!
//! # Source
//! REST API Developer Guide, "Status Codes and Error Responses".

use connector_api::{Error, ErrorKind};
use serde::Deserialize;

use crate::transport::http::Answer;
use crate::transport::http_error::HttpError;

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

/// One refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    /// The object or resource is not there for this account: a permission or a feature is missing.
    pub(crate) fn is_hidden(&self) -> bool {
        matches!(
            self.code.as_str(),
            "INVALID_TYPE"
                | "NOT_FOUND"
                | "INSUFFICIENT_ACCESS"
                | "INSUFFICIENT_ACCESS_OR_READONLY"
                | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
                | "FUNCTIONALITY_NOT_ENABLED"
                | "INVALID_TYPE_FOR_OPERATION"
        ) || (self.code.is_empty() && matches!(self.status, 403 | 404))
    }

    /// Code and the end of the message, on one line.
    pub(crate) fn shown(&self) -> String {
        // A message about a query repeats the query first; what was wrong stands behind the last line break.
        let message = self.message.trim().rsplit('\n').next().unwrap_or_default();
        let message: String = message.chars().filter(|c| !c.is_control()).take(200).collect();
        match (self.code.is_empty(), message.is_empty()) {
            (true, _) => format!("HTTP {}", self.status),
            (false, true) => self.code.clone(),
            (false, false) => format!("{}: {message}", self.code),
        }
    }

    /// The column an `INVALID_FIELD` is about.
    pub(crate) fn invalid_column(&self) -> Option<&str> {
        if self.code != "INVALID_FIELD" {
            return None;
        }
        let (_, rest) = self
            .message
            .split_once("No such column '")
            .or_else(|| self.message.split_once("field path. "))?;
        rest.split('\'').next()
    }
}

/// What to do after one try.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Use the answer.
    Success,
    /// The access token is not valid any more: renew it, then try once more.
    Expired,
    /// Try again after a pause: the platform's, or our own.
    Again { error: Error, retry_after_s: Option<u64>, slow: bool },
    /// No answer came: try again.
    NoAnswer(Error),
    /// Give up this request.
    Refused(Refusal),
    /// Give up the run.
    Fatal(Error),
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    message: String,
    #[serde(default, rename = "errorCode")]
    error_code: String,
}

/// Judges an answer of the data API by status, error code and what the body is.
pub(crate) fn judge(answer: &Answer) -> Verdict {
    if matches!(answer.status, 200 | 201) && !answer.is_html() && !answer.body.is_empty() {
        return Verdict::Success;
    }
    let item = first_item(&answer.body);
    let (code, message) =
        item.map_or_else(Default::default, |item| (item.error_code, item.message));
    let refusal = Refusal { status: answer.status, code, message };
    match (answer.status, refusal.code.as_str()) {
        (401, _) if never_cured_by_renewal(&refusal.message) => Verdict::Fatal(
            Error::new(ErrorKind::CONFIG, format_args!("Salesforce does not accept this session ({})", refusal.shown()))
                .with_hint("check the app's OAuth scopes (`api`) and the org's API access control"),
        ),
        (401, _) | (_, "INVALID_SESSION_ID") => Verdict::Expired,
        (403, "") if String::from_utf8_lossy(&answer.body).contains("Bad_OAuth_Token") => Verdict::Expired,
        (_, "REQUEST_LIMIT_EXCEEDED") if refusal.message.contains("Concurrent") => Verdict::Again {
            error: unavailable("too many requests are running in the org at this moment"),
            retry_after_s: retry_after(answer),
            slow: true,
        },
        (_, "REQUEST_LIMIT_EXCEEDED") => Verdict::Fatal(
            Error::new(ErrorKind::RATE_LIMITED, "the org's daily API requests are used up")
                .with_hint("collect again in a few hours: the allowance is counted over a rolling 24 hours (Setup > Company Information > API Requests)")
                .with_retry_after_ms(retry_after(answer).unwrap_or(3_600) * 1_000),
        ),
        (_, "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED") => Verdict::Fatal(
            Error::new(ErrorKind::DENIED, "the API is not enabled for this org or user")
                .with_hint("tick `API Enabled` in the connecting user's profile or permission set; some editions have no API"),
        ),
        (403, "ORG_LOCKED" | "TRIAL_EXPIRED" | "INVALID_OPERATION_WITH_EXPIRED_PASSWORD") => Verdict::Fatal(
            Error::new(ErrorKind::AUTH, format_args!("Salesforce does not let the user in ({})", refusal.shown()))
                .with_hint("see the user and the org in Setup, or contact Salesforce"),
        ),
        (410, _) => Verdict::Fatal(
            Error::new(ErrorKind::CONFIG, "Salesforce retired this API version").with_hint("leave `api_version` empty or raise it"),
        ),
        (300..=399, _) => Verdict::Fatal(
            Error::new(ErrorKind::CONFIG, "the host answers with a redirect instead of data")
                .with_hint("check the domain: enter the org's My Domain name"),
        ),
        (_, "SERVER_UNAVAILABLE" | "UNKNOWN_EXCEPTION") | (420 | 429 | 406 | 500..=599, _) => Verdict::Again {
            error: unavailable(&format!("Salesforce is not available (HTTP {})", answer.status)),
            retry_after_s: retry_after(answer),
            slow: false,
        },
        // Success without data: an empty body, or a maintenance, login or proxy page.
        (200, _) => Verdict::Again {
            error: unavailable("a page came back instead of data: maintenance, a login page or a proxy"),
            retry_after_s: retry_after(answer),
            slow: false,
        },
        _ => Verdict::Refused(refusal),
    }
}

/// The verdict on a request that got no answer: data requests only read, so they may be repeated.
pub(crate) fn judge_failure(error: &HttpError) -> Verdict {
    match error {
        HttpError::Setup(_) | HttpError::Certificate { .. } | HttpError::TooLarge { .. } => {
            Verdict::Fatal(error.clone().into())
        }
        _ => Verdict::NoAnswer(error.clone().into()),
    }
}

fn first_item(body: &[u8]) -> Option<Item> {
    serde_json::from_slice::<Vec<Item>>(body)
        .ok()
        .and_then(|items| items.into_iter().next())
        .or_else(|| serde_json::from_slice::<Item>(body).ok())
}

fn never_cured_by_renewal(message: &str) -> bool {
    message.contains("not valid for use with the REST API")
        || message.contains("Connected app is not attached to Agent")
}

fn retry_after(answer: &Answer) -> Option<u64> {
    answer.header("retry-after")?.trim().parse().ok()
}

fn unavailable(message: &str) -> Error {
    Error::new(ErrorKind::RETRYABLE, message)
        .with_hint("see https://status.salesforce.com; the next run tries again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(status: u16, code: &str, message: &str) -> Verdict {
        judge(&Answer::of(
            status,
            serde_json::json!([{"message": message, "errorCode": code}]).to_string(),
        ))
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
    fn a_page_with_status_200_is_not_data() {
        assert!(matches!(
            judge(&Answer::of(200, " <html>We are down for maintenance</html>")),
            Verdict::Again { .. }
        ));
        assert!(matches!(judge(&Answer::of(200, "")), Verdict::Again { .. }));
        assert!(matches!(judge(&Answer::of(200, "{}")), Verdict::Success));
    }

    #[test]
    fn only_sessions_that_a_renewal_can_cure_are_renewed() {
        assert!(matches!(
            coded(401, "INVALID_SESSION_ID", "Session expired or invalid"),
            Verdict::Expired
        ));
        assert!(matches!(judge(&Answer::of(401, "")), Verdict::Expired));
        assert!(matches!(judge(&Answer::of(403, "Bad_OAuth_Token")), Verdict::Expired));
        let cureless =
            coded(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API");
        assert!(matches!(cureless, Verdict::Fatal(_)));
    }

    #[test]
    fn a_hidden_object_and_a_missing_column_are_told_apart() {
        let Verdict::Refused(hidden) =
            coded(400, "INVALID_TYPE", "\nSELECT x\n^\nsObject type 'UserLogin' is not supported.")
        else {
            panic!("not refused")
        };
        assert!(hidden.is_hidden());
        assert_eq!(hidden.shown(), "INVALID_TYPE: sObject type 'UserLogin' is not supported.");
        let Verdict::Refused(column) = coded(
            400,
            "INVALID_FIELD",
            "\nSELECT Foo\n^\nERROR at Row:1:Column:8\nNo such column 'Foo' on entity 'User'. If",
        ) else {
            panic!("not refused")
        };
        assert!(!column.is_hidden());
        assert_eq!(column.invalid_column(), Some("Foo"));
    }
}
