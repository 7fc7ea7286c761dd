//! Requests with the grant's access token: the one place that attaches it.
//!
//! It goes only to the grant's instance host, which is the host of a Salesforce org, over https, with
//! no redirect followed; what may be sent there at all, and what becomes of it, is decided in `request`.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use connector_api::{Error, ErrorKind, Host, Secret};
use parking_lot::Mutex;

use crate::auth::grant::Grant;
use crate::auth::renew::{offer_host, renew};
use crate::client::budget::Budget;
use crate::client::gate::Gate;
use crate::client::retry::Retries;
use crate::settings::Settings;
use crate::settings::org_url::{OrgHost, OrgUrl};
use crate::transport::answer::{Answer, AnswerKind, Consume};
use crate::transport::http::{Call, Http};
use crate::transport::http_error::HttpError;
use crate::transport::proof::Expected;

const DATA_TIMEOUT: Duration = Duration::from_secs(120);
/// Results of a job are large, and wait for the one who stores them.
const RESULTS_TIMEOUT: Duration = Duration::from_secs(540);
/// Names the client in the org's own view of its API use.
const CALL_OPTIONS: &str = "client=endpoint-server-salesforce-connector";

/// A request to the data API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'static str,
    /// With its query.
    pub(crate) path: &'a str,
    /// The sObject it is about, for the journal.
    pub(crate) object: Option<&'a str>,
    /// JSON.
    pub(crate) body: Option<&'a str>,
    pub(crate) accept: &'static str,
}

impl<'a> Request<'a> {
    /// A GET that asks for JSON.
    pub(crate) fn get(path: &'a str, object: Option<&'a str>) -> Request<'a> {
        Request { method: "GET", path, object, body: None, accept: "application/json" }
    }

    /// Whether sending it twice does what sending it once does.
    pub(crate) fn may_repeat(&self) -> bool {
        self.method != "POST"
    }

    /// By what its answer proves to be data.
    pub(crate) fn expected(&self) -> Expected {
        match (self.method, self.accept) {
            ("DELETE", _) => Expected::Nothing,
            (_, "text/csv") => Expected::Csv,
            _ => Expected::Json,
        }
    }

    /// The kind of its answer, by the resource it asks for.
    fn answer_kind(&self) -> AnswerKind {
        let resource = self.path.split('?').next().unwrap_or_default();
        if resource.ends_with("/describe") {
            AnswerKind::Describe
        } else if resource.contains("/query") {
            AnswerKind::Page
        } else {
            AnswerKind::Small
        }
    }
}

/// An authorized connection to one org.
pub(crate) struct Session {
    host: Host,
    http: Http,
    settings: Settings,
    current: Mutex<Current>,
    budget: Budget,
    gate: Gate,
    retries: Retries,
    server_time_ms: AtomicI64,
}

struct Current {
    access_token: Secret,
    instance_host: OrgHost,
    organization_id: Option<String>,
    user_id: Option<String>,
}

impl Current {
    fn of(grant: &Grant) -> Option<Current> {
        Some(Current {
            access_token: grant.access_token()?,
            instance_host: grant.instance_host.clone(),
            organization_id: grant.organization_id.clone(),
            user_id: grant.user_id.clone(),
        })
    }
}

impl Session {
    /// Opens a session with the stored grant; renews it first where it has no access token, or where
    /// an earlier renewal was interrupted.
    ///
    /// # Errors
    /// [`ErrorKind::AUTH`] when there is no usable grant, [`ErrorKind::CONFIG`] for network settings
    /// that cannot be used.
    pub(crate) fn open(host: &Host, settings: &Settings) -> Result<Session, Error> {
        let http = Http::new(&settings.network)?;
        let mut grant = Grant::load(host)?;
        grant.still_usable()?;
        if grant.access_token().is_none() || grant.is_doubtful() {
            grant = renew(host, &http, settings, None)?;
        }
        let current = Current::of(&grant)
            .ok_or_else(|| Error::new(ErrorKind::AUTH, "the grant holds no access token"))?;
        Ok(Session {
            host: host.clone(),
            http,
            settings: settings.clone(),
            current: Mutex::new(current),
            budget: Budget::default(),
            gate: Gate::default(),
            retries: Retries::default(),
            server_time_ms: AtomicI64::new(0),
        })
    }

