//! `ConnectedApplication`, `ExternalClientApplication`, and how people meet apps: `AppMenuItem`, `UserAppMenuItem`.

use crate::clock::DAY;
use crate::org::Estate;
use crate::org::population::ADMIN;
use crate::org::stored::StoredTable;
use crate::value::Value;

/// Names of the connected apps, in row order; tokens name them.
pub(crate) const CONNECTED: &[&str] =
    &["Salesforce for iOS", "Warehouse Export", "Salesforce CLI", "Quarterly \"Planning\", EMEA"];
/// Developer name, label and state of the external client apps, in row order.
const EXTERNAL: &[(&str, &str, &str)] = &[
    ("License_Connector", "License Connector", "Local"),
    ("Partner_Portal_Sync", "Partner Portal Sync", "Packaged"),
];
const TABS: &[&str] = &["Sales", "Service", "Marketing CRM Classic"];

/// `ConnectedApplication`.
pub(crate) fn connected(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("ConnectedApplication");
    for (at, name) in CONNECTED.iter().enumerate() {
        let id = estate.id("ConnectedApplication", table.next());
        let row = table
            .row()
            .set("Id", Value::Id(id))
            .text("Name", *name)
            .set("OptionsAllowAdminApprovedUsersOnly", Value::Bool(at == 1))
            .set("OptionsIsInternal", Value::Bool(at == 1))
            .stamp(estate.now - 700 * DAY, estate.now - 90 * DAY, estate.id("User", ADMIN));
        if at == 1 {
            row.int("RefreshTokenValidityPeriod", 365).on("OptionsRefreshTokenValidityMetric");
        }
    }
    table
}

/// `ExternalClientApplication`.
pub(crate) fn external(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("ExternalClientApplication");
    for (name, label, state) in EXTERNAL {
        let id = estate.id("ExternalClientApplication", table.next());
        table
            .row()
            .set("Id", Value::Id(id))
            .text("DeveloperName", *name)
            .text("MasterLabel", *label)
            .text("Language", "en_US")
            .text("ContactEmail", "apps@acme.example")
            .text("DistributionState", *state)
            .stamp(estate.now - 60 * DAY, estate.now - 20 * DAY, estate.id("User", ADMIN));
    }
    table
}

/// One entry of the app launcher.
struct MenuItem {
    name: String,
    label: String,
    kind: &'static str,
    application: crate::id::Id,
}

/// Entries in row order: connected apps first, so that row `n` belongs to connected app `n`.
fn menu(estate: &Estate) -> Vec<MenuItem> {
    let developer_name = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let connected = CONNECTED.iter().enumerate().map(|(at, name)| MenuItem {
        name: developer_name(name),
        label: (*name).to_owned(),
        kind: "ConnectedApplication",
        application: estate.id("ConnectedApplication", at as u64),
    });
    let external = EXTERNAL.iter().enumerate().map(|(at, (name, label, _))| MenuItem {
        name: (*name).to_owned(),
        label: (*label).to_owned(),
        kind: "ExternalClientApplication",
        application: estate.id("ExternalClientApplication", at as u64),
    });
    let tabs = TABS.iter().enumerate().map(|(at, label)| MenuItem {
        name: format!("standard__{}", developer_name(label)),
        label: (*label).to_owned(),
        kind: "TabSet",
        application: estate.foreign_id(*b"02u", at as u64),
    });
    connected.chain(external).chain(tabs).collect()
}

/// `AppMenuItem`.
pub(crate) fn menu_items(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("AppMenuItem");
    for (at, item) in menu(estate).into_iter().enumerate() {
        let id = estate.id("AppMenuItem", table.next());
        table
            .row()
            .set("Id", Value::Id(id))
            .text("Name", item.name)
            .text("Label", item.label)
            .text("Type", item.kind)
            .set("ApplicationId", Value::Id(item.application))
            .int("SortOrder", at as i64)
            .int("UserSortOrder", at as i64)
            .set("IsVisible", Value::Bool(at != 2))
            .on("IsAccessible")
            .stamp(estate.now - 700 * DAY, estate.now - 90 * DAY, estate.id("User", ADMIN));
    }
    table
}

/// `UserAppMenuItem`: the menu as one user sees it; an administrator sees all of it.
pub(crate) fn user_menu_items(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("UserAppMenuItem");
    for (at, item) in menu(estate).into_iter().enumerate() {
        let id = estate.id("UserAppMenuItem", table.next());
        let menu_item = estate.id("AppMenuItem", at as u64).to_string();
        table
            .row()
            .set("Id", Value::Id(id))
            .text("AppMenuItemId", menu_item)
            .set("ApplicationId", Value::Id(item.application))
            .text("Name", item.name)
            .text("Label", item.label)
            .text("Type", item.kind)
            .int("SortOrder", at as i64)
            .int("UserSortOrder", at as i64)
            .set("IsVisible", Value::Bool(at != 2));
    }
    table
}
