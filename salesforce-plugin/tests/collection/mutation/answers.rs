//! The wrong answers: what gateways, edges, faults and changed rights make of a right one.

use salesforce_sim::{Action, RetryAfter, Spoiled};

use super::trial::Place;

/// A wrong answer and its name in the matrix.
pub(crate) struct Answer {
    pub(crate) name: String,
    pub(crate) action: Action,
    /// Where it is tried.
    pub(crate) places: &'static [Place],
}

impl Answer {
    /// Whether the org shows less from then on.
    pub(crate) fn changes_the_org(&self) -> bool {
        matches!(
            self.action,
            Action::HideObject { .. }
                | Action::EmptyObject { .. }
                | Action::WithoutPermission { .. }
        )
    }
}

/// Bytes that are certainly inside every body that is cut.
const SHORT: usize = 21;

/// Every wrong answer that is tried. None of them is more than passing: what Salesforce itself says
/// for good, such as `invalid_grant`, is not among them.
pub(crate) fn answers() -> Vec<Answer> {
    let named = |places: &'static [Place]| {
        move |(name, action): (&str, Action)| Answer { name: name.to_owned(), action, places }
    };
    let mut answers: Vec<Answer> = anywhere().into_iter().map(named(&Place::ALL)).collect();
    answers.extend(everywhere().into_iter().map(named(&Place::EVERY)));
    // A session that ends again and again is no passing fault.
    answers.push(named(&Place::ONCE)(("session_ends", Action::ExpireSession)));
    answers
}

fn anywhere() -> Vec<(&'static str, Action)> {
    vec![
        ("gateway_200", gateway(200)),
        ("gateway_403", gateway(403)),
        ("gateway_404", gateway(404)),
        ("gateway_420", gateway(420)),
        ("gateway_451", gateway(451)),
        ("gateway_429_seconds", waits(429, RetryAfter::Seconds(2))),
        ("gateway_503_date", waits(503, RetryAfter::Date(2))),
        ("empty_200", plain(200, "", None)),
        ("empty_404", plain(404, "", None)),
        ("no_code_403", json(403, NO_CODE)),
        ("oauth_json_503", json(503, GRANT_JSON)),
        ("errors_200", json(200, &coded("UNKNOWN_EXCEPTION"))),
        ("unknown_500", json(500, &coded("UNKNOWN_EXCEPTION"))),
        ("lock_row_400", json(400, &coded("UNABLE_TO_LOCK_ROW"))),
        ("not_found_404", json(404, &coded("NOT_FOUND"))),
        ("no_access_403", json(403, &coded("INSUFFICIENT_ACCESS"))),
        ("invalid_type_400", json(400, &coded("INVALID_TYPE"))),
        ("status_206", Action::WithStatus { code: 206 }),
        ("empty_list", Action::EmptyList),
        ("two_thirds", Action::CutList { keep_percent: 66 }),
        ("doubles_instead", Action::Doubles { instead: true }),
        ("no_last_column", Action::DropColumn { column: None }),
        ("half_surrogate", spoiled(Spoiled::HalfSurrogate)),
        ("no_such_date", spoiled(Spoiled::NoSuchDate)),
        ("number_too_large", spoiled(Spoiled::NumberTooLarge)),
        ("other_order", Action::Reorder),
        ("total_less", Action::TotalSize { by: -2 }),
        ("truncated", Action::TruncateBody { bytes: SHORT }),
        ("closed_early", Action::CloseAfter { bytes: SHORT as u64, chunked: true }),
        ("called_html", kind("text/html")),
        ("licences_emptied", emptied("UserLicense")),
        ("no_view_setup", without("PermissionsViewSetup")),
    ]
}