    /// The host services.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The host data is read from.
    pub(crate) fn instance_host(&self) -> OrgHost {
        self.current().instance_host.clone()
    }

    /// The org's and the connecting user's id, as far as the grant tells.
    pub(crate) fn ids(&self) -> (Option<String>, Option<String>) {
        let current = self.current();
        (current.organization_id.clone(), current.user_id.clone())
    }

    /// Requests sent so far that count against the org's allowance.
    pub(crate) fn api_calls(&self) -> u64 {
        self.budget.own()
    }

    fn current(&self) -> parking_lot::MutexGuard<'_, Current> {
        self.current.lock()
    }

    /// The allowance of API requests.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// How many requests may run at once.
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Whether a request may be tried again.
    pub(crate) fn retries(&self) -> &Retries {
        &self.retries
    }

    /// The org's time, in milliseconds since 1970, as its last answer said.
    pub(crate) fn server_time_ms(&self) -> Option<i64> {
        Some(self.server_time_ms.load(Ordering::Relaxed)).filter(|ms| *ms > 0)
    }

    /// The only place where an address gets a token: it is on the grant's host, and an org's.
    pub(crate) fn address(&self, path: &str) -> Result<(OrgUrl, Secret), Error> {
        let current = self.current();
        let url = current.instance_host.url(path).ok_or_else(|| {
            Error::new(
                ErrorKind::SCHEMA,
                "an address outside the org was refused; nothing was sent to it",
            )
        })?;
        Ok((url, current.access_token.clone()))
    }

    pub(crate) fn send(
        &self,
        request: &Request<'_>,
        url: &OrgUrl,
        token: &Secret,
        consume: Option<Consume<'_>>,
    ) -> Result<Answer, HttpError> {
        let authorization = Secret::new(format!("Bearer {}", token.expose()));
        let mut headers = vec![
            ("Authorization", authorization.expose()),
            ("Accept", request.accept),
            ("Sforce-Call-Options", CALL_OPTIONS),
        ];
        if request.body.is_some() {
            headers.push(("Content-Type", "application/json; charset=UTF-8"));
        }
        let body = request.body.map(|text| text.as_bytes().to_vec());
        let timeout = if consume.is_some() { RESULTS_TIMEOUT } else { DATA_TIMEOUT };
        let kind = request.answer_kind();
        let call = Call { method: request.method, url, headers: &headers, body, timeout, kind };
        self.http.exchange(&call, consume)
    }

    /// Notes what every answer says in addition to its body.
    pub(crate) fn note_headers(&self, answer: &Answer) {
        if let Some(usage) = answer.header("sforce-limit-info") {
            self.budget.note_header(usage);
        }
        if let Some(at) = answer.date() {
            self.server_time_ms.store(at.timestamp_millis(), Ordering::Relaxed);
        }
    }

    /// Takes over the tokens of another reader, thread or process, that renewed the session after `seen`
    /// was read; returns whether there was one.
    ///
    /// # Errors
    /// Those of the host's store.
    pub(crate) fn take_over(&self, seen: &Secret) -> Result<bool, Error> {
        if self.current().access_token != *seen {
            return Ok(true);
        }
        let Some(grant) = Grant::find(&self.host)? else { return Ok(false) };
        let newer =
            !grant.is_doubtful() && grant.access_token().is_some_and(|token| token != *seen);
        if let Some(now) = Current::of(&grant).filter(|_| newer) {
            *self.current() = now;
        }
        Ok(newer)
    }

    /// Notes that the org's host redirects to another one, as after a move; returns the error that asks
    /// an operator to agree. `None` if the redirect stays on the same host, as that of a login page does.
    ///
    /// # Errors
    /// Those of the host's store.
    pub(crate) fn note_move(&self, target: &OrgHost) -> Result<Option<Error>, Error> {
        if *target == self.instance_host() || target.is_generic() {
            return Ok(None);
        }
        offer_host(&self.host, target).map(Some)
    }

    pub(crate) fn renew(&self, seen: &Secret) -> Result<(), Error> {
        let grant = renew(&self.host, &self.http, &self.settings, Some(seen))?;
        if let Some(now) = Current::of(&grant) {
            *self.current() = now;
        }
        Ok(())
    }
}
