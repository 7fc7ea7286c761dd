//! The stored grant, and its renewal.
//!
//! A refresh is not idempotent: where Salesforce rotates refresh tokens, each works once and using
//! an old one again kills the new one too. So a renewal happens under a lease shared by all
//! processes, notes its start durably before it sends, stores the new token durably before the new
//! access token is used, and never repeats a request that may have arrived.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use connector_api::message::GrantSummary;
use connector_api::{Error, ErrorKind, Host, Secret};
use serde::{Deserialize, Serialize};

use crate::domain::org_host_of_url;
use crate::http::Http;
use crate::oauth::{OAuth, TokenAnswer, TokenError};
use crate::settings::{CLIENT_SECRET, Settings};

const GRANT: &str = "grant";
const PENDING: &str = "pending_authorization";
const LEASE: &str = "grant";
const LEASE_TTL: Duration = Duration::from_secs(120);
const LOCK_TRIES: u32 = 3;
const MOST_PENDING: usize = 5;
const PENDING_LIFE_S: u64 = 24 * 60 * 60;

/// What authorization left us with; sealed in the host's store.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// `authorization_code`, `refresh_token` or `access_token`.
    pub(crate) kind: String,
    access_token: Option<String>,
    refresh_token: Option<String>,
    /// Where the grant was made and is renewed.
    pub(crate) login_host: String,
    /// Where data is read.
    pub(crate) instance_host: String,
    pub(crate) organization_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) username: Option<String>,
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    /// Set while a renewal is under way: if it is found set, that renewal's outcome is unknown.
    #[serde(default)]
    renewal_started: bool,
}

impl Grant {
    /// A grant from a token response of `login_host`.
    ///
    /// # Errors
    /// [`ErrorKind::AUTH`] when the response names an instance that is not a Salesforce org's host.
    pub(crate) fn from_answer(
        kind: &str,
        login_host: &str,
        answer: &TokenAnswer,
    ) -> Result<Grant, Error> {
        let (organization_id, user_id) =
            answer.id.as_deref().map_or((None, None), ids_of_identity_url);
        Ok(Grant {
            kind: kind.into(),
            access_token: Some(answer.access().expose().to_owned()),
            refresh_token: answer.refresh().map(|token| token.expose().to_owned()),
            login_host: login_host.into(),
            instance_host: instance_host(answer.instance_url.as_deref(), login_host)?,
            organization_id,
            user_id,
            username: None,
            scopes: answer.scopes(),
            renewal_started: false,
        })
    }

    /// A grant from pasted tokens.
    ///
    /// # Errors
    /// As for [`Grant::from_answer`].
    pub(crate) fn from_tokens(
        kind: &str,
        login_host: &str,
        access_token: Option<&Secret>,
        refresh_token: Option<&Secret>,
        instance_url: Option<&str>,
    ) -> Result<Grant, Error> {
        Ok(Grant {
            kind: kind.into(),
            access_token: access_token.map(|token| token.expose().to_owned()),
            refresh_token: refresh_token.map(|token| token.expose().to_owned()),
            login_host: login_host.into(),
            instance_host: instance_host(instance_url, login_host)?,
            organization_id: None,
            user_id: None,
            username: None,
            scopes: Vec::new(),
            renewal_started: false,
        })
    }

    pub(crate) fn access_token(&self) -> Option<Secret> {
        self.access_token.as_deref().map(Secret::new)
    }

    pub(crate) fn refresh_token(&self) -> Option<Secret> {
        self.refresh_token.as_deref().map(Secret::new)
    }

    /// The same grant with the refresh token it was made from, which stays valid without rotation.
    pub(crate) fn with_refresh_token(mut self, token: &Secret) -> Grant {
        self.refresh_token = Some(token.expose().to_owned());
        self
    }

    /// Adds whose grant it is.
    ///
    /// # Errors
    /// [`ErrorKind::AUTH`] when the token response named another org.
    pub(crate) fn identify(
        &mut self,
        organization_id: Option<String>,
        user_id: Option<String>,
        username: Option<String>,
    ) -> Result<(), Error> {
        if let (Some(one), Some(other)) = (&self.organization_id, &organization_id)
            && one.get(..15) != other.get(..15)
        {
            return Err(Error::new(
                ErrorKind::AUTH,
                format_args!("the grant names org `{one}` and its session org `{other}`"),
            )
            .with_hint("check the domain and authorize again"));
        }
        self.organization_id = organization_id.or(self.organization_id.take());
        self.user_id = user_id.or(self.user_id.take());
        self.username = username.or(self.username.take());
        Ok(())
    }

