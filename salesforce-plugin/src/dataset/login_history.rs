//! `login_history`: six months of logins. Addresses and places are left out: they are personal data
//! that the licence position does not need.

use crate::dataset::model::{Bulk, Changes, Dataset, Paging, object, optional, text, timestamp};
use crate::dataset::permission::{MANAGE_USERS, MONITOR_LOGIN_HISTORY};

pub(super) const DATASET: Dataset = Dataset {
    paging: Paging::Stamp("LoginTime"),
    bounded_by_days: true,
    changes: Changes::log_of("LoginTime"),
    bulk: Bulk::Perhaps,
    own_rows: Some("UserId"),
    personal: true,
    ..object(
        "login_history",
        "Login history",
        "LoginHistory",
        &[MONITOR_LOGIN_HISTORY, MANAGE_USERS],
        &[
            text("Id"),
            text("UserId"),
            timestamp("LoginTime"),
            text("LoginType"),
            optional(text("LoginSubType")),
            text("Status"),
            text("Application"),
            optional(text("ApiType")),
            optional(text("ApiVersion")),
            optional(text("ClientVersion")),
        ],
    )
};
