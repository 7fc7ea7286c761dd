//! What a fault does.

use serde::{Deserialize, Serialize};

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

fn bad_request() -> u16 {
    400
}

impl Action {
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
