//! Two permission sets with no more than reading needs, as Salesforce metadata that can be deployed.
//!
//! # Source
//! Metadata API Developer Guide, `PermissionSet` and `package.xml`.

use serde::Serialize;

use crate::client::describe::NEWEST_KNOWN_VERSION;
use crate::dataset::permission::*;

/// One file of the metadata.
#[derive(Debug, Serialize)]
pub(crate) struct File {
    /// Below the folder that is deployed.
    pub(crate) path: String,
    pub(crate) content: String,
}

struct Set {
    name: &'static str,
    label: &'static str,
    description: &'static str,
    permissions: &'static [Permission],
}

const SETS: [Set; 2] = [
    Set {
        name: "Endpoint_Server_License_Reader",
        label: "Endpoint server: licence reader",
        description: "Reads licences, their assignment and their use. Changes nothing, apart from assigning licences of managed packages, which no lesser right shows.",
        permissions: &[
            API_ENABLED,
            MANAGE_PACKAGE_LICENSES,
            MONITOR_LOGIN_HISTORY,
            VIEW_ALL_USERS,
            VIEW_ROLES,
            VIEW_SETUP,
        ],
    },
    Set {
        name: "Endpoint_Server_Frozen_User_Reader",
        label: "Endpoint server: frozen users, in addition",
        description: "Adds the frozen flag of users, which Salesforce shows only with Manage Users and what that right brings along. It lets the user CHANGE users: assign it only if the flag is needed.",
        permissions: &[
            ASSIGN_PERMISSION_SETS,
            MANAGE_INTERNAL_USERS,
            MANAGE_IP_ADDRESSES,
            MANAGE_LOGIN_ACCESS_POLICIES,
            MANAGE_PASSWORD_POLICIES,
            MANAGE_PROFILES_AND_PERMISSION_SETS,
            MANAGE_ROLES,
            MANAGE_SHARING,
            MANAGE_USERS,
            MANAGE_MFA_IN_UI,
            RESET_PASSWORDS,
            VIEW_ALL_USERS,
            VIEW_ROLES,
            VIEW_SETUP,
        ],
    },
];

/// The files, ready to be deployed.
pub(crate) fn files() -> Vec<File> {
    let mut files: Vec<File> = SETS
        .iter()
        .map(|set| File {
            path: format!("permissionsets/{}.permissionset-meta.xml", set.name),
            content: permission_set(set),
        })
        .collect();
    files.push(File { path: "package.xml".into(), content: package() });
    files
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "http://soap.sforce.com/2006/04/metadata";

fn permission_set(set: &Set) -> String {
    let mut names: Vec<&str> = set.permissions.iter().map(|p| p.metadata_name()).collect();
    names.sort_unstable();
    let permissions: String = names
        .iter()
        .map(|name| {
            format!(
                "    <userPermissions>\n        <enabled>true</enabled>\n        <name>{name}</name>\n    </userPermissions>\n"
            )
        })
        .collect();
    format!(
        "{HEAD}<PermissionSet xmlns=\"{NAMESPACE}\">\n    <description>{}</description>\n    <hasActivationRequired>false</hasActivationRequired>\n    <label>{}</label>\n{permissions}</PermissionSet>\n",
        set.description, set.label
    )
}

fn package() -> String {
    let members: String =
        SETS.iter().map(|set| format!("        <members>{}</members>\n", set.name)).collect();
    format!(
        "{HEAD}<Package xmlns=\"{NAMESPACE}\">\n    <types>\n{members}        <name>PermissionSet</name>\n    </types>\n    <version>{NEWEST_KNOWN_VERSION}.0</version>\n</Package>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_names_each_permission_as_salesforce_does() {
        let files = files();
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "permissionsets/Endpoint_Server_License_Reader.permissionset-meta.xml",
                "permissionsets/Endpoint_Server_Frozen_User_Reader.permissionset-meta.xml",
                "package.xml"
            ]
        );
        for name in
            ["ApiEnabled", "ManagePackageLicenses", "MonitorLoginHistory", "ViewRoles", "ViewSetup"]
        {
            assert!(files[0].content.contains(&format!("<name>{name}</name>")), "{name}");
        }
        assert!(files[1].content.contains("<name>ManageProfilesPermissionsets</name>"));
        assert!(files[2].content.contains("<members>Endpoint_Server_License_Reader</members>"));
    }

    #[test]
    fn labels_and_descriptions_fit_and_need_no_escaping() {
        for set in SETS {
            assert!(set.label.len() <= 80 && set.description.len() <= 255, "{}", set.name);
            for text in [set.label, set.description] {
                assert!(!text.contains(['<', '>', '&', '"']), "{text}");
            }
        }
    }

    #[test]
    fn the_reading_set_holds_no_right_that_the_doctor_calls_excess() {
        for permission in SETS[0].permissions {
            let excess = GUIDE
                .iter()
                .any(|(known, need)| known == permission && matches!(need, Use::Excess(_)));
            assert!(!excess && !NEVER.contains(permission), "{}", permission.label);
        }
    }
}
