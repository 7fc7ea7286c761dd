//! What goes wrong between an endpoint server and Salesforce, and what the person then reads.

use salesforce_sim::{Action, Fault, SimulatedOrg};
use serde_json::json;

use crate::host::{Host, NAME, dataset};

fn org() -> SimulatedOrg {
    SimulatedOrg::builder().users(5_000).logins_per_user(1).seed(3).start()
}

/// A host before Authorize, whose settings hold that Client Secret.
fn created(org: &SimulatedOrg, secret: &str) -> Host {
    let host = Host::behind(org);
    host.run(&["features", "enable", "salesforce"]).ok();
    host.create_with(org.my_domain_host(), org.client_id(), secret).ok();
    host
}

/// Whether the stored users are exactly the org's.
#[track_caller]
fn holds_every_user(host: &Host, org: &SimulatedOrg) {
    let out = host.path("export");
    host.run(&[
        "export",
        NAME,
        "--format",
        "jsonl",
        "--out",
        out.to_str().expect("a path"),
        "--dataset",
        "user",
    ])
    .ok();
    let text = std::fs::read_to_string(out.join("user.jsonl")).expect("the export");
    let ids: std::collections::BTreeSet<String> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["Id"]
                .as_str()
                .expect("an id")
                .to_owned()
        })
        .collect();
    assert_eq!(ids.len() as u64, org.truth().total_users);
    assert_eq!(text.lines().count(), ids.len(), "no user twice");
}

#[test]
fn a_wrong_client_secret_is_named_and_the_connector_stays_unauthorized() {
    let org = org();
    let host = created(&org, "not the secret");
    host.authorize(&org).code(2).one_error("invalid_client", "Consumer Secret");
    let (connectors, _) = host.json(&["connectors", "list"]);
    assert_eq!(connectors[0]["authorized"], false);
}

#[test]
fn a_wrong_domain_says_that_no_org_answers_there() {
    let org = org();
    let host = Host::behind(&org);
    host.run(&["features", "enable", "salesforce"]).ok();
    host.create_with("nobody--here", org.client_id(), org.client_secret()).ok();
    let ran = host.run(&["connectors", "authorize", NAME, "--print-url"]);
    assert_ne!(ran.code, 0);
    ran.one_error("nobody--here.sandbox.my.salesforce.com", "domain");
    let (check, ran) = host.json(&["connectors", "check", NAME]);
    ran.code(4);
    assert_eq!(check["ok"], false);
}

#[test]
fn a_code_works_once_and_not_for_long() {
    let org = org();
    let host = created(&org, org.client_secret());
    let link =
        |host: &Host| host.run(&["connectors", "authorize", NAME, "--print-url"]).ok().stdout;
    let paste = |address: &str| {
        host.run_with_input(&["connectors", "authorize", NAME, "--token-file", "-"], address)
    };

    let late = org.approve(link(&host).trim());
    org.advance(std::time::Duration::from_secs(16 * 60));
    paste(&late).code(3).one_error("older than 15 minutes", "new link");

    let address = org.approve(link(&host).trim());
    paste(&address).ok();
    paste(&address).code(3);
    let (connectors, _) = host.json(&["connectors", "list"]);
    assert_eq!(connectors[0]["authorized"], true, "the grant that works is kept");
    host.collect(0);
}

#[test]
fn wrong_pastes_are_named() {
    let org = org();
    let host = created(&org, org.client_secret());
    let link = host.run(&["connectors", "authorize", NAME, "--print-url"]).ok().stdout;
    let paste = |text: &str| {
        host.run_with_input(&["connectors", "authorize", NAME, "--token-file", "-"], text)
    };
    paste("AbCdEfGhIjKlMnOpQrStUvWx")
        .code(3)
        .one_error("Security Token", "link of `connectors authorize`");
    paste(org.client_id()).code(3).one_error("Consumer Key", "link of `connectors authorize`");
    paste("hello").code(3).one_error("neither a code nor a token", "whole address");
    paste(&org.deny(link.trim())).code(3).one_error("access_denied", "Allow");
    let foreign = format!(
        "{}&state=someone-elses",
        org.approve(link.trim()).split("&state").next().expect("a URL")
    );
    paste(&foreign).code(3).one_error("does not belong", "new link");
}

#[test]
fn a_pasted_refresh_token_authorizes_too() {
    let org = org();
    let host = created(&org, org.client_secret());
    let ran = host.run_with_input(
        &["connectors", "authorize", NAME, "--token-file", "-"],
        &org.issue_refresh_token(),
    );
    ran.ok();
    host.collect(0);
}

