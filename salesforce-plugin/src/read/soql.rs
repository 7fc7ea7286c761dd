//! SOQL text.
//!
//! # Source
//! SOQL and SOSL Reference.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// The key of the last record read, in the order of the query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum After {
    /// `ORDER BY Id`.
    Id(String),
    /// `ORDER BY <stamp>, Id`; the instant in milliseconds since 1970.
    StampAndId(i64, String),
}

/// One dataset's query, before paging.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) object: String,
    pub(crate) fields: Vec<String>,
    /// Conditions, all of which must hold.
    pub(crate) conditions: Vec<String>,
    /// The stamp field to order by before `Id`; none orders by `Id` alone.
    pub(crate) stamp: Option<String>,
    /// Small sets without a usable key are read unordered.
    pub(crate) ordered: bool,
    /// The most records that are answered; none for all.
    pub(crate) limit: Option<u64>,
}

impl Query {
    /// The statement, from the start or after a key.
    pub(crate) fn text(&self, after: Option<&After>) -> String {
        let mut conditions = self.conditions.clone();
        match (after, &self.stamp) {
            (Some(After::Id(id)), _) => conditions.push(format!("Id > {}", literal(id))),
            (Some(After::StampAndId(at, id)), Some(stamp)) => {
                let (at, id) = (instant(*at), literal(id));
                conditions.push(format!("({stamp} > {at} OR ({stamp} = {at} AND Id > {id}))"));
            }
            _ => {}
        }
        let mut text = format!("SELECT {} FROM {}", self.fields.join(", "), self.object);
        if !conditions.is_empty() {
            text.push_str(" WHERE ");
            text.push_str(&conditions.join(" AND "));
        }
        match &self.stamp {
            _ if !self.ordered => {}
            Some(stamp) => text.push_str(&format!(" ORDER BY {stamp}, Id")),
            None => text.push_str(" ORDER BY Id"),
        }
        if let Some(limit) = self.limit {
            text.push_str(&format!(" LIMIT {limit}"));
        }
        text
    }

    /// The statement that counts the whole result.
    pub(crate) fn count_text(&self) -> String {
        let mut text = format!("SELECT COUNT() FROM {}", self.object);
        if !self.conditions.is_empty() {
            text.push_str(" WHERE ");
            text.push_str(&self.conditions.join(" AND "));
        }
        text
    }
}

/// A text literal.
pub(crate) fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\'' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {}
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// A datetime literal; no quotes.
pub(crate) fn instant(ms: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(ms)
        .unwrap_or(DateTime::UNIX_EPOCH)
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The path of a query request.
pub(crate) fn query_path(version: u16, soql: &str) -> String {
    let q: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
    format!("/services/data/v{version}.0/query?q={q}")
}

/// The path of a query of the Tooling API.
pub(crate) fn tooling_path(version: u16, soql: &str) -> String {
    let q: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
    format!("/services/data/v{version}.0/tooling/query?q={q}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(stamp: Option<&str>) -> Query {
        Query {
            object: "LoginHistory".into(),
            fields: vec!["Id".into(), "LoginTime".into()],
            conditions: vec!["LoginTime >= 2026-05-01T00:00:00.000Z".into()],
            stamp: stamp.map(Into::into),
            ordered: true,
            limit: None,
        }
    }

    #[test]
    fn a_query_goes_on_after_a_key() {
        assert_eq!(
            query(Some("LoginTime"))
                .text(Some(&After::StampAndId(1_769_854_272_345, "0Ya1".into()))),
            "SELECT Id, LoginTime FROM LoginHistory WHERE LoginTime >= 2026-05-01T00:00:00.000Z AND \
             (LoginTime > 2026-01-31T10:11:12.345Z OR (LoginTime = 2026-01-31T10:11:12.345Z AND Id > '0Ya1')) \
             ORDER BY LoginTime, Id"
        );
        assert_eq!(
            query(None).text(Some(&After::Id("0Ya1".into()))),
            "SELECT Id, LoginTime FROM LoginHistory WHERE LoginTime >= 2026-05-01T00:00:00.000Z AND Id > '0Ya1' ORDER BY Id"
        );
        assert_eq!(
            query(None).count_text(),
            "SELECT COUNT() FROM LoginHistory WHERE LoginTime >= 2026-05-01T00:00:00.000Z"
        );
    }

    #[test]
    fn text_literals_cannot_end_early() {
        assert_eq!(literal("O'Brien\\"), r"'O\'Brien\\'");
        assert_eq!(literal("a\nb\u{0}"), r"'a\nb'");
    }

    #[test]
    fn a_query_travels_form_encoded() {
        assert_eq!(
            query_path(66, "SELECT Id FROM A WHERE B = 'x+y'"),
            "/services/data/v66.0/query?q=SELECT+Id+FROM+A+WHERE+B+%3D+%27x%2By%27"
        );
    }
}
