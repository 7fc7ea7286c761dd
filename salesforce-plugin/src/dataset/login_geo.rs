//! `login_geo`: where logins came from, as Salesforce guesses it.

use crate::dataset::model::{Changes, Dataset, Paging, object, personal, text, timestamp};
use crate::dataset::permission::MANAGE_USERS;

pub(super) const DATASET: Dataset = Dataset {
    by_default: false,
    paging: Paging::Stamp("LoginTime"),
    bounded_by_days: true,
    changes: Changes::log_of("LoginTime"),
    personal: true,
    ..object(
        "login_geo",
        "Places of logins",
        "LoginGeo",
        &[MANAGE_USERS],
        &[
            text("Id"),
            timestamp("LoginTime"),
            text("CountryIso"),
            text("Country"),
            personal(text("City")),
            personal(text("PostalCode")),
            personal(text("Subdivision")),
            timestamp("SystemModstamp"),
        ],
    )
};
