//! Authorization: the link, and what came back.

use std::time::Duration;

use connector_api::host::TOKEN;
use connector_api::message::{AuthorizeReply, GrantSummary};
use connector_api::{Error, ErrorKind, Host, Secret};
use serde::Deserialize;

use crate::api_error::ApiError;
use crate::grant::{Grant, Pending};
use crate::http::Http;
use crate::oauth::{OAuth, TokenAnswer, TokenError};
use crate::oauth_error::explain;
use crate::session::Session;
use crate::settings::{CLIENT_SECRET, Settings};
use crate::token_field::{Pasted, classify};

const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a person does with the link.
const INSTRUCTIONS: &str = "Open the link in a browser, log in as the user the connector is to use, and press Allow. \
     The page that follows shows nothing to copy: copy its whole address from the address bar and paste it as the Token. \
     The code in it works once and for 15 minutes. \
     (The Security Token that Salesforce sends by e-mail is not needed here.)";

/// Makes the link, and keeps what its answer will be checked against.
///
/// # Errors
/// [`ErrorKind::CONFIG`] when no org answers at the domain.
pub(crate) fn begin(host: &Host, settings: &Settings) -> Result<AuthorizeReply, Error> {
    let http = client(settings)?;
    let login_host = login_host(&http, settings)?;
    let secret = host.secret_get(CLIENT_SECRET)?;
    let link = OAuth::new(&http, settings, secret.as_ref(), &login_host)?.authorize_link();
    Pending::new(link.state, &link.verifier, &login_host).add(host)?;
    Ok(AuthorizeReply::Link { url: link.url, instructions: INSTRUCTIONS.into() })
}

/// Takes the pasted text, exchanges it at once, and stores the grant.
///
/// # Errors
/// [`ErrorKind::AUTH`] and [`ErrorKind::CONFIG`], each with what to do; the earlier grant then stays.
pub(crate) fn finish(host: &Host, settings: &Settings) -> Result<AuthorizeReply, Error> {
    let Some(pasted) = host.secret_get(TOKEN)? else {
        return Err(unusable("it is empty"));
    };
    let finish = Finish { host, settings, http: client(settings)?, pending: Pending::load(host)? };
    let mut warnings = Vec::new();
    let mut grant = finish.exchange(classify(pasted.expose()), &mut warnings)?;
    identify(&finish.http, &mut grant, &mut warnings)?;
    grant.store(host)?;
    Pending::clear(host)?;
    if grant.refresh_token().is_none() {
        warnings.push(
            "Salesforce gave no refresh token: the connector stops working when the session expires; add the scope `refresh_token` to the app and authorize again".into(),
        );
    }
    let summary: GrantSummary = grant.summary(warnings);
    Ok(AuthorizeReply::Granted(summary))
}

fn client(settings: &Settings) -> Result<Http, Error> {
    Http::new(&settings.network)
        .map_err(|error| Error::new(ErrorKind::CONFIG, &error).with_hint(error.hint()))
}

/// The login host; where the domain can mean several, the first that answers like an org.
pub(crate) fn login_host(http: &Http, settings: &Settings) -> Result<String, Error> {
    let candidates = &settings.login_hosts.candidates;
    if let [only] = candidates.as_slice() {
        return Ok(only.clone());
    }
    let mut last = String::new();
    for candidate in candidates {
        match answers_like_an_org(http, candidate) {
            Ok(()) => return Ok(candidate.clone()),
            Err(reason) => last = reason,
        }
    }
    Err(Error::new(
        ErrorKind::CONFIG,
        format_args!("no Salesforce org answers at {}: {last}", candidates.join(", ")),
    )
    .with_hint("enter the whole address shown in the browser after login as the domain"))
}

