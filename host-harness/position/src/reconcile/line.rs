//! Lines that could not be assessed.

use crate::model::{Line, LineId, LineStatus};

/// What lines about everything are about.
pub(super) const ORGANIZATION: &str = "organization";

/// A line whose counts are not known.
pub(super) fn not_assessed(id: LineId, subject: &str, message: String) -> Line {
    Line {
        id,
        status: LineStatus::NotAssessed,
        subject: subject.to_owned(),
        left: None,
        right: None,
        difference: None,
        message,
        pools: Vec::new(),
    }
}
