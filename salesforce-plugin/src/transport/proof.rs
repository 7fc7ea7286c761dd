//! Whose answer it is: the org's own, as far as that can be proven, or something else's.
//!
//! Proxies, gateways, TLS inspection and Salesforce's edge stand between this server and an org, and
//! answer with any status. Only what proves to be the org's may decide that something is denied, absent,
//! or dead; everything else is a passing fault.
//!
//! # Source
//! REST API Developer Guide, "Status Codes and Error Responses": a refusal is a list of objects with
//! `errorCode` and `message`.

use serde::Deserialize;

use crate::settings::org_url::OrgHost;
use crate::transport::answer::Answer;
use crate::transport::foreign_text::ForeignText;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Json,
    /// CSV; an empty body is a result without records.
    Csv,
    /// Nothing but a status.
    Nothing,
}

/// Whose answer it is.
#[derive(Debug)]
pub(crate) enum Proof {
    /// The documented status and media type: the org's, if the shape bears it out.
    Data,
    /// A refusal of the org.
    Refused(Refusal),
    /// A plain word of the org's OAuth resources.
    Word(&'static str),
    /// Nothing that the org is documented to say.
    Unproven(Unproven),
}

/// Words that userinfo and the identity URLs answer.
const WORDS: [&str; 7] = [
    "Bad_OAuth_Token",
    "Missing_OAuth_Token",
    "Wrong_Org",
    "Bad_Id",
    "Inactive",
    "No_Access",
    "No_Site_Endpoint",
];

/// A refusal of the data API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    /// As it came, for reading names out of it; never shown.
    message: String,
    said: ForeignText,
}

#[derive(Deserialize)]
struct Item {
    message: String,
    #[serde(rename = "errorCode")]
    error_code: String,
}

impl Refusal {
    /// The refusal in an error list, if it is one.
    fn of(answer: &Answer) -> Option<Refusal> {
        let items: Vec<Item> = serde_json::from_slice(&answer.body).ok()?;
        if items.is_empty() || !items.iter().all(|item| is_code(&item.error_code)) {
            return None;
        }
        let item = items.into_iter().next()?;
        let mut said = last_line(&item.message).to_owned();
        if answer.status >= 500
            && let Some(id) = answer.header("x-sfdc-request-id")
        {
            said = format!("{said} (request {id})");
        }
        Some(Refusal {
            status: answer.status,
            code: item.error_code,
            said: answer.foreign(&said),
            message: item.message,
        })
    }

    /// A refusal by a status and a plain word, or none.
    pub(crate) fn of_word(status: u16, word: &str) -> Refusal {
        Refusal {
            status,
            code: word.to_owned(),
            message: String::new(),
            said: ForeignText::default(),
        }
    }

    /// A refusal as a test needs it.
    #[cfg(test)]
    pub(crate) fn new(status: u16, code: &str, message: &str) -> Refusal {
        let item = serde_json::json!([{ "errorCode": code, "message": message }]);
        Refusal::of(&Answer::of(status, item.to_string())).expect("a refusal")
    }

    /// The object or resource does not exist for this account: a permission or a feature is missing.
    pub(crate) fn is_hidden(&self) -> bool {
        matches!(
            self.code.as_str(),
            "INVALID_TYPE"
                | "NOT_FOUND"
                | "INSUFFICIENT_ACCESS"
                | "INSUFFICIENT_ACCESS_OR_READONLY"
                | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
                | "FUNCTIONALITY_NOT_ENABLED"
                | "INVALID_TYPE_FOR_OPERATION"
        )
    }

    /// Whether the account is refused as such, and not a single object.
    pub(crate) fn is_of_account(&self) -> bool {
        matches!(self.code.as_str(), "INSUFFICIENT_ACCESS" | "INSUFFICIENT_ACCESS_OR_READONLY")
    }

    /// Whether the message has these words, in any case.
    pub(crate) fn mentions(&self, words: &str) -> bool {
        self.message.to_ascii_lowercase().contains(&words.to_ascii_lowercase())
    }

