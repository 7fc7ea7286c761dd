//! `user_login`: frozen and locked users. A frozen user still holds a licence.

use super::{Bulk, Changes, Dataset, MANAGE_USERS, boolean, object, text, timestamp};

pub(super) const DATASET: Dataset = Dataset {
    // Users are never deleted, so neither are these.
    changes: Changes::Stamps { fields: &["LastModifiedDate"], created: None, deletable: false },
    bulk: Bulk::Perhaps,
    personal: true,
    ..object(
        "user_login",
        "Frozen and locked users",
        "UserLogin",
        &[MANAGE_USERS],
        &[
            text("Id"),
            text("UserId"),
            boolean("IsFrozen"),
            boolean("IsPasswordLocked"),
            timestamp("LastModifiedDate"),
        ],
    )
};
