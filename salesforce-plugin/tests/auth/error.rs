//! What the org's settings refuse: which stop a schedule, which pass, and what is told.

use connector_api::ErrorKind;
use salesforce_sim::{Action, Fault, IpRestriction, Policy, RefreshTokenPolicy};

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

#[test]
fn the_status_of_a_token_endpoint_speaks_before_its_words() {
    let words = [
        r#"{"error":"invalid_grant","error_description":"expired access/refresh token"}"#,
        r#"{"error":"invalid_client","error_description":"invalid client credentials"}"#,
        r#"{"error":"rate_limit_exceeded"}"#,
        "{}",
        "<html><title>Busy</title></html>",
        "",
    ];
    for code in [403, 404, 408, 420, 421, 429, 451, 500, 502, 503] {
        for words in words {
            let org = org(|policy| policy.rotate_refresh_tokens = true);
            let setup = authorized(&org);
            org.expire_sessions();
            let action = Action::Status {
                code,
                body: words.into(),
                content_type: Some("application/json".into()),
                headers: vec![("Retry-After".into(), "120".into())],
            };
            org.faults().push(Fault::new(action).on_grant("refresh_token"));
            let error = setup.start().run().unwrap_err();
            assert_eq!(error.kind, ErrorKind::RETRYABLE, "{code} {words}: {error}");
            assert_eq!(error.retry_after_ms, Some(120_000), "{code} {words}: {error}");
            assert!(error.message.contains(&code.to_string()), "{code} {words}: {error}");
            // Nobody has to authorize again.
            setup.start().run().unwrap();
        }
    }
}

#[test]
fn an_error_that_nobody_knows_is_asked_about_again_after_an_hour() {
    let org = org(|_| ());
    let setup = authorized(&org);
    org.expire_sessions();
    let action = Action::OauthError {
        error: "brand_new_reason".into(),
        description: "try harder".into(),
        status: 400,
    };
    org.faults().push(Fault::new(action).on_grant("refresh_token"));
    let error = setup.start().run().unwrap_err();
    assert_eq!(error.kind, ErrorKind::RETRYABLE, "{error}");
    assert_eq!(error.retry_after_ms, Some(3_600_000));
    assert!(error.message.contains("brand_new_reason: try harder"), "{error}");
    setup.start().run().unwrap();
}

#[test]
fn what_an_org_repeats_of_a_secret_is_masked() {
    let org = org(|_| ());
    let setup = authorized(&org);
    let before = setup.grant();
    let token = before["refresh_token"].as_str().unwrap().to_owned();
    let access = before["access_token"].as_str().unwrap().to_owned();
    let secret = org.client_secret().to_owned();
    let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
    org.expire_sessions();
    for echo in [token.clone(), secret.clone(), hex, token.chars().rev().collect()] {
        let action = Action::OauthError {
            error: "unsupported_grant_type".into(),
            description: format!("grant type not supported: {echo}"),
            status: 400,
        };
        org.faults().push(Fault::new(action).on_grant("refresh_token"));
        let error = setup.start().run().unwrap_err();
        let backwards: String = token.chars().rev().collect();
        if echo == backwards {
            // The control: nobody sends it backwards, so it shows that the words are repeated.
            assert!(error.message.contains("grant type not supported"), "{error}");
        } else {
            assert!(error.message.contains("[secret]"), "{error}");
            assert!(!error.message.contains(&echo), "{error}");
        }
    }
    let action = Action::Status {
        code: 400,
        body: format!(r#"[{{"errorCode":"MALFORMED_QUERY","message":"echo: {access}"}}]"#),
        content_type: Some("application/json".into()),
        headers: vec![],
    };
    org.faults().set([Fault::new(action).on_path_with("/limits").always()]);
    let summary = setup.start().run().unwrap();
    let reason = summary.datasets[0].reason.clone().unwrap_or_default();
    assert!(reason.contains("MALFORMED_QUERY: echo: [secret]"), "{reason}");
}
