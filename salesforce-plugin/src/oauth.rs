//! The token endpoint: authorize link, code exchange, refresh. The only user of `oauth2`.
//!
//! Client authentication stands in the request's body, never in a URL; no answer's text enters an
//! error unless it is one of the documented error objects.
//!
//! # Source
//! RFC 6749, RFC 7636; Salesforce Help, "OAuth 2.0 Web Server Flow for Web App Integration".

use std::borrow::Cow;
use std::time::Duration;

use connector_api::{Error, ErrorKind, Secret};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::http as wire;
use oauth2::{
    AccessToken, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RequestTokenError, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};

use crate::http::{Http, HttpError};
use crate::oauth_error::{explain, is_lock};
use crate::settings::Settings;

const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);

type Client = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// A token response. Only `access_token` and `instance_url` are relied on; there is no `expires_in`.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct TokenAnswer {
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
    #[serde(default = "bearer")]
    token_type: BasicTokenType,
    pub(crate) instance_url: Option<String>,
    pub(crate) id: Option<String>,
    scope: Option<String>,
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

impl std::fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenAnswer")
            .field("instance_url", &self.instance_url)
            .finish_non_exhaustive()
    }
}

impl TokenAnswer {
    pub(crate) fn access(&self) -> Secret {
        Secret::new(self.access_token.secret().as_str())
    }

    pub(crate) fn refresh(&self) -> Option<Secret> {
        let token = self.refresh_token.as_ref()?.secret();
        (!token.is_empty()).then(|| Secret::new(token.as_str()))
    }

    pub(crate) fn scopes(&self) -> Vec<String> {
        self.scope.as_deref().unwrap_or_default().split_whitespace().map(Into::into).collect()
    }
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }
    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }
    fn expires_in(&self) -> Option<Duration> {
        None
    }
    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }
    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

/// Why there is no token.
#[derive(Debug)]
pub(crate) enum TokenError {
    /// Salesforce said no.
    Refused { error: Error, code: String },
    /// Another request with the same token is under way.
    Locked,
    /// Nothing was sent.
    NotSent(Error),
    /// Something was sent and no usable answer came: whether it took effect is not known.
    Unknown(Error),
}

impl TokenError {
    pub(crate) fn into_error(self) -> Error {
        match self {
            TokenError::Refused { error, .. }
            | TokenError::NotSent(error)
            | TokenError::Unknown(error) => error,
            TokenError::Locked => {
                explain("invalid_grant", "token request is already being processed")
            }
        }
    }
}

/// What the finish of an authorization will need, beside the link.
#[derive(Clone)]
pub(crate) struct AuthorizeLink {
    pub(crate) url: String,
    pub(crate) state: String,
    pub(crate) verifier: Secret,
}

/// The authorize and token endpoints of one login host.
pub(crate) struct OAuth<'a> {
    http: &'a Http,
    client: Client,
    host: String,
}

