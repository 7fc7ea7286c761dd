//! `permission_set_license`: pools of permission-set licences, keyed for people by `DeveloperName`.

use crate::dataset::model::{Dataset, date, integer, object, optional, text, timestamp};
use crate::dataset::permission::{ASSIGN_PERMISSION_SETS, VIEW_SETUP};

pub(super) const DATASET: Dataset = object(
    "permission_set_license",
    "Permission-set licences",
    "PermissionSetLicense",
    &[VIEW_SETUP, ASSIGN_PERMISSION_SETS],
    &[
        text("Id"),
        text("DeveloperName"),
        text("MasterLabel"),
        text("PermissionSetLicenseKey"),
        text("Status"),
        integer("TotalLicenses"),
        integer("UsedLicenses"),
        date("ExpirationDate"),
        optional(text("LicenseExpirationPolicy")),
        timestamp("SystemModstamp"),
    ],
);
