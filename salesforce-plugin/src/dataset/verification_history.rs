//! `verification_history`: six months of identity verifications, without addresses and places.

use crate::dataset::model::{Changes, Dataset, Paging, object, text, timestamp};
use crate::dataset::permission::MANAGE_USERS;

pub(super) const DATASET: Dataset = Dataset {
    by_default: false,
    paging: Paging::Stamp("VerificationTime"),
    changes: Changes::log_of("VerificationTime"),
    personal: true,
    ..object(
        "verification_history",
        "Identity verifications",
        "VerificationHistory",
        &[MANAGE_USERS],
        &[
            text("Id"),
            text("UserId"),
            timestamp("VerificationTime"),
            text("VerificationMethod"),
            text("Activity"),
            text("Status"),
            text("Policy"),
            text("LoginHistoryId"),
        ],
    )
};
