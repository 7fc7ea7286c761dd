//! Instants as the store keeps them and as people read them: UTC, always.

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

/// For people: `2026-03-01 04:05:06 UTC`.
pub fn shown(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Writes an instant as [`rfc3339`], for views: `#[serde(with = "time::in_rfc3339")]`.
pub(crate) mod in_rfc3339 {
    use chrono::{DateTime, Utc};
    use serde::Serializer;

    pub(crate) fn serialize<S: Serializer>(at: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::rfc3339(*at))
    }
}

/// The same for an instant that may be missing.
pub(crate) mod option_in_rfc3339 {
    use chrono::{DateTime, Utc};
    use serde::{Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        at: &Option<DateTime<Utc>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(super::rfc3339).serialize(to)
    }
}
