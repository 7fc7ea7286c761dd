//! `user_license`: pools of user licences. `Name` is not unique; `UsedLicenses` counts active users.

use crate::dataset::model::{Dataset, integer, object, optional, text, timestamp};
use crate::dataset::permission::VIEW_SETUP;

pub(super) const DATASET: Dataset = object(
    "user_license",
    "User licences",
    "UserLicense",
    &[VIEW_SETUP],
    &[
        text("Id"),
        text("LicenseDefinitionKey"),
        text("Name"),
        text("MasterLabel"),
        text("Status"),
        integer("TotalLicenses"),
        integer("UsedLicenses"),
        timestamp("UsedLicensesLastUpdated"),
        // Only where Digital Experiences is on; null means charged by member.
        optional(integer("MonthlyLoginsEntitlement")),
        optional(integer("MonthlyLoginsUsed")),
        timestamp("SystemModstamp"),
    ],
);