#[test]
fn a_denied_object_is_reported_and_the_rest_is_read() {
    let org = org();
    org.without_permission("PermissionsManageUsers");
    let host = Host::authorized(&org);
    let collected = host.collect(4);
    assert_eq!(collected["status"], "partial");
    let frozen = dataset(&collected, "user_login");
    assert_eq!(frozen["status"], "denied");
    assert!(frozen["reason"].as_str().expect("a reason").contains("Manage Users"), "{frozen}");
    // Without Manage Users and Monitor Login History, Salesforce shows the user's own logins as if they were all.
    let logins = dataset(&collected, "login_history");
    assert_eq!(logins["status"], "partial_self", "{logins}");
    assert_eq!(dataset(&collected, "user")["status"], "complete");
    let report = host.partial_report();
    for license in report["licenses"].as_array().expect("licences") {
        for figure in ["active", "inactive", "never", "machine_only"] {
            assert_eq!(license[figure], json!(null), "unknown is null: {license}");
        }
    }
    let (check, ran) = host.json(&["connectors", "check", NAME]);
    ran.code(4);
    let missing = check["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .any(|finding| finding["id"] == "dataset.user_login" && finding["status"] == "missing");
    assert!(missing, "{check:#}");
}

#[test]
fn a_session_that_expires_in_the_middle_is_renewed_once_and_no_row_is_lost() {
    let org = org();
    org.set_policy(|policy| policy.locators_die_with_session = true);
    let host = Host::authorized(&org);
    org.faults().push(Fault::new(Action::ExpireSession).on_path_with("/query/").on_object("User"));
    let collected = host.collect(0);
    assert_eq!(collected["status"], "complete", "{collected:#}");
    holds_every_user(&host, &org);
    let refreshes = org
        .journal()
        .iter()
        .filter(|entry| entry.path == "/services/oauth2/token" && entry.status == Some(200))
        .count();
    assert_eq!(refreshes, 2, "one exchange, one refresh");
    assert!(org.violations().is_empty(), "{:#?}", org.violations());
}

#[test]
fn a_revoked_grant_asks_for_authorization_and_keeps_what_was_published() {
    let org = org();
    let host = Host::authorized(&org);
    host.collect(0);
    let before = host.report();
    org.revoke_tokens();
    let collected = host.collect(3);
    assert_eq!(collected["status"], "failed");
    assert_eq!(collected["error"]["kind"], "auth", "{collected:#}");
    assert_eq!(host.report(), before);
}

#[test]
fn a_page_that_lost_rows_is_never_taken_for_the_end() {
    // The last rows of the only page: reading continues after the last one that came.
    let org = org();
    let host = Host::authorized(&org);
    org.faults().push(Fault::new(Action::TruncatePage { rows: 500 }).on_object("User"));
    let collected = host.collect(0);
    assert_eq!(collected["status"], "complete", "{collected:#}");
    holds_every_user(&host, &org);

    // Every page, always: the run says incomplete, and how much is missing.
    org.faults().push(Fault::new(Action::TruncatePage { rows: 0 }).on_object("User").always());
    let (collected, ran) = host.json(&["collect", NAME, "--full"]);
    ran.code(4);
    let user = dataset(&collected, "user");
    assert_eq!(user["status"], "incomplete", "{user}");
    assert_eq!(user["expected"], org.truth().total_users);
    let report = host.partial_report();
    let figures = report["licenses"]
        .as_array()
        .expect("licences")
        .iter()
        .find(|license| license["key"] == "SFDC")
        .expect("SFDC");
    assert_eq!(figures["active"], json!(null), "a short list of users gives no figure: {figures}");
}

#[test]
fn a_page_without_a_link_to_the_next_is_read_on_by_key() {
    let org = org();
    let host = Host::authorized(&org);
    org.faults().push(Fault::new(Action::NoNextPage).on_object("User"));
    let collected = host.collect(0);
    assert_eq!(collected["status"], "complete", "{collected:#}");
    holds_every_user(&host, &org);
}

#[test]
fn a_lost_connection_is_tried_again_and_a_dead_network_fails_without_harm() {
    let org = org();
    let host = Host::authorized(&org);
    let cut = Action::CloseAfter { bytes: 1_000, chunked: false };
    org.faults().push(Fault::new(cut).on_object("User"));
    org.faults().push(Fault::new(Action::Reset { bytes: None }).on_object("Profile"));
    let collected = host.collect(0);
    assert_eq!(collected["status"], "complete", "{collected:#}");
    holds_every_user(&host, &org);
    let before = host.report();

    let reset = Action::Reset { bytes: None };
    org.faults().push(Fault::new(reset).on_path("/services/data").always());
    let collected = host.collect(1);
    assert_eq!(collected["status"], "failed");
    assert_eq!(collected["error"]["kind"], "retryable", "{collected:#}");
    assert_eq!(host.report(), before, "what was published stays");

    let mut offline = host;
    offline.set("HTTPS_PROXY", "http://127.0.0.1:9");
    let collected = offline.collect(1);
    assert!(
        collected["error"]["message"].as_str().expect("a message").contains("connect"),
        "{collected:#}"
    );
}

#[test]
fn the_daily_allowance_pauses_the_run() {
    let org = org();
    let host = Host::authorized(&org);
    org.faults().push(Fault::new(Action::DailyLimit).on_object("User").always());
    let collected = host.collect(5);
    assert_eq!(collected["status"], "paused", "{collected:#}");
    org.faults().clear();
    host.collect(0);
}

#[test]
fn a_maintenance_page_is_not_data() {
    let org = org();
    let host = Host::authorized(&org);
    org.faults().push(Fault::new(Action::HtmlPage).on_object("Profile"));
    org.faults().push(Fault::new(Action::EdgeUnavailable).on_object("UserRole"));
    assert_eq!(host.collect(0)["status"], "complete");
}

#[test]
fn a_check_after_a_run_that_was_not_complete_says_so_until_one_is() {
    let org = org();
    let host = Host::authorized(&org);
    host.collect(0);
    let (check, ran) = host.json(&["connectors", "check", NAME]);
    ran.code(0);
    assert_eq!(check["ok"], true);
    let page = Action::Status {
        code: 403,
        body: "<html><title>Access denied</title></html>".into(),
        content_type: Some("text/html".into()),
        headers: vec![],
    };
    org.faults().set([Fault::new(page).on_object("UserRole").on_path_with("/query").always()]);
    let run = host.run(&["collect", NAME]);
    assert_ne!(run.code, 0);
    org.faults().clear();
    let (check, ran) = host.json(&["connectors", "check", NAME]);
    ran.code(4);
    let findings = check["findings"].as_array().expect("findings");
    let last = findings.iter().find(|finding| finding["id"] == "run.last").expect("a finding");
    assert_eq!(last["status"], "partial", "{last}");
    host.collect(0);
    host.run(&["connectors", "check", NAME]).code(0);
}
