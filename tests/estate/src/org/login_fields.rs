//! The fields of one `LoginHistory` row.

use std::borrow::Cow;

use crate::org::logins::{Login, StreamKind};
use crate::org::users::Getter;
use crate::value::Value;

/// A login and its row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoginRow {
    pub(crate) row: u64,
    pub(crate) login: Login,
}

/// How somebody or something came in.
struct Way {
    login_type: &'static str,
    sub_type: Option<&'static str>,
    application: &'static str,
    browser: &'static str,
    platform: &'static str,
    api: Option<&'static str>,
}

const BROWSER: Way = way("Application", None, "Browser", "Chrome 141", "Windows 11", None);
const SAFARI: Way = way("Application", None, "Browser", "Safari 19", "Mac OSX", None);
const SAML: Way = way("SAML Sfdc Initiated SSO", None, "Browser", "Edge 141", "Windows 11", None);
const SAML_IDP: Way = way("SAML Idp Initiated SSO", None, "Browser", "Chrome 141", "Mac OSX", None);
const MOBILE: Way = way(
    "Remote Access 2.0",
    Some("OauthHybridWebServer"),
    "Salesforce for iOS",
    "Salesforce iOS",
    "iPhone",
    None,
);
const REFRESH: Way = way(
    "Remote Access 2.0",
    Some("OauthRefreshToken"),
    "Salesforce for Android",
    "Unknown",
    "Android 16",
    None,
);
const LOADER: Way = way(
    "Remote Access 2.0",
    Some("OauthClientCredentials"),
    "Warehouse Export",
    "Unknown",
    "Unknown",
    Some("REST"),
);
const PASSWORD: Way = way(
    "Remote Access 2.0",
    Some("OauthUsernamePassword"),
    "Legacy ERP",
    "Java (Salesforce.com)",
    "Unknown",
    None,
);
const SOAP: Way = way(
    "Other Apex API",
    Some("SoapApiLogin"),
    "MuleSoft",
    "Java (Salesforce.com)",
    "Unknown",
    Some("SOAP Partner"),
);

const fn way(
    login_type: &'static str,
    sub_type: Option<&'static str>,
    application: &'static str,
    browser: &'static str,
    platform: &'static str,
    api: Option<&'static str>,
) -> Way {
    Way { login_type, sub_type, application, browser, platform, api }
}

impl LoginRow {
    fn way(&self) -> &'static Way {
        match self.login.kind {
            StreamKind::Human => match self.login.dice % 100 {
                0..=51 => &BROWSER,
                52..=61 => &SAFARI,
                62..=74 => &SAML,
                75..=79 => &SAML_IDP,
                // What everybody does last is beyond doubt: a person at a browser.
                _ if self.login.is_last_round => &BROWSER,
                80..=91 => &MOBILE,
                _ => &REFRESH,
            },
            StreamKind::Machine => match self.login.dice % 3 {
                0 => &LOADER,
                1 => &PASSWORD,
                _ => &SOAP,
            },
            StreamKind::Failed => {
                if self.login.dice.is_multiple_of(5) {
                    &SAML
                } else {
                    &BROWSER
                }
            }
        }
    }

    fn status(&self) -> &'static str {
        match (self.login.kind, self.login.dice % 7) {
            (StreamKind::Failed, 0..=3) => "Invalid Password",
            (StreamKind::Failed, 4) => "User Lockout",
            (StreamKind::Failed, 5) => "Restricted IP",
            (StreamKind::Failed, _) => "Failed: Computer activation required",
            _ => "Success",
        }
    }
}

fn text<'e>(text: &'static str) -> Value<'e> {
    Value::Text(Cow::Borrowed(text))
}

/// How `LoginHistory` fields are computed.
pub(crate) fn login_getter(field: &str) -> Option<Getter<LoginRow>> {
    Some(match field {
        "Id" => |e, l| Value::Id(e.id("LoginHistory", l.row)),
        "UserId" => |e, l| Value::Id(e.id("User", l.login.user)),
        "LoginTime" => |_, l| Value::Instant(l.login.at),
        "LoginType" => |_, l| text(l.way().login_type),
        "LoginSubType" => |_, l| l.way().sub_type.map_or(Value::Null, text),
        "Status" => |_, l| text(l.status()),
        "Application" => |_, l| text(l.way().application),
        "Browser" => |_, l| text(l.way().browser),
        "Platform" => |_, l| text(l.way().platform),
        "ClientVersion" => |_, _| text("N/A"),
        "ApiType" => |_, l| text(l.way().api.unwrap_or("N/A")),
        "ApiVersion" => |_, l| if l.way().api.is_some() { text("65.0") } else { text("N/A") },
        "SourceIp" => |_, l| {
            // The three networks reserved for documentation.
            let network = ["192.0.2", "198.51.100", "203.0.113"][(l.login.user % 3) as usize];
            Value::Text(Cow::Owned(format!(
                "{network}.{}",
                1 + (l.login.user / 3 + l.login.dice % 2) % 254
            )))
        },
        "LoginUrl" => |e, l| match l.login.kind {
            StreamKind::Machine if l.login.dice % 2 == 0 => text("login.salesforce.com"),
            _ => Value::Text(Cow::Owned(format!("{}.my.salesforce.com", e.spec.my_domain))),
        },
        "LoginGeoId" => |e, l| Value::Id(e.id("LoginGeo", l.row)),
        "TlsProtocol" => {
            |_, l| if l.login.dice % 9 == 0 { text("TLS 1.3") } else { text("TLS 1.2") }
        }
        "CipherSuite" => |_, _| text("ECDHE-RSA-AES256-GCM-SHA384"),
        "OptionsIsPost" => |_, l| Value::Bool(l.way().api.is_some() || l.login.dice % 4 != 0),
        "OptionsIsGet" => |_, l| Value::Bool(l.way().api.is_none() && l.login.dice % 4 == 0),
        "CountryIso" => |_, l| {
            text(["GB", "DE", "FR", "US", "US", "IN", "JP", "BR"][(l.login.user % 8) as usize])
        },
        _ => return None,
    })
}
