//! The catalogue: what is read, field by field. Each file describes one dataset as data.
//!
//! # Source
//! Object Reference for the Salesforce Platform; one page per object.

pub(crate) mod model;
pub(crate) mod permission;

pub(crate) use crate::dataset::model::*;

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
