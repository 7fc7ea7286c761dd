//! `user_login`: frozen and locked users. A frozen user still holds a licence.

use crate::dataset::model::{Bulk, Changes, Dataset, boolean, object, text, timestamp};
use crate::dataset::permission::MANAGE_USERS;

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
