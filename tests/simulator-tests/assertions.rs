//! The JWT bearer flow, and an app that signs instead of sending its secret.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::SignatureScheme;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use salesforce_sim::{AppKey, Edition, OrgBuilder, SimulatedOrg, StartError};
use serde_json::{Value, json};

use crate::client::{Answer, Story};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const NOT_APPROVED: &str = "user hasn't approved this consumer";

fn signed_as(header: &Value, claims: &Value, key: &AppKey) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let key = PrivateKeyDer::from_pem_slice(key.private_key_pem().as_bytes()).expect("a key");
    let signature = rustls::crypto::ring::sign::any_supported_type(&key)
        .expect("RSA")
        .choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])
        .expect("RS256")
        .sign(message.as_bytes())
        .expect("a signature");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn signed(claims: &Value, key: &AppKey) -> String {
    signed_as(&json!({"alg": "RS256"}), claims, key)
}

fn builder() -> OrgBuilder {
    SimulatedOrg::builder().users(30).app_certificate(AppKey::test().certificate_pem())
}

/// An org whose user is pre-authorized.
fn ready() -> Story {
    let story = Story::of(builder().start());
    let username = story.org.username().to_owned();
    story.org.set_policy(|policy| {
        policy.pre_authorized.insert(username);
    });
    story
}

/// Good claims, with some of them replaced.
fn claims(story: &Story, other: &Value) -> Value {
    let mut claims = json!({
        "iss": story.org.client_id(),
        "sub": story.org.username(),
        "aud": "https://login.salesforce.com",
        "exp": story.org.now().timestamp() + 180,
    });
    let other = other.as_object().expect("an object").clone();
    claims.as_object_mut().expect("an object").extend(other);
    claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    claims
}

fn ask(story: &Story, assertion: &str) -> Answer {
    story.post("/services/oauth2/token", &[("grant_type", GRANT), ("assertion", assertion)])
}

fn ask_with(story: &Story, other: &Value) -> Answer {
    ask(story, &signed(&claims(story, other), &AppKey::test()))
}

fn refused(story: &Story, other: &Value) -> (String, String) {
    ask_with(story, other).oauth_error()
}

fn grant_error(description: &str) -> (String, String) {
    ("invalid_grant".to_owned(), description.to_owned())
}

#[test]
fn a_signed_assertion_is_exchanged_for_a_session_and_never_for_a_refresh_token() {
    let mut story = ready();
    let answer = ask_with(&story, &json!({}));
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    for absent in ["refresh_token", "signature", "issued_at", "expires_in"] {
        assert!(body.get(absent).is_none(), "{absent}");
    }
    assert_eq!(body["scope"], "api id");
    assert_eq!(body["instance_url"], "https://acme.my.salesforce.com");
    story.token = body["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(
        story.get("/services/oauth2/userinfo").json()["preferred_username"],
        story.org.username()
    );
    assert!(story.org.violations().is_empty());
}

#[test]
fn prn_wins_over_sub() {
    let story = ready();
    let name = story.org.username();
    assert_eq!(ask_with(&story, &json!({"sub": "nobody@acme.example", "prn": name})).status, 200);
    assert_eq!(refused(&story, &json!({"prn": "nobody@acme.example"})), grant_error(NOT_APPROVED));
    assert_eq!(ask_with(&story, &json!({"sub": null, "prn": name})).status, 200);
}

#[test]
fn milliseconds_and_a_distant_end_are_accepted() {
    let story = ready();
    let now = story.org.now();
    assert_eq!(ask_with(&story, &json!({"exp": now.timestamp_millis() + 300})).status, 200);
    let text = (now.timestamp() + 180).to_string();
    assert_eq!(ask_with(&story, &json!({"exp": text})).status, 200, "as a text");
    let in_a_year = now.timestamp() + 365 * 86_400;
    assert_eq!(ask_with(&story, &json!({"exp": in_a_year})).status, 200);
    let ended = now.timestamp_millis() - 200_000;
    assert_eq!(refused(&story, &json!({"exp": ended})), grant_error("invalid assertion"));
}

#[test]
fn an_assertion_ends_three_minutes_after_its_time() {
    let story = ready();
    let now = story.org.now().timestamp();
    assert_eq!(ask_with(&story, &json!({"exp": now - 170})).status, 200);
    for exp in [json!(now - 190), json!(null), json!("soon")] {
        assert_eq!(refused(&story, &json!({"exp": exp})), grant_error("invalid assertion"));
    }
}

#[test]
fn a_clock_that_is_ahead_refuses_an_assertion_that_is_good_elsewhere() {
    let story = ready();
    story.org.set_policy(|policy| policy.clock_offset_seconds = 600);
    assert_eq!(refused(&story, &json!({})), grant_error("invalid assertion"));
    let shown = story.get("/services/data").header("date").expect("a date").to_owned();
    let shown = chrono::DateTime::parse_from_rfc2822(&shown).expect("a date");
    let ahead = (shown.to_utc() - story.org.now()).num_seconds();
    assert!((590..=600).contains(&ahead), "{ahead}");
    story.org.set_policy(|policy| policy.clock_offset_seconds = -600);
    assert_eq!(ask_with(&story, &json!({"exp": story.org.now().timestamp() - 300})).status, 200);
}