/// Asks for the API versions, which need no login.
pub(crate) fn answers_like_an_org(http: &Http, host: &str) -> Result<(), String> {
    let url = url::Url::parse(&format!("https://{host}/services/data"))
        .map_err(|error| error.to_string())?;
    let answer = http
        .send("GET", &url, &[("Accept", "application/json")], None, PROBE_TIMEOUT)
        .map_err(|error| error.to_string())?;
    let versions = serde_json::from_slice::<Vec<serde_json::Value>>(&answer.body);
    match (answer.status, versions) {
        (200, Ok(_)) => Ok(()),
        (status, _) => Err(format!("`{host}` answered HTTP {status}")),
    }
}

fn unusable(reason: &str) -> Error {
    Error::new(ErrorKind::AUTH, format_args!("the Token cannot be used: {reason}")).with_hint(
        "after Allow, copy the whole address from the browser's address bar, from `https://` to its end, and paste that",
    )
}

struct Finish<'a> {
    host: &'a Host,
    settings: &'a Settings,
    http: Http,
    pending: Vec<Pending>,
}

impl Finish<'_> {
    fn exchange(&self, pasted: Pasted, warnings: &mut Vec<String>) -> Result<Grant, Error> {
        match pasted {
            Pasted::Code { code, state } => self.grant_of_code(&code, state.as_deref()),
            Pasted::RefreshToken { refresh_token, state, .. } => {
                self.check_state(state.as_deref())?;
                self.grant_of_refresh_token(&refresh_token).map_err(TokenError::into_error)
            }
            Pasted::AccessToken { access_token, instance_url, state } => {
                self.check_state(state.as_deref())?;
                warnings.push("this is an access token: it works until its session ends and cannot be renewed".into());
                let host = self.login_host()?;
                Grant::from_tokens("access_token", &host, Some(&access_token), None, instance_url.as_deref())
            }
            Pasted::CliAuthUrl { client_id, refresh_token, host } => {
                if client_id != self.settings.client_id {
                    return Err(Error::new(ErrorKind::AUTH, format_args!("this sf CLI auth URL belongs to the client `{client_id}`, not to this connector's Client ID"))
                        .with_hint(format_args!("use the link of `connectors authorize`; or set the Client ID to `{client_id}` and the domain to `{host}`")));
                }
                self.grant_of_refresh_token(&refresh_token).map_err(TokenError::into_error)
            }
            Pasted::AuthorizeError { error, description } => Err(explain(&error, &description)),
            Pasted::SecurityToken => Err(Error::new(ErrorKind::AUTH, "this looks like the Security Token that Salesforce sends by e-mail; it is not used here")
                .with_hint("open the authorize link, press Allow, and paste the address of the page that follows")),
            Pasted::ConsumerKey => Err(Error::new(ErrorKind::AUTH, "this is a Consumer Key; it belongs into the Client ID")
                .with_hint("open the authorize link, press Allow, and paste the address of the page that follows")),
            Pasted::Unknown(token) => self.grant_of_unknown(&token),
            Pasted::Unusable(reason) => Err(unusable(reason)),
        }
    }

    fn grant_of_code(&self, code: &Secret, state: Option<&str>) -> Result<Grant, Error> {
        self.check_state(state)?;
        // Without a state, as when only the code was pasted, the newest link is the likeliest.
        let link = match state {
            Some(state) => self.pending.iter().find(|link| link.state == state),
            None => self.pending.last(),
        };
        let verifier = link.map(Pending::verifier);
        let login_host = match link {
            Some(link) => link.login_host.clone(),
            None => self.login_host()?,
        };
        let answer = self
            .with_oauth(&login_host, |oauth| oauth.exchange_code(code, verifier.as_ref()))?
            .map_err(TokenError::into_error)?;
        Grant::from_answer("authorization_code", &login_host, &answer)
    }

    /// A state that is none of ours: the address belongs to someone else's authorization.
    fn check_state(&self, state: Option<&str>) -> Result<(), Error> {
        match state {
            Some(state) if !self.pending.iter().any(|link| link.state == state) => {
                Err(Error::new(ErrorKind::AUTH, "this address does not belong to a link of this connector, or the link is more than a day old")
                    .with_hint("run `connectors authorize` again, open the new link, and paste the address that follows"))
            }
            _ => Ok(()),
        }
    }

    fn grant_of_refresh_token(&self, token: &Secret) -> Result<Grant, TokenError> {
        let host = self.login_host().map_err(TokenError::NotSent)?;
        let answer =
            self.with_oauth(&host, |oauth| oauth.refresh(token)).map_err(TokenError::NotSent)??;
        let grant = match answer.refresh() {
            Some(_) => Grant::from_answer("refresh_token", &host, &answer),
            None => Grant::from_answer("refresh_token", &host, &answer)
                .map(|grant| grant.with_refresh_token(token)),
        };
        grant.map_err(|error| TokenError::Refused { error, code: String::new() })
    }

    fn grant_of_unknown(&self, token: &Secret) -> Result<Grant, Error> {
        let first = match self.grant_of_refresh_token(token) {
            Ok(grant) => return Ok(grant),
            Err(TokenError::Refused { error, .. }) => error,
            Err(other) => return Err(other.into_error()),
        };
        self.grant_of_code(token, None).map_err(|second| {
            Error::new(ErrorKind::AUTH, format_args!("the Token was accepted neither as a refresh token ({first}) nor as a code ({second})"))
                .with_hint("paste the whole address of the page that follows Allow")
        })
    }

    fn login_host(&self) -> Result<String, Error> {
        login_host(&self.http, self.settings)
    }

    fn with_oauth(
        &self,
        login_host: &str,
        call: impl FnOnce(&OAuth<'_>) -> Result<TokenAnswer, TokenError>,
    ) -> Result<Result<TokenAnswer, TokenError>, Error> {
        let secret = self.host.secret_get(CLIENT_SECRET)?;
        Ok(call(&OAuth::new(&self.http, self.settings, secret.as_ref(), login_host)?))
    }
}