    /// Code and message, on one line.
    pub(crate) fn shown(&self) -> String {
        match (self.code.is_empty(), self.said.is_empty()) {
            (true, _) => format!("HTTP {}", self.status),
            (false, true) => self.code.clone(),
            (false, false) => format!("{}: {}", self.code, self.said),
        }
    }

    /// The column, or the relationship before a column, that an `INVALID_FIELD` is about.
    pub(crate) fn invalid_column(&self) -> Option<&str> {
        if self.code != "INVALID_FIELD" {
            return None;
        }
        let (_, rest) =
            [COLUMN, RELATIONSHIP].iter().find_map(|start| self.message.split_once(*start))?;
        rest.split('\'').next().filter(|name| !name.is_empty())
    }

    /// Whether a field, or a path over relationships, is what an `INVALID_FIELD` is about. Of a path the
    /// message names only the last part, or the relationship that every refused path leads over.
    pub(crate) fn is_about(&self, field: &str) -> bool {
        let Some(name) = self.invalid_column() else { return false };
        if self.message.contains(RELATIONSHIP) {
            return field.rsplit('.').skip(1).any(|part| part == name);
        }
        field == name || field.rsplit('.').next() == Some(name)
    }
}

/// What precedes the name in the messages of `INVALID_FIELD`.
const COLUMN: &str = "No such column '";
const RELATIONSHIP: &str = "Didn't understand relationship '";

/// A message about a query repeats the query first; what was wrong follows the last line break.
fn last_line(message: &str) -> &str {
    message.trim().rsplit('\n').next().unwrap_or_default()
}

fn is_code(text: &str) -> bool {
    text.len() <= 100
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// An answer that is not the org's.
#[derive(Clone, Debug)]
pub(crate) struct Unproven {
    pub(crate) status: u16,
    looks: Looks,
}

#[derive(Clone, Debug)]
enum Looks {
    /// A redirect, to that host of an org if it is one.
    Redirect(Option<OrgHost>),
    /// HTML, with its title.
    Page(ForeignText),
    Empty,
    /// An error list with a status that is none of an error's.
    Refusal(String),
    Else,
}

impl Unproven {
    /// What such an answer looks like.
    pub(crate) fn of(answer: &Answer) -> Unproven {
        let looks = if (300..400).contains(&answer.status) {
            Looks::Redirect(answer.header("location").and_then(OrgHost::of_url))
        } else if answer.is_html() {
            Looks::Page(title(answer))
        } else if answer.body.iter().all(u8::is_ascii_whitespace) {
            Looks::Empty
        } else if let Some(refusal) = Refusal::of(answer) {
            Looks::Refusal(refusal.shown())
        } else {
            Looks::Else
        };
        Unproven { status: answer.status, looks }
    }

    /// The host of an org to which a redirect leads.
    pub(crate) fn target(&self) -> Option<&OrgHost> {
        match &self.looks {
            Looks::Redirect(host) => host.as_ref(),
            _ => None,
        }
    }

    /// The next step for an operator.
    pub(crate) fn hint(&self) -> &'static str {
        match self.status {
            407 => "the proxy asks for a user name and password: give them in `proxy`",
            300..400 => {
                "a proxy or login page may have answered; check the domain: enter the org's My Domain name"
            }
            503 => {
                "maintenance, or a gateway on the way: see https://status.salesforce.com; the next run tries again"
            }
            _ => {
                "a proxy, a gateway or a maintenance page answered instead of the org: see https://status.salesforce.com and the network; the next run tries again"
            }
        }
    }
}

impl std::fmt::Display for Unproven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        match &self.looks {
            Looks::Redirect(Some(host)) => write!(f, ", a redirect to `{host}`"),
            Looks::Redirect(None) => f.write_str(", a redirect to another page"),
            Looks::Page(title) if title.is_empty() => f.write_str(" with a page"),
            Looks::Page(title) => write!(f, " with a page titled `{title}`"),
            Looks::Empty => f.write_str(" without a body"),
            Looks::Refusal(said) => write!(f, " with the error {said}"),
            Looks::Else => f.write_str(" with something that is not the API's answer"),
        }
    }
}