    /// What may be shown of it.
    pub(crate) fn summary(&self, warnings: Vec<String>) -> GrantSummary {
        GrantSummary {
            grant: self.kind.clone(),
            organization_id: self.organization_id.clone(),
            username: self.username.clone(),
            user_id: self.user_id.clone(),
            login_host: Some(self.login_host.clone()),
            instance_url: Some(format!("https://{}", self.instance_host)),
            scopes: self.scopes.clone(),
            renewable: self.refresh_token.is_some(),
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

    /// The stored grant.
    ///
    /// # Errors
    /// [`ErrorKind::AUTH`] when there is none, and those of the store.
    pub(crate) fn load(host: &Host) -> Result<Grant, Error> {
        let Some(json) = host.secret_get(GRANT)? else {
            return Err(Error::new(ErrorKind::AUTH, "the connector is not authorized yet")
                .with_hint("run `connectors authorize` for it"));
        };
        serde_json::from_str(json.expose()).map_err(|_| {
            Error::new(ErrorKind::AUTH, "the stored grant cannot be read")
                .with_hint("authorize the connector again")
        })
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        // Moves the texts into values that are wiped.
        drop(self.access_token.take().map(Secret::new));
        drop(self.refresh_token.take().map(Secret::new));
    }
}

/// The host to read from: the one the response names, if it is an org's; else the login host.
fn instance_host(instance_url: Option<&str>, login_host: &str) -> Result<String, Error> {
    match instance_url {
        None => Ok(login_host.to_owned()),
        Some(url) => org_host_of_url(url).ok_or_else(|| {
            Error::new(ErrorKind::AUTH, "the token response names an instance that is not a Salesforce host; nothing was sent to it")
                .with_hint("check the domain; if it is right, contact Salesforce")
        }),
    }
}

/// Organization and user id from the last two parts of the identity URL, which is never fetched.
fn ids_of_identity_url(url: &str) -> (Option<String>, Option<String>) {
    let id = |text: Option<&str>| {
        text.filter(|id| {
            matches!(id.len(), 15 | 18) && id.bytes().all(|b| b.is_ascii_alphanumeric())
        })
        .map(Into::into)
    };
    let mut parts = url.rsplit('/');
    let user = id(parts.next());
    (id(parts.next()), user)
}

/// Renews the grant, unless another thread or process did so since `seen` was read.
///
/// # Errors
/// [`ErrorKind::AUTH`] when a person must authorize again; [`ErrorKind::RETRYABLE`] when Salesforce
/// could not be reached and nothing changed.
pub(crate) fn renew(
    host: &Host,
    http: &Http,
    settings: &Settings,
    seen: Option<&Secret>,
) -> Result<Grant, Error> {
    let _lease = host.lease(LEASE, LEASE_TTL)?;
    let mut tries = 0;
    loop {
        let mut grant = Grant::load(host)?;
        if grant.access_token().is_some() && grant.access_token().as_ref() != seen {
            return Ok(grant);
        }
        let Some(refresh_token) = grant.refresh_token() else {
            return Err(Error::new(
                ErrorKind::AUTH,
                "the access token expired and the grant cannot be renewed",
            )
            .with_hint("authorize the connector again; the app needs the scope `refresh_token`"));
        };
        let interrupted = grant.renewal_started;
        grant.renewal_started = true;
        grant.store(host)?;

        let client_secret = host.secret_get(CLIENT_SECRET)?;
        let oauth = OAuth::new(http, settings, client_secret.as_ref(), &grant.login_host)?;
        match oauth.refresh(&refresh_token) {
            Ok(answer) => return adopt(host, grant, &answer),
            Err(TokenError::Locked) if tries < LOCK_TRIES => {
                grant.renewal_started = interrupted;
                grant.store(host)?;
                tries += 1;
                host.sleep(Duration::from_millis(500 * u64::from(tries) + jitter_ms(500)))?;
            }
            Err(error @ (TokenError::NotSent(_) | TokenError::Locked)) => {
                grant.renewal_started = interrupted;
                grant.store(host)?;
                return Err(error.into_error());
            }
            Err(TokenError::Refused { error, code }) => {
                grant.renewal_started = false;
                grant.store(host)?;
                return Err(after_refusal(error, &code, interrupted));
            }
            // Left marked: the next renewal knows that this one's outcome is unknown.
            Err(TokenError::Unknown(error)) => return Err(error),
        }
    }
}

fn adopt(host: &Host, mut grant: Grant, answer: &TokenAnswer) -> Result<Grant, Error> {
    let (organization_id, _) = answer.id.as_deref().map_or((None, None), ids_of_identity_url);
    if let (Some(before), Some(now)) = (&grant.organization_id, &organization_id)
        && before.get(..15) != now.get(..15)
    {
        return Err(Error::new(
            ErrorKind::AUTH,
            format_args!("the grant now opens org `{now}` instead of `{before}`; nothing was read"),
        )
        .with_hint("check the connector's domain, then authorize it again"));
    }
    if let Some(url) = answer.instance_url.as_deref() {
        let now = instance_host(Some(url), &grant.login_host)?;
        if now != grant.instance_host {
            log::warn!("the org moved from `{}` to `{now}`", grant.instance_host);
            grant.instance_host = now;
        }
    }
    grant.access_token = Some(answer.access().expose().to_owned());
    if let Some(token) = answer.refresh() {
        grant.refresh_token = Some(token.expose().to_owned());
    }
    if !answer.scopes().is_empty() {
        grant.scopes = answer.scopes();
    }
    grant.renewal_started = false;
    grant.store(host)?;
    Ok(grant)
}

fn after_refusal(error: Error, code: &str, interrupted: bool) -> Error {
    if interrupted && code == "invalid_grant" {
        return Error::new(ErrorKind::AUTH, "an earlier renewal was interrupted and its outcome is lost: the stored token is no longer valid")
            .with_hint("authorize the connector again");
    }
    error
}

/// Up to `most` milliseconds.
pub(crate) fn jitter_ms(most: u64) -> u64 {
    getrandom::u64().map_or(most / 2, |random| random % most.max(1))
}

/// An authorize link that was given out and not used yet.
#[derive(Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) state: String,
    verifier: String,
    pub(crate) login_host: String,
    created_at_s: u64,
}

impl Pending {
    pub(crate) fn new(state: String, verifier: &Secret, login_host: &str) -> Pending {
        Pending {
            state,
            verifier: verifier.expose().to_owned(),
            login_host: login_host.into(),
            created_at_s: now_s(),
        }
    }

