//! The catalogue: what is read, field by field. Each file describes one dataset as data.
//!
//! # Source
//! Object Reference for the Salesforce Platform; one page per object.

pub(crate) mod permission;

use connector_api::manifest::{DatasetSpec, FieldSpec, FieldType, PermissionSpec};

pub(crate) use crate::dataset::permission::*;

mod account;
mod active_feature_license_metric;
mod active_perm_set_license_metric;
mod active_profile_metric;
mod app_menu_item;
mod auth_session;
mod connected_application;
mod event_log_file;
mod external_client_application;
mod group;
mod group_member;
mod installed_subscriber_package;
mod lightning_usage_by_app_type_metrics;
mod limits;
mod login_geo;
mod login_history;
mod network;
mod network_member;
mod oauth_token;
mod object_permissions;
mod organization;
mod package_license;
mod permission_set;
mod permission_set_assignment;
mod permission_set_group;
mod permission_set_group_component;
mod permission_set_license;
mod permission_set_license_assign;
mod profile;
mod setup_audit_trail;
mod setup_entity_access;
mod tenant_usage_entitlement;
mod two_factor_methods_info;
mod user;
mod user_app_menu_item;
mod user_license;
mod user_login;
mod user_package_license;
mod user_permission_access;
mod user_role;
mod verification_history;

/// Where the result of some objects ends without a word.
pub(crate) const ROW_CAP: RowCap = RowCap { rows: 2_500, owner: "UserId", owner_object: "User" };
/// The key of records that have none: made of who, what and when.
pub(crate) const MADE_KEY: &str = "Key";
/// The wanted custom fields of a user, as one JSON object.
pub(crate) const CUSTOM_FIELDS: &str = "CustomFields";

/// Where a dataset is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// An sObject, by query.
    Object(&'static str),
    /// An object of the Tooling API, by its query.
    Tooling(&'static str),
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
    /// As they come: small sets, and objects without a usable key.
    None,
}

/// How it can be told what changed since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changes {
    /// It cannot: read whole each time.
    Unknown,
    /// A changed record has one of these stamps moved.
    Stamps {
        fields: &'static [&'static str],
        /// The field that says whether a changed record is a new one.
        created: Option<&'static str>,
        /// Whether records vanish: told from the org's count.
        deletable: bool,
    },
    /// Records are only added, and go when Salesforce's retention ends.
    Log(&'static str),
}

impl Changes {
    const fn stamped(fields: &'static [&'static str], created: Option<&'static str>) -> Changes {
        Changes::Stamps { fields, created, deletable: true }
    }

    const fn log_of(field: &'static str) -> Changes {
        Changes::Log(field)
    }
}

/// Whether Bulk API 2.0 serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bulk {
    /// Seen to.
    Yes,
    /// Not known: tried only where it would save most.
    Perhaps,
    /// Not worth it, or not served.
    No,
}

/// The longest result of an object, and how to read it in shares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowCap {
    /// Records after which a result ends.
    pub(crate) rows: u64,
    /// The field that says whose a record is.
    pub(crate) owner: &'static str,
    /// The object of the owners.
    pub(crate) owner_object: &'static str,
}

/// Whether the org counts the records of a dataset by a question of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Countable {
    /// It does: a dataset that cannot be counted is not complete.
    Yes,
    /// Not documented: an org may refuse.
    Perhaps,
    /// It does not, or its counts are known to be wrong.
    No,
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
    pub(crate) changes: Changes,
    pub(crate) bulk: Bulk,
    /// A condition that belongs to the dataset's meaning.
    pub(crate) condition: Option<&'static str>,
    /// Any one of these opens it.
    pub(crate) permissions: &'static [Permission],
    /// With fewer rights Salesforce shows the asking user's own records instead of refusing; the
    /// field that says whose a record is.
    pub(crate) own_rows: Option<&'static str>,
    /// Where a result ends without a word; more is read by owner.
    pub(crate) row_cap: Option<RowCap>,
    /// Whether the setting `login_history_days` limits how far back it is read.
    pub(crate) bounded_by_days: bool,
    /// Whether the setting `custom_user_fields` adds fields.
    pub(crate) custom_fields: bool,
    /// Whether the org counts its records.
    pub(crate) countable: Countable,
    /// Whether records describe people.
    pub(crate) personal: bool,
    /// Whether it is read unless the settings say otherwise.
    pub(crate) by_default: bool,
}

/// One wanted field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldDef {
    pub(crate) name: &'static str,
    pub(crate) kind: FieldType,
    /// Only some orgs, editions or API versions have it: its absence is no loss.
    pub(crate) optional: bool,
    /// Says who a person is, or where: replaced by a keyed hash where the settings ask for it.
    pub(crate) personal: bool,
    /// Made by the connector, never asked for.
    pub(crate) computed: bool,
}

