//! `user_role`: the role hierarchy.

use crate::dataset::model::{Changes, Dataset, object, text, timestamp};
use crate::dataset::permission::VIEW_ROLES;

pub(super) const DATASET: Dataset = Dataset {
    changes: Changes::stamped(&["SystemModstamp"], None),
    ..object(
        "user_role",
        "Roles",
        "UserRole",
        &[VIEW_ROLES],
        &[
            text("Id"),
            text("Name"),
            text("DeveloperName"),
            text("ParentRoleId"),
            text("PortalType"),
            timestamp("SystemModstamp"),
        ],
    )
};
