//! `profile`: each belongs to exactly one user licence.

use super::{Dataset, VIEW_SETUP, object, text, timestamp};

pub(super) const DATASET: Dataset = object(
    "profile",
    "Profiles",
    "Profile",
    &[VIEW_SETUP],
    &[
        text("Id"),
        text("Name"),
        text("UserType"),
        text("UserLicenseId"),
        text("UserLicense.LicenseDefinitionKey"),
        timestamp("SystemModstamp"),
    ],
);
