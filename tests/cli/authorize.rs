//! Authorize: every grant, everything a person may paste into the Token field, with and without
//! rotation of refresh tokens; giving a grant back; an org that moves.

use salesforce_sim::{Action, AppKey, Fault, SimulatedOrg};
use serde_json::{Value, json};

use crate::host::{Host, NAME, Ran};

const TOKEN: [&str; 5] = ["connectors", "authorize", NAME, "--token-file", "-"];
const COLLECT: [&str; 4] = ["collect", NAME, "--dataset", "organization"];

fn org(rotation: bool) -> SimulatedOrg {
    let org = SimulatedOrg::builder()
        .users(20)
        .logins_per_user(1)
        .app_certificate(AppKey::test().certificate_pem())
        .policy(|policy| {
            policy.rotate_refresh_tokens = rotation;
            policy.client_credentials_flow = true;
            policy.password_flow = true;
            // A table of pastes approves often; the limit of five has a story of its own.
            policy.approvals_per_user = 1_000;
        })
        .start();
    let username = org.username().to_owned();
    org.set_policy(|policy| {
        policy.run_as = Some(username.clone());
        policy.pre_authorized.insert(username);
    });
    org
}

/// A host with a connector of that grant, not authorized yet.
fn host_with(org: &SimulatedOrg, grant: &str) -> Host {
    let host = Host::behind(org);
    host.run(&["features", "enable", "salesforce"]).ok();
    let secret = host.write("client-secret", org.client_secret());
    let key = host.write("key.pem", AppKey::test().private_key_pem());
    let password = host.write("password", org.password());
    let security_token = host.write("security-token", org.security_token());
    let file = |path: &std::path::Path| path.to_str().expect("a path").to_owned();
    let mut arguments: Vec<String> = [
        "connectors",
        "new",
        "salesforce",
        "--name",
        NAME,
        "--domain",
        org.my_domain_host(),
        "--client-id",
        org.client_id(),
        "--set",
        &format!("grant={grant}"),
    ]
    .map(str::to_owned)
    .to_vec();
    let mut add = |more: &[String]| arguments.extend_from_slice(more);
    if grant != "jwt_bearer" {
        add(&["--client-secret-file".into(), file(&secret)]);
    }
    if ["jwt_bearer", "username_password"].contains(&grant) {
        add(&["--set".into(), format!("username={}", org.username())]);
    }
    if grant == "jwt_bearer" {
        add(&["--set-file".into(), format!("private_key={}", file(&key))]);
    }
    if grant == "username_password" {
        add(&["--set-file".into(), format!("password={}", file(&password))]);
        add(&["--set-file".into(), format!("security_token={}", file(&security_token))]);
    }
    host.run(&arguments).ok();
    host
}

/// What a browser shows after Allow on a link that nobody of ours made.
fn approved(org: &SimulatedOrg, response_type: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("response_type", response_type)
        .append_pair("client_id", org.client_id())
        .append_pair("redirect_uri", &org.redirect_uri())
        .finish();
    org.approve(&format!("https://{}/services/oauth2/authorize?{query}", org.my_domain_host()))
}

/// The address after Allow on the connector's own link, or on another where its grant makes none.
fn code_address(org: &SimulatedOrg, host: &Host, grant: &str) -> String {
    if grant == "authorization_code" {
        let link = host.run(&["connectors", "authorize", NAME, "--print-url"]).ok().stdout;
        return org.approve(link.trim());
    }
    approved(org, "code")
}