/// The title of an HTML page.
fn title(answer: &Answer) -> ForeignText {
    let text = String::from_utf8_lossy(&answer.body);
    let title = text
        .split_once("<title>")
        .and_then(|(_, rest)| rest.split_once("</title>"))
        .map_or("", |(title, _)| title);
    answer.foreign(title.get(..title.floor_char_boundary(100)).unwrap_or_default())
}

/// Whether a status says that something on the way, or the platform as a whole, has a passing fault,
/// whatever words come with it.
pub(crate) fn is_passing(status: u16) -> bool {
    matches!(status, 406 | 407 | 408 | 420 | 421 | 425 | 429 | 451 | 500..)
}

/// Finds out whose answer it is.
pub(crate) fn proof(answer: &Answer, expected: Expected) -> Proof {
    let unproven = || Proof::Unproven(Unproven::of(answer));
    match (expected, answer.status) {
        (Expected::Json, 200) if !answer.is_html() && !answer.body.is_empty() => {
            // An error list is no data, though it is JSON and came with the status of data.
            if Refusal::of(answer).is_some() { unproven() } else { Proof::Data }
        }
        (Expected::Csv, 200) if answer.taken.is_some() || answer.body.is_empty() => Proof::Data,
        (Expected::Nothing, 204) => Proof::Data,
        (_, 400..) => {
            if let Some(refusal) = Refusal::of(answer) {
                return Proof::Refused(refusal);
            }
            let word = WORDS.iter().find(|word| answer.body.trim_ascii() == word.as_bytes());
            word.map_or_else(unproven, |word| Proof::Word(word))
        }
        _ => unproven(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: &str = "<html><head><title>Access denied</title></head></html>";

    #[test]
    fn only_an_error_list_with_a_code_is_a_refusal() {
        for body in [
            GATEWAY,
            "",
            "[]",
            "{}",
            r#"{"message":"Forbidden"}"#,
            r#"{"message":"no","errorCode":"NOT_FOUND"}"#,
            r#"[{"message":"no"}]"#,
            r#"[{"message":"no","errorCode":""}]"#,
            r#"[{"message":"no","errorCode":"not found"}]"#,
            r#"[{"message":"no","errorCode":"NOT_FOUND"},{"message":"no"}]"#,
            r#"[{"message":"no","errorCode":"NOT_FOU"#,
        ] {
            for status in [400, 401, 403, 404, 405, 500, 503] {
                let proof = proof(&Answer::of(status, body), Expected::Json);
                assert!(matches!(proof, Proof::Unproven(_)), "{status} {body}: {proof:?}");
            }
        }
        let list = r#"[{"message":"no","errorCode":"NOT_FOUND","fields":["A"],"new":1}]"#;
        let proof = proof(&Answer::of(404, list), Expected::Json);
        assert!(matches!(proof, Proof::Refused(refusal) if refusal.is_hidden()));
    }

    #[test]
    fn only_the_documented_status_is_data() {
        for status in [201, 202, 203, 204, 206, 300, 304] {
            let proof = proof(&Answer::of(status, "{}"), Expected::Json);
            assert!(matches!(proof, Proof::Unproven(_)), "{status}");
        }
        assert!(matches!(proof(&Answer::of(200, "{}"), Expected::Json), Proof::Data));
        assert!(matches!(proof(&Answer::of(200, ""), Expected::Json), Proof::Unproven(_)));
        assert!(matches!(proof(&Answer::of(200, GATEWAY), Expected::Json), Proof::Unproven(_)));
        let page = Answer::of(200, "{}").with_header("content-type", "text/html");
        assert!(matches!(proof(&page, Expected::Json), Proof::Unproven(_)));
        assert!(matches!(proof(&Answer::of(200, ""), Expected::Csv), Proof::Data));
        assert!(matches!(proof(&Answer::of(200, "{}"), Expected::Csv), Proof::Unproven(_)));
        assert!(matches!(proof(&Answer::of(204, ""), Expected::Nothing), Proof::Data));
        assert!(matches!(proof(&Answer::of(200, ""), Expected::Nothing), Proof::Unproven(_)));
    }

    #[test]
    fn an_error_list_with_the_status_of_data_is_told_by_its_code() {
        let answer = Answer::of(200, r#"[{"message":"no","errorCode":"NOT_FOUND"}]"#);
        let Proof::Unproven(unproven) = proof(&answer, Expected::Json) else { panic!("data") };
        assert_eq!(unproven.to_string(), "HTTP 200 with the error NOT_FOUND: no");
    }

    #[test]
    fn what_is_not_the_orgs_is_described() {
        let text = |answer: &Answer| match proof(answer, Expected::Json) {
            Proof::Unproven(unproven) => unproven.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(text(&Answer::of(403, GATEWAY)), "HTTP 403 with a page titled `Access denied`");
        assert_eq!(text(&Answer::of(404, " \n")), "HTTP 404 without a body");
        let redirect = |to| Answer::of(302, "").with_header("location", to);
        let moved = redirect("https://new.my.salesforce.com/services/data");
        assert_eq!(text(&moved), "HTTP 302, a redirect to `new.my.salesforce.com`");
        let elsewhere = redirect("https://portal.example/login?token=x");
        assert_eq!(text(&elsewhere), "HTTP 302, a redirect to another page");
    }

    #[test]
    fn the_words_of_the_oauth_resources_are_the_orgs() {
        let proof = |body| proof(&Answer::of(403, body), Expected::Json);
        assert!(matches!(proof("Bad_OAuth_Token"), Proof::Word("Bad_OAuth_Token")));
        assert!(matches!(proof("Bad_OAuth_Token, says the proxy"), Proof::Unproven(_)));
    }

    #[test]
    fn a_refusal_names_a_column_or_a_relationship() {
        let hidden = Refusal::new(
            400,
            "INVALID_TYPE",
            "\nSELECT x\n^\nsObject type 'UserLogin' is not supported.",
        );
        assert!(hidden.is_hidden() && hidden.invalid_column().is_none());
        assert_eq!(hidden.shown(), "INVALID_TYPE: sObject type 'UserLogin' is not supported.");
        let column = Refusal::new(
            400,
            "INVALID_FIELD",
            "\nSELECT Foo\n^\nERROR at Row:1:Column:8\nNo such column 'Foo' on entity 'User'. If",
        );
        assert!(!column.is_hidden());
        assert_eq!(column.invalid_column(), Some("Foo"));
        assert!(column.is_about("Foo") && column.is_about("Parent.Foo"));
        assert!(!column.is_about("Foo.Name") && !column.is_about("Bar"));
        let relationship = Refusal::new(
            400,
            "INVALID_FIELD",
            "\nProfile.Name\n^\nERROR at Row:1:Column:8\nDidn't understand relationship 'Profile' in field path. If you are",
        );
        assert_eq!(relationship.invalid_column(), Some("Profile"));
        assert!(relationship.is_about("Profile.Name"));
        assert!(relationship.is_about("Profile.UserLicense.Name"));
        assert!(relationship.is_about("Owner.Profile.Name"));
        assert!(!relationship.is_about("Profile") && !relationship.is_about("ProfileId"));
    }

    #[test]
    fn what_an_org_says_is_masked() {
        let answer = Answer::of(
            400,
            r#"[{"message":"echo: canary-token-1","errorCode":"MALFORMED_QUERY"}]"#,
        );
        answer.masker.remember("canary-token-1");
        let Proof::Refused(refusal) = proof(&answer, Expected::Json) else { panic!("no refusal") };
        assert_eq!(refusal.shown(), "MALFORMED_QUERY: echo: [secret]");
    }
}
