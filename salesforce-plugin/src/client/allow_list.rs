//! What may be sent to an org at all: a list of verbs and paths. Nothing else leaves the connector.
//!
//! Reading by Bulk API 2.0 makes a query job and deletes it afterwards; no other verb than GET is
//! there, and no path that changes a record.

/// Verbs and shapes of paths; `*` matches one part of a path.
pub(crate) const ALLOWED: [(&str, &str); 17] = [
    ("GET", "/services/data"),
    ("GET", "/services/data/*/limits"),
    ("GET", "/services/data/*/limits/recordcount"),
    ("GET", "/services/data/*/sobjects/*/describe"),
    ("GET", "/services/data/*/query"),
    ("GET", "/services/data/*/query/*"),
    ("GET", "/services/data/*/tooling/query"),
    ("GET", "/services/data/*/tooling/query/*"),
    ("GET", "/services/data/*/jobs/query"),
    ("GET", "/services/data/*/jobs/ingest"),
    ("GET", "/services/data/*/jobs/query/*"),
    ("GET", "/services/data/*/jobs/query/*/results"),
    ("GET", "/services/data/*/jobs/query/*/resultpages"),
    ("GET", "/services/oauth2/userinfo"),
    ("POST", "/services/data/*/jobs/query"),
    ("PATCH", "/services/data/*/jobs/query/*"),
    ("DELETE", "/services/data/*/jobs/query/*"),
];

/// Whether the request may be sent. `path` is without its query string.
pub(crate) fn is_allowed(method: &str, path: &str) -> bool {
    shape(path).is_some_and(|shape| ALLOWED.contains(&(method, shape)))
}

/// The shape of a path as the list knows it: no id of a job, no locator.
pub(crate) fn shape(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |shape: &str| {
        let wanted: Vec<&str> = shape.split('/').collect();
        wanted.len() == parts.len()
            && wanted.iter().zip(&parts).all(|(wanted, part)| match *wanted {
                "*" => !part.is_empty() && *part != "..",
                // Salesforce itself writes `resultPages` in more than one way.
                word => part.eq_ignore_ascii_case(word),
            })
    };
    ALLOWED.iter().map(|(_, shape)| *shape).find(|shape| fits(shape))
}

/// The path as the journal shows it: object and version stay, opaque parts do not.
pub(crate) fn shown(path: &str) -> String {
    let Some(shape) = shape(path) else { return "*".into() };
    let named = |at: usize, part: &str, known: &str| match known {
        "*" => {
            let before = shape.split('/').nth(at.saturating_sub(1)).unwrap_or_default();
            matches!(before, "data" | "sobjects").then(|| part.to_owned())
        }
        _ => Some(part.to_owned()),
    };
    path.split('/')
        .zip(shape.split('/'))
        .enumerate()
        .map(|(at, (part, known))| named(at, part, known).unwrap_or_else(|| "*".into()))
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The golden list. A new line here is a decision about what the connector may do to an org.
    #[test]
    fn the_only_verbs_that_write_are_those_of_query_jobs() {
        let writing: Vec<(&str, &str)> =
            ALLOWED.iter().copied().filter(|(method, _)| *method != "GET").collect();
        assert_eq!(
            writing,
            [
                ("POST", "/services/data/*/jobs/query"),
                ("PATCH", "/services/data/*/jobs/query/*"),
                ("DELETE", "/services/data/*/jobs/query/*"),
            ]
        );
    }

    #[test]
    fn what_is_not_on_the_list_is_refused() {
        for (method, path) in [
            ("POST", "/services/data/v66.0/sobjects/User"),
            ("POST", "/services/data/v66.0/composite"),
            ("POST", "/services/data/v66.0/jobs/ingest"),
            ("POST", "/services/data/v66.0/jobs/query/750000000000001"),
            ("DELETE", "/services/data/v66.0/jobs/ingest/750000000000001"),
            ("DELETE", "/services/data/v66.0/jobs/query"),
            ("DELETE", "/services/data/v66.0/sobjects/User/005000000000001"),
            ("PUT", "/services/data/v66.0/query"),
            ("GET", "/services/data/v66.0/sobjects/EventLogFile/0AT000000000001/LogFile"),
            ("GET", "/services/data/v66.0/jobs/query/../../x"),
            ("GET", "/services/apexrest/anything"),
            ("GET", "/id/00D000000000001AAA/005000000000001AAA"),
            ("GET", ""),
        ] {
            assert!(!is_allowed(method, path), "{method} {path}");
        }
        for (method, path) in [
            ("GET", "/services/data"),
            ("GET", "/services/data/v66.0/limits/recordCount"),
            ("GET", "/services/data/v66.0/query/0r8xx5R2yF2gs3VASQ-2000"),
            ("POST", "/services/data/v66.0/jobs/query"),
            ("DELETE", "/services/data/v66.0/jobs/query/750000000000001AAA"),
            ("GET", "/services/data/v66.0/jobs/query/750000000000001AAA/resultPages"),
        ] {
            assert!(is_allowed(method, path), "{method} {path}");
        }
    }

    #[test]
    fn ids_of_jobs_and_locators_do_not_reach_the_journal() {
        for (path, expected) in [
            ("/services/data/v66.0/query/0r8xx5R2yF2gs3VASQ-2000", "/services/data/v66.0/query/*"),
            ("/services/data/v66.0/limits", "/services/data/v66.0/limits"),
            (
                "/services/data/v66.0/sobjects/User/describe",
                "/services/data/v66.0/sobjects/User/describe",
            ),
            (
                "/services/data/v66.0/jobs/query/750000000000001AAA/results",
                "/services/data/v66.0/jobs/query/*/results",
            ),
            (
                "/services/data/v66.0/jobs/query/750000000000001AAA",
                "/services/data/v66.0/jobs/query/*",
            ),
        ] {
            assert_eq!(shown(path), expected);
        }
    }
}