fn parameter(address: &str, name: &str) -> String {
    let address = address.replace('#', "?");
    let (_, query) = address.split_once('?').expect("parameters");
    let found = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
    found.unwrap_or_else(|| panic!("no {name} in {address}")).1.into_owned()
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A form the paste of a code can take, made from the address it came in.
type CodeForm = (&'static str, fn(&str) -> String);

const CODE_FORMS: [CodeForm; 12] = [
    ("the whole address", |address| address.to_owned()),
    ("the address in quotes", |address| format!("\"{address}\"")),
    ("the address in angle brackets", |address| format!("<{address}>")),
    ("the address with line breaks", |address| {
        let (one, two) = address.split_at(60);
        format!("{one}\r\n{two}\r\n")
    }),
    ("the address with zero-width characters", |address| format!("\u{feff}{address}\u{200b}")),
    ("the parameters alone", |address| address.split_once('?').expect("parameters").1.to_owned()),
    ("the code's parameter alone", |address| {
        format!("code={}", encoded(&parameter(address, "code")))
    }),
    ("the code", |address| parameter(address, "code")),
    ("the code as it stands in the address", |address| encoded(&parameter(address, "code"))),
    ("the code encoded twice", |address| encoded(&encoded(&parameter(address, "code")))),
    ("the code without its end", |address| {
        parameter(address, "code").trim_end_matches('=').to_owned()
    }),
    ("the code in a sentence's quotes", |address| {
        format!(" \u{201c}{}\u{201d} ", parameter(address, "code"))
    }),
];

/// A form the paste of a refresh token can take, made from the address of the user-agent flow.
type TokenForm = (&'static str, fn(&str, &SimulatedOrg) -> String);

const TOKEN_FORMS: [TokenForm; 7] = [
    ("the user-agent flow's address", |address, _| address.to_owned()),
    ("its fragment alone", |address, _| address.split_once('#').expect("a fragment").1.to_owned()),
    ("the refresh token", |address, _| parameter(address, "refresh_token")),
    ("the refresh token, encoded", |address, _| encoded(&parameter(address, "refresh_token"))),
    ("the refresh token over two lines", |address, _| {
        let token = parameter(address, "refresh_token");
        format!("{}\n{}", &token[..30], &token[30..])
    }),
    ("a token response", |address, _| {
        json!({
            "access_token": parameter(address, "access_token"),
            "refresh_token": parameter(address, "refresh_token"),
            "instance_url": parameter(address, "instance_url"),
            "id": parameter(address, "id"),
            "unknown": { "key": [1, 2] },
        })
        .to_string()
    }),
    ("an sf CLI auth URL", |address, org| {
        let (id, host) = (org.client_id(), org.my_domain_host());
        format!("force://{id}::{}@{host}", parameter(address, "refresh_token"))
    }),
];

/// What is refused, with a part of the sentence that says why.
const WRONG: [(&str, &str); 12] = [
    ("AbCdEfGhIjKlMnOpQrStUvWx", "Security Token"),
    ("AbCdEfGhIjKlMnOpQrStUvWxY", "Security Token"),
    ("3MVG9sampleConsumerKey.0123456789", "Consumer Key"),
    ("hello", "neither a code nor a token"),
    ("https://login.salesforce.com/services/oauth2/success", "an address without a code or token"),
    (
        "https://login.salesforce.com/services/oauth2/success?error=access_denied&error_description=end-user+denied+authorization",
        "access_denied",
    ),
    (
        "https://login.salesforce.com/services/oauth2/success#error=access_denied&error_description=end-user+denied+authorization",
        "access_denied",
    ),
    (
        "https://login.salesforce.com/services/oauth2/success?code=aPrxSomeoneElses.Code0123456789%3D%3D&state=foreign",
        "does not belong to a link",
    ),
    (
        "force://PlatformCLI::5Aep861OtherClient.0123456789abcdef==@acme.my.salesforce.com",
        "PlatformCLI",
    ),
    ("{\"a\":1}", "the JSON holds no token"),
    ("5Aep861.ThisTokenWasNeverIssuedByAnyone.0123456789abcdef==", "expired access/refresh token"),
    ("ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ", "neither as a refresh token"),
];

/// The paste ends authorized, and the grant works: also after its session ended, if it is renewable.
#[track_caller]
fn ends_authorized(org: &SimulatedOrg, host: &Host, what: &str, ran: Ran) {
    assert_eq!(ran.code, 0, "{what}: {ran:#?}");
    let (connectors, _) = host.json(&["connectors", "list"]);
    assert_eq!(connectors[0]["authorized"], true, "{what}");
    let grant = &connectors[0]["grant"];
    assert_eq!(grant["username"], org.username(), "{what}: {grant:#}");
    assert_eq!(grant["organization_id"], org.organization_id(), "{what}: {grant:#}");
}

#[test]
fn every_form_of_paste_under_every_grant_ends_authorized_or_refused_with_its_reason() {
    for rotation in [false, true] {
        let org = org(rotation);
        for grant in ["authorization_code", "refresh_token", "user_agent"] {
            let host = host_with(&org, grant);
            let paste = |text: &str| host.run_with_input(&TOKEN, text);
            let row = |form: &str| format!("{form}, grant {grant}, rotation {rotation}");
            for (form, make) in CODE_FORMS {
                let text = make(&code_address(&org, &host, grant));
                ends_authorized(&org, &host, &row(form), paste(&text));
            }
            for (form, make) in TOKEN_FORMS {
                let text = make(&approved(&org, "token"), &org);
                ends_authorized(&org, &host, &row(form), paste(&text));
            }
            org.expire_sessions();
            host.run(&COLLECT).ok();
            let before = host.json(&["connectors", "list"]).0[0]["grant"].clone();
            for (text, why) in WRONG {
                let ran = paste(text);
                assert!(ran.code == 3 && ran.stderr.contains(why), "{}: {ran:#?}", row(text));
                assert!(ran.stderr.lines().any(|line| line.starts_with("hint:")), "{ran:#?}");
            }
            assert_eq!(paste("\n").code, 2, "nothing was pasted");
            let after = host.json(&["connectors", "list"]).0[0]["grant"].clone();
            assert_eq!(before, after, "a refused paste changes nothing");
            // An access token is accepted with a warning, and cannot be renewed.
            let ran = paste(&org.issue_access_token()).ok().shows("cannot be renewed");
            drop(ran);
            host.run(&COLLECT).ok();
            org.expire_sessions();
            host.run(&COLLECT).code(3);
        }
        assert!(org.violations().is_empty(), "{:#?}", org.violations());
    }
}

#[test]
fn grants_that_need_no_person_are_granted_at_once_and_again_whenever_a_session_ends() {
    for rotation in [false, true] {
        let org = org(rotation);
        for grant in ["client_credentials", "jwt_bearer", "username_password"] {
            let host = host_with(&org, grant);
            let ran = host.run(&["connectors", "authorize", NAME]);
            ends_authorized(&org, &host, grant, ran);
            let (connectors, _) = host.json(&["connectors", "list"]);
            assert_eq!(connectors[0]["grant"]["grant"], grant);
            assert_eq!(connectors[0]["grant"]["renewable"], true, "{connectors:#}");
            for _ in 0..3 {
                org.expire_sessions();
                host.run(&COLLECT).ok();
            }
            // A Token is not needed, and pasting one does no harm.
            host.run_with_input(&TOKEN, "AbCdEfGhIjKlMnOpQrStUvWx").ok().shows("needs no Token");
        }
        assert!(org.violations().is_empty(), "{:#?}", org.violations());
    }
}

#[test]
fn miswritten_settings_are_all_named_at_once_by_field() {
    let host = Host::new();
    host.run(&["features", "enable", "salesforce"]).ok();
    let (document, ran) = host.json(&[
        "connectors",
        "new",
        "salesforce",
        "--name",
        "n",
        "--domain",
        "login",
        "--client-id",
        "has space",
        "--set",
        "grant=client_credentials",
        "--set",
        "redirect_uri=ftp://x",
        "--set",
        "api_version=7",
        "--set",
        "proxy=nowhere",
        "--set",
        "login_history_days=many",
    ]);
    ran.code(2);
    let problems = document["error"]["problems"].as_array().expect("problems");
    let fields: Vec<&str> =
        problems.iter().filter_map(|problem| problem["field"].as_str()).collect();
    for field in [
        "client_id",
        "client_secret",
        "domain",
        "redirect_uri",
        "api_version",
        "login_history_days",
        "proxy",
    ] {
        assert!(fields.contains(&field), "`{field}` is not among {fields:?}");
    }
    assert!(problems.iter().all(|problem| problem["hint"].is_string()), "{problems:#?}");
    let (connectors, _) = host.json(&["connectors", "list"]);
    assert_eq!(connectors, json!([]), "nothing is half-saved");
}

#[test]
fn the_sixth_approval_pushes_the_first_out_and_the_message_says_so() {
    let org = SimulatedOrg::builder().users(20).start();
    let host = Host::authorized(&org);
    for _ in 0..5 {
        drop(org.issue_refresh_token());
    }
    org.expire_sessions();
    let ran = host.run(&COLLECT).code(3);
    assert!(ran.stderr.contains("sixth approval") || ran.stderr.contains("five"), "{ran:#?}");
    let (connectors, _) = host.json(&["connectors", "list"]);
    assert_eq!(connectors[0]["attention"]["kind"], "auth", "{connectors:#}");
}

fn authorized_text(host: &Host) -> Value {
    host.json(&["connectors", "list"]).0[0].clone()
}

#[test]
fn a_grant_is_revoked_at_salesforce_and_forgotten_here() {
    let org = SimulatedOrg::builder().users(20).start();
    let host = Host::authorized(&org);
    let (ended, ran) = host.json(&["connectors", "deauthorize", NAME]);
    ran.ok();
    assert_eq!((&ended["revoked"], &ended["forgotten"]), (&json!(true), &json!(true)), "{ended:#}");
    let connector = authorized_text(&host);
    assert_eq!(connector["authorized"], false);
    assert_eq!(connector["grant"], json!(null));
    let revoked = org
        .journal()
        .iter()
        .any(|entry| entry.path == "/services/oauth2/revoke" && entry.status == Some(200));
    assert!(revoked, "Salesforce was told");
    host.run(&COLLECT).code(3).one_error("not authorized", "connectors authorize");
    host.run(&["connectors", "deauthorize", NAME])
        .code(2)
        .one_error("is not authorized", "nothing to give back");
    // The connector's own secret stayed: a new authorization needs no other step.
    host.authorize(&org).ok();
    host.run(&COLLECT).ok();
}

#[test]
fn a_grant_that_cannot_be_revoked_is_shown_as_still_live_and_not_used() {
    let org = SimulatedOrg::builder().users(20).start();
    let host = Host::authorized(&org);
    let reset = Fault::new(Action::Reset { bytes: None });
    org.faults().push(reset.on_path("/services/oauth2/revoke").always());
    let ran = host.run(&["connectors", "deauthorize", NAME]).code(4);
    ran.shows("still live").shows("Connected Apps OAuth Usage");
    let connector = authorized_text(&host);
    assert_eq!(connector["authorized"], false);
    assert_eq!(connector["still_live_at_vendor"], true);
    host.run(&["connectors", "list"]).ok().shows("still live");
    host.run(&COLLECT).code(3);

    // The revocation can be tried again.
    org.faults().clear();
    host.run(&["connectors", "deauthorize", NAME]).ok();
    assert_eq!(authorized_text(&host)["still_live_at_vendor"], false);

    // Deleting gives the grant back too, and says when it could not.
    host.authorize(&org).ok();
    let token = org.issued_secrets().pop().expect("tokens");
    assert!(!token.is_empty());
    let before = org.journal().len();
    host.run(&["connectors", "delete", NAME, "--yes"]).ok().shows("its grant is revoked");
    assert!(org.journal()[before..].iter().any(|entry| entry.path == "/services/oauth2/revoke"));
    host.create(&org).ok();
    host.authorize(&org).ok();
    let reset = Fault::new(Action::Reset { bytes: None });
    org.faults().push(reset.on_path("/services/oauth2/revoke").always());
    host.run(&["connectors", "delete", NAME, "--yes"]).code(4).shows("still live");
    assert_eq!(host.json(&["connectors", "list"]).0, json!([]));
}

#[test]
fn an_org_that_moves_is_followed_only_with_the_operators_yes() {
    let org = SimulatedOrg::builder()
        .users(20)
        .policy(|policy| policy.rotate_refresh_tokens = true)
        .start();
    let host = Host::authorized(&org);
    host.collect(0);
    org.move_to("acme2.my.salesforce.com");
    org.expire_sessions();
    let ran = host.run(&COLLECT).code(2);
    ran.one_error("acme2.my.salesforce.com", "--accept-host acme2.my.salesforce.com");
    host.run(&["connectors", "authorize", NAME, "--accept-host", "acme3.my.salesforce.com"])
        .code(2);
    host.run(&["connectors", "authorize", NAME, "--accept-host", "acme2.my.salesforce.com"]).ok();
    host.run(&COLLECT).ok();
    let connector = authorized_text(&host);
    assert_eq!(connector["grant"]["instance_url"], "https://acme2.my.salesforce.com");
    assert_eq!(org.grants_lost_to_replay(), 0, "the rotated token was kept");
}

#[test]
fn a_grant_of_another_org_is_refused_unless_the_change_is_meant() {
    let first = SimulatedOrg::builder().users(20).seed(1).start();
    let mut host = Host::authorized(&first);
    host.collect(0);
    let second = SimulatedOrg::builder()
        .users(20)
        .seed(2)
        .client_id(first.client_id())
        .client_secret(first.client_secret())
        .start();
    second.write_ca(host.path("ca.pem")).expect("the CA file");
    host.set("HTTPS_PROXY", &second.proxy_url());
    host.authorize(&second).code(3).one_error(&second.organization_id(), "--accept-org-change");
    assert_eq!(authorized_text(&host)["grant"]["organization_id"], first.organization_id());
    let link = host.run(&["connectors", "authorize", NAME, "--print-url"]).ok().stdout;
    let address = second.approve(link.trim());
    host.run_with_input(&[&TOKEN[..], &["--accept-org-change"]].concat(), &address).ok();
    assert_eq!(authorized_text(&host)["grant"]["organization_id"], second.organization_id());
}

#[test]
fn the_sealing_key_can_be_changed_and_a_kill_at_any_moment_leaves_a_key_that_opens_all() {
    let org = SimulatedOrg::builder().users(20).start();
    let host = Host::authorized(&org);
    let key = || std::fs::read(host.home().join("key")).expect("the key");
    let before = key();
    host.run(&["connectors", "rotate-key"]).ok();
    assert_ne!(key(), before);
    host.run(&COLLECT).ok();
    let whole = std::time::Instant::now();
    host.run(&["connectors", "rotate-key"]).ok();
    let whole = whole.elapsed();
    for round in 0..40_u32 {
        let mut command = host.command(&["connectors", "rotate-key"]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().expect("the host starts");
        testkit::pass(child.id(), whole * round / 40);
        child.kill().expect("killed");
        child.wait().expect("ended");
        host.run(&["connectors", "show", NAME]).ok();
    }
    host.run(&COLLECT).ok();
    assert!(!host.home().join("key.next").exists());
}
