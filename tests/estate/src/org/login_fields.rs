//! The fields of one `LoginHistory` row.

use std::borrow::Cow;

use crate::clock::DAY;
use crate::org::Estate;
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

/// A label of a login without a sub-type, as a browser shows it.
const fn label(login_type: &'static str) -> Way {
    way(login_type, None, "N/A", "Unknown", "Unknown", None)
}

/// A continuation, or a kind of OAuth 2.0.
const fn oauth(sub_type: &'static str) -> Way {
    way("Remote Access 2.0", Some(sub_type), "Field App", "Unknown", "Unknown", None)
}

const fn soap(login_type: &'static str, sub_type: &'static str) -> Way {
    way(login_type, Some(sub_type), "N/A", "Java (Salesforce.com)", "Unknown", Some("SOAP Partner"))
}

/// Every other documented label and sub-type: a few logins of each in an org of some thousand users.
const RARE: [Way; 61] = [
    label("Certificate-based login"),
    label("Lightning Login"),
    label("Passwordless Login"),
    label("Passwordless Login via Passkeys"),
    label("HOTP YubiKey"),
    label("Third Party SSO"),
    label("Employee Login to Community"),
    label("Customer Service Portal"),
    label("Customer Service Portal Third-Party SSO"),
    label("Partner Portal"),
    label("Partner Portal Third-Party SSO"),
    label("SAML Customer Service Portal SSO"),
    label("SAML Partner Portal SSO"),
    label("SAML Site SSO"),
    label("SAML Chatter Communities External User SSO"),
    label("Chatter Communities External User"),
    label("Chatter Communities External User Third Party SSO"),
    label("Self-Service"),
    label("Community"),
    label("Other Apex API"),
    label("Partner Product"),
    label("Networks Portal API Only"),
    label("DataJunction"),
    label("DB Replication"),
    label("Sync"),
    label("Validate"),
    label("Remote Access 2.0"),
    label("Remote Access Client"),
    label("AJAX Toolkit"),
    label("Apex Office Toolkit"),
    label("Excel Integration"),
    label("Outlook Integration"),
    label("Salesforce Outlook Integration"),
    label("Offline Client"),
    label("Sales Anywhere"),
    label("Order Center"),
    label("SysAdmin Switch"),
    label("AppExchange"),
    label("AppStore"),
    label("Help And Training"),
    label("Salesforce.com Website"),
    label("Signup"),
    label("Cross Tenant Login"),
    way(
        "Application",
        Some("UsernamePasswordUiLogin"),
        "Browser",
        "Chrome 141",
        "Windows 11",
        None,
    ),
    way("Application", Some("UiPasswordReset"), "Browser", "Chrome 141", "Windows 11", None),
    way(
        "Application",
        Some("InternalSalesforceAuthentication"),
        "Browser",
        "Unknown",
        "Unknown",
        None,
    ),
    oauth("OauthWebServer"),
    oauth("OauthUserAgent"),
    oauth("OauthUserAgentIdToken"),
    oauth("OauthHybridUserAgent"),
    oauth("OauthOtpLogin"),
    oauth("OauthClientCredentials"),
    oauth("OauthUsernamePassword"),
    oauth("OauthHybridRefreshToken"),
    oauth("OauthTokenExchange"),
    oauth("OauthHybridTokenExchange"),
    soap("Other Apex API", "SoapApiLogin"),
    soap("Other Apex API", "SoapApiLoginMobile"),
    soap("Customer Service Portal", "SoapApiLoginPortal"),
    soap("Networks Portal API Only", "SoapApiLoginNetworksPortal"),
    soap("Self-Service", "SoapApiLoginSelfService"),
];

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
    fn way(&self, estate: &Estate) -> &'static Way {
        // The last 90 days decide whose seat is used, and by whom.
        let is_old = self.login.at < estate.spec.now.timestamp() - 90 * DAY;
        match self.login.kind {
            StreamKind::Human => match self.login.dice % 100 {
                0..=51 => &BROWSER,
                52..=61 => &SAFARI,
                62..=74 => &SAML,
                75..=79 => &SAML_IDP,
                // What everybody does last is beyond doubt: a person at a browser.
                _ if self.login.is_last_round => &BROWSER,
                80..=91 => &MOBILE,
                93..=99 if is_old => &RARE[(self.login.dice / 100 % RARE.len() as u64) as usize],
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
        "LoginType" => |e, l| text(l.way(e).login_type),
        "LoginSubType" => |e, l| l.way(e).sub_type.map_or(Value::Null, text),
        "Status" => |_, l| text(l.status()),
        "Application" => |e, l| text(l.way(e).application),
        "Browser" => |e, l| text(l.way(e).browser),
        "Platform" => |e, l| text(l.way(e).platform),
        "ClientVersion" => |_, _| text("N/A"),
        "ApiType" => |e, l| text(l.way(e).api.unwrap_or("N/A")),
        "ApiVersion" => |e, l| if l.way(e).api.is_some() { text("65.0") } else { text("N/A") },
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
        "OptionsIsPost" => |e, l| Value::Bool(l.way(e).api.is_some() || l.login.dice % 4 != 0),
        "OptionsIsGet" => |e, l| Value::Bool(l.way(e).api.is_none() && l.login.dice % 4 == 0),
        "CountryIso" => |_, l| {
            text(["GB", "DE", "FR", "US", "US", "IN", "JP", "BR"][(l.login.user % 8) as usize])
        },
        _ => return None,
    })
}
