//! Answers that carry a version of themselves (`ETag`, `Last-Modified`) and can be skipped.

use chrono::{DateTime, Utc};

use crate::http::Response;
use crate::random::fingerprint;

/// `body`, or 304 if it did not change since the date the client names.
pub(super) fn answer(
    body: String,
    changed_at: DateTime<Utc>,
    if_modified_since: Option<&str>,
) -> Response {
    let tag = format!("\"{}\"", fingerprint(&body));
    let changed = changed_at.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let fresh = if_modified_since
        .and_then(|date| DateTime::parse_from_rfc2822(date.trim()).ok())
        .is_some_and(|date| changed_at.timestamp() <= date.timestamp());
    let response = if fresh { Response::empty(304) } else { Response::json(200, body) };
    response.with("ETag", tag).with("Last-Modified", changed)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_copy_as_old_as_the_change_is_fresh() {
        let changed = Utc::now();
        let date = |at: DateTime<Utc>| at.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        assert_eq!(answer("{}".into(), changed, Some(&date(changed))).status, 304);
        assert_eq!(
            answer("{}".into(), changed, Some(&date(changed - TimeDelta::seconds(1)))).status,
            200
        );
        assert_eq!(answer("{}".into(), changed, Some("yesterday")).status, 200);
        assert_eq!(answer("{}".into(), changed, None).header("ETag").map(str::len), Some(10));
    }
}
