//! `account`: read only to name the owner of external users.

use super::{Dataset, READ_ACCOUNTS, boolean, object, optional, text, timestamp};

pub(super) const DATASET: Dataset = object(
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
);
