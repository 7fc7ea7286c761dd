//! Whose session an access token is.
//!
//! # Source
//! Salesforce Help, "Query for User Information" (userinfo endpoint).

use std::time::Duration;

use connector_api::{Error, ErrorKind, Secret};
use serde::Deserialize;

use crate::settings::org_url::OrgHost;
use crate::transport::answer::{Answer, AnswerKind};
use crate::transport::http::{Call, Http};
use crate::transport::proof::{Expected, Proof, Unproven, proof};

const TIMEOUT: Duration = Duration::from_secs(30);

/// The part of userinfo that is used.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct UserInfo {
    pub(crate) organization_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) preferred_username: Option<String>,
}

/// What became of the question.
#[derive(Debug)]
pub(crate) enum Identity {
    /// The token works, and this is its user.
    Known(UserInfo),
    /// The token does not work there; what was answered.
    Refused(String),
    /// No usable answer.
    Unclear(Error),
}

/// Asks with the token itself; sends it to `host` only.
pub(crate) fn identify(http: &Http, host: &OrgHost, token: &Secret) -> Identity {
    let Some(url) = host.url("/services/oauth2/userinfo") else {
        return Identity::Unclear(Error::new(
            ErrorKind::OTHER,
            "the userinfo address is not valid",
        ));
    };
    let authorization = Secret::new(format!("Bearer {}", token.expose()));
    let headers = [("Authorization", authorization.expose()), ("Accept", "application/json")];
    let call = Call { headers: &headers, ..Call::get(&url, TIMEOUT, AnswerKind::Small) };
    match http.send(&call) {
        Ok(answer) => identity(host, &answer),
        Err(error) => Identity::Unclear(error.into()),
    }
}

fn identity(host: &OrgHost, answer: &Answer) -> Identity {
    let unclear = |what: &dyn std::fmt::Display, hint: &str| {
        Identity::Unclear(
            Error::new(
                ErrorKind::RETRYABLE,
                format_args!("`{host}` gave no usable answer about the user ({what})"),
            )
            .with_hint(hint),
        )
    };
    match (answer.status, proof(answer, Expected::Json)) {
        (_, Proof::Data) => match serde_json::from_slice::<UserInfo>(&answer.body) {
            Ok(info) if info.organization_id.is_some() || info.user_id.is_some() => {
                Identity::Known(info)
            }
            _ => unclear(&Unproven::of(answer), "try again later"),
        },
        (status, Proof::Word(word)) => Identity::Refused(format!("HTTP {status}, {word}")),
        (status @ (401 | 403), Proof::Refused(refusal)) => {
            Identity::Refused(format!("HTTP {status}, {}", refusal.shown()))
        }
        (_, Proof::Refused(refusal)) => unclear(&refusal.shown(), "try again later"),
        // Without a word of its own the platform says this of an ended session.
        (401, Proof::Unproven(_)) if answer.body.is_empty() => Identity::Refused("HTTP 401".into()),
        (_, Proof::Unproven(unproven)) => unclear(&unproven, unproven.hint()),
    }
}

/// Whether two ids, of 15 or 18 characters, are of one organization.
pub(crate) fn same_organization(one: &str, other: &str) -> bool {
    matches!((one.get(..15), other.get(..15)), (Some(one), Some(other)) if one == other)
}

/// Organization and user id from the last two parts of the identity URL, which is never fetched.
pub(crate) fn ids_of_identity_url(url: &str) -> (Option<String>, Option<String>) {
    let id = |text: Option<&str>| {
        text.filter(|id| {
            matches!(id.len(), 15 | 18) && id.bytes().all(|b| b.is_ascii_alphanumeric())
        })
        .map(Into::into)
    };
    let mut parts = url.rsplit('/');
    let user = id(parts.next());
    (id(parts.next()), user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_token_is_told_from_a_fault_on_the_way() {
        let host = OrgHost::new("acme.my.salesforce.com").unwrap();
        let said = |status, body| identity(&host, &Answer::of(status, body));
        assert!(matches!(said(200, r#"{"organization_id":"00D"}"#), Identity::Known(_)));
        assert!(
            matches!(said(403, "Bad_OAuth_Token"), Identity::Refused(text) if text == "HTTP 403, Bad_OAuth_Token")
        );
        assert!(matches!(said(401, ""), Identity::Refused(_)));
        for (status, body) in
            [(403, "<html>proxy</html>"), (503, ""), (200, "<html>"), (302, ""), (200, "{}")]
        {
            assert!(matches!(said(status, body), Identity::Unclear(_)), "{status} {body}");
        }
    }

    #[test]
    fn the_identity_url_gives_both_ids_and_nothing_else_does() {
        let (org, user) = ids_of_identity_url(
            "https://login.salesforce.com/id/00Dx0000000BV7zEAG/005x00000012Q9PAAU",
        );
        assert_eq!(
            (org.as_deref(), user.as_deref()),
            (Some("00Dx0000000BV7zEAG"), Some("005x00000012Q9PAAU"))
        );
        assert_eq!(ids_of_identity_url("https://login.salesforce.com/id/foo/bar"), (None, None));
        assert_eq!(ids_of_identity_url(""), (None, None));
    }

    #[test]
    fn ids_of_both_lengths_are_compared_by_what_they_share() {
        assert!(same_organization("00D000000000001", "00D000000000001AAA"));
        assert!(!same_organization("00D000000000001", "00D000000000002AAA"));
        assert!(!same_organization("", ""));
    }
}
