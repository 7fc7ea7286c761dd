//! Instants as the store keeps them and as people read them: UTC, always.

use chrono::{DateTime, Utc};

pub use inventory::time::{from_ms, now, rfc3339};

/// For people: `2026-03-01 04:05:06 UTC`.
pub fn shown(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Writes an instant as [`rfc3339`], for views: `#[serde(with = "time::in_rfc3339")]`.
pub(crate) mod in_rfc3339 {
    use chrono::{DateTime, Utc};
    use serde::Serializer;

    pub(crate) fn serialize<S: Serializer>(at: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&crate::time::rfc3339(*at))
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
        at.map(crate::time::rfc3339).serialize(to)
    }
}
