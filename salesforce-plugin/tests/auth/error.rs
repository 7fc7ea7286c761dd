//! What the org's settings refuse: which stop a schedule, which pass, and what is told.

use connector_api::ErrorKind;
use salesforce_sim::{IpRestriction, Policy, RefreshTokenPolicy};

use crate::host::{Setup, authorized, org, token_requests};

#[test]
fn a_refusal_at_renewal_says_which_setting_and_whether_it_passes() {
    type Change = fn(&mut Policy);
    let cases: [(Change, ErrorKind, &str); 10] = [
        (|p| p.user_inactive = true, ErrorKind::CONFIG, "Setup > Users"),
        (|p| p.org_inactive = true, ErrorKind::CONFIG, "contact Salesforce"),
        (|p| p.not_admin_approved = true, ErrorKind::CONFIG, "permission set"),
        (|p| p.ip_restriction = IpRestriction::Refresh, ErrorKind::CONFIG, "Login IP Ranges"),
        (|p| p.outside_login_hours = true, ErrorKind::CONFIG, "Login Hours"),
        (|p| p.app_propagating = true, ErrorKind::CONFIG, "Consumer Key"),
        (|p| p.logins_per_hour = 0, ErrorKind::RATE_LIMITED, "one hour"),
        (|p| p.refresh_in_progress = true, ErrorKind::RETRYABLE, "few seconds"),
        (
            |p| p.refresh_token_policy = RefreshTokenPolicy::ImmediatelyExpire,
            ErrorKind::AUTH,
            "OAuth policies",
        ),
        (
            |p| p.refresh_token_policy = RefreshTokenPolicy::ExpireAfter(std::time::Duration::ZERO),
            ErrorKind::AUTH,
            "valid until revoked",
        ),
    ];
    for (change, kind, hint) in cases {
        let org = org(|policy| policy.rotate_refresh_tokens = true);
        let setup = authorized(&org);
        org.expire_sessions();
        org.set_policy(change);
        let error = setup.start().run().unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(
            error.hint.as_deref().unwrap_or_default().contains(hint),
            "{error}: {:?}",
            error.hint
        );
        let org_id = &org.organization_id()[..15];
        assert!(error.message.contains(" UTC") && error.message.contains(org_id), "{error}");
        // Once the setting is right again, everything but a dead token works.
        org.set_policy(|policy| {
            *policy = Policy { rotate_refresh_tokens: true, ..Policy::default() }
        });
        assert_eq!(setup.start().run().is_ok(), kind != ErrorKind::AUTH, "{error}");
    }
}

#[test]
fn a_dead_grant_is_not_tried_again_until_somebody_authorizes() {
    let org = org(|policy| policy.rotate_refresh_tokens = true);
    let setup = authorized(&org);
    org.revoke_tokens();
    assert_eq!(setup.start().run().unwrap_err().kind, ErrorKind::AUTH);
    org.clear_journal();
    for _ in 0..3 {
        let error = setup.start().run().unwrap_err();
        assert_eq!(error.kind, ErrorKind::AUTH);
        assert!(error.hint.unwrap().contains("authorize"));
    }
    assert_eq!(token_requests(&org, "refresh_token").len(), 0);
    setup.start().paste(&org.issue_refresh_token()).unwrap();
    setup.start().run().unwrap();
}

#[test]
fn a_wrong_client_secret_is_told_from_a_wrong_key() {
    let org = org(|_| ());
    let setup = Setup::new(&org, "refresh_token");
    setup.store.put("client_secret", "wrong");
    let error = setup.start().paste(&org.issue_refresh_token()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::CONFIG);
    assert!(error.message.contains("Client Secret"), "{error}");
    let setup = Setup::new(&org, "refresh_token").with("client_id", "3MVG9other");
    let error = setup.start().paste(&org.issue_refresh_token()).unwrap_err();
    assert!(error.message.contains("Client ID"), "{error}");
}
