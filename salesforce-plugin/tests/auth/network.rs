//! The network part of the check, and the ways to the org.

use connector_api::message::FindingStatus::{self, Failed, Ok, Unknown};
use salesforce_sim::{CertificateKind, SimulatedOrg};

use crate::host::{Setup, assert_well_behaved, authorized, org};

const STEPS: [&str; 10] = [
    "network.resolve",
    "network.proxy",
    "network.connect",
    "network.tls",
    "network.host",
    "network.api",
    "network.clock",
    "grant.token",
    "grant.user",
    "grant.org",
];

/// The steps of the check, in order.
fn steps(setup: &Setup) -> Vec<(String, FindingStatus, String)> {
    let report = setup.start().check();
    let steps = report.findings.into_iter().filter(|finding| STEPS.contains(&finding.id.as_str()));
    steps
        .map(|finding| {
            assert!(finding.status == Ok || finding.hint.is_some(), "{finding:?}");
            (finding.id, finding.status, finding.message)
        })
        .collect()
}

/// Fails at that step: those before are well, those behind unknown. Answers its message.
fn fails_at(setup: &Setup, step: &str) -> String {
    let steps = steps(setup);
    let at = STEPS.iter().position(|id| *id == step).unwrap();
    assert_eq!(steps.len(), STEPS.len(), "{steps:?}");
    for (position, (id, status, message)) in steps.iter().enumerate() {
        let expected = match position.cmp(&at) {
            std::cmp::Ordering::Less => Ok,
            std::cmp::Ordering::Equal => Failed,
            std::cmp::Ordering::Greater => Unknown,
        };
        assert_eq!((id.as_str(), *status), (STEPS[position], expected), "{message}");
    }
    steps[at].2.clone()
}

#[test]
fn a_connector_that_works_has_ten_good_steps() {
    let org = org(|_| ());
    let setup = authorized(&org);
    let steps = steps(&setup);
    assert_eq!(steps.iter().map(|step| step.0.as_str()).collect::<Vec<_>>(), STEPS);
    assert!(steps.iter().all(|step| step.1 == Ok), "{steps:?}");
    let said = |id: &str| steps.iter().find(|step| step.0 == id).unwrap().2.clone();
    assert!(said("network.connect").contains("443") && said("network.connect").contains("80"));
    assert!(said("network.host").contains(org.my_domain_host()));
    assert!(said("grant.user").contains(org.username()));
    assert!(said("grant.org").contains(&org.organization_id()[..15]));
    assert_well_behaved(&org);
}

#[test]
fn the_candidate_that_answers_is_named() {
    let org = SimulatedOrg::builder()
        .users(20)
        .logins_per_user(1)
        .edition(salesforce_sim::Edition::Developer)
        .start();
    let setup = authorized(&org).with("domain", "acme-dev-ed");
    let finding = setup.start().finding("network.host");
    assert_eq!(finding.status, Ok);
    assert!(finding.message.starts_with(&format!("`{}`", org.my_domain_host())), "{finding:?}");
    assert!(finding.message.contains("acme-dev-ed.trailblaze"), "{finding:?}");
}

#[test]
fn a_proxy_that_asks_for_credentials_gets_them_and_says_so_without() {
    let org =
        SimulatedOrg::builder().users(20).logins_per_user(1).proxy_auth("joe", "s3cret:@/").start();
    let setup = authorized(&org);
    setup.start().run().unwrap();
    let without = setup.clone().with("proxy", &org.proxy_url());
    let message = fails_at(&without, "network.proxy");
    assert!(message.contains("407"), "{message}");
    let wrong = org.proxy_url().replace("http://", "http://joe:canary@");
    let message = fails_at(&setup.clone().with("proxy", &wrong), "network.proxy");
    assert!(message.contains("407") && !message.contains("canary"), "{message}");
}

#[test]
fn a_proxy_that_is_not_there_or_does_not_resolve_is_named() {
    let org = org(|_| ());
    let setup = authorized(&org);
    let message = fails_at(&setup.clone().with("proxy", "http://127.0.0.1:9"), "network.proxy");
    assert!(message.contains("cannot be reached"), "{message}");
    let nowhere = setup.with("proxy", "http://proxy.invalid:8080");
    let message = fails_at(&nowhere, "network.proxy");
    assert!(message.contains("cannot be resolved"), "{message}");
}

#[test]
fn a_no_proxy_list_about_other_hosts_changes_nothing() {
    let org = org(|_| ());
    let setup =
        authorized(&org).with("no_proxy", "intranet.example, other.my.salesforce.com, force.com");
    assert!(steps(&setup).iter().all(|step| step.1 == Ok));
}

#[test]
fn each_wrong_certificate_is_refused_with_its_reason() {
    for (kind, reason) in [
        (CertificateKind::Expired, "expired"),
        (CertificateKind::WrongName, "name"),
        (CertificateKind::NotYetValid, "not valid yet"),
        (CertificateKind::SelfSigned, "certificate"),
        (CertificateKind::UnknownAuthority, "certificate"),
    ] {
        let org = SimulatedOrg::builder().users(20).logins_per_user(1).certificates(kind).start();
        let setup = Setup::new(&org, "authorization_code");
        let message = fails_at(&setup, "network.tls").to_lowercase();
        assert!(message.contains(reason), "{kind:?}: {message}");
        assert!(org.journal().is_empty(), "{kind:?}");
    }
}

#[test]
fn a_page_instead_of_an_org_is_said_to_be_one() {
    let org = org(|_| ());
    let setup = authorized(&org);
    org.faults().push(
        salesforce_sim::Fault::new(salesforce_sim::Action::HtmlPage).on_path("/services/data"),
    );
    let message = fails_at(&setup, "network.host");
    assert!(message.contains("a page"), "{message}");
}

#[test]
fn a_connector_nobody_authorized_fails_at_its_grant() {
    let org = org(|_| ());
    let setup = Setup::new(&org, "authorization_code");
    let message = fails_at(&setup, "grant.token");
    assert!(message.contains("not authorized"), "{message}");
}

#[test]
fn a_clock_that_is_off_is_a_finding() {
    let org = org(|_| ());
    let setup = authorized(&org);
    org.advance(std::time::Duration::from_secs(600));
    let finding = setup.start().finding("network.clock");
    assert_eq!(finding.status, Failed, "{finding:?}");
    assert!(finding.message.contains("behind"), "{finding:?}");
}

#[test]
fn a_proxy_that_refuses_the_connection_is_quoted_with_its_status() {
    let org = org(|_| ());
    let setup = authorized(&org);
    org.faults().push(
        salesforce_sim::Fault::new(salesforce_sim::Action::Status {
            code: 403,
            body: "<h1>Blocked by policy</h1>".into(),
            content_type: Some("text/html".into()),
            headers: Vec::new(),
        })
        .on_method("CONNECT")
        .always(),
    );
    let message = fails_at(&setup, "network.proxy");
    assert!(message.contains("403"), "{message}");
}
