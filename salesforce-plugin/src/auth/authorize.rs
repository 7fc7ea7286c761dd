//! Authorization: the link, what came back, and the operator's approval of another host.

use std::time::Duration;

use connector_api::host::TOKEN;
use connector_api::message::{AuthorizeReply, GrantSummary};
use connector_api::{Error, ErrorKind, Host, Secret};
use serde::Deserialize;

use crate::auth::grant::{ACCESS_TOKEN, Grant};
use crate::auth::identity::{Identity, identify};
use crate::auth::mint::mint;
use crate::auth::oauth::{OAuth, TokenAnswer, TokenError};
use crate::auth::oauth_error::{Flow, OAuthRefusal};
use crate::auth::pending::Pending;
use crate::auth::renew::{LEASE, LEASE_TTL};
use crate::auth::token_field::{Pasted, classify};
use crate::settings::Settings;
use crate::settings::grant_kind::CLIENT_SECRET;
use crate::settings::grant_kind::GrantKind;
use crate::settings::org_url::OrgHost;
use crate::transport::answer::{Answer, AnswerKind};
use crate::transport::http::{Call, Http};
use crate::transport::proof::{Expected, Proof, Unproven, proof};

const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a person does with the link.
const INSTRUCTIONS: &str = "Open the link in a browser, log in as the user the connector is to use, and press Allow. \
     The page that follows shows nothing to copy: copy its whole address from the address bar and paste it as the Token. \
     The code in it works once and for 15 minutes. \
     (The Security Token that Salesforce sends by e-mail is not needed here.)";
const BRING_REFRESH_TOKEN: &str = "Paste a refresh token that was issued to this connector's Client ID and that no other program uses. \
     (The Security Token that Salesforce sends by e-mail is not one.)";
const BRING_FRAGMENT: &str = "Paste the whole address that the user-agent flow left in the browser, from `https://` to its end. \
     No link is made for this flow: Salesforce advises to switch it off.";

/// Makes the link, and keeps what its answer will be checked against; a grant that needs no person
/// is made at once.
///
/// # Errors
/// [`ErrorKind::CONFIG`] when no org answers at the domain or a setting is wrong.
pub(crate) fn begin(host: &Host, settings: &Settings) -> Result<AuthorizeReply, Error> {
    let bring = |instructions: &str| {
        Ok(AuthorizeReply::Link { url: String::new(), instructions: instructions.into() })
    };
    match settings.grant.kind {
        GrantKind::RefreshToken => return bring(BRING_REFRESH_TOKEN),
        GrantKind::UserAgent => return bring(BRING_FRAGMENT),
        kind if kind.needs_no_person() => return without_person(host, settings, Vec::new()),
        _ => {}
    }
    let http = Http::new(&settings.network)?;
    let login_host = login_host(&http, settings)?;
    let secret = host.secret_get(CLIENT_SECRET)?;
    let link = OAuth::new(host, &http, settings, secret.as_ref(), &login_host)?.authorize_link();
    Pending::new(link.state, &link.verifier, &login_host).add(host)?;
    Ok(AuthorizeReply::Link { url: link.url, instructions: INSTRUCTIONS.into() })
}

/// Takes the pasted text, exchanges it at once, and stores the grant.
///
/// # Errors
/// [`ErrorKind::AUTH`] and [`ErrorKind::CONFIG`], each with what to do; the earlier grant then stays.
pub(crate) fn finish(host: &Host, settings: &Settings) -> Result<AuthorizeReply, Error> {
    if settings.grant.kind.needs_no_person() {
        let word = settings.grant.kind.as_str();
        let warning = format!("grant `{word}` needs no Token: the pasted one was not used");
        return without_person(host, settings, vec![warning]);
    }
    let Some(pasted) = host.secret_get(TOKEN)? else {
        return Err(unusable("it is empty"));
    };
    let finish = Finish {
        host,
        settings,
        http: Http::new(&settings.network)?,
        pending: Pending::load(host)?,
    };
    let mut warnings = Vec::new();
    let grant = finish.exchange(classify(pasted.expose()), &mut warnings)?;
    let reply = keep(host, &finish.http, grant, warnings)?;
    Pending::clear(host)?;
    Ok(reply)
}

