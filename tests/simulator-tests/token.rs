//! The token endpoint: grants other than the refresh, and what follows a token.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use salesforce_sim::{IpRestriction, Pkce, Policy, SimulatedOrg};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::client::{Answer, Story};

fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

fn error(error: &str, description: &str) -> (String, String) {
    (error.to_owned(), description.to_owned())
}

#[test]
fn the_answer_has_the_documented_keys_and_no_expiry() {
    let story = Story::new();
    let answer = story.exchange(&story.code(&[]), &[]);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/json;charset=UTF-8"));
    assert!(answer.header("cache-control").is_some_and(|value| value.contains("no-store")));
    let body = answer.json();
    let keys: BTreeSet<&str> =
        body.as_object().expect("an object").keys().map(String::as_str).collect();
    let expected = [
        "access_token",
        "id",
        "instance_url",
        "issued_at",
        "refresh_token",
        "scope",
        "signature",
        "token_type",
    ];
    assert_eq!(keys, expected.into());
    assert_eq!(body["instance_url"], "https://acme.my.salesforce.com");
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["scope"], "api id refresh_token");
    assert_eq!(body["issued_at"].as_str().map(str::len), Some(13), "milliseconds, as text");
    let access_token = body["access_token"].as_str().expect("a token");
    assert!(access_token.starts_with(&format!("{}!", &story.org.organization_id()[..15])));
    let id = format!("https://login.salesforce.com/id/{}/", story.org.organization_id());
    assert!(body["id"].as_str().is_some_and(|value| value.starts_with(&id)));
}

#[test]
fn a_code_works_once_and_for_fifteen_minutes() {
    let story = Story::new();
    let code = story.code(&[]);
    assert_eq!(story.exchange(&code, &[]).status, 200);
    assert_eq!(
        story.exchange(&code, &[]).oauth_error(),
        error("invalid_grant", "expired authorization code")
    );
    let code = story.code(&[]);
    story.org.advance(Duration::from_secs(15 * 60));
    assert_eq!(
        story.exchange(&code, &[]).oauth_error(),
        error("invalid_grant", "expired authorization code")
    );
    assert_eq!(
        story.exchange("aPrx%3D%3D", &[]).oauth_error(),
        error("invalid_grant", "invalid authorization code")
    );
}

#[test]
fn a_challenge_has_to_be_answered_by_its_verifier() {
    let story = Story::new();
    let verifier = "v".repeat(43);
    let code =
        story.code(&[("code_challenge", &challenge(&verifier)), ("code_challenge_method", "S256")]);
    assert_eq!(story.exchange(&code, &[]).oauth_error().0, "invalid_grant");
    assert_eq!(
        story.exchange(&code, &[("code_verifier", "wrong")]).oauth_error().0,
        "invalid_request"
    );
    assert_eq!(story.exchange(&code, &[("code_verifier", &verifier)]).status, 200);
}

#[test]
fn a_verifier_of_171_characters_is_accepted() {
    let story =
        Story::of(SimulatedOrg::builder().policy(|policy| policy.pkce = Pkce::Required).start());
    let verifier = "x".repeat(171);
    let code = story.code(&[("code_challenge", &challenge(&verifier))]);
    assert_eq!(story.exchange(&code, &[("code_verifier", &verifier)]).status, 200);
}

#[test]
fn the_callback_must_be_the_one_of_the_authorization() {
    let story = Story::new();
    let code = story.code(&[]);
    let request = |uri: &str| {
        story.token_request(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", uri),
        ])
    };
    let other = "https://test.salesforce.com/services/oauth2/success";
    let mismatch = error("redirect_uri_mismatch", "redirect_uri must match configuration");
    assert_eq!(request(other).oauth_error(), mismatch);
    assert_eq!(request("").oauth_error().0, "redirect_uri_missing");
}

