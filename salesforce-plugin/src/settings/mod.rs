//! Settings: from what was typed to what can be used.

pub(crate) mod domain;
pub(crate) mod grant_kind;
pub(crate) mod jwt;
pub(crate) mod org_host;
pub(crate) mod org_url;
pub(crate) mod selection;

use connector_api::manifest::SettingSpec;
use connector_api::message::{ConfigureRequest, Problem};
use url::Url;

use crate::settings::domain::LoginHosts;
use crate::settings::grant_kind::{CLIENT_SECRET, GrantSettings};
use crate::settings::selection::Selection;

/// The callback URL the connector guide has the administrator register.
pub(crate) const DEFAULT_REDIRECT_URI: &str =
    "https://login.salesforce.com/services/oauth2/success";

const OLDEST_API_VERSION: u16 = 41;

/// Every value usable as it stands; made only by [`Settings::check`].
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) login_hosts: LoginHosts,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: Url,
    pub(crate) grant: GrantSettings,
    /// None: the newest that both sides know.
    pub(crate) api_version: Option<u16>,
    /// None: everything Salesforce keeps.
    pub(crate) login_history_days: Option<u32>,
    /// What to read, and at what price.
    pub(crate) selection: Selection,
    pub(crate) network: Network,
}

/// How to reach the network.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Network {
    /// May hold credentials.
    pub(crate) proxy: Option<String>,
    pub(crate) no_proxy: Option<String>,
    pub(crate) ca_file: Option<String>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network")
            .field("proxy", &self.proxy.as_ref().map(|_| "[address]"))
            .field("no_proxy", &self.no_proxy)
            .field("ca_file", &self.ca_file)
            .finish()
    }
}

/// The settings as an administrator sees them, in the order of the form.
pub(crate) fn specs() -> Vec<SettingSpec> {
    let setting = |name: &str, title: &str, help: &str| SettingSpec {
        name: name.into(),
        title: title.into(),
        help: help.into(),
        ..SettingSpec::default()
    };
    let mut specs = vec![
        SettingSpec {
            required: true,
            example: Some("d1t000000czokeak-dev-ed".into()),
            ..setting(
                "domain",
                "Domain",
                "The domain of your Salesforce instance: the part before `.lightning.force.com` in the browser's address, or the whole address",
            )
        },
        SettingSpec {
            required: true,
            ..setting(
                "client_id",
                "Client ID",
                "The Consumer Key of the Connected App or External Client App",
            )
        },
        SettingSpec {
            secret: true,
            ..setting(
                CLIENT_SECRET,
                "Client Secret",
                "The Consumer Secret of the app; leave it out only if the app does not require a secret for the web server flow and the refresh token flow",
            )
        },
        SettingSpec {
            default: Some(DEFAULT_REDIRECT_URI.into()),
            ..setting(
                "redirect_uri",
                "Callback URL",
                "The Callback URL registered in the app, exactly as it stands there",
            )
        },
        SettingSpec {
            example: Some("66.0".into()),
            ..setting(
                "api_version",
                "API version",
                "Read with this API version instead of the newest that Salesforce and the connector both know",
            )
        },
        SettingSpec {
            example: Some("90".into()),
            ..setting(
                "login_history_days",
                "Login history",
                "Read the login history of this many days instead of all that Salesforce keeps (six months)",
            )
        },
        SettingSpec {
            example: Some("http://proxy.example:8080".into()),
            ..setting("proxy", "Proxy", "The HTTP proxy to reach Salesforce through, as a URL")
        },
        setting(
            "no_proxy",
            "No proxy for",
            "Hosts to reach without the proxy, separated by commas",
        ),
        setting(
            "ca_file",
            "CA file",
            "A PEM file with certificates to trust beside the system's, e.g. of a TLS-inspecting proxy",
        ),
    ];
    // Where the app and its secret were asked for.
    specs.splice(3..3, grant_kind::settings());
    specs.extend(selection::specs());
    specs
}

