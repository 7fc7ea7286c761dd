//! The renewal of a grant, so that no token is lost and none is used twice.
//!
//! A refresh is not idempotent: where Salesforce rotates refresh tokens, each works once and using
//! an old one again kills the new one too. So
//!
//! 1. a renewal happens under a lease shared by all threads and processes, and whoever waited for it
//!    takes what the other one brought;
//! 2. its start is durable before it is sent, and a request that may have arrived is not repeated;
//! 3. the new tokens are durable before the new access token is used;
//! 4. where a start is found without an end, the old access token is tried first: if it still works,
//!    nothing was rotated. If not, the old refresh token is tried: if that is refused, the outcome is
//!    lost and a person must authorize again.
//!
//! A grant that needs no person has no refresh token: it is asked for anew, under the same lease.
//!
//! # Source
//! RFC 9700, 4.14.2; Salesforce Help, "OAuth 2.0 Refresh Token Flow" and "Refresh Token Rotation".

use std::time::Duration;

use connector_api::{Error, ErrorKind, Host, Secret};

use crate::auth::grant::{Grant, instance_host};
use crate::auth::identity::{Identity, identify, ids_of_identity_url, same_organization};
use crate::auth::mint::mint;
use crate::auth::oauth::{OAuth, TokenAnswer, TokenError};
use crate::auth::oauth_error::OAuthRefusal;
use crate::settings::Settings;
use crate::settings::grant_kind::CLIENT_SECRET;
use crate::settings::grant_kind::GrantKind;
use crate::settings::org_url::OrgHost;
use crate::transport::http::Http;
use crate::transport::pause::jitter_ms;

/// The lease that whoever changes the grant holds.
pub(crate) const LEASE: &str = connector_api::host::GRANT_LEASE;
/// Longer than all requests and pauses of one renewal.
pub(crate) const LEASE_TTL: Duration = Duration::from_secs(180);
/// How often a request that was not carried out is sent again.
const MOST_REPEATS: u32 = 3;
const SHORTEST_PAUSE_MS: u64 = 500;
const LONGEST_PAUSE_MS: u64 = 5_000;

/// Renews the grant, unless another thread or process did so since `seen` was read. Without `seen`
/// it is renewed only if it holds no access token that works.
///
/// # Errors
/// [`ErrorKind::AUTH`] when a person must authorize again; [`ErrorKind::CONFIG`] when a setting must
/// change or an operator agree to another host; [`ErrorKind::RETRYABLE`] when it may work later.
pub(crate) fn renew(
    host: &Host,
    http: &Http,
    settings: &Settings,
    seen: Option<&Secret>,
) -> Result<Grant, Error> {
    let _lease = host.lease(LEASE, LEASE_TTL)?;
    let mut repeats = 0;
    loop {
        let mut grant = Grant::load(host)?;
        grant.still_usable()?;
        let token = grant.access_token();
        if token.is_some() && token.as_ref() != seen && !grant.is_doubtful() {
            return Ok(grant);
        }
        if grant.is_doubtful() && settle(host, http, &mut grant)? && token.as_ref() != seen {
            return Ok(grant);
        }
        let result = match requested(&grant, settings)? {
            Request::Mint => {
                let org = grant.organization_id.clone();
                mint(host, http, settings, &grant.login_host, org.as_deref())
            }
            Request::Refresh(token) => {
                return match refresh(host, http, settings, grant, &token, repeats)? {
                    Some(grant) => Ok(grant),
                    None => {
                        repeats += 1;
                        continue;
                    }
                };
            }
        };
        match result {
            Ok(answer) => return adopt(host, grant, &answer),
            Err(
                TokenError::Locked(_)
                | TokenError::NotSent(Error { kind: ErrorKind::RETRYABLE, .. }),
            ) if repeats < MOST_REPEATS => {
                pause(host)?;
                repeats += 1;
            }
            Err(error) => return Err(error.into_error()),
        }
    }
}

enum Request {
    Mint,
    Refresh(Secret),
}

/// How this grant is renewed, if it fits the settings.
fn requested(grant: &Grant, settings: &Settings) -> Result<Request, Error> {
    let stored = grant.known_kind().is_some_and(GrantKind::needs_no_person);
    let wanted = settings.grant.kind.needs_no_person();
    if (stored || wanted) && grant.known_kind() != Some(settings.grant.kind) {
        return Err(Error::new(
            ErrorKind::AUTH,
            format_args!(
                "the connector was authorized by `{}` and its settings now say `{}`",
                grant.kind,
                settings.grant.kind.as_str()
            ),
        )
        .with_hint("authorize the connector again"));
    }
    if wanted {
        return Ok(Request::Mint);
    }
    grant.refresh_token().map(Request::Refresh).ok_or_else(|| {
        Error::new(ErrorKind::AUTH, "the access token expired and the grant cannot be renewed")
            .with_hint("authorize the connector again; the app needs the scope `refresh_token`")
    })
}

/// Finds out whether a refresh that was started and not ended rotated anything: answers true, and
/// forgets it, if the old access token still works.
fn settle(host: &Host, http: &Http, grant: &mut Grant) -> Result<bool, Error> {
    let Some(token) = grant.access_token() else { return Ok(false) };
    match identify(http, &grant.instance_host, &token) {
        Identity::Known(user) => {
            if let Err(error) = grant.belongs_to(user) {
                return Err(ended(host, grant, error));
            }
            log::info!("an interrupted renewal changed nothing: the access token still works");
            grant.mark_refresh(false);
            grant.store(host)?;
            Ok(true)
        }
        Identity::Refused(_) => Ok(false),
        Identity::Unclear(error) => Err(error),
    }
}

