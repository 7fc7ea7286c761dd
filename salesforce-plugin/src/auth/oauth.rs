//! The token endpoint: authorize link, every grant's request, revocation. The only user of `oauth2`.
//!
//! Client authentication is in the request's body, never in a URL; no answer's text enters an
//! error unless it is one of the documented error objects.
//!
//! # Source
//! RFC 6749, RFC 7009, RFC 7523, RFC 7636; Salesforce Help, "OAuth Authorization Flows".

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

use crate::auth::oauth_error::{Flow, OAuthRefusal, as_json};
use crate::settings::Settings;
use crate::settings::org_url::{OrgHost, OrgUrl};
use crate::transport::answer::{Answer, AnswerKind};
use crate::transport::http::{Call, Http};
use crate::transport::http_error::HttpError;
use crate::transport::proof::Unproven;

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
    Refused { error: Error, refusal: Box<OAuthRefusal> },
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
        self.classify(Flow::Code, request.request(&|request| self.call(request)))
    }

    /// Exchanges a refresh token. Never repeated here: with rotation a second use kills the grant.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) fn refresh(&self, refresh_token: &Secret) -> Result<TokenAnswer, TokenError> {
        let token = RefreshToken::new(refresh_token.expose().to_owned());
        let request = self.client.exchange_refresh_token(&token);
        self.classify(Flow::Refresh, request.request(&|request| self.call(request)))
    }

    /// Asks for a token with the app's own credentials.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) fn client_credentials(&self) -> Result<TokenAnswer, TokenError> {
        let request = self.client.exchange_client_credentials();
        self.classify(Flow::Mint, request.request(&|request| self.call(request)))
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
        self.classify(Flow::Mint, request.request(&|request| self.call(request)))
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
        self.classify(Flow::Mint, request.request(&call))
    }

    /// Revokes a token: a refresh token with its access tokens, or one access token.
    pub(crate) fn revoke(&self, token: &Secret) -> Revocation {
        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")];
        self.host.mask(token.expose());
        let body = form(&[("token", token.expose())]);
        let answer = match self.post(&self.revoke_url, &headers, body) {
            Ok(answer) => answer,
            Err(error) => return Revocation::StillLive(error.into()),
        };
        match (answer.status, OAuthRefusal::of(&answer)) {
            (200, None) if answer.body.trim_ascii().is_empty() => Revocation::Revoked,
            (400, Some(refusal))
                if matches!(refusal.error.as_str(), "invalid_token" | "unsupported_token_type") =>
            {
                Revocation::AlreadyDead
            }
            (400 | 401, Some(refusal)) => Revocation::StillLive(
                refusal.explain(Flow::Authorize, self.organization_id.as_deref()),
            ),
            (_, refusal) => Revocation::StillLive(self.unusable(&answer, refusal.as_ref())),
        }
    }

    fn classify(
        &self,
        flow: Flow,
        result: Result<TokenAnswer, RequestTokenError<CallError, BasicErrorResponse>>,
    ) -> Result<TokenAnswer, TokenError> {
        let error = match result {
            Ok(answer) => {
                self.http.masker().remember(answer.access().expose());
                if let Some(token) = answer.refresh() {
                    self.http.masker().remember(token.expose());
                }
                return Ok(answer);
            }
            Err(error) => error,
        };
        Err(match error {
            RequestTokenError::Request(CallError::Refused(refusal)) => {
                let error = refusal.explain(flow, self.organization_id.as_deref());
                if refusal.is_lock(flow) {
                    TokenError::Locked(error)
                } else {
                    TokenError::Refused { error, refusal: Box::new(refusal) }
                }
            }
            RequestTokenError::Request(CallError::Http(error)) => {
                if error.before_sending() {
                    TokenError::NotSent(error.into())
                } else {
                    TokenError::Unknown(error.into())
                }
            }
            // Its path was never read: the host does not serve the token endpoint, for now at least.
            RequestTokenError::Request(CallError::Moved(target)) => TokenError::Refused {
                error: Error::new(
                    ErrorKind::RETRYABLE,
                    format_args!(
                        "`{}` is not the org's login host: it points to `{target}`",
                        self.token_url.host()
                    ),
                )
                .with_hint(format_args!(
                    "enter the org's My Domain name as the domain; if the org moved to `{target}`, that is its new name"
                )),
                refusal: Box::default(),
            },
            RequestTokenError::Request(CallError::WrongAddress) => {
                TokenError::NotSent(Error::new(ErrorKind::CONFIG, "the token address is not valid"))
            }
            RequestTokenError::Request(CallError::Unusable(error)) => TokenError::Unknown(error),
            // What came instead of a token may hold one: it stays out of the message.
            RequestTokenError::ServerResponse(_)
            | RequestTokenError::Parse(..)
            | RequestTokenError::Other(_) => TokenError::Unknown(self.no_token()),
        })
    }

    fn no_token(&self) -> Error {
        Error::new(
            ErrorKind::RETRYABLE,
            format_args!(
                "the token endpoint of `{}` answered something that is not a token",
                self.token_url.host()
            ),
        )
        .with_hint("a proxy may have changed the answer: try again later")
    }

    /// An answer that decides nothing: a passing status, whatever comes with it, or not the endpoint's.
    fn unusable(&self, answer: &Answer, refusal: Option<&OAuthRefusal>) -> Error {
        let host = self.token_url.host();
        let error = match refusal {
            Some(refusal) => Error::new(
                ErrorKind::RETRYABLE,
                format_args!(
                    "the token endpoint of `{host}` has a passing fault (HTTP {}, {})",
                    answer.status,
                    refusal.shown()
                ),
            )
            .with_hint("see https://status.salesforce.com; the next run tries again"),
            None => {
                let unproven = Unproven::of(answer);
                Error::new(
                    ErrorKind::RETRYABLE,
                    format_args!(
                        "the token endpoint of `{host}` gave no usable answer ({unproven})"
                    ),
                )
                .with_hint(unproven.hint())
            }
        };
        match answer.retry_after_s() {
            Some(seconds) => error.with_retry_after_ms(seconds.saturating_mul(1_000)),
            None => error,
        }
    }

    fn post(
        &self,
        url: &OrgUrl,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, HttpError> {
        self.http.send(&Call {
            method: "POST",
            url,
            headers,
            body: Some(body),
            timeout: TOKEN_TIMEOUT,
            kind: AnswerKind::Token,
        })
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
        let answer = self
            .post(&self.token_url, &headers, request.body().clone())
            .map_err(CallError::Http)?;
        let refusal = OAuthRefusal::of(&answer);
        match (answer.status, refusal) {
            (200, None) => {}
            (400 | 401, Some(refusal)) => return Err(CallError::Refused(refusal)),
            (_, refusal) => {
                let target = answer.header("location").and_then(OrgHost::of_url);
                if let Some(target) = target.filter(|_| (300..400).contains(&answer.status)) {
                    return Err(CallError::Moved(target));
                }
                return Err(CallError::Unusable(self.unusable(&answer, refusal.as_ref())));
            }
        }
        let unusable = || CallError::Unusable(self.unusable(&answer, None));
        let body = as_json(&answer.body).ok_or_else(unusable)?;
        self.mask_received(&body);
        wire::Response::builder()
            .status(answer.status)
            .header("content-type", "application/json")
            .body(body.into_owned())
            .map_err(|_| unusable())
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
        let tokens = [tokens.access_token, tokens.refresh_token, tokens.id_token];
        for token in tokens.into_iter().flatten() {
            self.host.mask(&token);
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error(transparent)]
    Http(HttpError),
    #[error("refused")]
    Refused(OAuthRefusal),
    #[error("redirected to {0}")]
    Moved(OrgHost),
    #[error("not the token endpoint")]
    WrongAddress,
    #[error(transparent)]
    Unusable(Error),
}

fn form(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs).finish().into_bytes()
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