/// Reads from `wanted` from now on, if Salesforce offered it.
///
/// # Errors
/// [`ErrorKind::CONFIG`] when it did not, or the host is not a Salesforce org's;
/// [`ErrorKind::AUTH`] when another org answers there.
pub(crate) fn accept_host(
    host: &Host,
    settings: &Settings,
    wanted: &str,
) -> Result<AuthorizeReply, Error> {
    let refuse =
        |message: String, hint: &str| Err(Error::new(ErrorKind::CONFIG, message).with_hint(hint));
    let Some(wanted) = OrgHost::new(&wanted.trim().to_ascii_lowercase()) else {
        return refuse(
            "this host is not a Salesforce org's; nothing was sent there".into(),
            "enter the host as the connector's error showed it",
        );
    };
    let http = Http::new(&settings.network)?;
    let _lease = host.lease(LEASE, LEASE_TTL)?;
    let mut grant = Grant::load(host)?;
    grant.still_usable()?;
    match &grant.offered_host {
        Some(offered) if *offered == wanted => {}
        Some(offered) => {
            return refuse(
                format!("Salesforce offered `{offered}`, not `{wanted}`"),
                "agree with the host that was offered, or authorize the connector again",
            );
        }
        None => {
            return refuse(
                format!(
                    "Salesforce did not offer `{wanted}`; data is read from `{}`",
                    grant.instance_host
                ),
                "nothing needs to be agreed to; to move to another org, change the domain and authorize again",
            );
        }
    }
    grant.instance_host = wanted;
    grant.offered_host = None;
    let mut warnings = Vec::new();
    whose(&http, &mut grant, &mut warnings)?;
    grant.store(host)?;
    Ok(AuthorizeReply::Granted(grant.summary(warnings)))
}

fn without_person(
    host: &Host,
    settings: &Settings,
    warnings: Vec<String>,
) -> Result<AuthorizeReply, Error> {
    let http = Http::new(&settings.network)?;
    let login_host = login_host(&http, settings)?;
    let answer = mint(host, &http, settings, &login_host, None).map_err(TokenError::into_error)?;
    let grant = Grant::from_answer(settings.grant.kind.as_str(), &login_host, &answer)?;
    keep(host, &http, grant, warnings)
}

/// Finds out whose grant it is, and stores it.
fn keep(
    host: &Host,
    http: &Http,
    mut grant: Grant,
    mut warnings: Vec<String>,
) -> Result<AuthorizeReply, Error> {
    whose(http, &mut grant, &mut warnings)?;
    {
        let _lease = host.lease(LEASE, LEASE_TTL)?;
        grant.store(host)?;
    }
    let mut summary: GrantSummary = grant.summary(warnings);
    if !summary.renewable {
        summary.warnings.push(
            "Salesforce gave no refresh token: the connector stops working when the session expires; add the scope `refresh_token` to the app and authorize again".into(),
        );
    }
    Ok(AuthorizeReply::Granted(summary))
}

/// Asks who the grant belongs to. A pasted access token that is refused here is no grant; an endpoint
/// that does not answer is only a warning.
fn whose(http: &Http, grant: &mut Grant, warnings: &mut Vec<String>) -> Result<(), Error> {
    let Some(token) = grant.access_token() else { return Ok(()) };
    match identify(http, &grant.instance_host, &token) {
        Identity::Known(user) => grant.belongs_to(user),
        Identity::Refused(answer) if grant.kind == ACCESS_TOKEN => Err(Error::new(
            ErrorKind::AUTH,
            format_args!("Salesforce refused this access token ({answer}): its session has ended, or it belongs to another org"),
        )
        .with_hint("authorize the connector with the link of `connectors authorize`")),
        Identity::Refused(answer) => {
            warnings.push(format!("the user behind the grant could not be asked for ({answer}); add the scope `id` to the app"));
            Ok(())
        }
        Identity::Unclear(error) => {
            warnings.push(format!("the user behind the grant could not be asked for: {error}"));
            Ok(())
        }
    }
}

/// The login host; where the domain can mean several, the first that answers like an org.
pub(crate) fn login_host(http: &Http, settings: &Settings) -> Result<OrgHost, Error> {
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
    let names: Vec<&str> = candidates.iter().map(OrgHost::as_str).collect();
    Err(Error::new(
        ErrorKind::CONFIG,
        format_args!("no Salesforce org answers at {}: {last}", names.join(", ")),
    )
    .with_hint("enter the whole address shown in the browser after login as the domain"))
}

/// Asks for the API versions, which need no login.
fn answers_like_an_org(http: &Http, host: &OrgHost) -> Result<(), String> {
    let url = host.url("/services/data").ok_or("the address is not valid")?;
    let answer = http
        .send(&Call::get(&url, PROBE_TIMEOUT, AnswerKind::Small))
        .map_err(|error| error.to_string())?;
    match proof(&answer, Expected::Json) {
        Proof::Data if !versions_of(&answer).is_empty() => Ok(()),
        _ => Err(format!("`{host}` answered {}", Unproven::of(&answer))),
    }
}

/// The API versions that an org lists; none if it is no such list.
pub(crate) fn versions_of(answer: &Answer) -> Vec<u16> {
    #[derive(Deserialize)]
    struct Version {
        version: String,
        #[serde(rename = "url")]
        _url: String,
    }
    let versions: Vec<Version> = serde_json::from_slice(&answer.body).unwrap_or_default();
    versions.iter().filter_map(|v| v.version.split('.').next()?.parse().ok()).collect()
}

fn unusable(reason: &str) -> Error {
    Error::new(ErrorKind::AUTH, format_args!("the Token cannot be used: {reason}")).with_hint(
        "after Allow, copy the whole address from the browser's address bar, from `https://` to its end, and paste that",
    )
}

