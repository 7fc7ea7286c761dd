//! `package_license`: licences of managed packages. A negative `AllowedLicenses` is a site licence.

use crate::dataset::model::{Dataset, boolean, integer, object, optional, text, timestamp};
use crate::dataset::permission::MANAGE_PACKAGE_LICENSES;

pub(super) const DATASET: Dataset = object(
    "package_license",
    "Package licences",
    "PackageLicense",
    &[MANAGE_PACKAGE_LICENSES],
    &[
        text("Id"),
        text("NamespacePrefix"),
        text("Status"),
        integer("AllowedLicenses"),
        integer("UsedLicenses"),
        timestamp("ExpirationDate"),
        optional(boolean("IsProvisioned")),
        timestamp("CreatedDate"),
        timestamp("SystemModstamp"),
    ],
);
