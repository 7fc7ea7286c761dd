//! `account`: read only to name the owner of external users.

use super::{Bulk, Changes, Dataset, READ_ACCOUNTS, boolean, object, optional, text, timestamp};

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
