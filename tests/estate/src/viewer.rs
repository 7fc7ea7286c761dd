//! Who is asking, and what of the org is visible to them.

use std::collections::BTreeSet;

use crate::id::Id;
use crate::org::{StoredRow, StoredTable};
use crate::schema::{Field, Object, Schema};
use crate::value::Value;

/// Who is asking and what they may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// `User.Id` of the viewer, in either form.
    pub user_id: String,
    /// API names such as `PermissionsViewSetup`; and two that are no user permissions: `ManagePackageLicenses`,
    /// which no object shows, and `AccountRead` for "Accounts: Read, View All".
    pub permissions: BTreeSet<String>,
    /// Objects hidden from this viewer whatever the permissions say.
    pub hidden_objects: BTreeSet<String>,
    /// Objects of which this viewer sees no record.
    pub emptied_objects: BTreeSet<String>,
    /// Object and field pairs hidden from this viewer.
    pub hidden_fields: BTreeSet<(String, String)>,
}

/// The twenty permissions an administrator is asked to grant a licence connector.
const GUIDE: &[&str] = &[
    "AccountRead",
    "ManagePackageLicenses",
    "PermissionsApiEnabled",
    "PermissionsAssignPermissionSets",
    "PermissionsCustomizeApplication",
    "PermissionsDelegatedTwoFactor",
    "PermissionsManageCustomPermissions",
    "PermissionsManageInternalUsers",
    "PermissionsManageIpAddresses",
    "PermissionsManageLoginAccessPolicies",
    "PermissionsManagePasswordPolicies",
    "PermissionsManageProfilesPermissionsets",
    "PermissionsManageRoles",
    "PermissionsManageSharing",
    "PermissionsManageTwoFactor",
    "PermissionsManageUsers",
    "PermissionsResetPasswords",
    "PermissionsViewAllUsers",
    "PermissionsViewRoles",
    "PermissionsViewSetup",
];

/// Which rows of an object a viewer sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// All of them.
    All,
    /// Those whose field of this name is the viewer.
    Own(&'static str),
    /// None.
    None,
}

impl Viewer {
    /// The user with the connector guide's twenty permissions.
    pub fn guide(user_id: impl Into<String>) -> Self {
        Self {
            user_id: user_id.into(),
            permissions: GUIDE.iter().map(|name| (*name).to_owned()).collect(),
            hidden_objects: BTreeSet::new(),
            emptied_objects: BTreeSet::new(),
            hidden_fields: BTreeSet::new(),
        }
    }

    /// The same viewer without one permission.
    pub fn without(mut self, permission: &str) -> Self {
        self.permissions.remove(permission);
        self
    }

    /// The same viewer with one more permission.
    pub fn with(mut self, permission: &str) -> Self {
        self.permissions.insert(permission.to_owned());
        self
    }

    /// Whether the viewer has a permission, by the names of [`permissions`](Self::permissions).
    pub fn has(&self, permission: &str) -> bool {
        self.permissions.contains(permission)
    }

    fn has_any(&self, permissions: &[&str]) -> bool {
        permissions.iter().any(|permission| self.has(permission))
    }

    pub(crate) fn sees_object(&self, object: &Object) -> bool {
        let allowed = match object.name.as_str() {
            "UserLicense"
            | "PermissionSetLicense"
            | "SetupAuditTrail"
            | "TenantUsageEntitlement"
            | "ActiveFeatureLicenseMetric"
            | "ActivePermSetLicenseMetric"
            | "ActiveProfileMetric"
            | "ConnectedApplication"
            | "LightningUsageByAppTypeMetrics" => self.has("PermissionsViewSetup"),
            "PermissionSetLicenseAssign" => {
                self.has_any(&["PermissionsViewSetup", "PermissionsAssignPermissionSets"])
            }
            "PermissionSetAssignment" => self.has_any(&[
                "PermissionsViewSetup",
                "PermissionsAssignPermissionSets",
                "PermissionsManageUsers",
            ]),
            "PermissionSet"
            | "PermissionSetGroup"
            | "PermissionSetGroupComponent"
            | "ObjectPermissions"
            | "SetupEntityAccess" => self.has_any(&[
                "PermissionsViewSetup",
                "PermissionsAssignPermissionSets",
                "PermissionsManageProfilesPermissionsets",
            ]),
            "ExternalClientApplication" | "AppMenuItem" => {
                self.has_any(&["PermissionsViewSetup", "PermissionsCustomizeApplication"])
            }
            "TwoFactorMethodsInfo" => self.has("PermissionsManageTwoFactor"),
            "VerificationHistory" | "LoginGeo" => self.has("PermissionsManageUsers"),
            "EventLogFile" => {
                self.has_any(&["PermissionsViewEventLogFiles", "PermissionsViewAllData"])
            }
            "UserLogin" => self.has("PermissionsManageUsers"),
            "UserRole" => self.has("PermissionsViewRoles"),
            "PackageLicense" | "UserPackageLicense" => self.has("ManagePackageLicenses"),
            "Account" => self.has("AccountRead"),
            _ => true,
        };
        allowed
            && !self.hidden_objects.iter().any(|hidden| hidden.eq_ignore_ascii_case(&object.name))
    }

    pub(crate) fn sees_field(&self, object: &Object, field: &Field) -> bool {
        if field.name == "NumberOfFailedLogins" && !self.has("PermissionsManageUsers") {
            return false;
        }
        !self.hidden_fields.iter().any(|(hidden_in, hidden)| {
            hidden_in.eq_ignore_ascii_case(&object.name) && hidden.eq_ignore_ascii_case(&field.name)
        })
    }

    /// Which rows of an object the viewer sees.
    pub(crate) fn rows(&self, object: &Object) -> Rows {
        if self.emptied_objects.iter().any(|emptied| emptied.eq_ignore_ascii_case(&object.name)) {
            return Rows::None;
        }
        match object.name.as_str() {
            "LoginHistory"
                if !self.has_any(&["PermissionsManageUsers", "PermissionsMonitorLoginHistory"]) =>
            {
                Rows::Own("UserId")
            }
            "OauthToken" if !self.has("PermissionsCustomizeApplication") => Rows::Own("UserId"),
            "AuthSession" if !self.has("PermissionsManageUsers") => Rows::Own("UsersId"),
            "User" if !self.has("PermissionsViewAllUsers") => Rows::Own("Id"),
            _ => Rows::All,
        }
    }

    /// The viewer's user, if the id is one.
    pub(crate) fn id(&self) -> Option<Id> {
        Id::parse(&self.user_id)
    }

    /// The viewer's row of `UserPermissionAccess`.
    pub(crate) fn access(&self) -> StoredRow {
        let schema = Schema::get();
        let prefix = schema.objects[schema.index("UserPermissionAccess")].prefix();
        let id = Id::new(prefix, *b"00", 0);
        let mut table = StoredTable::new("UserPermissionAccess");
        table.row().set("Id", Value::Id(id)).on_where(|permission| self.has(permission));
        table.finish().swap_remove(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_grants_twenty_permissions_and_not_the_login_monitor() {
        let viewer = Viewer::guide("005");
        assert_eq!(viewer.permissions.len(), 20);
        assert!(!viewer.has("PermissionsMonitorLoginHistory"));
    }
}
