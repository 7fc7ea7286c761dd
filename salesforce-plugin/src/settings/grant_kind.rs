//! The ways to authorize, what each needs in the settings, and what it needs at Salesforce.

use connector_api::manifest::{GrantSpec, SettingSpec};
use connector_api::message::{ConfigureRequest, Problem};
use url::Url;

use crate::settings::domain::LoginHosts;
use crate::settings::jwt::SigningKey;

/// The secret with the app's Client Secret.
pub(crate) const CLIENT_SECRET: &str = "client_secret";
/// The secret with the key that signs assertions, PEM.
pub(crate) const PRIVATE_KEY: &str = "private_key";
/// The secret with the user's password.
pub(crate) const PASSWORD: &str = "password";
/// The secret with the token Salesforce sends by e-mail.
pub(crate) const SECURITY_TOKEN: &str = "security_token";

/// A way to authorize.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum GrantKind {
    /// A person opens a link and brings back a code.
    #[default]
    AuthorizationCode,
    /// A person brings a refresh token.
    RefreshToken,
    /// The app's own secret opens the org.
    ClientCredentials,
    /// A signed assertion opens the org.
    JwtBearer,
    /// A person brings what the user-agent flow left in the address bar.
    UserAgent,
    /// The user's password opens the org.
    UsernamePassword,
}

impl GrantKind {
    /// All, the default first.
    pub(crate) const ALL: [GrantKind; 6] = [
        GrantKind::AuthorizationCode,
        GrantKind::RefreshToken,
        GrantKind::ClientCredentials,
        GrantKind::JwtBearer,
        GrantKind::UserAgent,
        GrantKind::UsernamePassword,
    ];

    /// The word for it in settings.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            GrantKind::AuthorizationCode => "authorization_code",
            GrantKind::RefreshToken => "refresh_token",
            GrantKind::ClientCredentials => "client_credentials",
            GrantKind::JwtBearer => "jwt_bearer",
            GrantKind::UserAgent => "user_agent",
            GrantKind::UsernamePassword => "username_password",
        }
    }

    /// The kind of that word.
    pub(crate) fn from_word(word: &str) -> Option<GrantKind> {
        GrantKind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether tokens come without a person, as often as needed.
    pub(crate) fn needs_no_person(self) -> bool {
        matches!(
            self,
            GrantKind::ClientCredentials | GrantKind::JwtBearer | GrantKind::UsernamePassword
        )
    }

    fn spec(self) -> GrantSpec {
        let (title, help) = match self {
            GrantKind::AuthorizationCode => (
                "Web server flow with PKCE",
                "Open the link, log in, press Allow, and paste the address of the page that follows. The app needs the scopes `api`, `id` and `refresh_token` and the Callback URL; PKCE may be required",
            ),
            GrantKind::RefreshToken => (
                "Refresh token",
                "Paste a refresh token that was issued to the same Client ID. The app needs the scopes `api` and `refresh_token`; no other server may use the same token",
            ),
            GrantKind::ClientCredentials => (
                "Client credentials",
                "Nobody logs in. The app needs Enable Client Credentials Flow and, in its policies, a Run As user; the connector needs the Client Secret and the org's My Domain name",
            ),
            GrantKind::JwtBearer => (
                "JWT bearer",
                "Nobody logs in, and no secret is sent. The app needs Use Digital Signatures with the certificate of the private key, and the user must be pre-authorized by profile or permission set; the connector needs `username` and `private_key` or `private_key_file`",
            ),
            GrantKind::UserAgent => (
                "User-agent flow (result only)",
                "Paste the address that this flow left in the browser. Salesforce advises to switch the flow off, so no link is made for it",
            ),
            GrantKind::UsernamePassword => (
                "Username and password (legacy)",
                "For orgs that still allow it: blocked by default in newer orgs, not offered for External Client Apps, and announced to leave with Winter '27. Needs the Client Secret, `username`, `password` and, from outside the trusted IP ranges, the `security_token` that Salesforce sends by e-mail",
            ),
        };
        GrantSpec { id: self.as_str().into(), title: title.into(), help: help.into() }
    }
}

