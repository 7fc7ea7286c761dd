//! What a bulk query may not ask for.

use std::sync::Arc;

use crate::error::ApiError;
use crate::org::Estate;
use crate::schema::{Kind, Schema};
use crate::soql::ast::{FieldsKind, SelectItem};
use crate::soql::column::Leaf;
use crate::soql::select::Item;
use crate::soql::{Answer, ResultSet, aggregate, parser, run};
use crate::viewer::Viewer;

/// Answers a query of a bulk job, as [`query`](crate::query) does one of the REST API.
///
/// # Errors
/// As [`query`](crate::query), and 400 `API_ERROR` for what only the REST API can do: aggregates, GROUP BY, OFFSET,
/// TYPEOF, child sub-queries, FIELDS(ALL) and FIELDS(CUSTOM), compound fields and files.
pub fn bulk_query(
    estate: &Arc<Estate>,
    viewer: &Viewer,
    soql: &str,
    version: u16,
    all_rows: bool,
) -> Result<ResultSet, ApiError> {
    let unsupported =
        |what: &str| ApiError::new(400, "API_ERROR", format!("{what} not supported in Bulk Query"));
    if soql.split_whitespace().any(|word| word.eq_ignore_ascii_case("TYPEOF")) {
        return Err(unsupported("TYPEOF clause"));
    }
    let parsed = parser::parse(soql)?;
    if aggregate::groups(&parsed) || parsed.select.contains(&SelectItem::CountRows) {
        return Err(unsupported("Aggregate query"));
    }
    if parsed.offset.is_some() {
        return Err(unsupported("OFFSET clause"));
    }
    for selected in &parsed.select {
        match selected {
            SelectItem::Children(_) => return Err(unsupported("Aggregate Relationship")),
            SelectItem::Fields(FieldsKind::All | FieldsKind::Custom, _) => {
                return Err(unsupported("FIELDS(ALL) and FIELDS(CUSTOM)"));
            }
            _ => {}
        }
    }
    let mut result = run(estate, viewer, soql, &parsed, version, all_rows)?;
    if let Answer::Records { items, .. } = &mut result.answer {
        let standard = parsed.select.iter().any(|item| matches!(item, SelectItem::Fields(..)));
        match Arc::get_mut(items) {
            // FIELDS(STANDARD) leaves out what cannot be written.
            Some(items) if standard => items.retain(|item| !holds(item, Kind::Compound)),
            _ => {
                if items.iter().any(|item| holds(item, Kind::Compound)) {
                    return Err(ApiError::new(
                        400,
                        "API_ERROR",
                        "Selecting compound data not supported in Bulk Query",
                    ));
                }
            }
        }
        if items.iter().any(is_file) {
            return Err(unsupported("Binary fields"));
        }
    }
    Ok(result)
}

fn holds(item: &Item, kind: Kind) -> bool {
    match item {
        Item::Value { leaf: Leaf::Field(object, field), .. } => {
            Schema::get().objects[*object].fields[*field].kind == kind
        }
        Item::Parent { items, .. } => items.iter().any(|item| holds(item, kind)),
        _ => false,
    }
}

fn is_file(item: &Item) -> bool {
    matches!(item, Item::Value { leaf: Leaf::Field(object, field), .. }
        if Schema::get().objects[*object].fields[*field].field_type == "base64")
}
