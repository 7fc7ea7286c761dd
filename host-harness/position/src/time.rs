//! Instants as the engine computes with them and as people read them: UTC, always.

use chrono::{DateTime, SecondsFormat, Utc};

/// A day in milliseconds.
pub const DAY_MS: i64 = 86_400_000;

/// An instant from milliseconds since 1970; one outside chrono's range becomes 1970.
pub fn from_ms(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

/// RFC 3339 with seconds, in UTC: `2026-03-01T04:05:06Z`.
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// For people: `2026-03-01 04:05:06 UTC`.
pub fn shown(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