/// The ways to authorize, the default first.
pub(crate) fn specs() -> Vec<GrantSpec> {
    GrantKind::ALL.into_iter().map(GrantKind::spec).collect()
}

/// The settings they need, beside Client ID and Client Secret.
pub(crate) fn settings() -> Vec<SettingSpec> {
    let setting = |name: &str, title: &str, help: &str| SettingSpec {
        name: name.into(),
        title: title.into(),
        help: help.into(),
        ..SettingSpec::default()
    };
    let secret = |name: &str, title: &str, help: &str| SettingSpec {
        secret: true,
        ..setting(name, title, help)
    };
    let words = GrantKind::ALL.map(GrantKind::as_str).join(", ");
    vec![
        SettingSpec {
            default: Some(GrantKind::default().as_str().into()),
            ..setting("grant", "Grant", &format!("How the connector is authorized: {words}"))
        },
        SettingSpec {
            example: Some("license.reader@example.com".into()),
            ..setting(
                "username",
                "User name",
                "The Salesforce user of the grants `jwt_bearer` and `username_password`",
            )
        },
        secret(
            PRIVATE_KEY,
            "Private key",
            "For `jwt_bearer`: the RSA key of the app's certificate, PEM, kept sealed by the server",
        ),
        setting(
            "private_key_file",
            "Private key file",
            "For `jwt_bearer`, instead of `private_key`: a PEM file on the server",
        ),
        setting(
            "audience",
            "Audience",
            "For `jwt_bearer`: the `aud` of the assertion, if it is not to be chosen from the domain",
        ),
        secret(PASSWORD, "Password", "For `username_password`: the user's password"),
        secret(
            SECURITY_TOKEN,
            "Security Token",
            "For `username_password`: the token Salesforce sends by e-mail; not needed inside the trusted IP ranges",
        ),
    ]
}

/// How to authorize, judged with everything it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GrantSettings {
    pub(crate) kind: GrantKind,
    pub(crate) username: Option<String>,
    pub(crate) private_key_file: Option<String>,
    /// None: chosen from the login host.
    pub(crate) audience: Option<String>,
}