    pub(crate) fn verifier(&self) -> Secret {
        Secret::new(self.verifier.as_str())
    }

    /// Those given out in the last day, the newest last.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn load(host: &Host) -> Result<Vec<Pending>, Error> {
        let stored = host.secret_get(PENDING)?;
        let mut pending: Vec<Pending> =
            stored.and_then(|json| serde_json::from_str(json.expose()).ok()).unwrap_or_default();
        pending.retain(|link| link.created_at_s + PENDING_LIFE_S > now_s());
        Ok(pending)
    }

    /// Keeps one more.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn add(self, host: &Host) -> Result<(), Error> {
        let mut pending = Pending::load(host)?;
        pending.push(self);
        let surplus = pending.len().saturating_sub(MOST_PENDING);
        pending.drain(..surplus);
        let json =
            serde_json::to_string(&pending).map_err(|error| Error::new(ErrorKind::OTHER, error))?;
        host.secret_put(PENDING, Some(&Secret::new(json)))
    }

    /// Forgets all.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn clear(host: &Host) -> Result<(), Error> {
        host.secret_put(PENDING, None)
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_url_gives_both_ids_and_nothing_else_does() {
        let (org, user) = ids_of_identity_url(
            "https://login.salesforce.com/id/00Dx0000000BV7zEAG/005x00000012Q9PAAU",
        );
        assert_eq!(
            (org.as_deref(), user.as_deref()),
            (Some("00Dx0000000BV7zEAG"), Some("005x00000012Q9PAAU"))
        );
        assert_eq!(ids_of_identity_url("https://login.salesforce.com/id/foo/bar"), (None, None));
        assert_eq!(ids_of_identity_url(""), (None, None));
    }

    #[test]
    fn a_foreign_instance_is_refused_before_a_token_can_be_sent_there() {
        assert_eq!(
            instance_host(None, "acme.my.salesforce.com").unwrap(),
            "acme.my.salesforce.com"
        );
        let error = instance_host(
            Some("https://acme.my.salesforce.com.evil.example"),
            "acme.my.salesforce.com",
        )
        .unwrap_err();
        assert_eq!(error.kind, ErrorKind::AUTH);
        assert!(!error.message.contains("evil"), "{error}");
    }
}
