//! The stored grant: what authorization left us with.

use std::time::{SystemTime, UNIX_EPOCH};

use connector_api::message::GrantSummary;
use connector_api::{Error, ErrorKind, Host, Secret};
use serde::{Deserialize, Serialize};

use crate::auth::identity::{UserInfo, ids_of_identity_url, same_organization};
use crate::auth::oauth::TokenAnswer;
use crate::settings::grant_kind::GrantKind;
use crate::settings::org_url::OrgHost;

const GRANT: &str = "grant";
/// A grant of this kind is a pasted access token and nothing more.
pub(crate) const ACCESS_TOKEN: &str = "access_token";

/// Tokens and whose they are; sealed in the host's store.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// The word of a [`GrantKind`], or [`ACCESS_TOKEN`].
    pub(crate) kind: String,
    access_token: Option<String>,
    refresh_token: Option<String>,
    /// Counts the tokens this grant has had.
    #[serde(default)]
    version: u64,
    /// Where the grant was made and is renewed.
    pub(crate) login_host: OrgHost,
    /// Where data is read.
    pub(crate) instance_host: OrgHost,
    /// Where Salesforce says data should be read, while nobody has agreed to it.
    #[serde(default)]
    pub(crate) offered_host: Option<OrgHost>,
    pub(crate) organization_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) username: Option<String>,
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    /// The version whose refresh was started and not ended: found set, its outcome is unknown.
    #[serde(default)]
    refresh_started: Option<u64>,
    /// Why it is of no use any more.
    #[serde(default)]
    ended: Option<String>,
}

impl Grant {
    /// A grant from a token response of `login_host`.
    ///
    /// # Errors
    /// [`ErrorKind::AUTH`] when the response names an instance that is not a Salesforce org's host.
    pub(crate) fn from_answer(
        kind: &str,
        login_host: &OrgHost,
        answer: &TokenAnswer,
    ) -> Result<Grant, Error> {
        let refresh = answer.refresh();
        let instance = answer.instance_url.as_deref();
        let mut grant =
            Grant::from_tokens(kind, login_host, &answer.access(), refresh.as_ref(), instance)?;
        let (organization_id, user_id) =
            answer.id.as_deref().map_or((None, None), ids_of_identity_url);
        grant.organization_id = organization_id.or(grant.organization_id.take());
        grant.user_id = user_id;
        grant.scopes = answer.scopes();
        Ok(grant)
    }

    /// A grant from tokens.
    ///
    /// # Errors
    /// As for [`Grant::from_answer`].
    pub(crate) fn from_tokens(
        kind: &str,
        login_host: &OrgHost,
        access_token: &Secret,
        refresh_token: Option<&Secret>,
        instance_url: Option<&str>,
    ) -> Result<Grant, Error> {
        Ok(Grant {
            kind: kind.into(),
            organization_id: organization_of_session(access_token.expose()),
            access_token: Some(access_token.expose().to_owned()),
            refresh_token: refresh_token.map(|token| token.expose().to_owned()),
            version: 1,
            login_host: login_host.clone(),
            instance_host: instance_host(instance_url, login_host)?,
            offered_host: None,
            user_id: None,
            username: None,
            scopes: Vec::new(),
            refresh_started: None,
            ended: None,
        })
    }

    pub(crate) fn access_token(&self) -> Option<Secret> {
        self.access_token.as_deref().map(Secret::new)
    }

    pub(crate) fn refresh_token(&self) -> Option<Secret> {
        self.refresh_token.as_deref().map(Secret::new)
    }

    /// Its kind, if it is one that can be chosen.
    pub(crate) fn known_kind(&self) -> Option<GrantKind> {
        GrantKind::from_word(&self.kind)
    }

    /// The same grant with the refresh token it was made from, which stays valid without rotation.
    pub(crate) fn with_refresh_token(mut self, token: &Secret) -> Grant {
        self.refresh_token = Some(token.expose().to_owned());
        self
    }

