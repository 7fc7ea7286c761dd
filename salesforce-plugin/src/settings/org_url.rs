//! An address that may be asked for, and that may see a credential.
//!
//! An [`OrgUrl`] can only be made here: from an [`OrgHost`], which is a host of a Salesforce org
//! exactly as written, and a path of the documented shapes. The HTTP client takes nothing else, so no
//! request can leave for another host, whatever a setting or an answer says.
//!
//! # Source
//! REST API Developer Guide, "Query More Results" and "Versions"; the hosts are those of
//! [`is_org_host`].

use serde::{Deserialize, Serialize};
use url::Url;

use crate::settings::org_host::{LOGIN_HOST, TEST_HOST, is_org_host};

const LONGEST_ADDRESS: usize = 2_000;
/// A path with the query of a long SELECT.
const LONGEST_PATH: usize = 100_000;

/// The host of a Salesforce org, or a generic login host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct OrgHost(String);

impl OrgHost {
    /// A host by its name, in lower case.
    pub(crate) fn new(name: &str) -> Option<OrgHost> {
        is_org_host(name).then(|| OrgHost(name.to_owned()))
    }

    /// The host of an `instance_url`, if it is plain https on the default port of an org's host.
    pub(crate) fn of_url(text: &str) -> Option<OrgHost> {
        if text.len() > LONGEST_ADDRESS || text.chars().any(|c| !c.is_ascii_graphic() || c == '\\')
        {
            return None;
        }
        let authority = text.strip_prefix("https://")?.split(['/', '?', '#']).next()?;
        let host = authority.strip_suffix(":443").unwrap_or(authority).to_ascii_lowercase();
        OrgHost::new(&host)
    }

    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one of the hosts where every org can log in and none has its data.
    pub(crate) fn is_generic(&self) -> bool {
        matches!(self.as_str(), LOGIN_HOST | TEST_HOST)
    }

    /// The address of a path with its query.
    pub(crate) fn url(&self, path: &str) -> Option<OrgUrl> {
        let url =
            is_known_path(path).then(|| Url::parse(&format!("https://{}{path}", self.0)))?.ok()?;
        // What the parser made of it must be what was written.
        let same = url.scheme() == "https"
            && url.host_str() == Some(self.as_str())
            && url.port().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
            && url.path() == path.split('?').next().unwrap_or_default();
        same.then_some(OrgUrl(url))
    }

    /// The path of a `nextRecordsUrl`: a path of the documented shape, or the same as an address on
    /// this very host, of which only the path is kept.
    pub(crate) fn next_records_path(&self, text: &str) -> Option<String> {
        let path = match text.strip_prefix("https://") {
            Some(rest) => rest.strip_prefix(self.as_str())?,
            None => text,
        };
        is_next_records_path(path).then(|| path.to_owned())
    }
}

impl std::fmt::Display for OrgHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for OrgHost {
    type Error = &'static str;

    fn try_from(name: String) -> Result<OrgHost, &'static str> {
        OrgHost::new(&name).ok_or("not the host of a Salesforce org")
    }
}

impl From<OrgHost> for String {
    fn from(host: OrgHost) -> String {
        host.0
    }
}

impl PartialEq<&str> for OrgHost {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// An https address on the host of a Salesforce org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OrgUrl(Url);

impl OrgUrl {
    /// The host's name.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The path without the query.
    pub(crate) fn path(&self) -> &str {
        self.0.path()
    }

    /// The whole address.
    pub(crate) fn as_url(&self) -> &Url {
        &self.0
    }
}

/// The token endpoints take no query, so that no secret can stand in one.
fn is_known_path(path: &str) -> bool {
    let (bare, query) =
        path.split_once('?').map_or((path, None), |(bare, query)| (bare, Some(query)));
    let plain = path.len() <= LONGEST_PATH
        && path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'#'))
        && !bare.contains("//")
        && !bare.contains('%')
        && !bare.split('/').any(|part| part == "." || part == "..");
    plain
        && match bare {
            "/services/oauth2/token" | "/services/oauth2/revoke" | "/services/oauth2/userinfo" => {
                query.is_none()
            }
            "/services/data" | "/services/data/" => true,
            _ => after_version(bare).is_some(),
        }
}

/// `/services/data/v66.0/query/01g…-2000`, of the plain, the deleted-too and the Tooling query.
fn is_next_records_path(path: &str) -> bool {
    let Some(rest) = after_version(path) else { return false };
    let rest = rest.strip_prefix("tooling/").unwrap_or(rest);
    let locator = rest.strip_prefix("query/").or_else(|| rest.strip_prefix("queryAll/"));
    locator.is_some_and(|locator| {
        (1..=200).contains(&locator.len())
            && locator.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    })
}

/// What stands behind `/services/data/v66.0/`.
fn after_version(path: &str) -> Option<&str> {
    let (version, rest) = path.strip_prefix("/services/data/v")?.split_once('/')?;
    let (major, minor) = version.split_once('.')?;
    let number = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    (number(major, 3) && number(minor, 1)).then_some(rest)
}

#[cfg(test)]
#[path = "org_url_tests.rs"]
mod tests;