#[test]
fn key_and_secret_are_checked_whenever_they_are_sent() {
    let story = Story::new();
    let refresh_token = story.org.issue_refresh_token();
    let request = |key: &str, secret: Option<&str>| {
        let mut form = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.as_str()),
            ("client_id", key),
        ];
        form.extend(secret.map(|secret| ("client_secret", secret)));
        story.post("/services/oauth2/token", &form)
    };
    let key = story.org.client_id();
    let bad_secret = error("invalid_client", "invalid client credentials");
    assert_eq!(
        request("3MVGwrong", None).oauth_error(),
        error("invalid_client_id", "client identifier invalid")
    );
    assert_eq!(request(key, Some("wrong")).oauth_error(), bad_secret);
    assert_eq!(request(key, None).oauth_error(), bad_secret);
    story.org.set_policy(|policy| policy.require_secret_for_refresh_token_flow = false);
    assert_eq!(request(key, None).status, 200);
    assert_eq!(request(key, Some("wrong")).oauth_error(), bad_secret);
}

#[test]
fn basic_credentials_are_as_good_as_those_of_the_form() {
    let story = Story::new();
    let refresh_token = story.org.issue_refresh_token();
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    let request = |secret: &str| {
        let request = story.client.post(story.url("/services/oauth2/token")).form(&form);
        Answer::of(
            request.basic_auth(story.org.client_id(), Some(secret)).send().expect("an answer"),
        )
    };
    assert_eq!(request(story.org.client_secret()).status, 200);
    assert_eq!(request("wrong").oauth_error().0, "invalid_client");
}

#[test]
fn the_answer_comes_in_the_form_that_was_asked_for() {
    let story = Story::new();
    let refresh_token = story.org.issue_refresh_token();
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.as_str()),
        ("format", "urlencoded"),
    ];
    let answer = story.token_request(&fields);
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-www-form-urlencoded;charset=UTF-8")
    );
    assert!(answer.text.starts_with("access_token=00D"));
    let refused = story.token_request(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", "x"),
        ("format", "xml"),
    ]);
    assert!(refused.text.contains("<error>invalid_grant</error>"), "{}", refused.text);
}

#[test]
fn other_grants_and_bodies_that_are_no_form_are_unsupported() {
    let story = Story::new();
    let unsupported = error("unsupported_grant_type", "grant type not supported");
    assert_eq!(story.token_request(&[("grant_type", "implicit")]).oauth_error(), unsupported);
    let json = story
        .client
        .post(story.url("/services/oauth2/token"))
        .json(&json!({"grant_type": "refresh_token"}));
    assert_eq!(Answer::of(json.send().expect("an answer")).oauth_error(), unsupported);
    assert_eq!(story.get("/services/oauth2/token").status, 405);
}

#[test]
fn client_credentials_need_a_switch_a_user_and_the_right_host() {
    let story = Story::new();
    let request = || story.token_request(&[("grant_type", "client_credentials")]);
    assert_eq!(
        request().oauth_error(),
        error("invalid_grant", "client credentials flow not enabled")
    );
    story.org.set_policy(|policy| policy.client_credentials_flow = true);
    assert_eq!(
        request().oauth_error(),
        error("invalid_grant", "no client credentials user enabled")
    );
    let run_as = story.org.username().to_owned();
    story.org.set_policy(|policy| policy.run_as = Some(run_as));
    let body = request().json();
    assert_eq!(body["scope"], "api id");
    assert!(body.get("refresh_token").is_none());
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", story.org.client_id()),
        ("client_secret", story.org.client_secret()),
    ];
    let elsewhere =
        story.client.post("https://login.salesforce.com/services/oauth2/token").form(&form);
    let answer = Answer::of(elsewhere.send().expect("an answer"));
    assert_eq!(
        answer.oauth_error(),
        error("invalid_grant", "request not supported on this domain")
    );
}