/// Sends the refresh token once. None: it was not carried out and may be sent again.
fn refresh(
    host: &Host,
    http: &Http,
    settings: &Settings,
    mut grant: Grant,
    token: &Secret,
    repeats: u32,
) -> Result<Option<Grant>, Error> {
    let doubtful = grant.is_doubtful();
    let client_secret = host.secret_get(CLIENT_SECRET)?;
    let oauth = OAuth::new(host, http, settings, client_secret.as_ref(), &grant.login_host)?
        .of_organization(grant.organization_id.as_deref());
    grant.mark_refresh(true);
    grant.store(host)?;
    // The mark stays from here on unless it is certain that nothing was carried out.
    match oauth.refresh(token) {
        Ok(answer) => adopt(host, grant, &answer).map(Some),
        Err(TokenError::Unknown(error)) => Err(error),
        Err(TokenError::Locked(error) | TokenError::NotSent(error)) => {
            grant.mark_refresh(doubtful);
            grant.store(host)?;
            if error.kind != ErrorKind::RETRYABLE || repeats >= MOST_REPEATS {
                return Err(error);
            }
            pause(host)?;
            Ok(None)
        }
        Err(TokenError::Refused { error, refusal }) => {
            Err(refused(host, grant, error, &refusal, doubtful)?)
        }
    }
}

/// What a refusal makes of the grant.
fn refused(
    host: &Host,
    mut grant: Grant,
    error: Error,
    refusal: &OAuthRefusal,
    doubtful: bool,
) -> Result<Error, Error> {
    if refusal.is_dead_token() {
        let error = if doubtful {
            Error::new(
                ErrorKind::AUTH,
                format_args!(
                    "an earlier renewal was interrupted and its outcome is lost: {}",
                    error.message
                ),
            )
            .with_hint("authorize the connector again")
        } else {
            error
        };
        return Ok(ended(host, &mut grant, error));
    }
    // A fault of the server says nothing about what it did before.
    if error.kind != ErrorKind::RETRYABLE {
        grant.mark_refresh(doubtful);
        grant.store(host)?;
    }
    Ok(error)
}

/// Notes that the grant is of no use any more, so that it is never tried again.
fn ended(host: &Host, grant: &mut Grant, error: Error) -> Error {
    grant.end(&error.message);
    match grant.store(host) {
        Ok(()) => error,
        Err(not_stored) => not_stored,
    }
}

/// Keeps the new tokens, durably, and then judges what else the response says.
fn adopt(host: &Host, mut grant: Grant, answer: &TokenAnswer) -> Result<Grant, Error> {
    if let Some(stored) = Grant::find(host)?
        && !stored.same_tokens(&grant)
    {
        log::warn!("the connector was authorized again while its grant was renewed");
        stored.still_usable()?;
        return Ok(stored);
    }
    grant.take_tokens(answer);
    let (organization_id, _) = answer.id.as_deref().map_or((None, None), ids_of_identity_url);
    if let (Some(before), Some(now)) = (&grant.organization_id, &organization_id)
        && !same_organization(before, now)
    {
        let message =
            format!("the grant now opens org `{now}` instead of `{before}`; nothing was read");
        let error = Error::new(ErrorKind::AUTH, message)
            .with_hint("check the connector's domain, then authorize it again");
        return Err(ended(host, &mut grant, error));
    }
    let offered = match answer.instance_url.as_deref() {
        None => Ok(grant.instance_host.clone()),
        Some(url) => instance_host(Some(url), &grant.login_host),
    };
    match offered {
        Ok(offered) if offered == grant.instance_host => {
            grant.offered_host = None;
            grant.store(host)?;
            Ok(grant)
        }
        Ok(offered) => {
            let error = moved(&grant, offered.as_str());
            grant.offered_host = Some(offered);
            grant.store(host)?;
            Err(error)
        }
        Err(error) => {
            grant.store(host)?;
            Err(error)
        }
    }
}

/// Notes in the stored grant that the org's host redirects to another one, and returns the error that
/// says how to agree. Nothing is stopped by it: a redirect may pass.
///
/// # Errors
/// Those of the host's store.
pub(crate) fn offer_host(host: &Host, target: &OrgHost) -> Result<Error, Error> {
    let _lease = host.lease(LEASE, LEASE_TTL)?;
    let mut grant = Grant::load(host)?;
    let error = moved(&grant, target.as_str());
    if grant.offered_host.as_ref() != Some(target) {
        grant.offered_host = Some(target.clone());
        grant.store(host)?;
    }
    Ok(Error { kind: ErrorKind::RETRYABLE, ..error })
}

/// Salesforce names another host than the one that was agreed to.
fn moved(grant: &Grant, offered: &str) -> Error {
    Error::new(
        ErrorKind::CONFIG,
        format_args!(
            "Salesforce says that the org's data is now at `{offered}`, not at `{}`; nothing was sent there",
            grant.instance_host
        ),
    )
    .with_hint(format_args!(
        "if the org moved (Setup > My Domain), agree with `connectors authorize NAME --accept-host {offered}`; otherwise the present host stays in force"
    ))
}

fn pause(host: &Host) -> Result<(), Error> {
    let ms = SHORTEST_PAUSE_MS + jitter_ms(LONGEST_PAUSE_MS - SHORTEST_PAUSE_MS);
    host.sleep(Duration::from_millis(ms))
}
