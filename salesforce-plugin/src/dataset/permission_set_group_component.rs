//! `permission_set_group_component`: which permission sets a group is made of.

use crate::dataset::model::{Dataset, object, text, timestamp};
use crate::dataset::permission::{ASSIGN_PERMISSION_SETS, VIEW_SETUP};

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
