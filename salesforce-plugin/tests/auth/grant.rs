//! Grants that need no person, and what is known of each grant.

use connector_api::ErrorKind;
use connector_api::message::{AuthorizeReply, FindingStatus, GrantSummary};
use salesforce_sim::{Action, Fault, SimulatedOrg};

use crate::host::{Setup, assert_well_behaved, authorized, org, token_requests};

const KEY: &str = include_str!("../data/rsa_pkcs8.pem");
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn granted_at_once(setup: &Setup) -> GrantSummary {
    match setup.start().begin().unwrap_or_else(|error| panic!("{error}: {:?}", error.hint)) {
        AuthorizeReply::Granted(summary) => summary,
        AuthorizeReply::Link { .. } => panic!("a link"),
    }
}

fn with_flows() -> SimulatedOrg {
    let org = org(|policy| {
        policy.client_credentials_flow = true;
        policy.password_flow = true;
    });
    let run_as = org.username().to_owned();
    org.set_policy(|policy| policy.run_as = Some(run_as));
    org
}

fn by_password(org: &SimulatedOrg) -> Setup {
    let setup = Setup::new(org, "username_password").with("username", org.username());
    setup.store.put("password", org.password());
    setup.store.put("security_token", org.security_token());
    setup
}

#[test]
fn grants_without_a_person_are_made_at_once_and_again_when_the_session_ends() {
    for grant in ["client_credentials", "username_password"] {
        let org = with_flows();
        let setup = match grant {
            "client_credentials" => Setup::new(&org, grant),
            _ => by_password(&org),
        };
        let summary = granted_at_once(&setup);
        assert_eq!((summary.grant.as_str(), summary.renewable), (grant, true));
        assert_eq!(summary.username.as_deref(), Some(org.username()));
        assert_eq!(summary.organization_id.as_deref(), Some(org.organization_id().as_str()));
        assert_eq!(summary.login_host.as_deref(), Some(org.my_domain_host()));
        assert!(summary.user_id.is_some() && !summary.scopes.is_empty());
        org.expire_sessions();
        let before = org.journal().len();
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| setup.start().run())).collect();
            runs.into_iter().for_each(|run| drop(run.join().unwrap().unwrap()));
        });
        let word = if grant == "client_credentials" { grant } else { "password" };
        let minted = org.journal()[before..]
            .iter()
            .filter(|entry| entry.grant_type.as_deref() == Some(word))
            .count();
        assert_eq!(minted, 1, "one for all threads");
        assert_well_behaved(&org);
    }
}

#[test]
fn the_legacy_grant_is_a_finding_of_the_check() {
    let org = with_flows();
    let setup = by_password(&org);
    granted_at_once(&setup);
    let finding = setup.start().finding("grant.token");
    assert_eq!(finding.status, FindingStatus::Partial);
    assert!(finding.message.contains("deprecating"), "{}", finding.message);
}

fn answers(body: serde_json::Value, code: u16) -> Fault {
    let action =
        Action::Status { code, body: body.to_string(), content_type: None, headers: vec![] };
    Fault::new(action).on_path("/services/oauth2/token")
}

#[test]
fn a_signed_assertion_asks_the_likeliest_audience_first_and_then_the_others() {
    let org = with_flows();
    let setup = Setup::new(&org, "jwt_bearer").with("username", org.username());
    setup.store.put("private_key", KEY);
    let refused = serde_json::json!({"error": "invalid_grant", "error_description": "Audience validation failed"});
    org.faults().push(answers(refused.clone(), 400));
    org.faults().push(answers(
        serde_json::json!({
            "access_token": org.issue_access_token(), "token_type": "Bearer",
            "instance_url": format!("https://{}", org.my_domain_host()),
        }),
        200,
    ));
    let summary = granted_at_once(&setup);
    assert_eq!((summary.grant.as_str(), summary.renewable), ("jwt_bearer", true));
    assert_eq!(token_requests(&org, JWT_BEARER).len(), 2);

    org.faults().set([answers(refused, 400).always()]);
    let error = setup.start().begin().unwrap_err();
    assert_eq!(error.kind, ErrorKind::CONFIG);
    assert!(error.hint.unwrap().contains("clock"));
    assert_well_behaved(&org);
}

#[test]
fn a_key_that_is_none_is_said_so_before_anything_is_sent() {
    let org = with_flows();
    let setup = Setup::new(&org, "jwt_bearer").with("username", org.username());
    setup
        .store
        .put("private_key", "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n");
    let error = setup.start().begin().unwrap_err();
    assert_eq!(error.kind, ErrorKind::CONFIG, "{error}");
    assert!(!error.message.contains("Y2FuYXJ5"));
    assert!(org.journal().is_empty());
}

#[test]
fn refusals_of_these_grants_say_which_setting_to_change() {
    let org = org(|policy| policy.client_credentials_flow = true);
    let error = Setup::new(&org, "client_credentials").start().begin().unwrap_err();
    assert_eq!(error.kind, ErrorKind::CONFIG);
    assert!(error.hint.unwrap().contains("Run As"));
    let error = by_password(&org).start().begin().unwrap_err();
    assert_eq!(error.kind, ErrorKind::CONFIG);
    assert!(error.hint.unwrap().contains("username-password flow"));
}

#[test]
fn a_grant_that_no_longer_fits_the_settings_is_not_renewed() {
    let org = with_flows();
    let setup = Setup::new(&org, "client_credentials");
    granted_at_once(&setup);
    org.expire_sessions();
    let changed = setup.clone().with("grant", "authorization_code");
    let error = changed.start().run().unwrap_err();
    assert_eq!(error.kind, ErrorKind::AUTH);
    assert!(error.message.contains("client_credentials"), "{error}");
}

#[test]
fn a_session_of_another_org_is_refused() {
    let org = org(|policy| policy.rotate_refresh_tokens = true);
    let setup = authorized(&org);
    let mut grant = setup.grant();
    grant["organization_id"] = "00D999999999999AAA".into();
    setup.store.put("grant", &grant.to_string());
    assert_eq!(setup.start().finding("grant.org").status, FindingStatus::Failed);
    org.expire_sessions();
    let error = setup.start().run().unwrap_err();
    assert_eq!(error.kind, ErrorKind::AUTH, "{error}");
    org.clear_journal();
    assert_eq!(setup.start().run().unwrap_err().kind, ErrorKind::AUTH, "and stays refused");
    assert!(org.journal().is_empty());
}

#[test]
fn nothing_secret_is_written_to_the_log() {
    let org = with_flows();
    let setup = authorized(&org);
    org.expire_sessions();
    let server = setup.start();
    server.run().unwrap();
    server.check();
    let grant = setup.grant();
    let secrets = [
        grant["access_token"].as_str().unwrap().to_owned(),
        grant["refresh_token"].as_str().unwrap().to_owned(),
        org.client_secret().to_owned(),
    ];
    let log = server.log();
    assert!(log.contains("/services/data"), "the control: the log is there");
    for secret in &secrets {
        assert!(
            !log.contains(&secret[..12.min(secret.len())]) || secret.starts_with("00D"),
            "{log}"
        );
        assert!(!log.contains(&secret[secret.len() - 12..]), "{log}");
    }
}
