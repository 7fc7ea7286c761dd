//! `profile`: each belongs to exactly one user licence.

use super::{Changes, Dataset, VIEW_SETUP, object, text, timestamp};

pub(super) const DATASET: Dataset = Dataset {
    changes: Changes::stamped(&["SystemModstamp"], None),
    ..object(
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
    )
};
