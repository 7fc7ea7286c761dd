//! Instants as the store keeps them: milliseconds since 1970, UTC.

use chrono::{DateTime, SecondsFormat, Utc};

/// Now, cut to milliseconds as the store keeps it.
pub fn now() -> DateTime<Utc> {
    from_ms(Utc::now().timestamp_millis())
}

/// An instant from milliseconds since 1970; one outside chrono's range becomes 1970.
pub fn from_ms(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

/// RFC 3339 with seconds, in UTC: `2026-03-01T04:05:06Z`.
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
