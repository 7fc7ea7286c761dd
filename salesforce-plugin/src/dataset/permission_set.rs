//! `permission_set`: sets of permissions, with one hidden set per profile.

use crate::dataset::model::{Changes, Dataset, boolean, object, optional, text, timestamp};
use crate::dataset::permission::{ASSIGN_PERMISSION_SETS, VIEW_SETUP};

pub(super) const DATASET: Dataset = Dataset {
    changes: Changes::stamped(&["SystemModstamp"], None),
    ..object(
        "permission_set",
        "Permission sets",
        "PermissionSet",
        &[VIEW_SETUP, ASSIGN_PERMISSION_SETS],
        &[
            text("Id"),
            text("Name"),
            text("Label"),
            optional(text("Type")),
            boolean("IsCustom"),
            boolean("IsOwnedByProfile"),
            text("ProfileId"),
            optional(text("PermissionSetGroupId")),
            text("LicenseId"),
            text("NamespacePrefix"),
            // Rights over everything; the licence position looks at who has them and does not log in.
            optional(boolean("PermissionsModifyAllData")),
            optional(boolean("PermissionsViewAllData")),
            optional(boolean("PermissionsManageUsers")),
            optional(boolean("PermissionsAuthorApex")),
            timestamp("SystemModstamp"),
        ],
    )
};
