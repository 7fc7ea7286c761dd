//! `permission_set_group`: groups of permission sets.

use crate::dataset::model::{Dataset, boolean, object, optional, text, timestamp};
use crate::dataset::permission::{ASSIGN_PERMISSION_SETS, VIEW_SETUP};

pub(super) const DATASET: Dataset = object(
    "permission_set_group",
    "Permission-set groups",
    "PermissionSetGroup",
    &[VIEW_SETUP, ASSIGN_PERMISSION_SETS],
    &[
        text("Id"),
        text("DeveloperName"),
        text("MasterLabel"),
        text("Status"),
        optional(text("NamespacePrefix")),
        boolean("HasActivationRequired"),
        timestamp("SystemModstamp"),
    ],
);
