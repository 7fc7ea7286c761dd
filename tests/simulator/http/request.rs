//! One request, as the org's code sees it.

use super::Params;
use crate::hosts::without_port;

/// A request that was read completely, or one made in process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The host asked for, lower case and without a port.
    pub(crate) host: String,
    /// Path without the query string, as sent.
    pub(crate) path: String,
    /// Query string, as sent, without the question mark.
    pub(crate) raw_query: String,
    pub(crate) query: Params,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The client closes after this answer, or speaks HTTP/1.0.
    pub(crate) last: bool,
    /// The client speaks HTTP/1.0 and knows no chunks.
    pub(crate) http_1_0: bool,
    /// The request did not come through TLS.
    pub(crate) plain: bool,
}

impl Request {
    /// A request for `target` (path and query string) at `host`.
    pub(crate) fn new(method: &str, host: &str, target: &str) -> Self {
        let (path, raw_query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: method.to_owned(),
            host: without_port(host),
            path: path.to_owned(),
            raw_query: raw_query.to_owned(),
            query: Params::parse(raw_query.as_bytes()),
            ..Self::default()
        }
    }

    /// The first header called `name`, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The pairs of a form-encoded body; none if the body is something else.
    pub(crate) fn form(&self) -> Params {
        let is_form = self.header("content-type").is_some_and(|value| {
            value.trim_start().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
        });
        if is_form { Params::parse(&self.body) } else { Params::default() }
    }

    /// The access token of an `Authorization: Bearer` header; the platform's older scheme
    /// name `OAuth` means the same.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth"))
            .then(|| token.trim())
    }

    /// Whether the method is `GET` or `HEAD`.
    pub(crate) fn is_read(&self) -> bool {
        self.method == "GET" || self.method == "HEAD"
    }
}
