//! What a fault does.

use serde::{Deserialize, Serialize};

use crate::kind::RequestKind;

/// What happens to a request, or to its answer.
///
/// In JSON a variant without fields is its name in snake case (`"stall"` takes fields, so
/// it is `{"stall": {}}`), one with fields an object of one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Action {
    /// Answer with this, and do nothing else.
    Status {
        /// HTTP status.
        code: u16,
        /// Body, as text.
        #[serde(default)]
        body: String,
        /// `Content-Type`; none if left out.
        #[serde(default)]
        content_type: Option<String>,
        /// More headers.
        #[serde(default)]
        headers: Vec<(String, String)>,
    },
    /// 200 with an HTML maintenance page.
    HtmlPage,
    /// 420 with the edge's page for a host without a route.
    EdgeNoRoute,
    /// Refuse as the OAuth endpoints do, and do nothing else: as JSON, or on the error page if
    /// it is an authorization request.
    OauthError {
        /// `error`.
        error: String,
        /// `error_description`; empty if left out.
        #[serde(default)]
        description: String,
        /// HTTP status; 400 if left out.
        #[serde(default = "bad_request")]
        status: u16,
    },
    /// 503 with the edge's HTML page.
    EdgeUnavailable,
    /// 503 `SERVER_UNAVAILABLE` with a JSON body.
    ServerUnavailable,
    /// Close before the answer; the request was carried out.
    CloseBeforeAnswer,
    /// Close after the head and some bytes of the body.
    CloseAfter {
        /// Bytes of the body, as sent.
        bytes: u64,
        /// Send chunks without an end, rather than announce the whole length.
        #[serde(default)]
        chunked: bool,
    },
    /// Reset the connection.
    Reset {
        /// Bytes of the body before it; before the head if left out.
        #[serde(default)]
        bytes: Option<u64>,
    },
    /// Send nothing (more) until the client gives up.
    Stall {
        /// Bytes of the body before it; before the head if left out.
        #[serde(default)]
        bytes: Option<u64>,
    },
    /// Send the body slowly.
    Drip {
        /// Bytes in one go.
        bytes: usize,
        /// Milliseconds before each.
        pause_ms: u64,
    },
    /// Leave out the end of the body, with a length that fits what is sent.
    TruncateBody {
        /// Bytes of the uncompressed body that are kept.
        bytes: usize,
    },
    /// Put a UTF-8 byte order mark before the body.
    Bom,
    /// Add keys nobody knows to the outermost JSON object.
    ExtraKeys,
    /// Put a value into the JSON body, in place of what is there.
    SetJson {
        /// Where, as a JSON pointer (RFC 6901) such as `/instance_url`. The last part may name
        /// a new key of an object.
        pointer: String,
        /// What; `null` is a value like any other.
        value: serde_json::Value,
    },
    /// Leave a value out of the JSON body.
    RemoveJson {
        /// Where, as a JSON pointer.
        pointer: String,
    },
    /// Write the JSON object as a form, whatever form was asked for.
    FormBody,
    /// Replace a header of the answer, or add it.
    SetHeader {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// Compress the body and flip one bit of it.
    CorruptGzip {
        /// Which byte, counted from the start.
        offset: usize,
    },
    /// Say the body is gzip although it is not.
    FalseEncoding,
    /// The page of a gateway between client and org, which carries no header of Salesforce.
    GatewayPage {
        /// HTTP status.
        status: u16,
        /// `Retry-After`; none if left out.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
    },
    /// The answer, with another status, such as a 2xx that is not the documented one.
    WithStatus {
        /// HTTP status.
        code: u16,
    },
    /// Compress the body as two gzip members (RFC 1952), one after the other.
    TwoGzipMembers,
    /// A list without rows, and counters of zero.
    EmptyList,
    /// Only the first rows of a list; every counter of the same answer agrees with them.
    CutList {
        /// Share of the rows that is kept.
        keep_percent: u8,
    },
    /// Rows that come twice.
    Doubles {
        /// In place of every second row, so that the number stays, rather than in addition.
        #[serde(default)]
        instead: bool,
    },
    /// Leave a column out of every row; of a describe, a field.
    DropColumn {
        /// Its name; the last one if left out.
        #[serde(default)]
        column: Option<String>,
    },
    /// Put a value that cannot be read into the first record that has one of that kind.
    Spoil {
        /// What.
        value: Spoiled,
        /// Which column; the first that such a value fits if left out.
        #[serde(default)]
        column: Option<String>,
    },
    /// The rows of a list in the opposite order, ids included.
    Reorder,
    /// Keep only the first rows of the page and call it the last one.
    TruncatePage {
        /// Rows that are kept.
        rows: u64,
    },
    /// `done:false` without a `nextRecordsUrl`.
    NoNextPage,
    /// A page without rows that is not the last one.
    EmptyPage,
    /// A `nextRecordsUrl` that leads to the same page again.
    SameLocator,
    /// Begin the page some rows early, so that they are sent twice.
    OverlapPage {
        /// Rows sent again.
        rows: u64,
    },
    /// A `totalSize` that is off.
    TotalSize {
        /// By how much.
        by: i64,
    },
    /// End the session of the token that was presented; it gets 401 from here on.
    ExpireSession,
    /// Revoke every refresh token and end every session.
    RevokeTokens,
    /// Make every query locator invalid, then answer.
    KillLocators,
    /// 403 `REQUEST_LIMIT_EXCEEDED`, concurrent requests.
    ConcurrentLimit,
    /// 403 `REQUEST_LIMIT_EXCEEDED`, requests of the day.
    DailyLimit,
    /// A bulk job fails by itself when this request is about it.
    FailJob {
        /// Its `errorMessage`.
        message: String,
    },
    /// A bulk job is aborted by somebody else.
    AbortJob,
    /// A bulk job and its result are deleted by somebody else.
    DeleteJob,
    /// A bulk job is never taken from the queue.
    HoldJob,
    /// A part of a bulk result ends in the middle of a record, with a length that fits what is sent.
    CutRecord,
    /// A part of a bulk result is left out: the locator leads past it, or the list of parts lacks it.
    MissingPart,
    /// Add a user before this is answered.
    AddUser {
        /// Name of the profile.
        profile: String,
    },
    /// Remove a record before this is answered; users are deactivated instead.
    RemoveRecord {
        /// Its object.
        object: String,
        /// Its id.
        id: String,
    },
    /// Move the `SystemModstamp` of some records to the present before this is answered.
    TouchRecords {
        /// Their object.
        object: String,
        /// Their ids.
        ids: Vec<String>,
    },
    /// Add a record before this is answered; with an earlier date it is a late row of a log.
    AddRecord {
        /// Its object.
        object: String,
        /// Its fields, as the REST API writes them; the rest is empty, and dates are the present.
        fields: serde_json::Map<String, serde_json::Value>,
    },
    /// Show names and labels in another language from here on; no stamp moves.
    TranslateLabels,
    /// Show an object without records from here on: 200 and an empty list.
    EmptyObject {
        /// Its API name.
        object: String,
    },
    /// Hide an object from everyone from here on, then answer.
    HideObject {
        /// Its API name.
        object: String,
    },
    /// Take a permission from everyone from here on, then answer.
    WithoutPermission {
        /// Its API name, such as `PermissionsViewSetup`.
        permission: String,
    },
}

