//! Everything a person may paste as the Token, by every grant that takes one, with rotation and
//! without.

use connector_api::message::GrantSummary;
use connector_api::{Error, ErrorKind};
use salesforce_sim::{SimulatedOrg, Violation};
use url::Url;

use crate::host::{Server, Setup, assert_well_behaved, org, token_requests, violations};

const GRANTS: [&str; 3] = ["authorization_code", "refresh_token", "user_agent"];
const PAGE: &str = "https://login.salesforce.com/services/oauth2/success";

/// An authorize address that was not made by the connector, without PKCE and state.
fn foreign_link(org: &SimulatedOrg, response_type: &str, state: Option<&str>) -> String {
    let mut url =
        Url::parse(&format!("https://{}/services/oauth2/authorize", org.my_domain_host())).unwrap();
    url.query_pairs_mut()
        .append_pair("response_type", response_type)
        .append_pair("client_id", org.client_id())
        .append_pair("redirect_uri", PAGE)
        .append_pair("scope", "api id refresh_token");
    if let Some(state) = state {
        url.query_pairs_mut().append_pair("state", state);
    }
    url.into()
}

/// What the browser shows after Allow: by the connector's link, where the grant has one.
fn landing(org: &SimulatedOrg, server: &Server) -> String {
    let link = server.link();
    let link = if link.is_empty() { foreign_link(org, "code", None) } else { link };
    let address = org.approve(&link);
    assert!(address.contains("code="), "{address}");
    address
}

/// The code as the address bar shows it, and decoded.
fn codes(address: &str) -> (String, String) {
    let shown = address.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let url = Url::parse(address).unwrap();
    let (_, decoded) = url.query_pairs().find(|(name, _)| name == "code").unwrap();
    (shown.to_owned(), decoded.into_owned())
}