/// Judges the settings of the chosen grant; all problems at once.
pub(crate) fn check(
    request: &ConfigureRequest,
    hosts: Option<&LoginHosts>,
    problems: &mut Vec<Problem>,
) -> GrantSettings {
    let value = |name: &str| {
        request.settings.get(name).map(|v| v.trim()).filter(|v| !v.is_empty()).map(str::to_owned)
    };
    let has = |secret: &str| request.secrets.contains(secret);
    let mut problem = |field: &str, message: String, hint: &str| {
        problems.push(Problem { field: field.into(), message, hint: Some(hint.into()) });
    };
    let word = value("grant").unwrap_or_else(|| GrantKind::default().as_str().into());
    let Some(kind) = GrantKind::from_word(&word) else {
        let words = GrantKind::ALL.map(GrantKind::as_str).join(", ");
        problem("grant", format!("there is no grant `{word}`"), &format!("choose one of {words}"));
        return GrantSettings::default();
    };
    let settings = GrantSettings {
        kind,
        username: value("username"),
        private_key_file: value("private_key_file"),
        audience: value("audience"),
    };
    let needed = |name: &str| format!("grant `{word}` needs a value here: {name} is missing");
    let generic = hosts.is_some_and(|hosts| {
        hosts.candidates.iter().any(crate::settings::org_url::OrgHost::is_generic)
    });
    if kind == GrantKind::ClientCredentials && generic {
        problem(
            "domain",
            "grant `client_credentials` works on the org's own domain only".into(),
            "enter the My Domain name (Setup > My Domain) instead of `login` or `test`",
        );
    }
    if matches!(kind, GrantKind::ClientCredentials | GrantKind::UsernamePassword)
        && !has(CLIENT_SECRET)
    {
        problem(CLIENT_SECRET, needed("the Client Secret"), "copy the Consumer Secret of the app");
    }
    if matches!(kind, GrantKind::JwtBearer | GrantKind::UsernamePassword)
        && settings.username.is_none()
    {
        problem("username", needed("the user name"), "enter the Salesforce user's Username");
    }
    if kind == GrantKind::UsernamePassword && !has(PASSWORD) {
        problem(PASSWORD, needed("the password"), "enter the password of that user");
    }
    if kind == GrantKind::JwtBearer {
        match (&settings.private_key_file, has(PRIVATE_KEY)) {
            (None, false) => problem(
                PRIVATE_KEY,
                needed("the private key"),
                "give the RSA key of the app's certificate as `private_key`, or its place as `private_key_file`",
            ),
            (Some(_), true) => problem(
                "private_key_file",
                "both `private_key` and `private_key_file` are given".into(),
                "keep one of them",
            ),
            (Some(file), false) => {
                if let Err(reason) = SigningKey::from_file(file) {
                    problem(
                        "private_key_file",
                        reason,
                        "give a PEM file with the RSA key (2,048 bits or more) of the app's certificate, readable for this server",
                    );
                }
            }
            (None, true) => {}
        }
    }
    if let Some(audience) = &settings.audience {
        let usable = Url::parse(audience)
            .is_ok_and(|url| url.scheme() == "https" && url.has_host() && url.query().is_none());
        if !usable {
            problem(
                "audience",
                "the audience is not an https address".into(),
                "enter https://login.salesforce.com or, for a sandbox, https://test.salesforce.com",
            );
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(values: &[(&str, &str)], secrets: &[&str]) -> (GrantSettings, Vec<String>) {
        let request = ConfigureRequest {
            settings: values.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            secrets: secrets.iter().map(|name| (*name).into()).collect(),
        };
        let hosts = request.settings.get("domain").map(|domain| LoginHosts::parse(domain).unwrap());
        let mut problems = Vec::new();
        let settings = check(&request, hosts.as_ref(), &mut problems);
        assert!(problems.iter().all(|problem| problem.hint.is_some()));
        (settings, problems.into_iter().map(|problem| problem.field).collect())
    }

    #[test]
    fn each_grant_says_all_it_misses_by_field() {
        for (grant, domain, expected) in [
            ("authorization_code", "login", vec![]),
            ("refresh_token", "login", vec![]),
            ("user_agent", "login", vec![]),
            ("client_credentials", "login", vec!["domain", "client_secret"]),
            ("client_credentials", "acme", vec!["client_secret"]),
            ("jwt_bearer", "login", vec!["username", "private_key"]),
            ("username_password", "acme", vec!["client_secret", "username", "password"]),
            ("device", "acme", vec!["grant"]),
        ] {
            let (_, fields) = judged(&[("domain", domain), ("grant", grant)], &[]);
            assert_eq!(fields, expected, "{grant} at {domain}");
        }
    }

    #[test]
    fn a_complete_grant_has_no_problem() {
        for (grant, values, secrets) in [
            ("client_credentials", vec![], vec!["client_secret"]),
            ("jwt_bearer", vec![("username", "reader@acme.example")], vec!["private_key"]),
            (
                "username_password",
                vec![("username", "reader@acme.example")],
                vec!["client_secret", "password"],
            ),
        ] {
            let mut all = vec![("domain", "acme"), ("grant", grant)];
            all.extend(values);
            let (settings, fields) = judged(&all, &secrets);
            assert_eq!((settings.kind.as_str(), fields), (grant, vec![]));
        }
    }

    #[test]
    fn a_key_file_that_is_not_there_and_a_second_key_are_problems() {
        let base = [
            ("grant", "jwt_bearer"),
            ("username", "reader@acme.example"),
            ("private_key_file", "/nowhere/key.pem"),
            ("audience", "login"),
        ];
        assert_eq!(judged(&base, &[]).1, ["private_key_file", "audience"]);
        assert_eq!(judged(&base[..3], &["private_key"]).1, ["private_key_file"]);
    }

    #[test]
    fn every_grant_is_described_and_the_legacy_one_says_when_it_leaves() {
        let specs = specs();
        assert_eq!(specs.len(), 6);
        assert_eq!(specs[0].id, "authorization_code");
        let legacy = specs.iter().find(|spec| spec.id == "username_password").unwrap();
        assert!(legacy.title.contains("legacy") && legacy.help.contains("Winter '27"));
        assert!(!specs.iter().any(|spec| spec.id.contains("device")));
    }
}
