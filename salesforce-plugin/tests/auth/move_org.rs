//! The org moves to another host, or an answer says so.

use connector_api::ErrorKind;
use connector_api::message::FindingStatus;
use salesforce_sim::{Action, Fault, SimulatedOrg};

use crate::host::{Setup, assert_well_behaved, authorized, org, token_requests};

const NEW: &str = "acme-new.my.salesforce.com";

fn reached(org: &SimulatedOrg, host: &str) -> bool {
    org.journal().iter().any(|entry| entry.host == host)
}

fn moved(org: &SimulatedOrg) -> Setup {
    let setup = authorized(org);
    org.expire_sessions();
    org.move_to(NEW);
    setup
}

#[test]
fn another_host_is_followed_only_after_the_operators_yes() {
    for rotation in [false, true] {
        let org = org(|policy| policy.rotate_refresh_tokens = rotation);
        let setup = moved(&org);
        let before = setup.grant();
        let error = setup.start().run().unwrap_err();
        assert_eq!(error.kind, ErrorKind::CONFIG, "{error}");
        assert!(error.message.contains(NEW), "{error}");
        assert!(error.hint.unwrap().contains(&format!("--accept-host {NEW}")));
        assert!(!reached(&org, NEW), "nothing was sent there");
        let grant = setup.grant();
        assert_eq!(grant["instance_host"], before["instance_host"]);
        assert_eq!(grant["offered_host"], NEW);
        assert_ne!(grant["access_token"], before["access_token"]);
        assert_eq!(grant["refresh_token"] != before["refresh_token"], rotation);

        let finding = setup.start().finding("grant.token");
        assert_ne!(finding.status, FindingStatus::Ok);
        assert!(!reached(&org, NEW));

        let summary = setup.start().accept_host(NEW).unwrap();
        assert_eq!(summary.instance_url, Some(format!("https://{NEW}")));
        assert_eq!(summary.organization_id, Some(org.organization_id()));
        setup.start().run().unwrap();
        org.expire_sessions();
        setup.start().run().unwrap();
        let refused = token_requests(&org, "refresh_token").iter().any(|e| e.error.is_some());
        assert!(!refused, "no token was lost on the way");
        assert_well_behaved(&org);
    }
}

#[test]
fn a_yes_to_a_host_that_was_not_offered_or_is_not_salesforces_is_refused() {
    let org = org(|_| ());
    let setup = authorized(&org);
    let refused = |host: &str| {
        let error = setup.start().accept_host(host).unwrap_err();
        assert_eq!(error.kind, ErrorKind::CONFIG, "{host}: {error}");
        assert!(error.hint.is_some());
    };
    refused(NEW);
    org.expire_sessions();
    org.move_to(NEW);
    assert!(setup.start().run().is_err());
    org.clear_journal();
    for host in [
        "other.my.salesforce.com",
        "evil.example",
        "https://evil.example",
        "acme-new.my.salesforce.com.evil.example",
        "",
    ] {
        refused(host);
    }
    assert!(org.journal().is_empty(), "nothing was sent");
    assert_eq!(setup.grant()["offered_host"], NEW);
}

#[test]
fn a_foreign_instance_in_an_answer_costs_no_token_and_gets_none() {
    let org = org(|_| ());
    let setup = authorized(&org);
    org.expire_sessions();
    let body = serde_json::json!({
        "access_token": org.issue_access_token(), "refresh_token": "5Aep861rotated==",
        "instance_url": "https://acme.my.salesforce.com@evil.example",
    });
    let action =
        Action::Status { code: 200, body: body.to_string(), content_type: None, headers: vec![] };
    org.faults().push(Fault::new(action).on_grant("refresh_token"));
    let error = setup.start().run().unwrap_err();
    assert_eq!(error.kind, ErrorKind::AUTH, "{error}");
    assert!(!error.message.contains("evil"), "{error}");
    let grant = setup.grant();
    assert_eq!(grant["refresh_token"], "5Aep861rotated==", "the rotated token was kept");
    assert_eq!(grant["instance_host"], org.my_domain_host());
    assert_well_behaved(&org);
}

#[test]
fn redirects_are_not_followed_with_a_token_or_a_secret() {
    for code in [301, 302, 303, 307, 308] {
        let org = org(|_| ());
        let setup = authorized(&org);
        let redirect = || Action::Status {
            code,
            body: String::new(),
            content_type: None,
            headers: vec![("Location".into(), "https://evil.example/services/oauth2/token".into())],
        };
        org.faults().push(Fault::new(redirect()).on_path("/services/data/v").always());
        assert!(setup.start().run().is_err());
        org.expire_sessions();
        org.faults().set([Fault::new(redirect()).on_grant("refresh_token")]);
        // Something on the way redirects to a stranger: it passes, and stops no schedule.
        let error = setup.start().run().unwrap_err();
        assert_eq!(error.kind, ErrorKind::RETRYABLE, "{code}: {error}");
        assert!(error.message.contains(&code.to_string()), "{code}: {error}");
        org.faults().clear();
        setup.start().run().unwrap();
        assert_well_behaved(&org);
    }
}
