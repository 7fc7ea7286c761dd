//! Tokens of the grants that need no person: asked for anew whenever one is needed.

use connector_api::{Error, ErrorKind, Host, Secret};

use crate::auth::grant::now_s;
use crate::auth::oauth::{OAuth, TokenAnswer, TokenError};
use crate::settings::Settings;
use crate::settings::grant_kind::CLIENT_SECRET;
use crate::settings::grant_kind::{GrantKind, PASSWORD, PRIVATE_KEY, SECURITY_TOKEN};
use crate::settings::jwt::{SigningKey, audiences};
use crate::settings::org_url::OrgHost;
use crate::transport::http::Http;

/// Asks for a token as the settings say. Nothing rotates, so it may be repeated.
///
/// # Errors
/// [`TokenError`].
pub(crate) fn mint(
    host: &Host,
    http: &Http,
    settings: &Settings,
    login_host: &OrgHost,
    organization_id: Option<&str>,
) -> Result<TokenAnswer, TokenError> {
    let oauth = |secret: Option<&Secret>| {
        OAuth::new(host, http, settings, secret, login_host)
            .map(|oauth| oauth.of_organization(organization_id))
            .map_err(TokenError::NotSent)
    };
    match settings.grant.kind {
        GrantKind::ClientCredentials => {
            oauth(Some(&needed(host, CLIENT_SECRET)?))?.client_credentials()
        }
        GrantKind::UsernamePassword => {
            let client_secret = needed(host, CLIENT_SECRET)?;
            let token = host.secret_get(SECURITY_TOKEN).map_err(TokenError::NotSent)?;
            let token = token.as_ref().map_or("", |token| token.expose().trim());
            let password = needed(host, PASSWORD)?;
            let password = Secret::new(format!("{}{token}", password.expose()));
            let username = settings.grant.username.as_deref().unwrap_or_default();
            oauth(Some(&client_secret))?.username_password(username, &password)
        }
        GrantKind::JwtBearer => by_assertion(host, settings, login_host, &oauth(None)?),
        _ => Err(TokenError::NotSent(Error::new(
            ErrorKind::STATE,
            format_args!("grant `{}` needs a person", settings.grant.kind.as_str()),
        ))),
    }
}

fn by_assertion(
    host: &Host,
    settings: &Settings,
    login_host: &OrgHost,
    oauth: &OAuth<'_>,
) -> Result<TokenAnswer, TokenError> {
    let unusable = |reason: String| {
        TokenError::NotSent(Error::new(ErrorKind::CONFIG, reason).with_hint(
            "give the RSA key (PEM, without passphrase) of the app's certificate as `private_key` or `private_key_file`",
        ))
    };
    let key = match &settings.grant.private_key_file {
        Some(file) => SigningKey::from_file(file),
        None => SigningKey::from_pem(&needed(host, PRIVATE_KEY)?),
    }
    .map_err(unusable)?;
    let audiences = match &settings.grant.audience {
        Some(audience) => vec![audience.clone()],
        None => audiences(login_host),
    };
    let username = settings.grant.username.as_deref().unwrap_or_default();
    let mut first = None;
    for audience in audiences {
        let assertion =
            key.assertion(&settings.client_id, username, &audience, now_s()).map_err(unusable)?;
        match oauth.jwt_bearer(&assertion) {
            Err(TokenError::Refused { error, refusal }) if refusal.is_audience() => {
                first.get_or_insert(TokenError::Refused { error, refusal });
            }
            other => return other,
        }
    }
    // Every audience was refused: the first answer is about the likeliest one.
    Err(first.unwrap_or_else(|| unusable("there is no audience to ask".into())))
}

fn needed(host: &Host, secret: &str) -> Result<Secret, TokenError> {
    host.secret_get(secret).map_err(TokenError::NotSent)?.ok_or_else(|| {
        TokenError::NotSent(
            Error::new(ErrorKind::CONFIG, format_args!("the secret `{secret}` is missing"))
                .with_hint(format_args!("enter `{secret}` for this connector")),
        )
    })
}
