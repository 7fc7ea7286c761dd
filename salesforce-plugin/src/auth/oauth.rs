//! The token endpoint: authorize link, every grant's request, revocation. The only user of `oauth2`.
//!
//! Client authentication stands in the request's body, never in a URL; no answer's text enters an
//! error unless it is one of the documented error objects.
//!
//! # Source
//! RFC 6749, RFC 7009, RFC 7523, RFC 7636; Salesforce Help, "OAuth Authorization Flows".

use std::borrow::Cow;
use std::time::Duration;

use connector_api::{Error, ErrorKind, Host, Secret};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::http as wire;
use oauth2::{
    AccessToken, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RequestTokenError, ResourceOwnerPassword, ResourceOwnerUsername, Scope, StandardRevocableToken,
    TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};

use crate::auth::oauth_error::{Refusal, Step};
use crate::settings::Settings;
use crate::settings::org_url::{OrgHost, OrgUrl};
use crate::transport::http::{Answer, Http};
use crate::transport::http_error::HttpError;

const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

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
    Refused { error: Error, refusal: Refusal },
    /// Another request with the same token is under way.
    Locked(Error),
    /// Nothing was sent.
    NotSent(Error),
    /// Something was sent and no usable answer came: whether it took effect is not known.
    Unknown(Error),
}

impl TokenError {
    pub(crate) fn into_error(self) -> Error {
        match self {
            TokenError::Refused { error, .. }
            | TokenError::Locked(error)
            | TokenError::NotSent(error)
            | TokenError::Unknown(error) => error,
        }
    }
}

/// How a revocation ended.
#[derive(Debug)]
pub(crate) enum Revocation {
    /// Salesforce revoked the token.
    Revoked,
    /// Salesforce does not know the token: it was dead already.
    AlreadyDead,
    /// Not known, or refused: the token may still open the org.
    StillLive(Error),
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
    host: &'a Host,
    http: &'a Http,
    client: Client,
    token_url: OrgUrl,
    revoke_url: OrgUrl,
    organization_id: Option<String>,
}