#[test]
fn each_wrong_claim_has_its_refusal() {
    let story = ready();
    for audience in ["https://test.salesforce.com", "https://acme.my.salesforce.com", "", "x"] {
        let other = json!({"aud": audience});
        assert_eq!(refused(&story, &other), grant_error("audience is invalid"), "{audience}");
    }
    let unknown = ("invalid_client_id".to_owned(), "client identifier invalid".to_owned());
    assert_eq!(refused(&story, &json!({"iss": "3MVGwrong"})), unknown);
    assert_eq!(refused(&story, &json!({"sub": "nobody@acme.example"})), grant_error(NOT_APPROVED));
}

#[test]
fn only_rs256_by_the_registered_key_is_a_signature() {
    let story = ready();
    let claims = claims(&story, &json!({}));
    let invalid = grant_error("invalid assertion");
    assert_eq!(ask(&story, &signed(&claims, &AppKey::other())).oauth_error(), invalid);
    let none = signed_as(&json!({"alg": "none"}), &claims, &AppKey::test());
    assert_eq!(ask(&story, &none).oauth_error(), invalid);
    let good = signed(&claims, &AppKey::test());
    let (head, _) = good.rsplit_once('.').expect("three parts");
    for text in ["", "nonsense", "a.b.c", head, &format!("{head}.")] {
        assert_eq!(ask(&story, text).oauth_error(), invalid, "{text}");
    }
    let (_, payload) = head.split_once('.').expect("two parts");
    let changed = good.replace(payload, &URL_SAFE_NO_PAD.encode(claims.to_string() + " "));
    assert_eq!(ask(&story, &changed).oauth_error(), invalid);
    assert_eq!(ask(&story, &good).status, 200);
}

#[test]
fn without_a_certificate_every_assertion_is_refused() {
    let story = Story::of(SimulatedOrg::builder().users(30).start());
    assert_eq!(refused(&story, &json!({})), grant_error("invalid assertion"));
    let started = SimulatedOrg::builder().app_certificate("nonsense").try_start();
    assert!(matches!(started, Err(StartError::AppCertificate)));
}

#[test]
fn the_user_is_pre_authorized_or_has_approved_the_app_before() {
    let story = Story::of(builder().start());
    let refusal = grant_error(NOT_APPROVED);
    assert_eq!(refused(&story, &json!({})), refusal);
    let refresh_token = story.org.issue_refresh_token();
    assert_eq!(ask_with(&story, &json!({})).status, 200);
    assert_eq!(story.post("/services/oauth2/revoke", &[("token", &refresh_token)]).status, 200);
    assert_eq!(refused(&story, &json!({})), refusal);
}

#[test]
fn the_users_own_state_counts_as_in_every_grant() {
    let story = ready();
    story.org.set_policy(|policy| policy.user_inactive = true);
    assert_eq!(refused(&story, &json!({})), grant_error("inactive user"));
    story.org.set_policy(|policy| policy.org_inactive = true);
    assert_eq!(refused(&story, &json!({})), grant_error("inactive organization"));
}

#[test]
fn the_audience_of_a_sandbox_is_test() {
    let edition = Edition::Sandbox { name: "uat".to_owned() };
    let story = Story::of(builder().edition(edition).start());
    story.org.issue_refresh_token();
    assert_eq!(refused(&story, &json!({})), grant_error("audience is invalid"));
    assert_eq!(ask_with(&story, &json!({"aud": "https://test.salesforce.com"})).status, 200);
}

/// The claims an app authenticates itself with.
fn client_claims(story: &Story) -> Value {
    json!({
        "iss": story.org.client_id(),
        "sub": story.org.client_id(),
        "aud": "https://acme.my.salesforce.com/services/oauth2/token",
        "exp": story.org.now().timestamp() + 60,
    })
}

#[test]
fn an_app_can_sign_instead_of_sending_its_secret() {
    let story = Story::of(builder().start());
    let assertion = signed(&client_claims(&story), &AppKey::test());
    let redirect_uri = story.org.redirect_uri();
    let post = |grant: &[(&str, &str)], assertion: &str| {
        let mut form =
            vec![("client_assertion_type", CLIENT_ASSERTION), ("client_assertion", assertion)];
        form.extend_from_slice(grant);
        story.post("/services/oauth2/token", &form)
    };
    let code = story.code(&[]);
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", redirect_uri.as_str()),
    ];
    let body = post(&exchange, &assertion).json();
    let refresh_token = body["refresh_token"].as_str().expect("a token");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    assert_eq!(post(&refresh, &assertion).status, 200);
    let bad = ("invalid_client".to_owned(), "invalid client credentials".to_owned());
    let other = signed(&client_claims(&story), &AppKey::other());
    assert_eq!(post(&refresh, &other).oauth_error(), bad);
    let mut elsewhere = client_claims(&story);
    elsewhere["aud"] = json!("https://evil.example");
    assert_eq!(post(&refresh, &signed(&elsewhere, &AppKey::test())).oauth_error(), bad);
    story.org.advance(Duration::from_secs(600));
    assert_eq!(post(&refresh, &assertion).oauth_error(), bad, "it is over");
    // A secret that is sent is what counts.
    let mut with_secret = refresh.to_vec();
    with_secret.extend([("client_id", story.org.client_id()), ("client_secret", "wrong")]);
    let good = signed(&client_claims(&story), &AppKey::test());
    assert_eq!(post(&with_secret, &good).oauth_error(), bad);
}
