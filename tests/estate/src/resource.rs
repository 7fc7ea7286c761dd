//! Single records, record counts and basic information.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::id::Id;
use crate::org::Estate;
use crate::schema::Schema;
use crate::schema::describe::{summary, visible};
use crate::soql::query;
use crate::viewer::Viewer;

/// `/sobjects/X`: what the object is, and no recent items.
///
/// # Errors
/// 404 `NOT_FOUND` for an object that does not exist or is hidden.
pub fn basic_info(
    _estate: &Arc<Estate>,
    viewer: &Viewer,
    object: &str,
    version: u16,
) -> Result<String, ApiError> {
    let object = visible(viewer, object, version)?;
    Ok(json!({ "objectDescribe": summary(object, version), "recentItems": [] }).to_string())
}

/// `/sobjects/X/<id>`: one record as JSON, with the given fields or all the viewer sees.
///
/// # Errors
/// 404 `NOT_FOUND` for a hidden object or an id without a visible record; 400 `MALFORMED_ID` for a text that is no id
/// of this object; 400 `INVALID_FIELD` for an unknown field.
pub fn record(
    estate: &Arc<Estate>,
    viewer: &Viewer,
    object: &str,
    id: &str,
    fields: Option<&[&str]>,
    version: u16,
) -> Result<String, ApiError> {
    let object = visible(viewer, object, version)?;
    if !object.retrieveable {
        return Err(ApiError::not_found());
    }
    let parsed =
        Id::parse(id).filter(|parsed| parsed.prefix() == object.prefix()).ok_or_else(|| {
            ApiError {
                fields: vec!["Id".to_owned()],
                ..ApiError::new(
                    400,
                    "MALFORMED_ID",
                    format!("{} ID: id value of incorrect type: {id}", object.label()),
                )
            }
        })?;
    let seen = |name: &&str| {
        object.field(name).is_some_and(|at| {
            let field = &object.fields[at];
            field.known_in(object, version) && viewer.sees_field(object, field)
        })
    };
    let selected: Vec<&str> = match fields {
        Some(fields) => {
            if let Some(unknown) = fields.iter().find(|name| !seen(name)) {
                let message =
                    format!("No such column '{unknown}' on sobject of type {}", object.name);
                return Err(ApiError::new(400, "INVALID_FIELD", message));
            }
            fields.to_vec()
        }
        None => object.fields.iter().map(|field| field.name.as_str()).filter(seen).collect(),
    };
    let soql = format!("SELECT {} FROM {} WHERE Id = '{parsed}'", selected.join(","), object.name);
    let result = query(estate, viewer, &soql, version, false)?;
    if result.is_empty() {
        return Err(ApiError::new(
            404,
            "NOT_FOUND",
            "Provided external ID field does not exist or is not accessible: Id",
        ));
    }
    let mut json = String::new();
    result.write_records(0, 1, &mut json);
    Ok(json)
}

/// `/sobjects/EventLogFile/<id>/LogFile`: the content of a log file, as CSV.
///
/// # Errors
/// 404 `NOT_FOUND` for a hidden object or an id without a file.
pub fn event_log(
    estate: &Arc<Estate>,
    viewer: &Viewer,
    id: &str,
    version: u16,
) -> Result<String, ApiError> {
    let object = visible(viewer, "EventLogFile", version)?;
    let row = Id::parse(id).and_then(|id| estate.locate(id, false));
    let row = row.filter(|(at, _)| Schema::get().objects[*at].name == object.name);
    row.and_then(|(_, row)| estate.event_log(row)).ok_or_else(ApiError::not_found)
}

/// `/limits/recordCount`: the rows of the named objects, or of all; unknown, hidden and empty ones are left out.
pub fn record_counts(estate: &Arc<Estate>, viewer: &Viewer, objects: &[&str]) -> String {
    let schema = Schema::get();
    let wanted: Vec<&str> = match objects {
        [] => schema.objects.iter().map(|object| object.name.as_str()).collect(),
        named => named.to_vec(),
    };
    let count = |name: &str| -> Option<Value> {
        let at = schema.find(name)?;
        let object = &schema.objects[at];
        let count = estate.shown(at, false);
        (count > 0 && viewer.sees_object(object))
            .then(|| json!({ "count": count, "name": object.name }))
    };
    let counts: Vec<Value> = wanted.into_iter().filter_map(count).collect();
    json!({ "sObjects": counts }).to_string()
}
