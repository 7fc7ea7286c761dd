//! `permission_set_assignment`: who has a permission set, without the hidden sets of profiles, which
//! every user has.

use crate::dataset::model::{Bulk, Changes, Dataset, boolean, object, optional, text, timestamp};
use crate::dataset::permission::{ASSIGN_PERMISSION_SETS, MANAGE_USERS, VIEW_SETUP};

pub(super) const DATASET: Dataset = Dataset {
    changes: Changes::stamped(&["SystemModstamp"], None),
    bulk: Bulk::Yes,
    personal: true,
    condition: Some("PermissionSet.IsOwnedByProfile = false"),
    ..object(
        "permission_set_assignment",
        "Permission-set assignments",
        "PermissionSetAssignment",
        &[VIEW_SETUP, ASSIGN_PERMISSION_SETS, MANAGE_USERS],
        &[
            text("Id"),
            text("AssigneeId"),
            text("PermissionSetId"),
            optional(text("PermissionSetGroupId")),
            optional(timestamp("ExpirationDate")),
            optional(boolean("IsActive")),
            timestamp("SystemModstamp"),
        ],
    )
};
