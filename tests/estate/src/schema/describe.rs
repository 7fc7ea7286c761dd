//! Describes as a viewer sees them.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::org::Estate;
use crate::schema::{Object, Schema};
use crate::viewer::Viewer;

/// Keys of a full describe that the global describe and the basic information repeat.
const SUMMARY: &[&str] = &[
    "activateable",
    "associateEntityType",
    "associateParentEntity",
    "createable",
    "custom",
    "customSetting",
    "deepCloneable",
    "deletable",
    "deprecatedAndHidden",
    "feedEnabled",
    "hasSubtypes",
    "isInterface",
    "isSubtype",
    "keyPrefix",
    "label",
    "labelPlural",
    "layoutable",
    "mergeable",
    "mruEnabled",
    "name",
    "queryable",
    "replicateable",
    "retrieveable",
    "searchable",
    "triggerable",
    "undeletable",
    "updateable",
];

/// `/sobjects`: every object the viewer sees, as JSON.
pub fn describe_global(_estate: &Arc<Estate>, viewer: &Viewer, version: u16) -> String {
    let visible = Schema::get()
        .objects
        .iter()
        .filter(|object| object.known_in(version) && viewer.sees_object(object));
    let sobjects: Vec<Value> = visible.map(|object| summary(object, version)).collect();
    json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": sobjects }).to_string()
}

/// `/sobjects/X/describe`: the object with the fields the viewer sees, as JSON.
///
/// # Errors
/// 404 `NOT_FOUND` for an object that does not exist or is hidden.
pub fn describe(
    _estate: &Arc<Estate>,
    viewer: &Viewer,
    object: &str,
    version: u16,
) -> Result<String, ApiError> {
    let schema = Schema::get();
    let object = visible(viewer, object, version)?;
    let mut describe = read(object);
    if let Some(Value::Array(fields)) = describe.get_mut("fields") {
        let mut at = 0;
        fields.retain_mut(|field| {
            let known = &object.fields[at];
            at += 1;
            field["filterable"] = Value::Bool(known.filterable_in(object, version));
            known.known_in(object, version) && viewer.sees_field(object, known)
        });
    }
    if let Some(Value::Array(children)) = describe.get_mut("childRelationships") {
        children.retain(|child| {
            let child = child["childSObject"].as_str().and_then(|name| schema.find(name));
            child.is_none_or(|child| {
                let child = &schema.objects[child];
                child.known_in(version) && viewer.sees_object(child)
            })
        });
    }
    describe.insert("urls".to_owned(), urls(object, version));
    Ok(Value::Object(describe).to_string())
}

/// The object of this name, in any case, if the viewer sees it at this version.
pub(crate) fn visible(
    viewer: &Viewer,
    object: &str,
    version: u16,
) -> Result<&'static Object, ApiError> {
    let schema = Schema::get();
    let found = schema.find(object).map(|found| &schema.objects[found]);
    found
        .filter(|object| object.known_in(version) && viewer.sees_object(object))
        .ok_or_else(ApiError::not_found)
}

/// The object without its fields.
pub(crate) fn summary(object: &Object, version: u16) -> Value {
    let summary = object.summary.get_or_init(|| {
        let mut summary = read(object);
        summary.retain(|key, _| SUMMARY.contains(&key.as_str()));
        summary
    });
    let mut summary = summary.clone();
    summary.insert("urls".to_owned(), urls(object, version));
    Value::Object(summary)
}

fn read(object: &Object) -> Map<String, Value> {
    serde_json::from_str(object.json).expect("an embedded describe is well-formed")
}

fn urls(object: &Object, version: u16) -> Value {
    let base = format!("/services/data/v{version}.0/sobjects/{}", object.name);
    json!({
        "rowTemplate": format!("{base}/{{ID}}"),
        "describe": format!("{base}/describe"),
        "sobject": base,
        "layouts": format!("{base}/describe/layouts"),
    })
}
