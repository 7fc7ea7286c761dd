//! The catalogue: what is read, field by field. Each file describes one dataset as data.
//!
//! # Source
//! Object Reference for the Salesforce Platform; one page per object.

use connector_api::manifest::{DatasetSpec, FieldSpec, FieldType, PermissionSpec};

mod account;
mod limits;
mod login_history;
mod organization;
mod package_license;
mod permission_set;
mod permission_set_assignment;
mod permission_set_license;
mod permission_set_license_assign;
mod profile;
mod tenant_usage_entitlement;
mod user;
mod user_license;
mod user_login;
mod user_package_license;
mod user_role;

/// Where a dataset is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// An sObject, by query.
    Object(&'static str),
    /// The `limits` resource.
    Limits,
}

/// How its records are ordered and resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paging {
    /// By `Id`.
    Id,
    /// By a stamp field, then `Id`.
    Stamp(&'static str),
    /// One answer.
    Single,
}

/// One dataset.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) source: Source,
    pub(crate) key: &'static str,
    pub(crate) fields: &'static [FieldDef],
    pub(crate) paging: Paging,
    /// A condition that belongs to the dataset's meaning.
    pub(crate) condition: Option<&'static str>,
    /// Any one of these opens it.
    pub(crate) permissions: &'static [Permission],
    /// With fewer rights Salesforce shows the asking user's own records instead of refusing; the
    /// field that says whose a record is.
    pub(crate) own_rows: Option<&'static str>,
    pub(crate) personal: bool,
}

/// One wanted field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldDef {
    pub(crate) name: &'static str,
    pub(crate) kind: FieldType,
    /// Only some orgs, editions or API versions have it: its absence is no loss.
    pub(crate) optional: bool,
}

/// A permission of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Permission {
    /// The field of `UserPermissionAccess`; the metadata name where there is none.
    pub(crate) name: &'static str,
    /// As in a profile or permission set.
    pub(crate) label: &'static str,
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
}

const fn field(name: &'static str, kind: FieldType) -> FieldDef {
    FieldDef { name, kind, optional: false }
}

const fn text(name: &'static str) -> FieldDef {
    field(name, FieldType::Text)
}

const fn boolean(name: &'static str) -> FieldDef {
    field(name, FieldType::Boolean)
}

const fn integer(name: &'static str) -> FieldDef {
    field(name, FieldType::Integer)
}

const fn double(name: &'static str) -> FieldDef {
    field(name, FieldType::Double)
}

const fn timestamp(name: &'static str) -> FieldDef {
    field(name, FieldType::Timestamp)
}

const fn date(name: &'static str) -> FieldDef {
    field(name, FieldType::Date)
}

const fn optional(field: FieldDef) -> FieldDef {
    FieldDef { optional: true, ..field }
}

/// An sObject with defaults: keyed and paged by `Id`.
const fn object(
    name: &'static str,
    title: &'static str,
    sobject: &'static str,
    permissions: &'static [Permission],
    fields: &'static [FieldDef],
) -> Dataset {
    Dataset {
        name,
        title,
        source: Source::Object(sobject),
        key: "Id",
        fields,
        paging: Paging::Id,
        condition: None,
        permissions,
        own_rows: None,
        personal: false,
    }
}

/// All datasets, in the order they are read: what is joined stands close together.
pub(crate) const CATALOGUE: [&Dataset; 16] = [
    &organization::DATASET,
    &limits::DATASET,
    &user_license::DATASET,
    &profile::DATASET,
    &user::DATASET,
    &user_login::DATASET,
    &user_role::DATASET,
    &permission_set_license::DATASET,
    &permission_set_license_assign::DATASET,
    &permission_set::DATASET,
    &permission_set_assignment::DATASET,
    &package_license::DATASET,
    &user_package_license::DATASET,
    &tenant_usage_entitlement::DATASET,
    &account::DATASET,
    &login_history::DATASET,
];

impl Dataset {
    /// The sObject, if it is one.
    pub(crate) fn sobject(&self) -> Option<&'static str> {
        match self.source {
            Source::Object(name) => Some(name),
            Source::Limits => None,
        }
    }

    /// The dataset as the contract describes it.
    pub(crate) fn spec(&self) -> DatasetSpec {
        DatasetSpec {
            name: self.name.into(),
            title: self.title.into(),
            source: self.sobject().unwrap_or("limits").into(),
            key: vec![self.key.into()],
            fields: self
                .fields
                .iter()
                .map(|field| FieldSpec { name: field.name.into(), kind: field.kind })
                .collect(),
            permissions: self
                .permissions
                .iter()
                .map(|permission| PermissionSpec {
                    name: permission.name.into(),
                    label: permission.label.into(),
                })
                .collect(),
            personal: self.personal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dataset_is_named_after_its_object_and_holds_its_key() {
        for dataset in CATALOGUE {
            assert!(
                dataset.fields.iter().any(|field| field.name == dataset.key),
                "{}",
                dataset.name
            );
            let Some(sobject) = dataset.sobject() else { continue };
            let mut snake = String::new();
            for c in sobject.chars() {
                if c.is_ascii_uppercase() && !snake.is_empty() {
                    snake.push('_');
                }
                snake.push(c.to_ascii_lowercase());
            }
            assert_eq!(dataset.name, snake);
        }
    }

    #[test]
    fn fields_that_hold_secrets_are_never_asked_for() {
        for dataset in CATALOGUE {
            for field in dataset.fields {
                assert!(
                    !["AccessToken", "DeleteToken", "RequestToken", "SharedKey"]
                        .contains(&field.name),
                    "{}",
                    field.name
                );
            }
        }
    }
}
