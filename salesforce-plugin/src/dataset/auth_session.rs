//! `auth_session`: sessions that are open now; gone at the next look.

use crate::dataset::model::{
    Countable, Dataset, integer, object, optional, personal, text, timestamp,
};
use crate::dataset::permission::MANAGE_USERS;

pub(super) const DATASET: Dataset = Dataset {
    countable: Countable::Perhaps,
    by_default: false,
    own_rows: Some("UsersId"),
    personal: true,
    ..object(
        "auth_session",
        "Sessions",
        "AuthSession",
        &[MANAGE_USERS],
        &[
            text("Id"),
            text("UsersId"),
            text("UserType"),
            text("LoginType"),
            text("SessionType"),
            optional(text("SessionSecurityLevel")),
            personal(text("SourceIp")),
            integer("NumSecondsValid"),
            optional(text("LoginHistoryId")),
            timestamp("CreatedDate"),
            timestamp("LastModifiedDate"),
        ],
    )
};
