//! The permissions of the connecting user: what the connector guide has an administrator grant, and
//! what each is good for when one only reads.
//!
//! # Source
//! Object Reference, `UserPermissionAccess` and `ObjectPermissions`.

/// A permission of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Permission {
    /// The field of `UserPermissionAccess`; the metadata name where there is none.
    pub(crate) name: &'static str,
    /// As in a profile or permission set.
    pub(crate) label: &'static str,
}

impl Permission {
    /// Its name in the metadata of a permission set.
    pub(crate) fn metadata_name(self) -> &'static str {
        self.name.strip_prefix("Permissions").unwrap_or(self.name)
    }

    /// Whether the platform says of a user whether it has this one.
    pub(crate) fn has_field(self) -> bool {
        self.name.starts_with("Permissions")
    }
}

macro_rules! permissions {
    ($($id:ident = $name:literal, $label:literal;)*) => {
        $(pub(crate) const $id: Permission = Permission { name: $name, label: $label };)*
    };
}

permissions! {
    API_ENABLED = "PermissionsApiEnabled", "API Enabled";
    VIEW_SETUP = "PermissionsViewSetup", "View Setup and Configuration";
    VIEW_ALL_USERS = "PermissionsViewAllUsers", "View All Users";
    VIEW_ROLES = "PermissionsViewRoles", "View Roles and Role Hierarchy";
    MANAGE_USERS = "PermissionsManageUsers", "Manage Users";
    MONITOR_LOGIN_HISTORY = "PermissionsMonitorLoginHistory", "Monitor Login History";
    ASSIGN_PERMISSION_SETS = "PermissionsAssignPermissionSets", "Assign Permission Sets";
    MANAGE_PACKAGE_LICENSES = "ManagePackageLicenses", "Manage Package Licenses";
    READ_ACCOUNTS = "AccountRead", "Accounts: Read and View All";
    CUSTOMIZE_APPLICATION = "PermissionsCustomizeApplication", "Customize Application";
    MANAGE_CUSTOM_PERMISSIONS = "PermissionsManageCustomPermissions", "Manage Custom Permissions";
    MANAGE_INTERNAL_USERS = "PermissionsManageInternalUsers", "Manage Internal Users";
    MANAGE_IP_ADDRESSES = "PermissionsManageIpAddresses", "Manage IP Addresses";
    MANAGE_LOGIN_ACCESS_POLICIES = "PermissionsManageLoginAccessPolicies", "Manage Login Access Policies";
    MANAGE_PASSWORD_POLICIES = "PermissionsManagePasswordPolicies", "Manage Password Policies";
    MANAGE_PROFILES_AND_PERMISSION_SETS = "PermissionsManageProfilesPermissionsets", "Manage Profiles and Permission Sets";
    MANAGE_ROLES = "PermissionsManageRoles", "Manage Roles";
    MANAGE_SHARING = "PermissionsManageSharing", "Manage Sharing";
    RESET_PASSWORDS = "PermissionsResetPasswords", "Reset User Passwords and Unlock Users";
    MANAGE_MFA_IN_API = "PermissionsManageTwoFactor", "Manage Multi-Factor Authentication in API";
    MANAGE_MFA_IN_UI = "PermissionsDelegatedTwoFactor", "Manage Multi-Factor Authentication in User Interface";
    VIEW_EVENT_LOG_FILES = "PermissionsViewEventLogFiles", "View Event Log Files";
    MODIFY_ALL_DATA = "PermissionsModifyAllData", "Modify All Data";
    VIEW_ALL_DATA = "PermissionsViewAllData", "View All Data";
    AUTHOR_APEX = "PermissionsAuthorApex", "Author Apex";
}