#[test]
fn the_password_flow_is_blocked_until_the_org_allows_it() {
    let story = Story::new();
    let password = format!("{}{}", story.org.password(), story.org.security_token());
    let request = |password: &str| {
        story.token_request(&[
            ("grant_type", "password"),
            ("username", story.org.username()),
            ("password", password),
        ])
    };
    let failure = error("invalid_grant", "authentication failure");
    assert_eq!(request(&password).oauth_error(), failure);
    story.org.set_policy(|policy| policy.password_flow = true);
    assert_eq!(request(story.org.password()).oauth_error(), failure, "without the security token");
    assert_eq!(request(&password).status, 200);
}

#[test]
fn each_policy_has_its_refusal() {
    let story = Story::new();
    let refresh_token = story.org.issue_refresh_token();
    let refused = |change: fn(&mut Policy)| {
        story.org.set_policy(|policy| *policy = Policy::default());
        story.org.set_policy(change);
        story.refresh(&refresh_token).oauth_error()
    };
    assert_eq!(
        refused(|policy| policy.user_inactive = true),
        error("invalid_grant", "inactive user")
    );
    assert_eq!(
        refused(|policy| policy.org_inactive = true),
        error("invalid_grant", "inactive organization")
    );
    assert_eq!(
        refused(|policy| policy.ip_restriction = IpRestriction::Refresh),
        error("invalid_grant", "ip restricted")
    );
    let hours = error("invalid_grant", "ip restricted or invalid login hours");
    assert_eq!(refused(|policy| policy.outside_login_hours = true), hours);
    let approval = error("invalid_app_access", "user is not admin approved to access this app");
    assert_eq!(refused(|policy| policy.not_admin_approved = true), approval);
    assert_eq!(
        refused(|policy| policy.logins_per_hour = 0),
        error("rate_limit_exceeded", "login rate exceeded")
    );
}

#[test]
fn revoking_a_refresh_token_ends_its_sessions_but_not_the_other_way_round() {
    let story = Story::new();
    let refresh_token = story.org.issue_refresh_token();
    let access_token = || {
        story.refresh(&refresh_token).json()["access_token"].as_str().expect("a token").to_owned()
    };
    let works = |token: &str| {
        let request = story.client.get(story.url("/services/data/v60.0/limits")).bearer_auth(token);
        request.send().expect("an answer").status() == 200
    };
    let first = access_token();
    let revoked = story.post("/services/oauth2/revoke", &[("token", &first)]);
    assert_eq!((revoked.status, revoked.text.as_str()), (200, ""));
    assert!(!works(&first));
    let second = access_token();
    assert!(works(&second));
    assert_eq!(story.post("/services/oauth2/revoke", &[("token", &refresh_token)]).status, 200);
    assert!(!works(&second));
    assert_eq!(
        story.refresh(&refresh_token).oauth_error(),
        error("invalid_grant", "expired access/refresh token")
    );
    assert_eq!(
        story.post("/services/oauth2/revoke", &[("token", &refresh_token)]).oauth_error().0,
        "invalid_token"
    );
    let unknown = story.post("/services/oauth2/revoke", &[("token", "nonsense")]);
    assert_eq!(unknown.oauth_error().0, "unsupported_token_type");
}

#[test]
fn introspection_tells_when_an_opaque_token_ends() {
    let story = Story::new();
    let ask = |token: &str| {
        let secret = story.org.client_secret();
        story.post(
            "/services/oauth2/introspect",
            &[("token", token), ("client_id", story.org.client_id()), ("client_secret", secret)],
        )
    };
    let body = ask(&story.token).json();
    assert_eq!((&body["active"], &body["token_type"]), (&json!(true), &json!("access_token")));
    assert_eq!(body["username"], story.org.username());
    assert!(body["exp"].as_i64() > body["iat"].as_i64());
    story.org.expire_sessions();
    assert_eq!(ask(&story.token).json(), json!({"active": false}));
}

