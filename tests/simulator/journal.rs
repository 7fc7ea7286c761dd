//! What the org saw: one entry per request, with secrets removed.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::http::Params;
use crate::kind::RequestKind;
use crate::sync::lock;

/// Something no client should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Violation {
    /// A token, a secret or a password stood in a URL, where logs keep it.
    SecretInUrl,
    /// An `Authorization` header went to a host that is not the org's My Domain host.
    AuthorizationToForeignHost,
    /// A method that changes records was used on a data path.
    WriteMethod,
    /// The request was not encrypted.
    PlainHttp,
    /// The proxy was asked for a host that is not the org's.
    ForeignHost,
    /// A request inside a tunnel reached a host that is not the org's, and carried a token, a
    /// code or a secret in its form.
    SecretToForeignHost,
    /// More than one refresh was made for one expired session (watched on request).
    NeedlessRefresh,
    /// A refresh token that rotation had replaced was used again.
    ReplayedRefreshToken,
    /// An authorization code that had been exchanged was used again.
    RepeatedCode,
}

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// When it was answered, on the org's clock.
    pub at: DateTime<Utc>,
    /// Host asked for.
    pub host: String,
    /// HTTP method; `CONNECT` for what the proxy refused.
    pub method: String,
    /// What it asks for.
    #[serde(default)]
    pub kind: RequestKind,
    /// Path without the query string.
    pub path: String,
    /// Query string with secrets replaced by `***`.
    pub query: String,
    /// SOQL text of a query; on a next page, that of the query it continues.
    pub soql: Option<String>,
    /// Object a query or an sObject path is about.
    pub object: Option<String>,
    /// `grant_type` of a token request.
    pub grant_type: Option<String>,
    /// Status of the answer; `None` if the connection ended before it.
    pub status: Option<u16>,
    /// `errorCode` or OAuth `error` of the answer.
    pub error: Option<String>,
    /// Rows in the answer.
    pub rows: u64,
    /// Bytes of the answer's body as sent.
    pub bytes: u64,
    /// Id of the user whose token was presented or issued.
    pub user_id: Option<String>,
    /// Which access token of this org it was, counted from one.
    pub token_generation: Option<u64>,
    /// `User-Agent` of the client.
    pub user_agent: Option<String>,
    /// `X-SFDC-Request-Id` of the answer.
    pub request_id: String,
    /// The fault that was played, by name.
    pub fault: Option<String>,
    /// What was wrong with the request.
    pub violations: Vec<Violation>,
}

/// What a handler notes while it makes an answer.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) kind: RequestKind,
    pub(crate) soql: Option<String>,
    pub(crate) object: Option<String>,
    pub(crate) grant_type: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) rows: u64,
    pub(crate) user_id: Option<String>,
    pub(crate) token_generation: Option<u64>,
    pub(crate) violations: Vec<Violation>,
}

impl Trace {
    /// Notes a violation once.
    pub(crate) fn violation(&mut self, violation: Violation) {
        if !self.violations.contains(&violation) {
            self.violations.push(violation);
        }
    }
}

/// Every request so far, and a file that gets each as one line of JSON.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: Mutex<Vec<Entry>>,
    file: Option<Mutex<File>>,
}

impl Journal {
    /// A journal that is also written to `path`.
    pub(crate) fn with_file(path: &Path) -> io::Result<Self> {
        Ok(Self { entries: Mutex::default(), file: Some(Mutex::new(File::create(path)?)) })
    }

    pub(crate) fn push(&self, entry: Entry) {
        if let Some(file) = &self.file
            && let Ok(mut line) = serde_json::to_vec(&entry)
        {
            line.push(b'\n');
            // A full disk must not change what the client sees; the entry stays in memory.
            let _ = lock(file).write_all(&line);
        }
        lock(&self.entries).push(entry);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        lock(&self.entries).clone()
    }

    pub(crate) fn clear(&self) {
        lock(&self.entries).clear();
    }
}

/// Parameters whose values never belong into a URL.
const SECRETS: [&str; 10] = [
    "access_token",
    "oauth_token",
    "refresh_token",
    "client_secret",
    "code_verifier",
    "token",
    "password",
    "assertion",
    "client_assertion",
    "sid",
];

/// Whether a query string carries a secret, by name or by the look of a value.
pub(crate) fn has_secret(query: &Params) -> bool {
    query.iter().any(|(name, value)| {
        !value.is_empty() && (SECRETS.contains(&name) || looks_like_token(value))
    })
}

/// Whether a form carries what only the org may get.
pub(crate) fn form_has_secret(form: &Params) -> bool {
    has_secret(form) || form.filled("code").is_some()
}

/// The query string with the values of secrets, and of authorization codes, left out.
pub(crate) fn redact(query: &Params) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in query.iter() {
        let secret = name == "code" || SECRETS.contains(&name) || looks_like_token(value);
        text.append_pair(name, if secret { "***" } else { value });
    }
    text.finish()
}

fn looks_like_token(value: &str) -> bool {
    let session = value.starts_with("00D") && value.contains('!');
    session || value.starts_with("5Aep") || value.starts_with("aPrx")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_reaches_the_journal() {
        let query = Params::parse(
            b"q=SELECT+Id+FROM+User&x=00D000000000001%21AQ.abc&code=aPrx1&token=5Aep2",
        );
        let text = redact(&query);
        assert!(has_secret(&query));
        assert!(text.contains("q=SELECT+Id+FROM+User"));
        for secret in ["00D000000000001", "aPrx1", "5Aep2"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