    /// Whether a refresh was started whose outcome is unknown.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.refresh_started.is_some()
    }

    /// Notes that a refresh starts, or with `false` that none is under way.
    pub(crate) fn mark_refresh(&mut self, started: bool) {
        self.refresh_started = started.then_some(self.version);
    }

    /// Whether `other` holds the same tokens.
    pub(crate) fn same_tokens(&self, other: &Grant) -> bool {
        (self.version, &self.access_token, &self.refresh_token)
            == (other.version, &other.access_token, &other.refresh_token)
    }

    /// Takes the tokens of a token response; everything else stays.
    pub(crate) fn take_tokens(&mut self, answer: &TokenAnswer) {
        self.access_token = Some(answer.access().expose().to_owned());
        if let Some(token) = answer.refresh() {
            self.refresh_token = Some(token.expose().to_owned());
        }
        if !answer.scopes().is_empty() {
            self.scopes = answer.scopes();
        }
        self.version += 1;
        self.refresh_started = None;
    }

    /// Notes that it is of no use any more.
    pub(crate) fn end(&mut self, reason: &str) {
        self.ended = Some(reason.to_owned());
        self.refresh_started = None;
    }

    /// Refuses a grant that has ended.
    ///
    /// # Errors
    /// [`ErrorKind::AUTH`] with the reason it ended for.
    pub(crate) fn still_usable(&self) -> Result<(), Error> {
        match &self.ended {
            None => Ok(()),
            Some(reason) => {
                Err(Error::new(ErrorKind::AUTH, reason).with_hint("authorize the connector again"))
            }
        }
    }

    /// Adds whose grant it is.
    ///
    /// # Errors
    /// [`ErrorKind::AUTH`] when it is another org than known so far.
    pub(crate) fn belongs_to(&mut self, user: UserInfo) -> Result<(), Error> {
        if let (Some(one), Some(other)) = (&self.organization_id, &user.organization_id)
            && !same_organization(one, other)
        {
            return Err(Error::new(
                ErrorKind::AUTH,
                format_args!("the grant names org `{one}` and its session org `{other}`"),
            )
            .with_hint("check the domain and authorize again"));
        }
        self.organization_id = user.organization_id.or(self.organization_id.take());
        self.user_id = user.user_id.or(self.user_id.take());
        self.username = user.preferred_username.or(self.username.take());
        Ok(())
    }

    /// What may be shown of it.
    pub(crate) fn summary(&self, warnings: Vec<String>) -> GrantSummary {
        let renewable = self.refresh_token.is_some()
            || self.known_kind().is_some_and(GrantKind::needs_no_person);
        GrantSummary {
            grant: self.kind.clone(),
            organization_id: self.organization_id.clone(),
            username: self.username.clone(),
            user_id: self.user_id.clone(),
            login_host: Some(self.login_host.to_string()),
            instance_url: Some(format!("https://{}", self.instance_host)),
            scopes: self.scopes.clone(),
            renewable,
            warnings,
        }
    }

    /// Stores it; durable when it returns.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn store(&self, host: &Host) -> Result<(), Error> {
        let json =
            serde_json::to_string(self).map_err(|error| Error::new(ErrorKind::OTHER, error))?;
        host.secret_put(GRANT, Some(&Secret::new(json)))
    }

    /// The stored grant, if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::AUTH`] when it cannot be read, and those of the store.
    pub(crate) fn find(host: &Host) -> Result<Option<Grant>, Error> {
        let Some(json) = host.secret_get(GRANT)? else { return Ok(None) };
        serde_json::from_str(json.expose()).map(Some).map_err(|_| {
            Error::new(ErrorKind::AUTH, "the stored grant cannot be read")
                .with_hint("authorize the connector again")
        })
    }

    /// The stored grant.
    ///
    /// # Errors
    /// As for [`Grant::find`], and [`ErrorKind::AUTH`] when there is none.
    pub(crate) fn load(host: &Host) -> Result<Grant, Error> {
        Grant::find(host)?.ok_or_else(|| {
            Error::new(ErrorKind::AUTH, "the connector is not authorized yet")
                .with_hint("run `connectors authorize` for it")
        })
    }
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grant")
            .field("kind", &self.kind)
            .field("version", &self.version)
            .field("instance_host", &self.instance_host)
            .finish_non_exhaustive()
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        // Moves the texts into values that are wiped.
        drop(self.access_token.take().map(Secret::new));
        drop(self.refresh_token.take().map(Secret::new));
    }
}

/// The host to read from: the one the response names, if it is an org's; else the login host, unless
/// that is one where no org has its data.
pub(crate) fn instance_host(
    instance_url: Option<&str>,
    login_host: &OrgHost,
) -> Result<OrgHost, Error> {
    let hint = "enter the org's My Domain name as the domain, or paste the whole address with its `instance_url`";
    match instance_url {
        None if login_host.is_generic() => Err(Error::new(
            ErrorKind::CONFIG,
            format_args!("`{login_host}` has no data, and the org's own host is not known"),
        )
        .with_hint(hint)),
        None => Ok(login_host.clone()),
        Some(url) => OrgHost::of_url(url).ok_or_else(|| {
            Error::new(ErrorKind::AUTH, "the token response names an instance that is not a Salesforce host; nothing was sent to it")
                .with_hint("check the domain; if it is right, contact Salesforce")
        }),
    }
}

/// The organization's id, with which an opaque access token starts.
fn organization_of_session(access_token: &str) -> Option<String> {
    let (id, _) = access_token.split_once('!')?;
    let known = id.starts_with("00D")
        && matches!(id.len(), 15 | 18)
        && id.bytes().all(|b| b.is_ascii_alphanumeric());
    known.then(|| id.to_owned())
}

/// Seconds since 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> OrgHost {
        OrgHost::new(name).unwrap()
    }

    #[test]
    fn a_foreign_instance_is_refused_before_a_token_can_be_sent_there() {
        let login = host("acme.my.salesforce.com");
        assert_eq!(instance_host(None, &login).unwrap(), login);
        let error =
            instance_host(Some("https://acme.my.salesforce.com.evil.example"), &login).unwrap_err();
        assert_eq!(error.kind, ErrorKind::AUTH);
        assert!(!error.message.contains("evil"), "{error}");
    }

    #[test]
    fn a_generic_login_host_is_not_where_data_is_read() {
        let error = instance_host(None, &host("login.salesforce.com")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::CONFIG);
    }

    #[test]
    fn a_stored_grant_with_a_foreign_host_cannot_be_read() {
        let grant = Grant::from_tokens(
            ACCESS_TOKEN,
            &host("acme.my.salesforce.com"),
            &Secret::new("00D000000000001!AQ.x"),
            None,
            None,
        )
        .unwrap();
        assert_eq!(grant.organization_id.as_deref(), Some("00D000000000001"));
        let json = serde_json::to_string(&grant).unwrap();
        assert!(serde_json::from_str::<Grant>(&json).is_ok());
        let moved = json.replace("acme.my.salesforce.com", "evil.example");
        assert!(serde_json::from_str::<Grant>(&moved).is_err());
    }

    #[test]
    fn a_grant_shows_no_token() {
        let (access, refresh) = (Secret::new("canary1"), Secret::new("canary2"));
        let login = host("acme.my.salesforce.com");
        let grant = Grant::from_tokens("refresh_token", &login, &access, Some(&refresh), None);
        let grant = grant.unwrap();
        assert!(!format!("{grant:?} {:?}", grant.summary(vec![])).contains("canary"));
    }
}