fn mistaken(message: &str) -> Error {
    Error::new(ErrorKind::AUTH, message).with_hint(
        "open the link of `connectors authorize`, press Allow, and paste the address of the page that follows",
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
            Pasted::Code { code, state } => self.of_code(&code, state.as_deref()),
            Pasted::RefreshToken { refresh_token, state, .. } => {
                self.check_state(state.as_deref())?;
                self.of_refresh_token(&refresh_token).map_err(TokenError::into_error)
            }
            Pasted::AccessToken { access_token, instance_url, state } => {
                self.check_state(state.as_deref())?;
                warnings.push("this is an access token: it works until its session ends and cannot be renewed".into());
                let host = self.login_host()?;
                Grant::from_tokens(
                    ACCESS_TOKEN,
                    &host,
                    &access_token,
                    None,
                    instance_url.as_deref(),
                )
            }
            Pasted::CliAuthUrl { client_id, refresh_token, host } => {
                self.of_cli_auth_url(&client_id, &refresh_token, &host)
            }
            Pasted::AuthorizeError { error, description, state } => {
                self.check_state(state.as_deref())?;
                Err(OAuthRefusal::pasted(self.http.masker(), &error, &description)
                    .explain(Flow::Authorize, None))
            }
            Pasted::SecurityToken => Err(mistaken(
                "this looks like the Security Token that Salesforce sends by e-mail; it is not used here",
            )),
            Pasted::ConsumerKey => {
                Err(mistaken("this is a Consumer Key; it belongs into the Client ID"))
            }
            Pasted::Unknown(token) => self.of_unknown(&token),
            Pasted::Unusable(reason) => Err(unusable(reason)),
        }
    }

    fn of_code(&self, code: &Secret, state: Option<&str>) -> Result<Grant, Error> {
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
            .with_oauth(&login_host, |oauth| oauth.exchange_code(code, verifier.as_ref()))
            .map_err(TokenError::into_error)?;
        Grant::from_answer(GrantKind::AuthorizationCode.as_str(), &login_host, &answer)
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

    fn of_refresh_token(&self, token: &Secret) -> Result<Grant, TokenError> {
        let host = self.login_host().map_err(TokenError::NotSent)?;
        let answer = self.with_oauth(&host, |oauth| oauth.refresh(token))?;
        let kind = match self.settings.grant.kind {
            GrantKind::UserAgent => GrantKind::UserAgent,
            _ => GrantKind::RefreshToken,
        };
        let grant = Grant::from_answer(kind.as_str(), &host, &answer)
            .map_err(|error| TokenError::Refused { error, refusal: Box::default() })?;
        Ok(match answer.refresh() {
            Some(_) => grant,
            None => grant.with_refresh_token(token),
        })
    }

    fn of_cli_auth_url(&self, client_id: &str, token: &Secret, host: &str) -> Result<Grant, Error> {
        // Only what is plainly a name may be shown: the text was pasted.
        let host = OrgHost::of_url(&format!("https://{host}"));
        let host = host.map_or_else(|| "another host".to_owned(), |host| format!("`{host}`"));
        if client_id != self.settings.client_id {
            return Err(Error::new(
                ErrorKind::AUTH,
                format_args!("this sf CLI auth URL belongs to the client `{client_id}` at {host}, not to this connector's Client ID"),
            )
            .with_hint(format_args!(
                "use the link of `connectors authorize`; or set the Client ID to `{client_id}`, the Client Secret to the one in the URL and the domain to {host}, and paste it again"
            )));
        }
        self.of_refresh_token(token).map_err(TokenError::into_error)
    }

    fn of_unknown(&self, token: &Secret) -> Result<Grant, Error> {
        let first = match self.of_refresh_token(token) {
            Ok(grant) => return Ok(grant),
            // Anything but a refused grant would be the same for a code.
            Err(TokenError::Refused { error, refusal })
                if refusal.error.eq_ignore_ascii_case("invalid_grant")
                    && error.kind == ErrorKind::AUTH =>
            {
                error
            }
            Err(other) => return Err(other.into_error()),
        };
        self.of_code(token, None).map_err(|second| {
            let message = format!("the Token was accepted neither as a refresh token ({first}) nor as a code ({second})");
            Error { message, ..second }
                .with_hint("paste the whole address of the page that follows Allow")
        })
    }

    fn login_host(&self) -> Result<OrgHost, Error> {
        login_host(&self.http, self.settings)
    }

    fn with_oauth(
        &self,
        login_host: &OrgHost,
        call: impl FnOnce(&OAuth<'_>) -> Result<TokenAnswer, TokenError>,
    ) -> Result<TokenAnswer, TokenError> {
        let secret = self.host.secret_get(CLIENT_SECRET).map_err(TokenError::NotSent)?;
        let oauth = OAuth::new(self.host, &self.http, self.settings, secret.as_ref(), login_host)
            .map_err(TokenError::NotSent)?;
        call(&oauth)
    }
}
