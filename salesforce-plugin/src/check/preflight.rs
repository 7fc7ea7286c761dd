//! The first part of the check: from this server's network to a session of the right user.
//!
//! Each step is one finding. Where one fails, it names the cause, and the steps behind it that need
//! it are unknown.

use std::time::Duration;

use chrono::{DateTime, Utc};
use connector_api::message::{Finding, FindingStatus};
use connector_api::{Error, Host};

use crate::auth::authorize::versions_of;
use crate::auth::grant::Grant;
use crate::auth::identity::{UserInfo, same_organization};
use crate::client::api_error::ApiError;
use crate::client::session::Session;
use crate::settings::grant_kind::GrantKind;
use crate::settings::org_url::OrgHost;
use crate::settings::{Network, Settings};
use crate::transport::answer::{Answer, AnswerKind};
use crate::transport::http::{Call, Http};
use crate::transport::http_error::HttpError;
use crate::transport::proof::Unproven;
use crate::transport::proxy;

const PROBE_TIMEOUT: Duration = Duration::from_secs(15);
/// Beyond this a signed assertion may be refused, and times in reports mislead.
const MOST_SKEW_S: i64 = 60;

const RESOLVE: &str = "network.resolve";
const PROXY: &str = "network.proxy";
const CONNECT: &str = "network.connect";
const TLS: &str = "network.tls";
const HOST: &str = "network.host";
const API: &str = "network.api";
const CLOCK: &str = "network.clock";
const TOKEN: &str = "grant.token";
const USER: &str = "grant.user";
const ORG: &str = "grant.org";

/// All steps, in order, with what each is about.
const STEPS: [(&str, &str); 10] = [
    (RESOLVE, "name resolution"),
    (PROXY, "proxy"),
    (CONNECT, "port 443"),
    (TLS, "TLS"),
    (HOST, "login host"),
    (API, "REST API"),
    (CLOCK, "clock"),
    (TOKEN, "authorization"),
    (USER, "connecting user"),
    (ORG, "organization"),
];

/// Looks at network and grant; answers a session where both are good enough to go on.
pub(crate) fn preflight(
    host: &Host,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) -> Option<Session> {
    let mut steps = Steps { findings, next: 0 };
    let session = network(settings, &mut steps).and_then(|()| grant(host, settings, &mut steps));
    steps.rest_unknown();
    session
}

/// Hands the findings out in the order of [`STEPS`].
struct Steps<'a> {
    findings: &'a mut Vec<Finding>,
    next: usize,
}

impl Steps<'_> {
    fn add(&mut self, id: &str, status: FindingStatus, message: String, hint: Option<String>) {
        while let Some((step, _)) = STEPS.get(self.next)
            && *step != id
        {
            self.unknown();
        }
        let subject = STEPS.get(self.next).map_or("network", |(_, subject)| subject);
        self.next += 1;
        self.push(id, subject, status, message, hint);
    }

    fn ok(&mut self, id: &str, message: impl Into<String>) {
        self.add(id, FindingStatus::Ok, message.into(), None);
    }

    fn failed(&mut self, id: &str, message: impl Into<String>, hint: &str) {
        self.add(id, FindingStatus::Failed, message.into(), Some(hint.into()));
    }

    fn error(&mut self, id: &str, error: Error) {
        self.add(id, FindingStatus::Failed, error.message, error.hint);
    }

    fn unknown(&mut self) {
        let (id, subject) = STEPS[self.next];
        self.next += 1;
        let message = "not looked at, since an earlier step failed".to_owned();
        let hint = Some("correct the step that failed, then check again".to_owned());
        self.push(id, subject, FindingStatus::Unknown, message, hint);
    }

    fn rest_unknown(&mut self) {
        while self.next < STEPS.len() {
            self.unknown();
        }
    }

    fn push(
        &mut self,
        id: &str,
        subject: &str,
        status: FindingStatus,
        message: String,
        hint: Option<String>,
    ) {
        self.findings.push(Finding {
            id: id.into(),
            status,
            subject: subject.into(),
            message,
            hint,
        });
    }
}

/// How far the requests to one candidate came.
struct Probe {
    host: OrgHost,
    result: Result<Answer, HttpError>,
}

impl Probe {
    fn new(http: &Http, host: &OrgHost) -> Probe {
        let url = host.url("/services/data");
        let result = match &url {
            Some(url) => http.send(&Call::get(url, PROBE_TIMEOUT, AnswerKind::Small)),
            None => Err(HttpError::Setup("the address is not valid".into())),
        };
        Probe { host: host.clone(), result }
    }

