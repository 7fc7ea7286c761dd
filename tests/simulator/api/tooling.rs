//! The Tooling API's query: the same rows in another envelope, and installed packages.

use estate::ApiError;
use serde_json::{Value, json};

use super::soql_text::{object_of, words};
use super::tooling_clauses::Clauses;
use super::{Caller, ResourceRequest};
use crate::http::Response;
use crate::journal::Trace;

const PACKAGE: &str = "InstalledSubscriberPackage";
const HINT: &str = "If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.";

/// `GET /tooling/query?q=`.
pub(super) fn query(
    caller: &Caller<'_>,
    request: &ResourceRequest<'_>,
    trace: &mut Trace,
) -> Result<Response, ApiError> {
    let Some(soql) = request.query.filled("q") else {
        return Err(ApiError::new(400, "MALFORMED_QUERY", "A query string has to be specified"));
    };
    let object = object_of(soql).unwrap_or_default();
    let (entity, size, records) = if object.eq_ignore_ascii_case(PACKAGE) {
        let packages = packages(caller, soql)?;
        (PACKAGE.to_owned(), packages.len() as u64, packages.join(","))
    } else {
        let results =
            estate::query(&caller.core.records(), &caller.viewer, soql, caller.version, false)?;
        let mut records = String::new();
        results.write_records(0, results.len(), &mut records);
        let root = format!("\"/services/data/v{}.0/", caller.version);
        let records =
            records.replace(&format!("{root}sobjects/"), &format!("{root}tooling/sobjects/"));
        (results.entity().to_owned(), results.len(), records)
    };
    trace.rows += size;
    let body = format!(
        r#"{{"size":{size},"totalSize":{size},"done":true,"queryLocator":null,"entityTypeName":{},"records":[{records}]}}"#,
        json!(entity)
    );
    Ok(Response::json(200, body))
}

/// The installed packages: those of `PackageLicense`, as the platform lists both.
fn packages(caller: &Caller<'_>, soql: &str) -> Result<Vec<String>, ApiError> {
    let (columns, rest) = columns(soql)?;
    let clauses = Clauses::parse(rest)?;
    if !caller.viewer.permissions.contains("PermissionsViewSetup") {
        return Err(unsupported(soql));
    }
    let all = estate::query(
        &caller.core.records(),
        &estate::Viewer::guide(&caller.core.login.user_id),
        "SELECT Id, NamespacePrefix FROM PackageLicense ORDER BY Id",
        caller.version,
        false,
    )?;
    let mut text = String::from("[");
    all.write_records(0, all.len(), &mut text);
    text.push(']');
    let licenses: Vec<Value> = serde_json::from_str(&text)
        .map_err(|error| ApiError::new(500, "UNKNOWN_EXCEPTION", error.to_string()))?;
    let packages: Vec<Package<'_>> =
        licenses.iter().enumerate().map(|(index, license)| Package::new(index, license)).collect();
    clauses
        .apply(packages, |package, field| package.id(field).to_owned())
        .iter()
        .map(|package| record(caller, &columns, package))
        .collect()
}

/// One installed package.
struct Package<'a> {
    index: usize,
    namespace: &'a str,
    own: String,
    subscriber: String,
    version: String,
}

impl Package<'_> {
    fn new(index: usize, license: &Value) -> Package<'_> {
        let id = |prefix: &str| with_check(&format!("{prefix}8d{index:0>10}"));
        let namespace = license["NamespacePrefix"].as_str().unwrap_or_default();
        Package { index, namespace, own: id("0A3"), subscriber: id("033"), version: id("04t") }
    }

    fn id(&self, field: &str) -> &str {
        match field {
            "SubscriberPackageId" => &self.subscriber,
            "SubscriberPackageVersionId" => &self.version,
            _ => &self.own,
        }
    }
}

