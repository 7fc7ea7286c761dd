//! Instants as the store keeps them and as people read them: UTC, always.

use chrono::{DateTime, Utc};

pub use inventory::time::{from_ms, now, rfc3339};

/// For people: `2026-03-01 04:05:06 UTC`.
pub fn shown(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
