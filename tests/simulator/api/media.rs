//! Media types: what a client sends, and what it takes.

use estate::ApiError;

use super::ResourceRequest;

const JSON: &str = "application/json";
const XML: &str = "application/xml";
const CSV: &str = "text/csv";

/// Checks the media types of a request.
///
/// # Errors
/// 415 for a body in a form that the endpoint does not read, 406 where the client takes none of the
/// forms that the endpoint writes.
pub(super) fn check(request: &ResourceRequest<'_>, parts: &[&str]) -> Result<(), ApiError> {
    let has_body = !request.body.is_empty() && matches!(request.method, "POST" | "PATCH");
    let sent = request.content_type.map(base).unwrap_or_default();
    if has_body && !sent.is_empty() && sent != JSON && sent != XML {
        let message = "Content type of the request is not supported";
        return Err(ApiError::new(415, "UNSUPPORTED_MEDIA_TYPE", message));
    }
    let Some(accept) = request.accept.filter(|accept| !accept.trim().is_empty()) else {
        return Ok(());
    };
    let written: &[&str] = match parts {
        ["jobs", "query", _, "results"] | ["sobjects", _, _, "LogFile"] => &[CSV],
        // The job's own resources are known to answer clients that only name its result's type.
        ["jobs", ..] => &[JSON, XML, CSV],
        _ => &[JSON, XML],
    };
    if written.iter().any(|kind| takes(accept, kind)) {
        return Ok(());
    }
    Err(ApiError::new(406, "NOT_ACCEPTABLE", "None of the accepted media types can be written"))
}

fn base(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether an `Accept` header takes `kind`.
fn takes(accept: &str, kind: &str) -> bool {
    let family = kind.split('/').next().unwrap_or_default();
    accept
        .split(',')
        .map(base)
        .any(|range| range == "*/*" || range == kind || range.strip_suffix("/*") == Some(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_taken_as_http_means_them() {
        assert!(takes("text/html, */*;q=0.1", JSON));
        assert!(takes("application/*", JSON));
        assert!(takes("Application/JSON;charset=UTF-8", JSON));
        assert!(!takes("text/html, text/csv", JSON));
        assert!(takes("text/*", CSV));
    }
}
