//! `permission_set_license_assign`: who holds a permission-set licence. A removed assignment is
//! simply no longer returned.

use crate::dataset::model::{Bulk, Changes, Dataset, object, text, timestamp};
use crate::dataset::permission::{ASSIGN_PERMISSION_SETS, VIEW_SETUP};

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
