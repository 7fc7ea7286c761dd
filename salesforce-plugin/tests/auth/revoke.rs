//! Giving the grant back.

use connector_api::ErrorKind;
use salesforce_sim::{Action, Fault};

use crate::host::{Setup, assert_well_behaved, authorized, org};

#[test]
fn a_revoked_grant_is_dead_at_salesforce_and_stays_in_the_store_for_the_host_to_shred() {
    let org = org(|policy| policy.rotate_refresh_tokens = true);
    let setup = authorized(&org);
    org.clear_journal();
    let reply = setup.start().deauthorize();
    assert!(reply.revoked, "{}", reply.message);
    let entry = &org.journal()[0];
    assert_eq!((entry.method.as_str(), entry.path.as_str()), ("POST", "/services/oauth2/revoke"));
    assert!(entry.query.is_empty(), "the token stands in the body");
    assert!(setup.store.get("grant").is_some());
    assert_eq!(setup.start().run().unwrap_err().kind, ErrorKind::AUTH);
    let again = setup.start().deauthorize();
    assert!(again.revoked, "unknown there counts as revoked: {}", again.message);
    assert_well_behaved(&org);
}

#[test]
fn an_access_token_alone_is_revoked_too() {
    let org = org(|_| ());
    let setup = Setup::new(&org, "refresh_token");
    setup.start().paste(&org.issue_access_token()).unwrap();
    assert!(setup.start().deauthorize().revoked);
    assert_eq!(setup.start().run().unwrap_err().kind, ErrorKind::AUTH);
}

#[test]
fn without_a_grant_there_is_nothing_to_revoke() {
    let org = org(|_| ());
    assert!(Setup::new(&org, "authorization_code").start().deauthorize().revoked);
    assert!(org.journal().is_empty());
}

#[test]
fn a_grant_that_could_not_be_revoked_is_said_to_be_live() {
    let org = org(|_| ());
    let setup = authorized(&org);
    for action in [Action::CloseBeforeAnswer, Action::HtmlPage, Action::ServerUnavailable] {
        let revokes = matches!(action, Action::CloseBeforeAnswer);
        org.faults().set([Fault::new(action).on_path("/services/oauth2/revoke")]);
        let reply = setup.start().deauthorize();
        assert!(!reply.revoked);
        assert!(reply.message.contains("still live"), "{}", reply.message);
        assert!(reply.hint.unwrap().contains("Connected Apps OAuth Usage"));
        if revokes {
            setup.start().paste(&org.issue_refresh_token()).unwrap();
        }
    }
    let unreachable = setup.clone().with("proxy", "http://127.0.0.1:9");
    assert!(!unreachable.start().deauthorize().revoked);
    assert!(setup.start().deauthorize().revoked);
}
