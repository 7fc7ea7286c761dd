//! What a request asks for, whatever it is about.

use serde::{Deserialize, Serialize};

use crate::api::ROOT;
use crate::http::Request;

/// The kind of a request: what a client wants from the org with it.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RequestKind {
    /// The token endpoint.
    Token,
    /// The list of API versions.
    Versions,
    /// The list of objects.
    Objects,
    /// One object's describe.
    Describe,
    /// `SELECT COUNT()`.
    Count,
    /// Any other query, up to its first page.
    Page,
    /// A page that a locator leads to.
    NextPage,
    /// A query of the Tooling API.
    Tooling,
    /// `/limits` and `/limits/recordCount`.
    Limits,
    /// A query job is made.
    JobMade,
    /// A query job is looked at.
    JobPolled,
    /// Records of a query job.
    JobResults,
    /// The list of a job's parts.
    JobParts,
    /// The list of query jobs.
    JobList,
    /// A query job is aborted or deleted.
    JobEnded,
    /// Anything else.
    #[default]
    Other,
}

impl RequestKind {
    /// Every kind that a collection is made of.
    pub const ALL: [RequestKind; 15] = [
        Self::Token,
        Self::Versions,
        Self::Objects,
        Self::Describe,
        Self::Count,
        Self::Page,
        Self::NextPage,
        Self::Tooling,
        Self::Limits,
        Self::JobMade,
        Self::JobPolled,
        Self::JobResults,
        Self::JobParts,
        Self::JobList,
        Self::JobEnded,
    ];

    /// The kind of `request`; `soql` is the query it carries.
    pub(crate) fn of(request: &Request, soql: Option<&str>) -> Self {
        if request.path == "/services/oauth2/token" {
            return Self::Token;
        }
        let Some(below) = request.path.strip_prefix(ROOT) else { return Self::Other };
        let mut parts = below.split('/').filter(|part| !part.is_empty());
        if parts.next().is_none() {
            return Self::Versions;
        }
        let parts: Vec<&str> = parts.collect();
        match (request.method.as_str(), parts.as_slice()) {
            (_, ["query" | "queryAll"]) if soql.is_some_and(counts) => Self::Count,
            (_, ["query" | "queryAll"]) => Self::Page,
            (_, ["query" | "queryAll", _]) => Self::NextPage,
            (_, ["tooling", "query", ..]) => Self::Tooling,
            (_, ["limits", ..]) => Self::Limits,
            (_, ["sobjects"]) => Self::Objects,
            (_, ["sobjects", _, "describe"]) => Self::Describe,
            ("POST", ["jobs", "query"]) => Self::JobMade,
            (_, ["jobs", "query" | "ingest"]) => Self::JobList,
            ("PATCH" | "DELETE", ["jobs", "query", _]) => Self::JobEnded,
            (_, ["jobs", "query", _]) => Self::JobPolled,
            (_, ["jobs", "query", _, "results"]) => Self::JobResults,
            (_, ["jobs", "query", _, _]) => Self::JobParts,
            _ => Self::Other,
        }
    }

    /// The kind's name, as in a JSON script.
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Versions => "versions",
            Self::Objects => "objects",
            Self::Describe => "describe",
            Self::Count => "count",
            Self::Page => "page",
            Self::NextPage => "next_page",
            Self::Tooling => "tooling",
            Self::Limits => "limits",
            Self::JobMade => "job_made",
            Self::JobPolled => "job_polled",
            Self::JobResults => "job_results",
            Self::JobParts => "job_parts",
            Self::JobList => "job_list",
            Self::JobEnded => "job_ended",
            Self::Other => "other",
        }
    }
}

fn counts(soql: &str) -> bool {
    let text: String = soql.chars().filter(|character| !character.is_whitespace()).collect();
    text.to_ascii_lowercase().starts_with("selectcount()from")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(method: &str, target: &str, soql: Option<&str>) -> RequestKind {
        RequestKind::of(&Request::new(method, "acme.my.salesforce.com", target), soql)
    }

    #[test]
    fn a_request_is_known_by_method_path_and_query() {
        let data = |path: &str| format!("/services/data/v60.0/{path}");
        assert_eq!(kind("POST", "/services/oauth2/token", None), RequestKind::Token);
        assert_eq!(kind("GET", "/services/data/", None), RequestKind::Versions);
        let count = Some("SELECT  COUNT( ) FROM User");
        assert_eq!(kind("GET", &data("query?q=x"), count), RequestKind::Count);
        assert_eq!(kind("GET", &data("query?q=x"), Some("SELECT Id FROM User")), RequestKind::Page);
        assert_eq!(kind("GET", &data("query/0r8-200"), count), RequestKind::NextPage);
        assert_eq!(kind("POST", &data("jobs/query"), None), RequestKind::JobMade);
        assert_eq!(kind("DELETE", &data("jobs/query/750"), None), RequestKind::JobEnded);
        assert_eq!(kind("GET", &data("jobs/query/750/results"), None), RequestKind::JobResults);
        assert_eq!(kind("GET", &data("jobs/query/750/resultPages"), None), RequestKind::JobParts);
        assert_eq!(kind("GET", "/id/00D/005", None), RequestKind::Other);
    }

    #[test]
    fn names_are_those_of_scripts() {
        for kind in RequestKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.name());
        }
    }
}
