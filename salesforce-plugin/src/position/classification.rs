//! Who uses a type of login: a person, a machine, or either.
//!
//! # Source
//! Object Reference, `LoginHistory`: the labels of `LoginType` and the values of `LoginSubType`. Both
//! the labels and the values of the reports API occur, so both are listed.

use connector_api::position::UseRule;

/// `LoginSubType`, which says most.
const BY_SUBTYPE: [(&str, &str); 8] = [
    ("OauthClientCredentials", "machine"),
    ("OauthUsernamePassword", "machine"),
    ("SoapApi*", "machine"),
    ("OauthRefreshToken", "ambiguous"),
    ("OauthWebServer*", "human"),
    ("OauthHybrid*", "human"),
    ("OauthUserAgent*", "human"),
    ("UiLogin*", "human"),
];

/// `LoginType`, where the subtype is empty or says nothing.
const BY_TYPE: [(&str, &str); 20] = [
    ("Other Apex API", "machine"),
    ("OtherApi", "machine"),
    ("Partner Product", "machine"),
    ("Partner", "machine"),
    ("DB Replication", "machine"),
    ("DataJunction", "machine"),
    ("Networks Portal API Only", "machine"),
    ("Certificate-based login", "machine"),
    ("Application", "human"),
    ("SAML*", "human"),
    ("Third Party SSO", "human"),
    ("ThirdPartySso", "human"),
    ("Lightning Login", "human"),
    ("LightningLogin", "human"),
    ("Passwordless*", "human"),
    ("Employee Login to Community", "human"),
    ("EmployeeLoginToCommunity", "human"),
    ("*Portal*", "human"),
    ("*Chatter Communities*", "human"),
    ("Remote Access*", "ambiguous"),
];

/// The table in its order.
pub(super) fn table() -> Vec<UseRule> {
    let by_subtype = BY_SUBTYPE.iter().map(|(detail, kind)| UseRule {
        detail: (*detail).into(),
        kind: (*kind).into(),
        ..UseRule::default()
    });
    let by_type = BY_TYPE.iter().map(|(method, kind)| UseRule {
        method: (*method).into(),
        kind: (*kind).into(),
        ..UseRule::default()
    });
    by_subtype.chain(by_type).collect()
}
