//! `user_permission_access`: what the connecting user may do, as one record. Needs no permission.

use crate::dataset::model::{Countable, Dataset, Paging, boolean, object, optional, text};

pub(super) const DATASET: Dataset = Dataset {
    countable: Countable::Perhaps,
    paging: Paging::None,
    by_default: false,
    ..object(
        "user_permission_access",
        "The connecting user's permissions",
        "UserPermissionAccess",
        &[],
        &[
            text("Id"),
            optional(boolean("PermissionsApiEnabled")),
            optional(boolean("PermissionsViewSetup")),
            optional(boolean("PermissionsViewAllUsers")),
            optional(boolean("PermissionsViewRoles")),
            optional(boolean("PermissionsMonitorLoginHistory")),
            optional(boolean("PermissionsManageUsers")),
            optional(boolean("PermissionsAssignPermissionSets")),
            optional(boolean("PermissionsCustomizeApplication")),
            optional(boolean("PermissionsManageCustomPermissions")),
            optional(boolean("PermissionsManageInternalUsers")),
            optional(boolean("PermissionsManageIpAddresses")),
            optional(boolean("PermissionsManageLoginAccessPolicies")),
            optional(boolean("PermissionsManagePasswordPolicies")),
            optional(boolean("PermissionsManageProfilesPermissionsets")),
            optional(boolean("PermissionsManageRoles")),
            optional(boolean("PermissionsManageSharing")),
            optional(boolean("PermissionsResetPasswords")),
            optional(boolean("PermissionsManageTwoFactor")),
            optional(boolean("PermissionsDelegatedTwoFactor")),
            optional(boolean("PermissionsViewEventLogFiles")),
            optional(boolean("PermissionsModifyAllData")),
            optional(boolean("PermissionsViewAllData")),
            optional(boolean("PermissionsAuthorApex")),
        ],
    )
};
