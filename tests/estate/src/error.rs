//! Errors as the REST API answers them.

use std::fmt;

use crate::value::write_text;

/// An error answer: a status and a body of one error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Such as `INVALID_FIELD`.
    pub error_code: String,
    /// Text for people.
    pub message: String,
    /// Names of the fields at fault; written only if there are any.
    pub fields: Vec<String>,
}

impl ApiError {
    /// An error without fields.
    pub fn new(status: u16, error_code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            error_code: error_code.to_owned(),
            message: message.into(),
            fields: Vec::new(),
        }
    }

    /// A path that leads nowhere, or to something the viewer may not see.
    pub fn not_found() -> Self {
        Self::new(404, "NOT_FOUND", "The requested resource does not exist")
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(400, "MALFORMED_QUERY", message)
    }

    /// The JSON body: an array of one object.
    pub fn to_body(&self) -> String {
        let mut body = String::from("[{\"message\":");
        write_text(&self.message, &mut body);
        body.push_str(",\"errorCode\":");
        write_text(&self.error_code, &mut body);
        if !self.fields.is_empty() {
            body.push_str(",\"fields\":[");
            for (at, field) in self.fields.iter().enumerate() {
                if at > 0 {
                    body.push(',');
                }
                write_text(field, &mut body);
            }
            body.push(']');
        }
        body.push_str("}]");
        body
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.error_code, self.message)
    }
}

impl std::error::Error for ApiError {}