/// The part of userinfo that is used.
#[derive(Deserialize)]
pub(crate) struct UserInfo {
    organization_id: Option<String>,
    user_id: Option<String>,
    preferred_username: Option<String>,
}

/// Asks who the grant belongs to. A token that is refused here is no grant; an endpoint that does not
/// answer is only a warning.
fn identify(http: &Http, grant: &mut Grant, warnings: &mut Vec<String>) -> Result<(), Error> {
    let Some(token) = grant.access_token() else { return Ok(()) };
    let url = url::Url::parse(&format!("https://{}/services/oauth2/userinfo", grant.instance_host))
        .map_err(|error| Error::new(ErrorKind::OTHER, error))?;
    let authorization = Secret::new(format!("Bearer {}", token.expose()));
    let headers = [("Authorization", authorization.expose()), ("Accept", "application/json")];
    let answer = match http.send("GET", &url, &headers, None, Duration::from_secs(30)) {
        Ok(answer) => answer,
        Err(error) => {
            warnings.push(format!("the user behind the grant could not be asked for: {error}"));
            return Ok(());
        }
    };
    match (answer.status, serde_json::from_slice::<UserInfo>(&answer.body)) {
        (200, Ok(info)) => {
            grant.identify(info.organization_id, info.user_id, info.preferred_username)
        }
        (401 | 403, _) if grant.kind == "access_token" => Err(Error::new(
            ErrorKind::AUTH,
            "Salesforce refused this access token: its session has ended",
        )
        .with_hint("authorize the connector with the link of `connectors authorize`")),
        (status, _) => {
            warnings
                .push(format!("the user behind the grant could not be asked for (HTTP {status})"));
            Ok(())
        }
    }
}

/// Asks who the session's user is.
///
/// # Errors
/// [`ApiError`].
pub(crate) fn user_info(session: &Session) -> Result<UserInfo, ApiError> {
    session.get("/services/oauth2/userinfo", None, |answer| {
        let info = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        Ok((info, 1))
    })
}

impl UserInfo {
    /// The org's id and the user's name, for people.
    pub(crate) fn shown(&self) -> String {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".into());
        format!(
            "user `{}` of org `{}`",
            known(&self.preferred_username),
            known(&self.organization_id)
        )
    }
}
