//! `user_package_license`: who holds a licence of a managed package.

use crate::dataset::model::{Bulk, Changes, Dataset, object, text, timestamp};
use crate::dataset::permission::MANAGE_PACKAGE_LICENSES;

pub(super) const DATASET: Dataset = Dataset {
    changes: Changes::stamped(&["SystemModstamp"], Some("CreatedDate")),
    bulk: Bulk::Yes,
    personal: true,
    ..object(
        "user_package_license",
        "Package licence assignments",
        "UserPackageLicense",
        &[MANAGE_PACKAGE_LICENSES],
        &[
            text("Id"),
            text("UserId"),
            text("PackageLicenseId"),
            timestamp("CreatedDate"),
            timestamp("SystemModstamp"),
        ],
    )
};
