//! What the org shows to this user: API versions, objects and their fields.

use std::collections::HashMap;
use std::sync::Arc;

use connector_api::{Error, ErrorKind};
use parking_lot::Mutex;
use serde::Deserialize;

use crate::auth::authorize::versions_of;
use crate::client::api_error::{ApiError, Refusal, SESSION_POLICIES};
use crate::client::session::Session;

/// The newest API version this connector was written for.
pub(crate) const NEWEST_KNOWN_VERSION: u16 = 66;

/// An object as described; keys that are not used are not read.
#[derive(Debug, Deserialize)]
pub(crate) struct Describe {
    name: String,
    #[serde(default = "yes")]
    queryable: bool,
    fields: Vec<DescribedField>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribedField {
    name: String,
    #[serde(default)]
    relationship_name: Option<String>,
    #[serde(default)]
    reference_to: Vec<String>,
}

impl Describe {
    fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|f| f.name == field)
    }

    /// The object a relationship leads to, if it leads to one kind only.
    fn parent(&self, relationship: &str) -> Option<&str> {
        let field =
            self.fields.iter().find(|f| f.relationship_name.as_deref() == Some(relationship))?;
        match field.reference_to.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }
}

/// The org's objects, each described at most once in a run.
pub(crate) struct Catalogue<'a> {
    session: &'a Session,
    pub(crate) version: u16,
    known: Mutex<HashMap<String, Option<Arc<Describe>>>>,
    /// What was said about hidden objects.
    refusals: Mutex<HashMap<String, Refusal>>,
}

impl<'a> Catalogue<'a> {
    /// Negotiates the API version: the one set, else the newest that both sides know.
    ///
    /// # Errors
    /// [`ApiError`]; a version the org does not offer is fatal.
    pub(crate) fn open(session: &'a Session) -> Result<Catalogue<'a>, ApiError> {
        let offered: Vec<u16> = session.get("/services/data", None, |answer| {
            let versions = versions_of(answer);
            if versions.is_empty() {
                return Err("it is not a list of API versions".into());
            }
            let count = versions.len() as u64;
            Ok((versions, count))
        })?;
        let version = match session.settings().api_version {
            Some(version) if offered.contains(&version) => Some(version),
            Some(version) => return Err(unavailable_version(version).into()),
            None => offered.iter().copied().filter(|v| *v <= NEWEST_KNOWN_VERSION).max(),
        };
        let version = version
            .ok_or_else(|| ApiError::Malformed("the org offers no known API version".into()))?;
        Ok(Catalogue { session, version, known: Mutex::default(), refusals: Mutex::default() })
    }

    /// The object as this user sees it; `None` if it is hidden or does not exist.
    ///
    /// # Errors
    /// [`ApiError`], except that the object is hidden.
    pub(crate) fn describe(&self, object: &str) -> Result<Option<Arc<Describe>>, ApiError> {
        let known = || self.known.lock();
        if let Some(described) = known().get(object) {
            return Ok(described.clone());
        }
        let path = format!("/services/data/v{}.0/sobjects/{object}/describe", self.version);
        let described = self.session.get(&path, Some(object), |answer| {
            let describe: Describe =
                serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
            if !describe.name.eq_ignore_ascii_case(object) {
                return Err("it describes another object".into());
            }
            Ok((describe, 0))
        });
        let described = match described {
            Ok(describe) => Some(Arc::new(describe)).filter(|describe| describe.queryable),
            Err(ApiError::Refused(refusal)) if refusal.is_hidden() => {
                self.refusals.lock().insert(object.to_owned(), refusal);
                None
            }
            Err(error) => return Err(error),
        };
        known().insert(object.to_owned(), described.clone());
        Ok(described)
    }

    /// Why an object is hidden, in Salesforce's words.
    pub(crate) fn refusal(&self, object: &str) -> Option<Refusal> {
        self.refusals.lock().get(object).cloned()
    }

    /// Forgets the object, so that it is described again when it is needed next.
    pub(crate) fn forget(&self, object: &str) {
        self.known.lock().remove(object);
    }

    /// Whether `path`, a field or a dotted path over relationships, is visible from `object`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(crate) fn shows(&self, object: &str, path: &str) -> Result<bool, ApiError> {
        let Some(described) = self.describe(object)? else { return Ok(false) };
        match path.split_once('.') {
            None => Ok(described.has(path)),
            Some((relationship, rest)) => match described.parent(relationship) {
                Some(parent) => self.shows(parent, rest),
                None => Ok(false),
            },
        }
    }
}

/// Asks a second, different question after the account was refused: for the description of `User`, which
/// everybody may read who may use the API at all.
///
/// # Errors
/// [`ErrorKind::DENIED`] when that is refused in the same way: one cause for every request, said once.
pub(crate) fn not_refused_everywhere(
    session: &Session,
    version: u16,
    first: &Refusal,
) -> Result<(), ApiError> {
    let path = format!("/services/data/v{version}.0/sobjects/User/describe");
    match session.get(&path, Some("User"), |_| Ok(((), 0))) {
        Err(ApiError::Refused(second)) if second.is_of_account() => Err(Error::new(
            ErrorKind::DENIED,
            format_args!("Salesforce refuses this user every request ({})", first.shown()),
        )
        .with_hint(SESSION_POLICIES)
        .into()),
        Err(error @ (ApiError::Fatal(_) | ApiError::Unreachable(_))) => Err(error),
        _ => Ok(()),
    }
}

fn unavailable_version(version: u16) -> Error {
    Error::new(ErrorKind::CONFIG, format_args!("the org does not offer API version {version}.0"))
        .with_hint("leave `api_version` empty, or set one that the org offers")
}
