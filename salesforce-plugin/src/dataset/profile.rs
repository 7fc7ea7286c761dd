//! `profile`: each belongs to exactly one user licence.

use crate::dataset::model::{Changes, Dataset, copied, object, text, timestamp};
use crate::dataset::permission::VIEW_SETUP;

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
            copied(
                text("UserLicense.LicenseDefinitionKey"),
                "user_license",
                "UserLicenseId",
                "LicenseDefinitionKey",
            ),
            timestamp("SystemModstamp"),
        ],
    )
};