impl<'a> OAuth<'a> {
    /// Endpoints on `login_host`.
    ///
    /// # Errors
    /// [`ErrorKind::CONFIG`] when the Callback URL cannot be part of an address.
    pub(crate) fn new(
        host: &'a Host,
        http: &'a Http,
        settings: &Settings,
        client_secret: Option<&Secret>,
        login_host: &OrgHost,
    ) -> Result<OAuth<'a>, Error> {
        let invalid = |error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::CONFIG, format_args!("the login address is not valid: {error}"))
        };
        let endpoint = |name: &str| {
            login_host.url(&format!("/services/oauth2/{name}")).ok_or_else(|| invalid(&login_host))
        };
        let (token_url, revoke_url) = (endpoint("token")?, endpoint("revoke")?);
        let authorize_url = format!("https://{login_host}/services/oauth2/authorize");
        let mut client = oauth2::Client::new(ClientId::new(settings.client_id.clone()))
            .set_auth_uri(AuthUrl::new(authorize_url).map_err(|error| invalid(&error))?)
            .set_token_uri(TokenUrl::from_url(token_url.as_url().clone()))
            .set_redirect_uri(
                RedirectUrl::new(settings.redirect_uri.to_string())
                    .map_err(|error| invalid(&error))?,
            )
            .set_auth_type(AuthType::RequestBody);
        if let Some(secret) = client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
        }
        Ok(OAuth { host, http, client, token_url, revoke_url, organization_id: None })
    }

    /// The same endpoints for a grant of that org, which refusals then name.
    pub(crate) fn of_organization(mut self, id: Option<&str>) -> OAuth<'a> {
        self.organization_id = id.map(Into::into);
        self
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
            Err(TokenError::Refused { ref refusal, .. })
                if stripped && refusal.is_mangled_code() => {}
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
        self.classify(Step::Code, request.request(&|request| self.call(request)))
    }

    /// Exchanges a refresh token. Never repeated here: with rotation a second use kills the grant.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) fn refresh(&self, refresh_token: &Secret) -> Result<TokenAnswer, TokenError> {
        let token = RefreshToken::new(refresh_token.expose().to_owned());
        let request = self.client.exchange_refresh_token(&token);
        self.classify(Step::Refresh, request.request(&|request| self.call(request)))
    }

    /// Asks for a token with the app's own credentials.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) fn client_credentials(&self) -> Result<TokenAnswer, TokenError> {
        let request = self.client.exchange_client_credentials();
        self.classify(Step::Mint, request.request(&|request| self.call(request)))
    }

    /// Asks for a token with a user's password, to which the Security Token is appended.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) fn username_password(
        &self,
        username: &str,
        password: &Secret,
    ) -> Result<TokenAnswer, TokenError> {
        let username = ResourceOwnerUsername::new(username.to_owned());
        let password = ResourceOwnerPassword::new(password.expose().to_owned());
        let request = self.client.exchange_password(&username, &password);
        self.classify(Step::Mint, request.request(&|request| self.call(request)))
    }

    /// Asks for a token with a signed assertion, and nothing else. `oauth2` has no such request: it
    /// makes the one for client credentials, whose form is replaced.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) fn jwt_bearer(&self, assertion: &Secret) -> Result<TokenAnswer, TokenError> {
        let request = self.client.exchange_client_credentials();
        let call = |mut request: wire::Request<Vec<u8>>| {
            *request.body_mut() =
                form(&[("grant_type", JWT_BEARER), ("assertion", assertion.expose())]);
            self.call(request)
        };
        self.classify(Step::Mint, request.request(&call))
    }

    /// Revokes a token: a refresh token with its access tokens, or one access token.
    pub(crate) fn revoke(&self, token: &Secret) -> Revocation {
        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")];
        self.host.mask(token.expose());
        let body = form(&[("token", token.expose())]);
        let answer =
            match self.http.send("POST", &self.revoke_url, &headers, Some(body), TOKEN_TIMEOUT) {
                Ok(answer) => answer,
                Err(error) => return Revocation::StillLive(error.into()),
            };
        let refusal = refusal_of(&answer);
        match (answer.status, refusal.error.as_str()) {
            (200, "") if !answer.is_html() => Revocation::Revoked,
            (400, "invalid_token" | "unsupported_token_type") => Revocation::AlreadyDead,
            (_, "") => Revocation::StillLive(self.unreadable(answer.status)),
            _ => Revocation::StillLive(
                refusal.explain(Step::Authorize, self.organization_id.as_deref()),
            ),
        }
    }

    fn classify(
        &self,
        step: Step,
        result: Result<TokenAnswer, RequestTokenError<CallError, BasicErrorResponse>>,
    ) -> Result<TokenAnswer, TokenError> {
        let error = match result {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        Err(match error {
            RequestTokenError::ServerResponse(answer) => {
                let refusal = Refusal {
                    error: answer.error().as_ref().to_owned(),
                    description: answer.error_description().cloned().unwrap_or_default(),
                };
                let error = refusal.explain(step, self.organization_id.as_deref());
                if refusal.is_lock(step) {
                    TokenError::Locked(error)
                } else {
                    TokenError::Refused { error, refusal }
                }
            }
            RequestTokenError::Request(CallError::Http(error)) => {
                if error.before_sending() {
                    TokenError::NotSent(error.into())
                } else {
                    TokenError::Unknown(error.into())
                }
            }
            // Its path was never read: the host does not serve the token endpoint.
            RequestTokenError::Request(CallError::Redirected(target)) => TokenError::Refused {
                error: Error::new(
                    ErrorKind::CONFIG,
                    format_args!(
                        "`{}` is not the org's login host: it points to `{target}`",
                        self.token_url.host()
                    ),
                )
                .with_hint("enter the org's My Domain name as the domain"),
                refusal: Refusal::default(),
            },
            RequestTokenError::Request(CallError::WrongAddress) => {
                TokenError::NotSent(Error::new(ErrorKind::CONFIG, "the token address is not valid"))
            }
            // The answer's text may hold tokens: it stays out of the message.
            RequestTokenError::Request(CallError::NotTheApi(status)) => {
                TokenError::Unknown(self.unreadable(status))
            }
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                TokenError::Unknown(self.unreadable(0))
            }
        })
    }

    fn unreadable(&self, status: u16) -> Error {
        let status = if status == 0 { String::new() } else { format!(" (HTTP {status})") };
        Error::new(
            ErrorKind::RETRYABLE,
            format_args!("the token endpoint of `{}` gave no usable answer{status}", self.token_url.host()),
        )
        .with_hint("a proxy or a maintenance page may have answered instead of Salesforce: try again later")
    }

    fn call(&self, request: wire::Request<Vec<u8>>) -> Result<wire::Response<Vec<u8>>, CallError> {
        if request.uri() != self.token_url.as_url().as_str() {
            return Err(CallError::WrongAddress);
        }
        let headers: Vec<(&str, &str)> = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        self.mask_sent(request.body());
        let body = Some(request.body().clone());
        let answer = self
            .http
            .send("POST", &self.token_url, &headers, body, TOKEN_TIMEOUT)
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
        self.mask_received(&body);
        wire::Response::builder()
            .status(answer.status)
            .header("content-type", "application/json")
            .body(body.into_owned())
            .map_err(|_| CallError::NotTheApi(answer.status))
    }

    /// Has the host mask every credential of a request: a server may repeat them in its answer.
    fn mask_sent(&self, body: &[u8]) {
        const SENT: [&str; 6] =
            ["code", "code_verifier", "refresh_token", "client_secret", "password", "assertion"];
        for (name, value) in url::form_urlencoded::parse(body) {
            if SENT.contains(&name.as_ref()) {
                self.host.mask(&value);
            }
        }
    }

    /// Has the host mask every token of an answer.
    fn mask_received(&self, body: &[u8]) {
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Tokens<'a> {
            #[serde(borrow)]
            access_token: Option<std::borrow::Cow<'a, str>>,
            #[serde(borrow)]
            refresh_token: Option<std::borrow::Cow<'a, str>>,
            #[serde(borrow)]
            id_token: Option<std::borrow::Cow<'a, str>>,
        }
        let tokens: Tokens<'_> = serde_json::from_slice(body).unwrap_or_default();
        for token in [tokens.access_token, tokens.refresh_token, tokens.id_token] {
            if let Some(token) = token {
                self.host.mask(&token);
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error(transparent)]
    Http(HttpError),
    #[error("redirected to {0}")]
    Redirected(String),
    #[error("not the token endpoint")]
    WrongAddress,
    #[error("not the API, HTTP {0}")]
    NotTheApi(u16),
}

fn form(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs).finish().into_bytes()
}

/// The error object of an answer, JSON or form; empty where there is none.
fn refusal_of(answer: &Answer) -> Refusal {
    let Some(body) = as_json(&answer.body) else { return Refusal::default() };
    let object: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |key: &str| object.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    Refusal { error: text("error"), description: text("error_description") }
}

/// The body as a JSON object: a form-encoded answer is converted. None for
/// anything else, e.g. HTML or nothing.
pub(crate) fn as_json(body: &[u8]) -> Option<Cow<'_, [u8]>> {
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