#[test]
fn userinfo_and_identity_name_the_user_or_refuse_in_plain_text() {
    let story = Story::new();
    let user = story.get("/services/oauth2/userinfo").json();
    assert_eq!(user["preferred_username"], story.org.username());
    assert_eq!(user["organization_id"], json!(story.org.organization_id()));
    let path =
        format!("/id/{}/{}", story.org.organization_id(), user["user_id"].as_str().expect("an id"));
    let identity = story.get(&path).json();
    assert_eq!(identity["username"], story.org.username());
    assert_eq!(
        identity["urls"]["rest"],
        "https://acme.my.salesforce.com/services/data/v{version}/"
    );
    let latest = story.get(&format!("{path}?version=latest")).json();
    assert_eq!(latest["urls"]["rest"], "https://acme.my.salesforce.com/services/data/v66.0/");
    story.org.expire_sessions();
    for path in ["/services/oauth2/userinfo", path.as_str()] {
        let refused = story.get(path);
        assert_eq!((refused.status, refused.text.as_str()), (403, "Bad_OAuth_Token"));
        assert!(refused.header("content-type").is_some_and(|value| value.starts_with("text/html")));
    }
}

#[test]
fn the_form_of_the_answer_can_be_asked_for_by_accept() {
    let story = Story::new();
    let refresh_token = story.org.issue_refresh_token();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.as_str()),
        ("client_id", story.org.client_id()),
        ("client_secret", story.org.client_secret()),
    ];
    let ask = |accept: &str| {
        let request = story.client.post(story.url("/services/oauth2/token")).form(&form);
        Answer::of(request.header("Accept", accept).send().expect("an answer"))
    };
    assert!(ask("application/x-www-form-urlencoded").text.starts_with("access_token=00D"));
    assert!(ask("application/xml").text.contains("<access_token>00D"));
    assert!(ask("application/json").text.starts_with('{'));
    assert!(ask("*/*").text.starts_with('{'));
}

#[test]
fn the_signature_is_an_hmac_of_identity_and_time() {
    let story = Story::of(SimulatedOrg::builder().client_secret("s").start());
    let body = story.refresh(&story.org.issue_refresh_token()).json();
    let text = |key: &str| body[key].as_str().expect("text").to_owned();
    let mut block = [0_u8; 64];
    block[0] = b's';
    let inner = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(text("id") + &text("issued_at"))
        .finalize();
    let outer =
        Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize();
    assert_eq!(text("signature"), base64::engine::general_purpose::STANDARD.encode(outer));
}

#[test]
fn parts_of_the_answer_can_be_absent_and_more_can_be_there() {
    let story = Story::of(
        SimulatedOrg::builder()
            .policy(|policy| {
                policy.omit_signature = true;
                policy.omit_scope = true;
                policy.extra_token_keys = true;
            })
            .start(),
    );
    let body = story.refresh(&story.org.issue_refresh_token()).json();
    assert!(body.get("signature").is_none() && body.get("scope").is_none());
    assert_eq!(body["token_format"], "opaque");
    let subset = story.exchange(&story.code(&[("scope", "api")]), &[]).json();
    assert!(subset.get("refresh_token").is_none(), "that scope was not asked for");
}

#[test]
fn without_pkce_a_challenge_is_ignored() {
    let story = Story::of(SimulatedOrg::builder().policy(|policy| policy.pkce = Pkce::Off).start());
    let code = story.code(&[("code_challenge", &challenge("v"))]);
    assert_eq!(story.exchange(&code, &[("code_verifier", "another")]).status, 200);
}

#[test]
fn the_secret_is_needed_for_each_flow_by_its_own_switch() {
    let story = Story::new();
    story.org.set_policy(|policy| policy.require_secret_for_web_server_flow = false);
    let code = story.code(&[]);
    let redirect_uri = story.org.redirect_uri();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", redirect_uri.as_str()),
        ("client_id", story.org.client_id()),
    ];
    let body = story.post("/services/oauth2/token", &form).json();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", body["refresh_token"].as_str().expect("a token")),
        ("client_id", story.org.client_id()),
    ];
    assert_eq!(story.post("/services/oauth2/token", &form).oauth_error().0, "invalid_client");
    story.org.set_policy(|policy| policy.require_secret_for_refresh_token_flow = false);
    assert_eq!(story.post("/services/oauth2/token", &form).status, 200);
}