    /// The newest API version it offers, as an org does.
    fn version(&self) -> Option<u16> {
        let answer = self.result.as_ref().ok().filter(|answer| answer.status == 200)?;
        versions_of(answer).into_iter().max()
    }

    /// How many steps it passed.
    fn reached(&self) -> u8 {
        match &self.result {
            Err(HttpError::Setup(_) | HttpError::Resolve { .. }) => 0,
            Err(HttpError::Proxy { .. }) => 1,
            Err(HttpError::Connect { .. }) => 2,
            Err(HttpError::Tls { .. } | HttpError::Certificate { .. }) => 3,
            Err(_) => 4,
            Ok(_) if self.version().is_none() => 5,
            Ok(_) => 6,
        }
    }
}

fn network(settings: &Settings, steps: &mut Steps<'_>) -> Option<()> {
    let http = match Http::new(&settings.network).map_err(Error::from) {
        Ok(http) => http,
        Err(error) => {
            steps.push(
                "network",
                "network settings",
                FindingStatus::Failed,
                error.message,
                error.hint,
            );
            return None;
        }
    };
    if let Some(warning) = &settings.login_hosts.warning {
        let hint =
            Some("enter the org's My Domain name (Setup > My Domain) as the domain".to_owned());
        steps.push("network.domain", "domain", FindingStatus::Partial, warning.clone(), hint);
    }
    let candidates = &settings.login_hosts.candidates;
    let mut best: Option<Probe> = None;
    for candidate in candidates {
        let probe = Probe::new(&http, candidate);
        if best.as_ref().is_none_or(|best| probe.reached() > best.reached()) {
            best = Some(probe);
        }
        if best.as_ref().is_some_and(|best| best.reached() == 6) {
            break;
        }
    }
    let probe = best?;
    way_there(&settings.network, candidates, &probe, steps)?;
    answer(candidates, &probe, steps)
}

/// From the name to a TLS connection.
fn way_there(
    network: &Network,
    candidates: &[OrgHost],
    probe: &Probe,
    steps: &mut Steps<'_>,
) -> Option<()> {
    let (name, reached) = (&probe.host, probe.reached());
    let proxy = proxy::route(network, name.as_str()).map(|route| route.address());
    let (message, hint) = match &probe.result {
        Ok(_) => (String::new(), ""),
        Err(error) => (error.to_string(), error.hint()),
    };
    if reached == 0 {
        let tried = match candidates {
            [_] => message,
            _ => format!("{message}; none of {} can be resolved", names(candidates)),
        };
        steps.failed(RESOLVE, tried, hint);
        return None;
    }
    match &proxy {
        Some(_) => steps.ok(RESOLVE, format!("the name `{name}` is left to the proxy to resolve")),
        None => steps.ok(RESOLVE, format!("`{name}` can be resolved")),
    }
    if reached == 1 {
        steps.failed(PROXY, message, hint);
        return None;
    }
    match (&proxy, &network.proxy) {
        (Some(proxy), _) => steps.ok(PROXY, format!("`{proxy}` connects to `{name}`")),
        (None, Some(_)) => {
            steps.ok(PROXY, format!("`{name}` is reached without the proxy (`no_proxy`)"))
        }
        (None, None) => steps.ok(PROXY, "no proxy is set and none is needed"),
    }
    if reached == 2 {
        steps.failed(CONNECT, message, hint);
        return None;
    }
    steps.ok(CONNECT, format!("port 443 of `{name}` is open; it is the only port used, also where the connector guide mentions port 80"));
    if reached == 3 {
        steps.failed(TLS, message, hint);
        return None;
    }
    let roots = match &network.ca_file {
        Some(file) => format!(" against the system's roots and `{file}`"),
        None => " against the system's roots".to_owned(),
    };
    steps.ok(TLS, format!("TLS 1.2 or later; the certificate was verified{roots}"));
    Some(())
}

/// From a connection to an org that answers.
fn answer(candidates: &[OrgHost], probe: &Probe, steps: &mut Steps<'_>) -> Option<()> {
    let name = &probe.host;
    let answer = match &probe.result {
        Ok(answer) => answer,
        Err(error) => {
            steps.failed(HOST, error.to_string(), error.hint());
            return None;
        }
    };
    let Some(version) = probe.version() else {
        let hint = "enter the whole address shown in the browser after login as the domain; if it is right, a proxy or a maintenance page answers instead of Salesforce";
        steps.failed(
            HOST,
            format!(
                "`{name}` answers with something else than the API's versions ({})",
                Unproven::of(answer)
            ),
            hint,
        );
        return None;
    };
    let among = match candidates {
        [_] => String::new(),
        _ => format!(", of {}", names(candidates)),
    };
    steps.ok(HOST, format!("`{name}` answers as a Salesforce org{among}"));
    steps.ok(API, format!("`/services/data` offers versions up to {version}.0"));
    clock(answer.date(), Utc::now(), steps);
    Some(())
}

