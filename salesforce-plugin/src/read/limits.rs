//! Reads the `limits` resource: a map of allowances, some with children.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use connector_api::message::{DatasetStatus, DatasetSummary, Proof, ProofBy};
use serde_json::{Map, Value};

use crate::client::api_error::ApiError;
use crate::dataset::Dataset;
use crate::read::context::{Context, Output, Stop, hidden, summary};

/// Allowances that Salesforce leaves out without `Manage Users`: unknown then, not absent.
const NEED_MANAGE_USERS: [&str; 2] = ["DataStorageMB", "FileStorageMB"];

/// Name, allowance, rest.
type Row = (String, Option<i64>, Option<i64>);

/// Reads all allowances as records.
pub(crate) fn read(
    context: &Context<'_>,
    dataset: &'static Dataset,
    output: &mut dyn Output,
) -> Result<DatasetSummary, Stop> {
    let path = format!("/services/data/v{}.0/limits", context.catalogue.version);
    let rows = context.session.get(&path, None, |answer| {
        let limits: Map<String, Value> =
            serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        let mut rows = Vec::new();
        flatten("", &limits, &mut rows);
        if rows.is_empty() {
            return Err("it holds no allowance".into());
        }
        if let Some((name, ..)) = rows.iter().find(|(_, max, rest)| max.is_none() || rest.is_none())
        {
            return Err(format!("the allowance `{name}` lacks `Max` or `Remaining`"));
        }
        for name in NEED_MANAGE_USERS {
            if !rows.iter().any(|(known, _, _)| known == name) {
                rows.push((name.into(), None, None));
            }
        }
        if let Some((_, Some(max), Some(remaining))) =
            rows.iter().find(|(name, _, _)| name == "DailyApiRequests")
        {
            let number = |n: i64| u64::try_from(n).unwrap_or(0);
            context.session.budget().note_limits(number(*max), number(*remaining));
        }
        let count = rows.len() as u64;
        Ok((rows, count))
    });
    let rows = match rows {
        Ok(rows) => rows,
        Err(ApiError::Refused(refusal)) if refusal.is_hidden() => {
            return Ok(hidden(dataset, context.access, Some(&refusal)));
        }
        Err(ApiError::Fatal(error) | ApiError::Unreachable(error)) => {
            return Err(Stop::Run(error));
        }
        Err(error) => {
            return Ok(summary(dataset, DatasetStatus::Failed, error.into_error().message));
        }
    };
    let count = rows.len() as u64;
    if count > 0 {
        let state = serde_json::json!({ "rows": count }).to_string();
        let batch = batch(&rows)
            .map_err(|reason| Stop::dataset(summary(dataset, DatasetStatus::Failed, reason)))?;
        output.batch(dataset.name, batch, state).map_err(Stop::Run)?;
    }
    context.session.host().progress(dataset.name, count, Some(count));
    Ok(DatasetSummary {
        rows: count,
        expected: Some(count),
        proof: Some(Proof { by: ProofBy::None, counted: None }),
        ..summary(dataset, DatasetStatus::Complete, None)
    })
}

/// Children, such as the share of one app, get their parent's name before theirs.
fn flatten(prefix: &str, limits: &Map<String, Value>, rows: &mut Vec<Row>) {
    for (name, value) in limits {
        let Value::Object(entry) = value else { continue };
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let number = |key: &str| entry.get(key).and_then(whole_number);
        if entry.contains_key("Max") || entry.contains_key("Remaining") {
            rows.push((name.clone(), number("Max"), number("Remaining")));
        }
        flatten(&name, entry, rows);
    }
}

fn whole_number(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 53 bits, checked here")]
    value
        .as_i64()
        .or_else(|| value.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 9e15).map(|n| n as i64))
}

fn batch(rows: &[Row]) -> Result<RecordBatch, String> {
    let names = StringArray::from_iter_values(rows.iter().map(|(name, _, _)| name));
    let max: Int64Array = rows.iter().map(|(_, max, _)| *max).collect();
    let remaining: Int64Array = rows.iter().map(|(_, _, remaining)| *remaining).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("Name", Arc::new(names) as ArrayRef, true),
        ("Max", Arc::new(max) as ArrayRef, true),
        ("Remaining", Arc::new(remaining) as ArrayRef, true),
    ])
    .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_of_an_allowance_are_records_of_their_own() {
        let limits = serde_json::json!({
            "DailyApiRequests": {"Max": 15000, "Remaining": 14990, "My App": {"Max": 0, "Remaining": 0}},
            "PermissionSets": {"Max": 1500, "Remaining": 1499.0, "CreateCustom": {"Max": 1000, "Remaining": 999}},
            "New": 5
        });
        let mut rows = Vec::new();
        flatten("", limits.as_object().unwrap(), &mut rows);
        let names: Vec<&str> = rows.iter().map(|(name, _, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "DailyApiRequests",
                "DailyApiRequests.My App",
                "PermissionSets",
                "PermissionSets.CreateCustom"
            ]
        );
        assert_eq!(rows[2], ("PermissionSets".into(), Some(1_500), Some(1_499)));
    }
}
