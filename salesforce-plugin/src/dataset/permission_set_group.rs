//! `permission_set_group`: groups of permission sets.

use super::{
    ASSIGN_PERMISSION_SETS, Dataset, VIEW_SETUP, boolean, object, optional, text, timestamp,
};

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