fn everywhere() -> Vec<(&'static str, Action)> {
    vec![
        ("gateway_302", gateway(302)),
        ("gateway_400", gateway(400)),
        ("gateway_401", gateway(401)),
        ("gateway_407", gateway(407)),
        ("gateway_408", gateway(408)),
        ("gateway_421", gateway(421)),
        ("gateway_502", gateway(502)),
        ("empty_204", plain(204, "", None)),
        ("empty_403", plain(403, "", None)),
        ("no_code_404", json(404, NO_CODE)),
        ("no_code_503", json(503, NO_CODE)),
        ("oauth_json_429", json(429, GRANT_JSON)),
        ("oauth_json_500", json(500, GRANT_JSON)),
        ("unavailable_503", Action::ServerUnavailable),
        ("concurrent", Action::ConcurrentLimit),
        ("daily_limit", Action::DailyLimit),
        ("status_202", Action::WithStatus { code: 202 }),
        ("status_203", Action::WithStatus { code: 203 }),
        ("one_third", Action::CutList { keep_percent: 33 }),
        ("doubles", Action::Doubles { instead: false }),
        ("no_id", Action::DropColumn { column: Some("Id".into()) }),
        ("year_20190", spoiled(Spoiled::YearTooLarge)),
        ("plain_date", spoiled(Spoiled::PlainDate)),
        ("compound", spoiled(Spoiled::Compound)),
        ("total_more", Action::TotalSize { by: 2 }),
        ("no_next_page", Action::NoNextPage),
        ("empty_page", Action::EmptyPage),
        ("same_locator", Action::SameLocator),
        ("short_page", Action::TruncatePage { rows: 3 }),
        ("two_gzip_members", Action::TwoGzipMembers),
        ("corrupt_gzip", Action::CorruptGzip { offset: 12 }),
        ("false_encoding", Action::FalseEncoding),
        ("no_answer", Action::CloseBeforeAnswer),
        ("called_text", kind("text/plain")),
        ("locators_end", Action::KillLocators),
        ("missing_part", Action::MissingPart),
        ("cut_record", Action::CutRecord),
        ("job_fails", Action::FailJob { message: "internal".into() }),
        ("job_aborted", Action::AbortJob),
        ("job_deleted", Action::DeleteJob),
        ("profile_hidden", hidden("Profile")),
        ("licences_hidden", hidden("UserLicense")),
        ("users_hidden", hidden("User")),
        ("profiles_emptied", emptied("Profile")),
        ("logins_emptied", emptied("LoginHistory")),
        ("no_view_all_users", without("PermissionsViewAllUsers")),
        ("no_manage_users", without("PermissionsManageUsers")),
    ]
}

const NO_CODE: &str = r#"{"message":"Forbidden"}"#;
const GRANT_JSON: &str = r#"{"error":"invalid_grant","error_description":"try later"}"#;

fn gateway(status: u16) -> Action {
    Action::GatewayPage { status, retry_after: None }
}

fn waits(status: u16, wait: RetryAfter) -> Action {
    Action::GatewayPage { status, retry_after: Some(wait) }
}

fn spoiled(value: Spoiled) -> Action {
    Action::Spoil { value, column: None }
}

fn kind(value: &str) -> Action {
    Action::SetHeader { name: "Content-Type".into(), value: value.into() }
}

fn hidden(object: &str) -> Action {
    Action::HideObject { object: object.into() }
}

fn emptied(object: &str) -> Action {
    Action::EmptyObject { object: object.into() }
}

fn without(right: &str) -> Action {
    Action::WithoutPermission { permission: right.into() }
}

fn coded(code: &str) -> String {
    format!(r#"[{{"message":"try later","errorCode":"{code}"}}]"#)
}

fn json(code: u16, body: &str) -> Action {
    plain(code, body, Some("application/json;charset=UTF-8"))
}

fn plain(code: u16, body: &str, content_type: Option<&str>) -> Action {
    Action::Status {
        code,
        body: body.to_owned(),
        content_type: content_type.map(str::to_owned),
        headers: Vec::new(),
    }
}