/// What `Retry-After` says; RFC 9110 knows two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// Seconds.
    Seconds(u64),
    /// The HTTP date this many seconds after the answer's own `Date`.
    Date(u64),
}

/// A value that a client cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spoiled {
    /// A text with half a surrogate pair.
    HalfSurrogate,
    /// 31 February.
    NoSuchDate,
    /// The year 20190.
    YearTooLarge,
    /// A number that no type holds.
    NumberTooLarge,
    /// A date where date and time are documented.
    PlainDate,
    /// An object: an address.
    Compound,
}

impl Spoiled {
    /// As a JSON value.
    pub(super) fn in_json(self) -> &'static str {
        match self {
            Spoiled::HalfSurrogate => r#""\ud83d""#,
            Spoiled::NoSuchDate => r#""2026-02-31T10:11:12.000+0000""#,
            Spoiled::YearTooLarge => r#""20190-05-06T10:11:12.000+0000""#,
            Spoiled::NumberTooLarge => "1e400",
            Spoiled::PlainDate => r#""2026-01-31""#,
            Spoiled::Compound => r#"{"city":"Bath","country":"GB","geocodeAccuracy":null}"#,
        }
    }

    /// As a value of a CSV, between its quotes.
    pub(super) fn in_csv(self) -> &'static [u8] {
        match self {
            Spoiled::HalfSurrogate => b"\xed\xa0\xbd",
            Spoiled::NoSuchDate => b"2026-02-31T10:11:12.000Z",
            Spoiled::YearTooLarge => b"20190-05-06T10:11:12.000Z",
            Spoiled::NumberTooLarge => b"1e400",
            Spoiled::PlainDate => b"2026-01-31",
            Spoiled::Compound => b"",
        }
    }

    /// Whether it is met where `old` is the value of the field `name`.
    pub(super) fn replaces(self, name: &str, old: &serde_json::Value) -> bool {
        let text = old.as_str().filter(|_| !name.ends_with("Id") && name != "attributes");
        let is_instant = |text: &str| text.len() > 19 && text.as_bytes().get(10) == Some(&b'T');
        match self {
            Spoiled::HalfSurrogate | Spoiled::Compound => {
                text.is_some_and(|text| !text.is_empty() && !is_instant(text))
            }
            Spoiled::NoSuchDate | Spoiled::YearTooLarge | Spoiled::PlainDate => {
                text.is_some_and(is_instant)
            }
            Spoiled::NumberTooLarge => old.is_number(),
        }
    }
}

fn bad_request() -> u16 {
    400
}

impl Action {
    /// Whether requests of that kind have what it is about: pages, or jobs.
    pub(crate) fn concerns(&self, kind: RequestKind) -> bool {
        use RequestKind::{Count, JobEnded, JobParts, JobPolled, JobResults, NextPage, Page};
        match self {
            Action::TotalSize { .. } => matches!(kind, Count | Page | NextPage),
            Action::TruncatePage { .. }
            | Action::NoNextPage
            | Action::EmptyPage
            | Action::SameLocator
            | Action::OverlapPage { .. } => matches!(kind, Page | NextPage),
            Action::FailJob { .. } | Action::AbortJob | Action::DeleteJob | Action::HoldJob => {
                matches!(kind, JobPolled | JobResults | JobParts | JobEnded)
            }
            Action::CutRecord => kind == JobResults,
            Action::MissingPart => matches!(kind, JobResults | JobParts),
            _ => true,
        }
    }

    /// The action's name, as in a JSON script.
    pub fn name(&self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            Ok(serde_json::Value::Object(fields)) => {
                fields.keys().next().cloned().unwrap_or_default()
            }
            _ => String::new(),
        }
    }
}
