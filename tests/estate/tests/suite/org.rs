//! Short ways to make an org and to ask it something.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use estate::{ApiError, Estate, EstateSpec, ResultSet, Viewer, query};
use serde_json::Value;

/// 2026-07-15, noon.
pub(crate) const NOW: i64 = 1_784_116_800;
pub(crate) const DAY: i64 = 86_400;

/// An org seen by the connector's user.
pub(crate) struct Org {
    pub(crate) estate: Arc<Estate>,
    pub(crate) viewer: Viewer,
    pub(crate) version: u16,
}

impl Org {
    pub(crate) fn of(users: u64, seed: u64) -> Self {
        let now = DateTime::<Utc>::from_timestamp(NOW, 0).unwrap();
        let spec = EstateSpec { users, seed, now, ..EstateSpec::default() };
        let estate = Arc::new(Estate::new(spec));
        let viewer = Viewer::guide(estate.admin().user_id);
        Self { estate, viewer, version: 60 }
    }

    pub(crate) fn without(mut self, permission: &str) -> Self {
        self.viewer = self.viewer.without(permission);
        self
    }

    pub(crate) fn with(mut self, permission: &str) -> Self {
        self.viewer = self.viewer.with(permission);
        self
    }

    pub(crate) fn result(&self, soql: &str) -> Result<ResultSet, ApiError> {
        query(&self.estate, &self.viewer, soql, self.version, false)
    }

    pub(crate) fn rows(&self, soql: &str) -> Vec<Value> {
        let result = self.result(soql).unwrap_or_else(|error| panic!("{soql}: {error}"));
        records(&result, 0, u64::MAX)
    }

    pub(crate) fn count(&self, soql: &str) -> u64 {
        self.result(soql).unwrap_or_else(|error| panic!("{soql}: {error}")).total_size()
    }

    /// The only column of a query, as texts.
    pub(crate) fn texts(&self, soql: &str, field: &str) -> Vec<String> {
        self.rows(soql)
            .iter()
            .map(|row| row[field].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Code and message of a query that must fail with status 400.
    pub(crate) fn refused(&self, soql: &str) -> (String, String) {
        let error = self.result(soql).expect_err(soql);
        assert_eq!(error.status, 400, "{soql}");
        (error.error_code, error.message)
    }
}

pub(crate) fn records(result: &ResultSet, offset: u64, limit: u64) -> Vec<Value> {
    let mut json = String::from("[");
    result.write_records(offset, limit, &mut json);
    json.push(']');
    serde_json::from_str(&json).unwrap()
}

/// Seconds of a platform datetime.
pub(crate) fn seconds(value: &Value) -> Option<i64> {
    let text = value.as_str()?;
    Some(DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.3f%z").unwrap().timestamp())
}