/// One record, with the columns in the order they were asked for.
fn record(
    caller: &Caller<'_>,
    columns: &[&str],
    package: &Package<'_>,
) -> Result<String, ApiError> {
    let Package { index, namespace, own, subscriber, version } = package;
    let attributes = |object: &str, id: &str| {
        let url = format!("/services/data/v{}.0/tooling/sobjects/{object}/{id}", caller.version);
        format!(r#""attributes":{{"type":"{object}","url":"{url}"}}"#)
    };
    let mut fields = vec![attributes(PACKAGE, own)];
    let mut parents: Vec<(&str, Vec<String>)> = Vec::new();
    for column in columns {
        let value = match *column {
            "Id" => json!(own),
            "SubscriberPackageId" | "SubscriberPackage.Id" => json!(subscriber),
            "SubscriberPackageVersionId" | "SubscriberPackageVersion.Id" => json!(version),
            "MinPackageVersionId" | "SubscriberPackage.Description" => Value::Null,
            "SubscriberPackage.NamespacePrefix" | "SubscriberPackage.Name" => json!(namespace),
            "SubscriberPackageVersion.Name" => json!("1.0"),
            "SubscriberPackageVersion.MajorVersion" => json!(1 + index % 9),
            "SubscriberPackageVersion.MinorVersion"
            | "SubscriberPackageVersion.PatchVersion"
            | "SubscriberPackageVersion.BuildNumber" => json!(index % 5),
            other => {
                let message = format!("No such column '{other}' on entity '{PACKAGE}'. {HINT}");
                return Err(ApiError::new(400, "INVALID_FIELD", message));
            }
        };
        let Some((parent, field)) = column.split_once('.') else {
            fields.push(format!("{}:{value}", json!(column)));
            continue;
        };
        let field = format!("{}:{value}", json!(field));
        match parents.iter_mut().find(|(name, _)| *name == parent) {
            Some((_, children)) => children.push(field),
            None => parents.push((parent, vec![field])),
        }
    }
    for (name, children) in parents {
        let id = if name == "SubscriberPackage" { subscriber } else { version };
        fields.push(format!("{}:{{{},{}}}", json!(name), attributes(name, id), children.join(",")));
    }
    Ok(format!("{{{}}}", fields.join(",")))
}

/// The selected columns, and the text after the object.
fn columns(soql: &str) -> Result<(Vec<&str>, &str), ApiError> {
    let words = words(soql);
    let from =
        words.iter().position(|word| word.eq_ignore_ascii_case("from")).unwrap_or(words.len());
    let selects = words.first().is_some_and(|word| word.eq_ignore_ascii_case("select"));
    let Some(object) = words.get(from + 1).filter(|_| selects && from >= 2) else {
        return Err(ApiError::new(400, "MALFORMED_QUERY", "unexpected token: '<EOF>'"));
    };
    // The words are parts of the text, so that where one ends in it is known.
    let end = object.as_ptr() as usize - soql.as_ptr() as usize + object.len();
    Ok((words[1..from].iter().copied().filter(|word| *word != ",").collect(), &soql[end..]))
}

fn unsupported(soql: &str) -> ApiError {
    let object = object_of(soql).unwrap_or_default();
    let message = format!(
        "sObject type '{object}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."
    );
    ApiError::new(400, "INVALID_TYPE", message)
}

/// The 18-character form of a 15-character id: three check characters, each the capital
/// letters of five characters as bits.
pub(super) fn with_check(short: &str) -> String {
    const CHECK: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    let mut id = short.to_owned();
    for group in short.as_bytes().chunks(5) {
        let bits = group
            .iter()
            .enumerate()
            .fold(0, |bits, (at, byte)| bits | (usize::from(byte.is_ascii_uppercase()) << at));
        id.push(char::from(CHECK[bits]));
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_gets_its_check_characters() {
        assert_eq!(with_check("001dM00003jU9Gy"), "001dM00003jU9GyQAK");
    }

    #[test]
    fn columns_are_those_before_from() {
        let soql = "SELECT Id, SubscriberPackage.Name FROM InstalledSubscriberPackage LIMIT 1";
        let parsed = columns(soql).ok();
        assert_eq!(parsed, Some((vec!["Id", "SubscriberPackage.Name"], " LIMIT 1")));
        assert!(columns("SELECT FROM InstalledSubscriberPackage").is_err());
    }
}
