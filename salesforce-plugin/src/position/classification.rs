//! Who a login is of: a person, a machine, either, or nobody who uses the licence.
//!
//! Every documented value has its row; a value that has none is ambiguous. No patterns: `OauthHybrid*`
//! or `SoapApi*` would take continuations of earlier grants for logins.
//!
//! # Source
//! Object Reference, `LoginHistory`: `LoginType` holds labels in records and API values in the reports
//! API, so both are listed; `LoginSubType` holds API values.

use connector_api::position::UseRule;

const HUMAN: &str = "human";
const MACHINE: &str = "machine";
const AMBIGUOUS: &str = "ambiguous";
const NONE: &str = "none";

/// Values of `LoginType` that are no use of the licence, whatever the subtype: an administrator in
/// another user's place, and Salesforce's own sites.
const NO_USE_TYPES: &[&str] = &[
    "SysAdmin Switch",
    "AppExchange",
    "AppStore",
    "Help And Training",
    "HelpAndTraining",
    "Salesforce.com Website",
    "Signup",
    "Cross Tenant Login",
    "CrossTenantLogin",
];

/// Values of `LoginSubType`, which decides before the type.
const SUBTYPES: &[(&str, &[&str])] = &[
    (NONE, &["UiPasswordReset", "InternalSalesforceAuthentication"]),
    (
        HUMAN,
        &[
            "UsernamePasswordUiLogin",
            "OauthWebServer",
            "OauthUserAgent",
            "OauthUserAgentIdToken",
            "OauthHybridWebServer",
            "OauthHybridUserAgent",
            "OauthOtpLogin",
        ],
    ),
    (
        MACHINE,
        &[
            "OauthClientCredentials",
            "OauthUsernamePassword",
            "SoapApiLogin",
            "SoapApiLoginPortal",
            "SoapApiLoginNetworksPortal",
            "SoapApiLoginSelfService",
        ],
    ),
    (
        AMBIGUOUS,
        &[
            "OauthRefreshToken",
            "OauthHybridRefreshToken",
            "OauthTokenExchange",
            "OauthHybridTokenExchange",
            "SoapApiLoginMobile",
        ],
    ),
];

/// Values of `LoginType`, where the subtype is empty or has no row.
const TYPES: &[(&str, &[&str])] = &[
    (
        HUMAN,
        &[
            "Application",
            "Certificate-based login",
            "Certificate",
            "Lightning Login",
            "LightningLogin",
            "Passwordless Login",
            "PasswordlessLogin",
            "Passwordless Login via Passkeys",
            "PasswordlessPasskeyLogin",
            "HOTP YubiKey",
            "SAML Idp Initiated SSO",
            "Saml",
            "SAML Sfdc Initiated SSO",
            "Saml2",
            "Third Party SSO",
            "ThirdPartySso",
            "Employee Login to Community",
            "EmployeeLoginToCommunity",
            "Customer Service Portal",
            "Portal",
            "Customer Service Portal Third-Party SSO",
            "PortalThirdPartySso",
            "Partner Portal",
            "PrmPortal",
            "Partner Portal Third-Party SSO",
            "PrmPortalThirdPartySso",
            "SAML Customer Service Portal SSO",
            "SamlCspPortal",
            "SAML Partner Portal SSO",
            "SamlPrmPortal",
            "SAML Site SSO",
            "SamlSite",
            "SAML Chatter Communities External User SSO",
            "SamlChatterNetworks",
            "Chatter Communities External User",
            "ChatterCommunityPortalUnPwd",
            "Chatter Communities External User Third Party SSO",
            "ChatterCommunityThirdPartySso",
            "Self-Service",
            "SelfService",
            "Community",
        ],
    ),
    (
        MACHINE,
        &[
            "Other Apex API",
            "OtherApi",
            "Partner Product",
            "Partner",
            "Networks Portal API Only",
            "NetworksPortalApiOnly",
            "DataJunction",
            "DB Replication",
            "Sync",
            "Validate",
        ],
    ),
    (
        AMBIGUOUS,
        &[
            "Remote Access 2.0",
            "Oauth2",
            "Remote Access Client",
            "Oauth",
            "AJAX Toolkit",
            "Apex Office Toolkit",
            "Excel Integration",
            "Outlook Integration",
            "Salesforce Outlook Integration",
            "Offline Client",
            "IeOfflineClient",
            "Sales Anywhere",
            "Order Center",
        ],
    ),
];

/// The table in its order.
pub(super) fn table() -> Vec<UseRule> {
    let by_type = |kind: &str, method: &str| UseRule {
        method: method.into(),
        kind: kind.into(),
        ..UseRule::default()
    };
    let by_subtype = |kind: &str, detail: &str| UseRule {
        detail: detail.into(),
        kind: kind.into(),
        ..UseRule::default()
    };
    let mut rules: Vec<UseRule> = NO_USE_TYPES.iter().map(|method| by_type(NONE, method)).collect();
    for (kind, details) in SUBTYPES {
        rules.extend(details.iter().map(|detail| by_subtype(kind, detail)));
    }
    for (kind, methods) in TYPES {
        rules.extend(methods.iter().map(|method| by_type(kind, method)));
    }
    rules
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn kind(method: &str, detail: &str) -> &'static str {
        let fits = |pattern: &str, text: &str| pattern.is_empty() || pattern == text;
        let rules = table();
        let found =
            rules.iter().find(|rule| fits(&rule.method, method) && fits(&rule.detail, detail));
        match found.map(|rule| rule.kind.as_str()) {
            Some(HUMAN) => HUMAN,
            Some(MACHINE) => MACHINE,
            Some(NONE) => NONE,
            _ => AMBIGUOUS,
        }
    }

    #[test]
    fn the_subtype_decides_before_the_type_except_for_types_that_are_no_use() {
        assert_eq!(kind("Application", ""), HUMAN);
        assert_eq!(kind("Application", "UiPasswordReset"), NONE);
        assert_eq!(kind("Remote Access 2.0", "OauthHybridWebServer"), HUMAN);
        assert_eq!(kind("Remote Access 2.0", "OauthHybridRefreshToken"), AMBIGUOUS);
        assert_eq!(kind("Remote Access 2.0", "OauthHybridTokenExchange"), AMBIGUOUS);
        assert_eq!(kind("Customer Service Portal", "SoapApiLoginPortal"), MACHINE);
        assert_eq!(kind("Other Apex API", "SoapApiLoginMobile"), AMBIGUOUS);
        assert_eq!(kind("SysAdmin Switch", "UsernamePasswordUiLogin"), NONE);
        assert_eq!(kind("Remote Access 2.0", ""), AMBIGUOUS);
    }

    #[test]
    fn a_value_without_a_row_is_ambiguous() {
        assert_eq!(kind("Something New", ""), AMBIGUOUS);
        assert_eq!(kind("Something New", "OauthSomethingNew"), AMBIGUOUS);
        assert_eq!(kind("Anwendung", ""), AMBIGUOUS);
    }

    #[test]
    fn the_twenty_documented_subtypes_have_one_row_each_and_no_value_is_a_pattern() {
        let rules = table();
        let details: Vec<&str> =
            rules.iter().map(|rule| rule.detail.as_str()).filter(|d| !d.is_empty()).collect();
        assert_eq!(details.len(), 20);
        let rows: BTreeSet<(&str, &str)> =
            rules.iter().map(|rule| (rule.method.as_str(), rule.detail.as_str())).collect();
        assert_eq!(rows.len(), rules.len());
        assert!(rules.iter().all(|rule| !format!("{}{}", rule.method, rule.detail).contains('*')));
    }
}