impl Settings {
    /// Judges all settings at once.
    ///
    /// # Errors
    /// Every problem, by field.
    pub(crate) fn check(request: &ConfigureRequest) -> Result<Settings, Vec<Problem>> {
        let mut problems = Problems::default();
        let value =
            |name: &str| request.settings.get(name).map(|v| v.trim()).filter(|v| !v.is_empty());

        for name in request.settings.keys() {
            if !specs().iter().any(|spec| &spec.name == name) {
                problems.add(
                    name,
                    "there is no setting of this name",
                    Some("see the feature's settings for the names"),
                );
            }
        }
        let login_hosts = match value("domain") {
            None => problems.none(
                "domain",
                "the domain is missing",
                "enter the domain of your Salesforce instance",
            ),
            Some(domain) => match LoginHosts::parse(domain) {
                Ok(hosts) => Some(hosts),
                Err(refused) => problems.none("domain", &refused.message, &refused.hint),
            },
        };
        let client_id = match value("client_id") {
            None => problems.none(
                "client_id",
                "the Client ID is missing",
                "copy the Consumer Key of the app",
            ),
            Some(id) if id.chars().any(|c| c.is_whitespace() || c.is_control()) => problems.none(
                "client_id",
                "the Client ID holds a space or line break",
                "copy the Consumer Key again",
            ),
            Some(id) => Some(id.to_owned()),
        };
        let grant = grant_kind::check(request, login_hosts.as_ref(), &mut problems.0);
        let redirect_uri = match Url::parse(value("redirect_uri").unwrap_or(DEFAULT_REDIRECT_URI)) {
            Ok(uri) if uri.scheme() == "https" || uri.host_str() == Some("localhost") => Some(uri),
            _ => problems.none(
                "redirect_uri",
                "the Callback URL is not an https address",
                "copy it from the app's settings",
            ),
        };
        let api_version = value("api_version").and_then(|text| match parse_version(text) {
            Some(version) if version >= OLDEST_API_VERSION => Some(version),
            Some(version) => problems.none(
                "api_version",
                &format!("API version {version}.0 is too old"),
                &format!("use {OLDEST_API_VERSION}.0 or later, or leave it empty"),
            ),
            None => problems.none(
                "api_version",
                &format!("`{text}` is not an API version"),
                "write it like 66.0, or leave it empty",
            ),
        });
        let login_history_days =
            value("login_history_days").and_then(|text| match text.parse::<u32>() {
                Ok(days @ 1..=3_650) => Some(days),
                _ => problems.none(
                    "login_history_days",
                    &format!("`{text}` is not a number of days"),
                    "write a whole number from 1",
                ),
            });
        let (selection, wrong) = Selection::parse(value);
        for (field, message, hint) in wrong {
            problems.add(field, &message, Some(&hint));
        }
        let proxy = value("proxy").and_then(|text| match check_proxy(text) {
            Ok(()) => Some(text.to_owned()),
            Err(message) => {
                problems.none("proxy", message, "write it like http://proxy.example:8080")
            }
        });
        let network = Network {
            proxy,
            no_proxy: value("no_proxy").map(Into::into),
            ca_file: value("ca_file").map(Into::into),
        };
        match (login_hosts, client_id, redirect_uri) {
            (Some(login_hosts), Some(client_id), Some(redirect_uri)) if problems.0.is_empty() => {
                Ok(Settings {
                    login_hosts,
                    client_id,
                    redirect_uri,
                    grant,
                    api_version,
                    login_history_days,
                    selection,
                    network,
                })
            }
            _ => Err(problems.0),
        }
    }
}

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, field: &str, message: &str, hint: Option<&str>) {
        self.0.push(Problem {
            field: field.into(),
            message: message.into(),
            hint: hint.map(Into::into),
        });
    }

    fn none<T>(&mut self, field: &str, message: &str, hint: &str) -> Option<T> {
        self.add(field, message, Some(hint));
        None
    }
}

/// `66`, `66.0` or `v66.0`.
fn parse_version(text: &str) -> Option<u16> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    text.strip_suffix(".0").unwrap_or(text).parse().ok()
}

fn check_proxy(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "the proxy is not a URL")?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(()),
        _ => Err("the proxy is not an http address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(values: &[(&str, &str)]) -> ConfigureRequest {
        let settings =
            values.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        ConfigureRequest { settings, ..ConfigureRequest::default() }
    }

    #[test]
    fn all_problems_are_answered_at_once_by_field() {
        let problems = Settings::check(&request(&[
            ("domain", "127.0.0.1"),
            ("redirect_uri", "ftp://x"),
            ("grant", "username_password"),
            ("api_version", "12"),
            ("login_history_days", "many"),
            ("proxy", "proxy.example:8080"),
            ("colour", "red"),
        ]))
        .unwrap_err();
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "colour",
                "domain",
                "client_id",
                "client_secret",
                "username",
                "password",
                "redirect_uri",
                "api_version",
                "login_history_days",
                "proxy"
            ]
        );
        assert!(problems.iter().all(|problem| problem.hint.is_some()));
    }

    #[test]
    fn the_guides_settings_are_enough() {
        let settings =
            Settings::check(&request(&[("domain", "acme"), ("client_id", "3MVG9key")])).unwrap();
        assert_eq!(settings.redirect_uri.as_str(), DEFAULT_REDIRECT_URI);
        assert_eq!(settings.login_hosts.candidates, ["acme.my.salesforce.com"]);
        assert_eq!((settings.api_version, settings.login_history_days), (None, None));
    }

    #[test]
    fn settings_do_not_show_the_proxys_password() {
        let settings = Settings::check(&request(&[
            ("domain", "acme"),
            ("client_id", "3MVG9key"),
            ("proxy", "http://user:hunter2@proxy.example:8080"),
        ]))
        .unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