fn clock(date: Option<DateTime<Utc>>, now: DateTime<Utc>, steps: &mut Steps<'_>) {
    let Some(there) = date else {
        let hint = Some("see that this server's clock is kept right (NTP)".to_owned());
        steps.add(
            CLOCK,
            FindingStatus::Unknown,
            "the answer carries no usable `Date`".into(),
            hint,
        );
        return;
    };
    let skew = now.signed_duration_since(there).num_seconds();
    if skew.abs() <= MOST_SKEW_S {
        steps.ok(CLOCK, format!("within {MOST_SKEW_S} s of Salesforce's"));
        return;
    }
    let side = if skew > 0 { "ahead of" } else { "behind" };
    steps.add(
        CLOCK,
        FindingStatus::Failed,
        format!("this server's clock is {} s {side} Salesforce's", skew.abs()),
        Some("set the clock (NTP): signed assertions are refused and times in reports are wrong otherwise".into()),
    );
}

/// From the stored grant to the user and the org behind it.
fn grant(host: &Host, settings: &Settings, steps: &mut Steps<'_>) -> Option<Session> {
    let opened = Grant::load(host)
        .and_then(|grant| Session::open(host, settings).map(|session| (grant, session)));
    let (before, session) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            steps.error(TOKEN, error);
            return None;
        }
    };
    match user_info(&session) {
        Ok(user) => {
            token(&Grant::load(host).unwrap_or_else(|_| before.clone()), steps);
            let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".into());
            steps.ok(
                USER,
                format!("user `{}` ({})", known(&user.preferred_username), known(&user.user_id)),
            );
            organization(&before, &user, steps).then_some(session)
        }
        Err(ApiError::Refused(refusal)) => {
            token(&before, steps);
            let hint = Some(
                "add the scope `id` to the app, then authorize the connector again".to_owned(),
            );
            let message = format!("Salesforce does not say who the user is ({})", refusal.shown());
            steps.add(USER, FindingStatus::Unknown, message.clone(), hint.clone());
            steps.add(ORG, FindingStatus::Unknown, message, hint);
            Some(session)
        }
        Err(error) => {
            steps.error(TOKEN, error.into_error());
            None
        }
    }
}

fn token(grant: &Grant, steps: &mut Steps<'_>) {
    let kind = &grant.kind;
    if let Some(offered) = &grant.offered_host {
        steps.add(
            TOKEN,
            FindingStatus::Partial,
            format!("the token is accepted; Salesforce offers `{offered}` instead of `{}`", grant.instance_host),
            Some(format!("if the org moved (Setup > My Domain), agree with `connectors authorize NAME --accept-host {offered}`")),
        );
    } else if grant.known_kind() == Some(GrantKind::UsernamePassword) {
        steps.add(
            TOKEN,
            FindingStatus::Partial,
            format!(
                "the token is accepted, by the legacy grant `{kind}`, which leaves with Winter '27"
            ),
            Some(
                "choose `client_credentials` or `jwt_bearer` as `grant` and authorize again".into(),
            ),
        );
    } else if !grant.summary(Vec::new()).renewable {
        steps.add(
            TOKEN,
            FindingStatus::Partial,
            "the token is accepted, and cannot be renewed when its session ends".into(),
            Some(
                "add the scope `refresh_token` to the app and authorize the connector again".into(),
            ),
        );
    } else {
        steps.ok(TOKEN, format!("the token of grant `{kind}` is accepted and can be renewed"));
    }
}

/// Answers whether it is the org that was authorized.
fn organization(grant: &Grant, user: &UserInfo, steps: &mut Steps<'_>) -> bool {
    match (&grant.organization_id, &user.organization_id) {
        (Some(one), Some(other)) if !same_organization(one, other) => {
            steps.failed(
                ORG,
                format!("the session belongs to org `{other}`, the authorization to `{one}`"),
                "check the connector's domain, then authorize it again",
            );
            false
        }
        (_, Some(org)) => {
            steps.ok(ORG, format!("org `{org}` at `{}`", grant.instance_host));
            true
        }
        (known, None) => {
            let known = known.as_deref().unwrap_or("unknown");
            let hint = Some(
                "add the scope `id` to the app, then authorize the connector again".to_owned(),
            );
            steps.add(
                ORG,
                FindingStatus::Unknown,
                format!("Salesforce does not name the org; the grant's is `{known}`"),
                hint,
            );
            true
        }
    }
}

