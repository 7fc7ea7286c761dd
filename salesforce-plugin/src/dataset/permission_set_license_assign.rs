//! `permission_set_license_assign`: who holds a permission-set licence. A removed assignment is
//! simply no longer returned.

use super::{ASSIGN_PERMISSION_SETS, Bulk, Changes, Dataset, VIEW_SETUP, object, text, timestamp};

pub(super) const DATASET: Dataset = Dataset {
    changes: Changes::stamped(&["SystemModstamp"], Some("CreatedDate")),
    bulk: Bulk::Yes,
    personal: true,
    ..object(
        "permission_set_license_assign",
        "Permission-set licence assignments",
        "PermissionSetLicenseAssign",
        &[VIEW_SETUP, ASSIGN_PERMISSION_SETS],
        &[
            text("Id"),
            text("AssigneeId"),
            text("PermissionSetLicenseId"),
            timestamp("CreatedDate"),
            timestamp("SystemModstamp"),
        ],
    )
};
