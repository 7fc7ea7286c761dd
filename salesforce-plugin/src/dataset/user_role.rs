//! `user_role`: the role hierarchy.

use super::{Changes, Dataset, VIEW_ROLES, object, text, timestamp};

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