/// Asks who the session's user is.
fn user_info(session: &Session) -> Result<UserInfo, ApiError> {
    session.get("/services/oauth2/userinfo", None, |answer| {
        let info = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        Ok((info, 1))
    })
}

fn names(hosts: &[OrgHost]) -> String {
    hosts.iter().map(|host| format!("`{host}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statuses(run: impl FnOnce(&mut Steps<'_>)) -> Vec<(String, FindingStatus)> {
        let mut findings = Vec::new();
        let mut steps = Steps { findings: &mut findings, next: 0 };
        run(&mut steps);
        steps.rest_unknown();
        assert!(
            findings
                .iter()
                .all(|finding| { finding.status == FindingStatus::Ok || finding.hint.is_some() })
        );
        findings.into_iter().map(|finding| (finding.id, finding.status)).collect()
    }

    fn probe(result: Result<Answer, HttpError>) -> Probe {
        Probe { host: OrgHost::new("acme.my.salesforce.com").unwrap(), result }
    }

    fn answered(status: u16, body: &str, date: &str) -> Answer {
        Answer::of(status, body).with_header("date", date)
    }

    fn judged(result: Result<Answer, HttpError>) -> Vec<(String, FindingStatus)> {
        let probe = probe(result);
        let candidates = [probe.host.clone()];
        statuses(|steps| {
            let _ = way_there(&Network::default(), &candidates, &probe, steps)
                .and_then(|()| answer(&candidates, &probe, steps));
        })
    }

    #[test]
    fn the_step_that_failed_is_named_and_those_behind_it_are_unknown() {
        let text = || "acme.my.salesforce.com".to_owned();
        let failures = [
            (RESOLVE, HttpError::Resolve { host: text(), reason: "no such name".into() }),
            (PROXY, HttpError::Proxy { host: text(), reason: "407".into() }),
            (CONNECT, HttpError::Connect { host: text(), reason: "refused".into() }),
            (TLS, HttpError::Certificate { host: text(), reason: "expired".into() }),
            (TLS, HttpError::Tls { host: text(), reason: "handshake".into() }),
            (HOST, HttpError::Timeout { host: text(), seconds: 15 }),
        ];
        for (step, error) in failures {
            let findings = judged(Err(error));
            assert_eq!(findings.len(), STEPS.len());
            let at = STEPS.iter().position(|(id, _)| *id == step).unwrap();
            for (position, (id, status)) in findings.iter().enumerate() {
                let expected = match position.cmp(&at) {
                    std::cmp::Ordering::Less => FindingStatus::Ok,
                    std::cmp::Ordering::Equal => FindingStatus::Failed,
                    std::cmp::Ordering::Greater => FindingStatus::Unknown,
                };
                assert_eq!((id.as_str(), *status), (STEPS[position].0, expected), "{step}");
            }
        }
    }

    #[test]
    fn an_org_is_told_from_a_page_and_its_versions_are_read() {
        let status =
            |result, id: &str| judged(result).into_iter().find(|(found, _)| found == id).unwrap().1;
        let versions = r#"[{"label":"x","url":"/services/data/v66.0","version":"66.0"}]"#;
        assert_eq!(status(Ok(answered(200, versions, "")), API), FindingStatus::Ok);
        assert_eq!(status(Ok(answered(200, "<html>", "")), HOST), FindingStatus::Failed);
        assert_eq!(status(Ok(answered(404, "", "")), HOST), FindingStatus::Failed);
    }

    #[test]
    fn a_clock_that_is_off_by_more_than_a_minute_is_a_finding() {
        let now = DateTime::parse_from_rfc3339("2026-11-24T12:00:00Z").unwrap().to_utc();
        let status = |date: Option<&str>| {
            let answer = Answer::of(200, "").with_header("date", date.unwrap_or_default());
            let date = answer.date();
            let findings = statuses(|steps| clock(date, now, steps));
            findings.into_iter().find(|(id, _)| id == CLOCK).unwrap().1
        };
        assert_eq!(status(Some("Tue, 24 Nov 2026 12:00:30 GMT")), FindingStatus::Ok);
        assert_eq!(status(Some("Tue, 24 Nov 2026 11:58:00 GMT")), FindingStatus::Failed);
        assert_eq!(status(Some("Wed, 25 Nov 2026 12:00:00 GMT")), FindingStatus::Failed);
        assert_eq!(status(Some("soon")), FindingStatus::Unknown);
        assert_eq!(status(None), FindingStatus::Unknown);
    }
}
