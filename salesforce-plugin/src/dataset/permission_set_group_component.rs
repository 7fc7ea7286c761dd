//! `permission_set_group_component`: which permission sets a group is made of.

use super::{ASSIGN_PERMISSION_SETS, Dataset, VIEW_SETUP, object, text, timestamp};

pub(super) const DATASET: Dataset = object(
    "permission_set_group_component",
    "Members of permission-set groups",
    "PermissionSetGroupComponent",
    &[VIEW_SETUP, ASSIGN_PERMISSION_SETS],
    &[
        text("Id"),
        text("PermissionSetGroupId"),
        text("PermissionSetId"),
        timestamp("CreatedDate"),
        timestamp("SystemModstamp"),
    ],
);
