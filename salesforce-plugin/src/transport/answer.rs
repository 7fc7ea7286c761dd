//! An answer that was read to its end.

use std::io::Read;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use reqwest::header::HeaderMap;

use crate::transport::foreign_text::ForeignText;
use crate::transport::masker::Masker;

/// Longest wait that a `Retry-After` can mean; the allowance of API requests is counted over a day.
const LONGEST_RETRY_AFTER_S: u64 = 25 * 60 * 60;

/// Kinds of answers, each with the size that none of its kind has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerKind {
    /// Tokens, revocations and every refusal.
    Token,
    /// Versions, limits, jobs, the user: some hundred values.
    Small,
    /// The description of one object.
    Describe,
    /// A page of records.
    Page,
}

impl AnswerKind {
    /// Most decoded bytes.
    pub(crate) fn most_bytes(self) -> u64 {
        match self {
            AnswerKind::Token => 64 << 10,
            AnswerKind::Small => 1 << 20,
            AnswerKind::Describe => 8 << 20,
            AnswerKind::Page => 16 << 20,
        }
    }
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Empty where it was taken as it arrived.
    pub(crate) body: Vec<u8>,
    /// Records that were taken as they arrived, or why not all were.
    pub(crate) taken: Option<Result<u64, Unfinished>>,
    /// Decoded bytes of the body.
    pub(crate) length: u64,
    pub(crate) duration: Duration,
    pub(crate) masker: Masker,
}

/// Why a body was not taken to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// It does not have the documented shape.
    Malformed(String),
    /// Nobody wants the rest.
    Unwanted,
}

/// Takes a body as it arrives; returns the number of its records.
pub(crate) type Consume<'a> = &'a mut dyn FnMut(&mut dyn Read) -> Result<u64, Unfinished>;

impl Answer {
    /// An answer as a test needs it.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of(status: u16, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        Answer {
            status,
            headers: HeaderMap::new(),
            body: body.to_vec(),
            taken: None,
            length: body.len() as u64,
            duration: Duration::ZERO,
            masker: Masker::default(),
        }
    }

    /// The same answer with a header, as a test needs it.
    #[cfg(test)]
    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Answer {
        if let Ok(value) = value.parse() {
            self.headers.insert(name, value);
        }
        self
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the body claims, or looks, to be HTML: a maintenance, login or proxy page.
    pub(crate) fn is_html(&self) -> bool {
        let start = self.body.iter().copied().find(|b| !b.is_ascii_whitespace());
        let claimed = self.header("content-type").unwrap_or_default().to_ascii_lowercase();
        start == Some(b'<') || claimed.contains("html")
    }

    /// A part of the answer as it may be kept and shown.
    pub(crate) fn foreign(&self, text: &str) -> ForeignText {
        self.masker.text(text)
    }

    /// The time of the server that answered.
    pub(crate) fn date(&self) -> Option<DateTime<Utc>> {
        self.header("date").and_then(http_date)
    }

    /// Seconds after which another try is welcome, by either form of `Retry-After`; at most 25 hours.
    pub(crate) fn retry_after_s(&self) -> Option<u64> {
        let text = self.header("retry-after")?.trim();
        let seconds = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            text.parse().unwrap_or(u64::MAX)
        } else {
            let now = self.date().unwrap_or_else(Utc::now);
            u64::try_from((http_date(text)? - now).num_seconds()).unwrap_or(0)
        };
        Some(seconds.min(LONGEST_RETRY_AFTER_S))
    }
}

/// A date in one of the three forms of HTTP.
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(date) = DateTime::parse_from_rfc2822(text) {
        return Some(date.to_utc());
    }
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|date| date.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry_after(value: &str) -> Option<u64> {
        Answer::of(503, "")
            .with_header("date", "Tue, 24 Nov 2026 12:00:00 GMT")
            .with_header("retry-after", value)
            .retry_after_s()
    }

    #[test]
    fn both_forms_of_retry_after_are_understood() {
        assert_eq!(retry_after("7"), Some(7));
        assert_eq!(retry_after(" 120 "), Some(120));
        assert_eq!(retry_after("Tue, 24 Nov 2026 12:00:30 GMT"), Some(30));
        assert_eq!(retry_after("Tuesday, 24-Nov-26 12:01:00 GMT"), Some(60));
        assert_eq!(retry_after("Tue Nov 24 12:02:00 2026"), Some(120));
        assert_eq!(retry_after("Tue, 24 Nov 2026 11:00:00 GMT"), Some(0));
        for nonsense in ["soon", "-3", "1.5", ""] {
            assert_eq!(retry_after(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_retry_after_of_any_size_is_a_day_at_most() {
        for huge in
            ["18446744073709552", "99999999999999999999999999", "Tue, 24 Nov 2099 12:00:00 GMT"]
        {
            assert_eq!(retry_after(huge), Some(LONGEST_RETRY_AFTER_S), "{huge}");
        }
    }
}