/// A form of paste: its name, and what is pasted.
type Form = (&'static str, fn(&SimulatedOrg, &Server) -> String);

/// Forms that end authorized and renewable.
const GOOD: [Form; 19] = [
    ("the whole address", landing),
    ("in quotes, with line breaks inside", |org, server| {
        let address = landing(org, server);
        let (one, other) = address.split_at(address.len() / 2);
        format!("  \"{one}\r\n{other}\"\n")
    }),
    ("in angle brackets, with invisible characters", |org, server| {
        format!("\u{feff}<{}>\u{200b}", landing(org, server))
    }),
    ("from the question mark on", |org, server| {
        let address = landing(org, server);
        address[address.find('?').unwrap()..].to_owned()
    }),
    ("from `code=` on", |org, server| {
        let address = landing(org, server);
        address[address.find("code=").unwrap()..].to_owned()
    }),
    ("the code as shown", |org, server| codes(&landing(org, server)).0),
    ("the code decoded", |org, server| codes(&landing(org, server)).1),
    ("the code without its end", |org, server| {
        codes(&landing(org, server)).1.trim_end_matches('=').to_owned()
    }),
    ("the code encoded twice", |org, server| codes(&landing(org, server)).0.replace('%', "%25")),
    ("the address with the code encoded twice", |org, server| {
        let address = landing(org, server);
        let (shown, _) = codes(&address);
        address.replace(&shown, &shown.replace('%', "%25"))
    }),
    ("a refresh token", |org, _| org.issue_refresh_token()),
    ("a refresh token, encoded", |org, _| org.issue_refresh_token().replace('=', "%3D")),
    ("a refresh token, encoded twice", |org, _| org.issue_refresh_token().replace('=', "%253D")),
    ("the result of the user-agent flow", |org, _| org.approve(&foreign_link(org, "token", None))),
    ("its fragment", |org, _| {
        let address = org.approve(&foreign_link(org, "token", None));
        address[address.find('#').unwrap()..].to_owned()
    }),
    ("a token response", |org, _| {
        serde_json::json!({
            "access_token": org.issue_access_token(), "refresh_token": org.issue_refresh_token(),
            "instance_url": format!("https://{}", org.my_domain_host()), "issued_at": "1",
        })
        .to_string()
    }),
    ("a token response in many lines", |org, _| {
        let token = org.issue_refresh_token();
        format!("{{\r\n  \"access_token\": \"x\",\r\n  \"refresh_token\": \"{token}\"\r\n}}\r\n")
    }),
    ("an auth URL of the sf CLI", |org, _| {
        format!(
            "force://{}:{}:{}@{}",
            org.client_id(),
            org.client_secret(),
            org.issue_refresh_token(),
            org.my_domain_host()
        )
    }),
    ("a refresh token of no known look", |org, _| org.issue_refresh_token()),
];

fn paste(org: &SimulatedOrg, grant: &str, form: &Form) -> (Setup, Result<GrantSummary, Error>) {
    let setup = Setup::new(org, grant);
    let server = setup.start();
    let text = (form.1)(org, &server);
    let result = server.paste(&text);
    (setup, result)
}

#[test]
fn every_good_paste_ends_authorized_by_every_grant_with_rotation_and_without() {
    for rotation in [false, true] {
        let org = org(|policy| policy.rotate_refresh_tokens = rotation);
        for grant in GRANTS {
            for form in &GOOD {
                let what = format!("{}, {grant}, rotation {rotation}", form.0);
                let (setup, result) = paste(&org, grant, form);
                let summary = result.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(summary.renewable, "{what}");
                assert_eq!(summary.username.as_deref(), Some(org.username()), "{what}");
                org.expire_sessions();
                setup.start().run().unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(setup.store.get("pending_authorization"), None, "{what}");
            }
        }
        assert_well_behaved(&org);
    }
}

/// Forms that are refused, with a piece of the sentence.
const BAD: [(Form, &str); 16] = [
    (("the Security Token", |org, _| org.security_token().to_owned()), "Security Token"),
    (("the Consumer Key", |org, _| org.client_id().to_owned()), "Consumer Key"),
    (("nothing", |_, _| "  ".into()), "empty"),
    (("a word", |_, _| "hello".into()), "neither a code nor a token"),
    (("the page without its query", |_, _| PAGE.into()), "without a code or token"),
    (
        ("the denial", |org, server| {
            let link = server.link();
            org.deny(&if link.is_empty() { foreign_link(org, "code", None) } else { link })
        }),
        "denied at the page",
    ),
    (
        ("an error page", |_, _| {
            "https://acme.my.salesforce.com/setup/secur/RemoteAccessErrorPage.apexp?error=invalid_scope&error_description=the+requested+scope+is+invalid".into()
        }),
        "lacks a scope",
    ),
    (
        ("the words of a page", |_, _| "OAUTH_APP_BLOCKED : this app is blocked by admin".into()),
        "administrator blocked the app",
    ),
    (
        ("a file called authorize", |_, _| "missing required code challenge".into()),
        "carried no code challenge",
    ),
    (
        ("an address with somebody else's state", |org, _| {
            org.approve(&foreign_link(org, "code", Some("not-ours")))
        }),
        "does not belong to a link of this connector",
    ),
    (
        ("a fragment with somebody else's state", |org, _| {
            org.approve(&foreign_link(org, "token", Some("not-ours")))
        }),
        "does not belong to a link of this connector",
    ),
    (
        ("a code that was used", |org, server| {
            let address = landing(org, server);
            server.paste(&address).unwrap();
            codes(&address).1
        }),
        "older than 15 minutes or was used",
    ),
    (("a code that is not one", |_, _| format!("aPrx{}==", "x".repeat(60))), "changed on its way"),
    (
        ("a refresh token that is not one", |_, _| format!("5Aep{}==", "x".repeat(60))),
        "not valid any more",
    ),
    (("something long", |_, _| "Z".repeat(60)), "neither as a refresh token"),
    (
        ("another client's auth URL", |org, _| {
            format!("force://PlatformCLI::{}@{}", org.issue_refresh_token(), org.my_domain_host())
        }),
        "belongs to the client `PlatformCLI`",
    ),
];

#[test]
fn every_bad_paste_is_refused_with_the_right_sentence_and_keeps_the_grant() {
    for rotation in [false, true] {
        let org = org(|policy| policy.rotate_refresh_tokens = rotation);
        for grant in GRANTS {
            for (form, sentence) in &BAD {
                let what = format!("{}, {grant}, rotation {rotation}", form.0);
                let setup = Setup::new(&org, grant);
                let server = setup.start();
                let text = (form.1)(&org, &server);
                let before = setup.store.get("grant");
                let error = server.paste(&text).expect_err(&what);
                assert!(error.message.contains(sentence), "{what}: {error}");
                assert!(error.hint.is_some(), "{what}");
                let secret =
                    text.len() > 30 && !text.contains(' ') && error.message.contains(&text);
                assert!(!secret, "{what}: {error}");
                assert_eq!(setup.store.get("grant"), before, "{what}");
                // The person pasted what had been used: nobody else used anything twice.
                let allowed: &[Violation] = match form.0 {
                    "a code that was used" => &[Violation::RepeatedCode],
                    _ => &[],
                };
                assert_eq!(violations(&org), allowed, "{what}");
                org.clear_journal();
            }
        }
    }
}

#[test]
fn an_access_token_alone_is_taken_with_a_warning() {
    for grant in GRANTS {
        let org = org(|_| ());
        let setup = Setup::new(&org, grant);
        let token = org.issue_access_token();
        for text in
            [token.clone(), token.replace('!', "%21"), format!("{PAGE}#access_token={token}")]
        {
            let summary = setup.start().paste(&text).unwrap();
            assert!(!summary.renewable && summary.warnings.len() == 2, "{:?}", summary.warnings);
        }
        setup.start().run().unwrap();
        org.expire_sessions();
        let error = setup.start().run().unwrap_err();
        assert_eq!(error.kind, ErrorKind::AUTH);
        assert_eq!(setup.start().paste(&token).unwrap_err().kind, ErrorKind::AUTH);
    }
}

#[test]
fn a_stripped_code_costs_one_more_request_and_a_whole_one_does_not() {
    let org = org(|_| ());
    for (form, requests) in [(&GOOD[7], 2), (&GOOD[6], 1)] {
        org.clear_journal();
        paste(&org, "authorization_code", form).1.unwrap();
        assert_eq!(token_requests(&org, "authorization_code").len(), requests, "{}", form.0);
    }
}

#[test]
fn an_unknown_text_is_tried_as_refresh_token_and_as_code_and_both_answers_are_told() {
    let org = org(|_| ());
    let error = Setup::new(&org, "refresh_token").start().paste(&"Z".repeat(60)).unwrap_err();
    assert!(error.message.contains("expired access/refresh token"), "{error}");
    assert!(error.message.contains("invalid authorization code"), "{error}");
    assert_eq!(token_requests(&org, "refresh_token").len(), 1);
    assert_eq!(token_requests(&org, "authorization_code").len(), 1);
}
