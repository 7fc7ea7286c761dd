//! `account`: read only to name the owner of external users.

use crate::dataset::model::{Bulk, Changes, Dataset, boolean, object, optional, text, timestamp};
use crate::dataset::permission::READ_ACCOUNTS;

pub(super) const DATASET: Dataset = Dataset {
    changes: Changes::stamped(&["SystemModstamp"], Some("CreatedDate")),
    bulk: Bulk::Yes,
    by_default: false,
    ..object(
        "account",
        "Accounts",
        "Account",
        &[READ_ACCOUNTS],
        &[
            text("Id"),
            text("Name"),
            optional(boolean("IsPartner")),
            optional(boolean("IsCustomerPortal")),
            timestamp("CreatedDate"),
            timestamp("SystemModstamp"),
        ],
    )
};
