//! Giving the grant back: revoked at Salesforce, the local secrets left to the host.
//!
//! # Source
//! RFC 7009; Salesforce Help, "Revoke OAuth Tokens".

use connector_api::message::DeauthorizeReply;
use connector_api::{Error, Host};

use crate::auth::grant::Grant;
use crate::auth::oauth::{OAuth, Revocation};
use crate::auth::renew::{LEASE, LEASE_TTL};
use crate::settings::Settings;
use crate::transport::http::Http;

const BY_HAND: &str = "revoke it by hand: Setup > Connected Apps OAuth Usage > the app > Users > Revoke, or try again";

/// Revokes the refresh token, else the access token.
///
/// # Errors
/// When the stored grant cannot be read or the network settings cannot be used.
pub(crate) fn deauthorize(host: &Host, settings: &Settings) -> Result<DeauthorizeReply, Error> {
    let _lease = host.lease(LEASE, LEASE_TTL)?;
    let Some(grant) = Grant::find(host)? else {
        return Ok(revoked("there is no grant to revoke".into()));
    };
    let Some(token) = grant.refresh_token().or_else(|| grant.access_token()) else {
        return Ok(revoked("the grant holds no token to revoke".into()));
    };
    let http = Http::new(&settings.network)?;
    let oauth = OAuth::new(host, &http, settings, None, &grant.login_host)?
        .of_organization(grant.organization_id.as_deref());
    Ok(match oauth.revoke(&token) {
        Revocation::Revoked => {
            revoked(format!("Salesforce revoked the grant at `{}`", grant.login_host))
        }
        Revocation::AlreadyDead => revoked(
            "Salesforce did not know the grant any more: it was revoked or had expired".into(),
        ),
        Revocation::StillLive(error) => DeauthorizeReply {
            revoked: false,
            message: format!("the grant was not revoked and is still live at Salesforce: {error}"),
            hint: Some(BY_HAND.into()),
        },
    })
}

fn revoked(message: String) -> DeauthorizeReply {
    DeauthorizeReply { revoked: true, message, hint: None }
}