/// What a permission is good for when one only reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// The licence position needs it.
    Needed,
    /// It opens more, at a price: the text says which.
    Optional(&'static str),
    /// It opens nothing, or nothing that a lesser one does not open: the text says why it is there.
    Excess(&'static str),
}

const COMPANION: &str = "Salesforce adds it to `Manage Users`; it lets the user change the org";

/// The guide's twenty permissions, in the guide's order.
pub(crate) const GUIDE: [(Permission, Use); 20] = [
    (
        READ_ACCOUNTS,
        Use::Optional(
            "it names the accounts of external users, if the dataset `account` is chosen",
        ),
    ),
    (API_ENABLED, Use::Needed),
    (
        ASSIGN_PERMISSION_SETS,
        Use::Excess(
            "`View Setup and Configuration` opens the same records; it lets the user hand out permissions",
        ),
    ),
    (
        CUSTOMIZE_APPLICATION,
        Use::Excess(
            "it is needed to create the app, not to read; only the dataset `oauth_token` of all users needs it",
        ),
    ),
    (MANAGE_CUSTOM_PERMISSIONS, Use::Excess("it opens nothing that is read")),
    (MANAGE_INTERNAL_USERS, Use::Excess(COMPANION)),
    (MANAGE_IP_ADDRESSES, Use::Excess(COMPANION)),
    (MANAGE_LOGIN_ACCESS_POLICIES, Use::Excess(COMPANION)),
    (MANAGE_PACKAGE_LICENSES, Use::Needed),
    (MANAGE_PASSWORD_POLICIES, Use::Excess(COMPANION)),
    (MANAGE_PROFILES_AND_PERMISSION_SETS, Use::Excess(COMPANION)),
    (MANAGE_ROLES, Use::Excess("`View Roles and Role Hierarchy` is enough to read roles")),
    (MANAGE_SHARING, Use::Excess(COMPANION)),
    (
        MANAGE_USERS,
        Use::Optional(
            "it shows who is frozen, and all logins where `Monitor Login History` is not granted; it lets the user change users",
        ),
    ),
    (
        RESET_PASSWORDS,
        Use::Excess("it opens nothing that is read; it lets the user reset passwords"),
    ),
    (VIEW_ALL_USERS, Use::Needed),
    (VIEW_ROLES, Use::Needed),
    (VIEW_SETUP, Use::Needed),
    (
        MANAGE_MFA_IN_API,
        Use::Optional(
            "it shows second factors, if the dataset `two_factor_methods_info` is chosen; it lets the user change them",
        ),
    ),
    (
        MANAGE_MFA_IN_UI,
        Use::Excess("it opens nothing that is read; it lets the user reset second factors"),
    ),
];

/// Beyond the guide: a lesser right that opens the same, and one that opens more.
pub(crate) const BEYOND: [(Permission, Use); 2] = [
    (MONITOR_LOGIN_HISTORY, Use::Needed),
    (
        VIEW_EVENT_LOG_FILES,
        Use::Optional("it lists event logs, if the dataset `event_log_file` is chosen"),
    ),
];

/// Rights that nobody asks for, and that a user who only reads should never have.
pub(crate) const NEVER: [Permission; 3] = [MODIFY_ALL_DATA, VIEW_ALL_DATA, AUTHOR_APEX];

/// Every permission that the platform can be asked about.
pub(crate) fn probed() -> impl Iterator<Item = Permission> {
    GUIDE
        .iter()
        .chain(&BEYOND)
        .map(|(permission, _)| *permission)
        .chain(NEVER)
        .filter(|permission| permission.has_field())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_names_twenty_permissions_and_two_of_them_have_no_field() {
        let without: Vec<&str> = GUIDE
            .iter()
            .filter(|(permission, _)| !permission.has_field())
            .map(|(permission, _)| permission.label)
            .collect();
        assert_eq!(without, ["Accounts: Read and View All", "Manage Package Licenses"]);
        assert_eq!(probed().count(), 18 + 2 + 3);
    }

    #[test]
    fn only_a_quarter_of_the_guides_permissions_is_needed_to_read() {
        let needed = GUIDE.iter().filter(|(_, need)| *need == Use::Needed).count();
        assert_eq!(needed, 5);
    }
}