const fn field(name: &'static str, kind: FieldType) -> FieldDef {
    FieldDef { name, kind, optional: false, personal: false, computed: false }
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

const fn personal(field: FieldDef) -> FieldDef {
    FieldDef { personal: true, ..field }
}

const fn computed(field: FieldDef) -> FieldDef {
    FieldDef { computed: true, optional: true, ..field }
}

/// An sObject with defaults: keyed and paged by `Id`, read whole by REST.
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
        changes: Changes::Unknown,
        bulk: Bulk::No,
        condition: None,
        permissions,
        own_rows: None,
        row_cap: None,
        bounded_by_days: false,
        custom_fields: false,
        countable: Countable::Yes,
        personal: false,
        by_default: true,
    }
}

/// All datasets, in the order they are read: what is joined stands close together.
pub(crate) const CATALOGUE: [&Dataset; 41] = [
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
    &permission_set_group::DATASET,
    &permission_set_group_component::DATASET,
    &object_permissions::DATASET,
    &package_license::DATASET,
    &installed_subscriber_package::DATASET,
    &user_package_license::DATASET,
    &tenant_usage_entitlement::DATASET,
    &active_profile_metric::DATASET,
    &active_perm_set_license_metric::DATASET,
    &active_feature_license_metric::DATASET,
    &connected_application::DATASET,
    &external_client_application::DATASET,
    &account::DATASET,
    &login_history::DATASET,
    &setup_entity_access::DATASET,
    &app_menu_item::DATASET,
    &user_app_menu_item::DATASET,
    &oauth_token::DATASET,
    &two_factor_methods_info::DATASET,
    &verification_history::DATASET,
    &auth_session::DATASET,
    &login_geo::DATASET,
    &setup_audit_trail::DATASET,
    &network::DATASET,
    &network_member::DATASET,
    &group::DATASET,
    &group_member::DATASET,
    &event_log_file::DATASET,
    &lightning_usage_by_app_type_metrics::DATASET,
    &user_permission_access::DATASET,
];

impl Dataset {
    /// The dataset of that name.
    pub(crate) fn named(name: &str) -> Option<&'static Dataset> {
        CATALOGUE.iter().copied().find(|dataset| dataset.name == name)
    }

    /// The object, if it is read by query.
    pub(crate) fn sobject(&self) -> Option<&'static str> {
        match self.source {
            Source::Object(name) | Source::Tooling(name) => Some(name),
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
            optional: !self.by_default,
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

    /// Every object and field that a request may name. A new line is a decision to read more.
    #[test]
    fn the_golden_list_names_every_object_and_field() {
        let listed: String = CATALOGUE
            .iter()
            .map(|dataset| {
                let fields: Vec<&str> = dataset
                    .fields
                    .iter()
                    .filter(|field| !field.computed)
                    .map(|field| field.name)
                    .collect();
                format!("{}: {}\n", dataset.sobject().unwrap_or("limits"), fields.join(" "))
            })
            .collect();
        assert_eq!(listed, include_str!("golden.txt"), "change `golden.txt` only on purpose");
    }

    #[test]
    fn fields_that_hold_secrets_are_never_asked_for() {
        for dataset in CATALOGUE {
            for field in dataset.fields {
                assert!(
                    !["AccessToken", "DeleteToken", "RequestToken", "SharedKey", "LogFile"]
                        .contains(&field.name),
                    "{}",
                    field.name
                );
            }
        }
    }

    #[test]
    fn what_a_dataset_is_ordered_and_told_apart_by_is_among_its_fields() {
        for dataset in CATALOGUE {
            let has = |name: &str| dataset.fields.iter().any(|field| field.name == name);
            if let Paging::Stamp(field) = dataset.paging {
                assert!(has(field), "{}.{field}", dataset.name);
            }
            match dataset.changes {
                Changes::Unknown => {}
                Changes::Stamps { fields, created, .. } => {
                    assert!(fields.iter().all(|field| has(field)), "{}", dataset.name);
                    assert!(created.is_none_or(has), "{}", dataset.name);
                }
                Changes::Log(field) => assert!(has(field), "{}.{field}", dataset.name),
            }
            assert!(dataset.row_cap.is_none() || has("UserId"), "{}", dataset.name);
        }
    }

    #[test]
    fn addresses_and_places_are_read_only_where_somebody_asks_for_them() {
        for dataset in CATALOGUE.iter().filter(|dataset| dataset.by_default) {
            for field in dataset.fields {
                assert!(
                    !["SourceIp", "City", "PostalCode", "Latitude", "Longitude"]
                        .contains(&field.name),
                    "{}.{}",
                    dataset.name,
                    field.name
                );
            }
        }
    }
}