impl<'a> OAuth<'a> {
    /// Endpoints on `login_host`, which must have passed the host rules.
    ///
    /// # Errors
    /// [`ErrorKind::CONFIG`] when the host or the Callback URL cannot be part of an address.
    pub(crate) fn new(
        http: &'a Http,
        settings: &Settings,
        client_secret: Option<&Secret>,
        login_host: &str,
    ) -> Result<OAuth<'a>, Error> {
        let config = |error: oauth2::url::ParseError| {
            Error::new(ErrorKind::CONFIG, format_args!("the login address is not valid: {error}"))
        };
        let endpoint = |name: &str| format!("https://{login_host}/services/oauth2/{name}");
        let mut client = oauth2::Client::new(ClientId::new(settings.client_id.clone()))
            .set_auth_uri(AuthUrl::new(endpoint("authorize")).map_err(config)?)
            .set_token_uri(TokenUrl::new(endpoint("token")).map_err(config)?)
            .set_redirect_uri(RedirectUrl::new(settings.redirect_uri.to_string()).map_err(config)?)
            .set_auth_type(AuthType::RequestBody);
        if let Some(secret) = client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
        }
        Ok(OAuth { http, client, host: login_host.to_owned() })
    }

    /// A link with a fresh state and code challenge. `prompt` keeps an administrator from approving
    /// unknowingly with the session that happens to be open in the browser.
    pub(crate) fn authorize_link(&self) -> AuthorizeLink {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state) = self
            .client
            .authorize_url(|| CsrfToken::new_random_len(24))
            .add_scopes(["api", "id", "refresh_token"].map(|scope| Scope::new(scope.into())))
            .add_extra_param("prompt", "login consent")
            .set_pkce_challenge(challenge)
            .url();
        AuthorizeLink {
            url: url.to_string(),
            state: state.into_secret(),
            verifier: Secret::new(verifier.into_secret()),
        }
    }

    /// Exchanges a code. A code whose closing `==` got lost on the way is tried once more with it.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) fn exchange_code(
        &self,
        code: &Secret,
        verifier: Option<&Secret>,
    ) -> Result<TokenAnswer, TokenError> {
        let answer = self.exchange_once(code.expose(), verifier);
        let stripped = code.expose().starts_with("aPrx") && !code.expose().ends_with('=');
        match answer {
            Err(TokenError::Refused { ref code, .. }) if code == "invalid_grant" && stripped => {}
            other => return other,
        }
        self.exchange_once(&format!("{}==", code.expose()), verifier)
    }

    fn exchange_once(
        &self,
        code: &str,
        verifier: Option<&Secret>,
    ) -> Result<TokenAnswer, TokenError> {
        let mut request = self.client.exchange_code(AuthorizationCode::new(code.to_owned()));
        if let Some(verifier) = verifier {
            request =
                request.set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()));
        }
        self.classify(request.request(&|request| self.call(request)))
    }

    /// Exchanges a refresh token. Never repeated here: with rotation a second use kills the grant.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) fn refresh(&self, refresh_token: &Secret) -> Result<TokenAnswer, TokenError> {
        let token = RefreshToken::new(refresh_token.expose().to_owned());
        let request = self.client.exchange_refresh_token(&token);
        self.classify(request.request(&|request| self.call(request)))
    }

    fn classify(
        &self,
        result: Result<TokenAnswer, RequestTokenError<CallError, BasicErrorResponse>>,
    ) -> Result<TokenAnswer, TokenError> {
        let error = match result {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        Err(match error {
            RequestTokenError::ServerResponse(answer) => {
                let code = answer.error().as_ref().to_owned();
                let description = answer.error_description().map_or("", String::as_str);
                if is_lock(&code, description) {
                    TokenError::Locked
                } else {
                    TokenError::Refused { error: explain(&code, description), code }
                }
            }
            RequestTokenError::Request(CallError::Http(error)) => {
                let shown = Error::new(ErrorKind::RETRYABLE, &error).with_hint(error.hint());
                if error.before_sending() {
                    TokenError::NotSent(shown)
                } else {
                    TokenError::Unknown(shown)
                }
            }
            RequestTokenError::Request(CallError::Redirected(target)) => TokenError::NotSent(
                Error::new(
                    ErrorKind::CONFIG,
                    format_args!(
                        "`{}` is not the org's login host: it points to `{target}`",
                        self.host
                    ),
                )
                .with_hint("enter the org's My Domain name as the domain"),
            ),
            // The answer's text may hold tokens: it stays out of the message.
            RequestTokenError::Request(CallError::NotTheApi(status)) => self.unreadable(status),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => self.unreadable(0),
        })
    }

    fn unreadable(&self, status: u16) -> TokenError {
        let status = if status == 0 { String::new() } else { format!(" (HTTP {status})") };
        TokenError::Unknown(
            Error::new(ErrorKind::RETRYABLE, format_args!("the token endpoint of `{}` gave no usable answer{status}", self.host))
                .with_hint("a proxy or a maintenance page may have answered instead of Salesforce: try again later"),
        )
    }

    fn call(&self, request: wire::Request<Vec<u8>>) -> Result<wire::Response<Vec<u8>>, CallError> {
        let url = url::Url::parse(&request.uri().to_string()).map_err(|_| {
            CallError::Http(HttpError::Setup("the token address is not valid".into()))
        })?;
        let headers: Vec<(&str, &str)> = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let answer = self
            .http
            .send("POST", &url, &headers, Some(request.body().clone()), TOKEN_TIMEOUT)
            .map_err(CallError::Http)?;
        if (300..400).contains(&answer.status) {
            let target = answer
                .header("location")
                .and_then(|l| url::Url::parse(l).ok())
                .and_then(|u| u.host_str().map(Into::into));
            return Err(CallError::Redirected(target.unwrap_or_else(|| "another page".into())));
        }
        let Some(body) = as_json(&answer.body) else {
            return Err(CallError::NotTheApi(answer.status));
        };
        wire::Response::builder()
            .status(answer.status)
            .header("content-type", "application/json")
            .body(body.into_owned())
            .map_err(|_| CallError::NotTheApi(answer.status))
    }
}

#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error(transparent)]
    Http(HttpError),
    #[error("redirected to {0}")]
    Redirected(String),
    #[error("not the API, HTTP {0}")]
    NotTheApi(u16),
}

/// The body as a JSON object: a form-encoded answer is converted. None for
/// anything else, e.g. HTML or nothing.
fn as_json(body: &[u8]) -> Option<Cow<'_, [u8]>> {
    let text = std::str::from_utf8(body).ok()?.trim();
    if text.starts_with('{') {
        return Some(Cow::Borrowed(body));
    }
    if text.starts_with('<') || !text.contains('=') {
        return None;
    }
    let pairs: serde_json::Map<String, serde_json::Value> =
        url::form_urlencoded::parse(text.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
            .collect();
    serde_json::to_vec(&pairs).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_answers_are_read_leniently() {
        let bare: TokenAnswer = serde_json::from_str(
            r#"{"id":"https://login.salesforce.com/id/a/b","issued_at":"1309974610026","instance_url":"https://na1.salesforce.com","signature":"s","access_token":"t","more":{"x":[1]}}"#,
        )
        .unwrap();
        assert_eq!(bare.access().expose(), "t");
        assert_eq!(bare.refresh(), None);
        assert!(bare.scopes().is_empty());
    }

    #[test]
    fn a_form_encoded_answer_is_understood() {
        let form =
            as_json(b"error=invalid_grant&error_description=expired+authorization+code").unwrap();
        let value: serde_json::Value = serde_json::from_slice(&form).unwrap();
        assert_eq!(value["error_description"], "expired authorization code");
        assert!(as_json(b"<html>maintenance</html>").is_none());
        assert!(as_json(b"").is_none());
    }

    #[test]
    fn a_token_answer_shows_no_token() {
        let answer: TokenAnswer =
            serde_json::from_str(r#"{"access_token":"canary1","refresh_token":"canary2"}"#)
                .unwrap();
        assert!(!format!("{answer:?}").contains("canary"));
    }
}
