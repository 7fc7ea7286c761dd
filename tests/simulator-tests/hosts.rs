//! One org behind all of its host names.

use salesforce_sim::{CertificateKind, Edition, SimulatedOrg, TlsVersions, Violation};

use crate::client::{Answer, Story, client};

fn violations(org: &SimulatedOrg) -> Vec<Violation> {
    org.violations().into_iter().map(|(violation, _)| violation).collect()
}

#[test]
fn the_lightning_twin_sends_everyone_to_the_my_domain_host() {
    let story = Story::new();
    let url = "https://acme.lightning.force.com/services/oauth2/token?x=1";
    let answer = Answer::of(story.client.post(url).send().expect("an answer"));
    assert_eq!(answer.status, 302);
    assert_eq!(
        answer.header("location"),
        Some("https://acme.my.salesforce.com/services/oauth2/token?x=1")
    );
    assert!(violations(&story.org).is_empty());
    story.client.get(url).bearer_auth(&story.token).send().expect("an answer");
    assert_eq!(violations(&story.org), [Violation::AuthorizationToForeignHost]);
}

#[test]
fn a_session_is_unknown_at_the_login_host() {
    let story = Story::new();
    let request = story
        .client
        .get("https://login.salesforce.com/services/data/v60.0/limits")
        .bearer_auth(&story.token);
    let answer = Answer::of(request.send().expect("an answer"));
    assert_eq!(answer.refusal(), (401, "INVALID_SESSION_ID".to_owned()));
    assert_eq!(violations(&story.org), [Violation::AuthorizationToForeignHost]);
}

#[test]
fn the_app_is_known_at_its_own_login_host_only() {
    let edition = Edition::Sandbox { name: "uat".to_owned() };
    let story = Story::of(SimulatedOrg::builder().edition(edition).start());
    assert_eq!(story.org.my_domain_host(), "acme--uat.sandbox.my.salesforce.com");
    let token = story.org.issue_refresh_token();
    let refresh = |host: &str| {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token.as_str()),
            ("client_id", story.org.client_id()),
            ("client_secret", story.org.client_secret()),
        ];
        let url = format!("https://{host}/services/oauth2/token");
        Answer::of(story.client.post(url).form(&form).send().expect("an answer"))
    };
    let body = refresh("test.salesforce.com").json();
    assert_eq!(body["instance_url"], "https://acme--uat.sandbox.my.salesforce.com");
    assert!(
        body["id"].as_str().is_some_and(|id| id.starts_with("https://test.salesforce.com/id/"))
    );
    assert_eq!(refresh("login.salesforce.com").oauth_error().0, "invalid_client_id");
    assert!(violations(&story.org).is_empty());
}

#[test]
fn each_host_has_its_own_certificate_and_answers_the_versions() {
    for (edition, host) in [
        (Edition::Developer, "acme-dev-ed.develop.my.salesforce.com"),
        (Edition::DeveloperUnpartitioned, "acme-dev-ed.my.salesforce.com"),
    ] {
        let org = SimulatedOrg::builder().edition(edition).start();
        let client = client(&org);
        for host in [host, "login.salesforce.com", "test.salesforce.com"] {
            let answer =
                client.get(format!("https://{host}/services/data")).send().expect("an answer");
            assert_eq!(answer.status(), 200, "{host}");
        }
        assert!(
            client.get("https://acme.my.salesforce.com/services/data").send().is_err(),
            "not this org's host"
        );
    }
}

#[test]
fn bad_certificates_are_refused_by_an_honest_client() {
    for kind in [
        CertificateKind::Expired,
        CertificateKind::NotYetValid,
        CertificateKind::WrongName,
        CertificateKind::SelfSigned,
        CertificateKind::UnknownAuthority,
    ] {
        let org = SimulatedOrg::builder().certificates(kind).start();
        let error = client(&org)
            .get("https://acme.my.salesforce.com/services/data")
            .send()
            .expect_err("no trust");
        assert!(error.is_connect(), "{kind:?}: {error:?}");
        assert!(org.journal().is_empty());
    }
}

#[test]
fn discovery_names_the_endpoints_of_the_host_that_was_asked() {
    let story = Story::new();
    let document = story.get("/.well-known/openid-configuration").json();
    assert_eq!(document["token_endpoint"], "https://acme.my.salesforce.com/services/oauth2/token");
    assert_eq!(document["issuer"], "https://acme.my.salesforce.com");
}

#[test]
fn an_org_that_moves_is_found_again_by_a_refresh() {
    let story = Story::new();
    let token = story.org.issue_refresh_token();
    assert_eq!(story.query("SELECT Id FROM User LIMIT 1").status, 200);
    story.org.move_to("acme2.my.salesforce.com");
    assert_eq!(
        story.query("SELECT Id FROM User LIMIT 1").refusal(),
        (401, "INVALID_SESSION_ID".to_owned())
    );
    let body = story.refresh(&token).json();
    assert_eq!(body["instance_url"], "https://acme2.my.salesforce.com");
    let request = story.client.get("https://acme2.my.salesforce.com/services/data/v60.0/limits");
    let answer = request
        .bearer_auth(body["access_token"].as_str().expect("a token"))
        .send()
        .expect("an answer");
    assert_eq!(answer.status(), 200);
    assert!(violations(&story.org).is_empty());
}

#[test]
fn the_versions_of_tls_can_be_chosen_and_one_point_one_is_refused() {
    let answer = |versions: TlsVersions| {
        let org = SimulatedOrg::builder().users(30).tls_versions(versions).start();
        let sent = client(&org).get("https://acme.my.salesforce.com/services/data").send();
        (sent.map(|answer| answer.status().as_u16()), org.journal().len())
    };
    for versions in [TlsVersions::Modern, TlsVersions::Only12, TlsVersions::Only13] {
        let (status, entries) = answer(versions);
        assert_eq!((status.expect("an answer"), entries), (200, 1), "{versions:?}");
    }
    let (status, entries) = answer(TlsVersions::Only11);
    let error = status.expect_err("no such version");
    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    let text = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    assert!(error.is_connect() && text.contains("peer is incompatible"), "{text}");
    assert_eq!(entries, 0);
}
