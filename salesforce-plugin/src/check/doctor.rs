//! The permission doctor: what the connecting user may do, which dataset each right opens, and which
//! rights it had better not have.

use std::collections::BTreeMap;

use connector_api::Error;
use connector_api::message::{Finding, FindingStatus};
use serde::Deserialize;
use serde_json::Value;

use crate::client::api_error::ApiError;
use crate::client::describe::Catalogue;
use crate::client::session::Session;
use crate::dataset::permission::{
    API_ENABLED, BEYOND, GUIDE, MANAGE_PACKAGE_LICENSES, MANAGE_USERS, NEVER, Permission,
    READ_ACCOUNTS, Use, probed,
};
use crate::dataset::{CATALOGUE, Dataset, Source};
use crate::read::access::Access;
use crate::read::context::openers;
use crate::read::soql::{literal, query_path};

/// Looks at every permission of the guide, and at every dataset that is read.
///
/// # Errors
/// Only what ends the check.
pub(crate) fn examine(
    session: &Session,
    catalogue: &Catalogue<'_>,
    access: &Access,
) -> Result<Vec<Finding>, Error> {
    let patient =
        Patient { session, catalogue, access, holders: Holders::ask(session, catalogue)? };
    let mut findings = Vec::new();
    for (permission, need) in GUIDE.iter().chain(&BEYOND) {
        let held = patient.has(*permission)?;
        findings.push(patient.permission(*permission, *need, held));
    }
    for permission in NEVER {
        if access.has(permission) == Some(true) {
            let why = "nobody who only reads should have it";
            findings.push(patient.permission(permission, Use::Excess(why), Some(true)));
        }
    }
    for dataset in CATALOGUE.iter().filter(|dataset| patient.reads(dataset)) {
        if let Some(finding) = patient.dataset(dataset)? {
            findings.push(finding);
        }
    }
    Ok(findings)
}

/// Where a permission comes from: the profile, or permission sets of the user.
#[derive(Debug, Default)]
struct Holders {
    /// By permission; each as it reads in a sentence.
    by_permission: BTreeMap<&'static str, Vec<String>>,
    /// The ids of the user's sets, that of the profile among them.
    sets: Vec<String>,
}

#[derive(Deserialize)]
struct Records {
    records: Vec<Value>,
}

impl Holders {
    /// Asks for the user's sets and what is in them; an org that does not answer leaves it unknown.
    fn ask(session: &Session, catalogue: &Catalogue<'_>) -> Result<Holders, Error> {
        let (_, Some(user)) = session.ids() else { return Ok(Holders::default()) };
        let mut wanted: Vec<Permission> = probed().collect();
        loop {
            let columns: String = wanted
                .iter()
                .map(|permission| format!(", PermissionSet.{}", permission.name))
                .collect();
            let soql = format!(
                "SELECT PermissionSetId, PermissionSet.Label, PermissionSet.IsOwnedByProfile, PermissionSet.Profile.Name{columns} FROM PermissionSetAssignment WHERE AssigneeId = {}",
                literal(&user)
            );
            match records(session, catalogue.version, "PermissionSetAssignment", &soql) {
                Ok(page) => return Ok(Holders::of(&page, &wanted)),
                Err(ApiError::Refused(refusal)) => {
                    let before = wanted.len();
                    if let Some(column) = refusal.invalid_column() {
                        wanted.retain(|permission| permission.name != column);
                    }
                    if wanted.len() == before {
                        return Ok(Holders::default());
                    }
                }
                Err(ApiError::Fatal(error)) => return Err(error),
                Err(_) => return Ok(Holders::default()),
            }
        }
    }

    fn of(page: &Records, wanted: &[Permission]) -> Holders {
        let mut holders = Holders::default();
        for record in &page.records {
            let set = &record["PermissionSet"];
            if let Some(id) = record["PermissionSetId"].as_str() {
                holders.sets.push(id.to_owned());
            }
            let of_profile = set["IsOwnedByProfile"].as_bool() == Some(true);
            let name = if of_profile { &set["Profile"]["Name"] } else { &set["Label"] };
            let kind = if of_profile { "the profile" } else { "the permission set" };
            let holder = match name.as_str() {
                Some(name) => format!("{kind} `{}`", name.escape_debug()),
                None => kind.to_owned(),
            };
            for permission in wanted {
                if set[permission.name].as_bool() == Some(true) {
                    let known = holders.by_permission.entry(permission.name).or_default();
                    if !known.contains(&holder) {
                        known.push(holder.clone());
                    }
                }
            }
        }
        holders
    }

    /// `, by the profile …`; nothing where it is not known.
    fn shown(&self, permission: Permission) -> String {
        self.by_permission
            .get(permission.name)
            .map_or_else(String::new, |holders| format!(", by {}", holders.join(" and ")))
    }
}

fn records(session: &Session, version: u16, object: &str, soql: &str) -> Result<Records, ApiError> {
    session.get(&query_path(version, soql), Some(object), |answer| {
        let page: Records =
            serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        let count = page.records.len() as u64;
        Ok((page, count))
    })
}

struct Patient<'a> {
    session: &'a Session,
    catalogue: &'a Catalogue<'a>,
    access: &'a Access,
    holders: Holders,
}

impl Patient<'_> {
    fn reads(&self, dataset: &Dataset) -> bool {
        self.session.settings().selection.reads(dataset)
    }

    /// Whether the user has a permission, asked for in the way that it can be.
    fn has(&self, permission: Permission) -> Result<Option<bool>, Error> {
        match permission {
            // The answers so far came through the API.
            API_ENABLED => Ok(Some(true)),
            MANAGE_PACKAGE_LICENSES => self.sees_package_licenses(),
            READ_ACCOUNTS => self.reads_all_accounts(),
            permission => Ok(self.access.has(permission)),
        }
    }

    /// No field says whether `Manage Package Licenses` is granted: its records do.
    fn sees_package_licenses(&self) -> Result<Option<bool>, Error> {
        let soql = "SELECT Id FROM PackageLicense LIMIT 1";
        match records(self.session, self.catalogue.version, "PackageLicense", soql) {
            Ok(page) => Ok((!page.records.is_empty()).then_some(true)),
            Err(ApiError::Refused(refusal)) if refusal.is_hidden() => Ok(Some(false)),
            Err(ApiError::Fatal(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn reads_all_accounts(&self) -> Result<Option<bool>, Error> {
        if self.holders.sets.is_empty() {
            return Ok(None);
        }
        let sets: Vec<String> = self.holders.sets.iter().map(|id| literal(id)).collect();
        let soql = format!(
            "SELECT PermissionsRead, PermissionsViewAllRecords FROM ObjectPermissions WHERE SobjectType = 'Account' AND ParentId IN ({})",
            sets.join(", ")
        );
        match records(self.session, self.catalogue.version, "ObjectPermissions", &soql) {
            Ok(page) => Ok(Some(page.records.iter().any(|record| {
                record["PermissionsRead"].as_bool() == Some(true)
                    && record["PermissionsViewAllRecords"].as_bool() == Some(true)
            }))),
            Err(ApiError::Fatal(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn permission(&self, permission: Permission, need: Use, held: Option<bool>) -> Finding {
        let opens = opened_by(permission, |dataset| self.reads(dataset));
        let else_closed: Vec<&str> = opens
            .iter()
            .filter(|dataset| {
                let others: Vec<Permission> =
                    dataset.permissions.iter().copied().filter(|p| *p != permission).collect();
                self.access.has_any(&others) != Some(true)
            })
            .map(|dataset| dataset.name)
            .collect();
        let by = self.holders.shown(permission);
        let opened = match else_closed.as_slice() {
            [] => String::new(),
            names => format!("; opens {}", names.join(", ")),
        };
        let (status, message, hint) = match (held, need) {
            (None, _) => (
                FindingStatus::Unknown,
                "the org does not say whether it is granted".to_owned(),
                None,
            ),
            (Some(true), Use::Needed) => (FindingStatus::Ok, format!("granted{by}{opened}"), None),
            (Some(true), Use::Optional(why)) => {
                (FindingStatus::Ok, format!("granted{by}, and optional: {why}"), None)
            }
            // Only this one opens it for this user.
            (Some(true), Use::Excess(_)) if !else_closed.is_empty() => {
                (FindingStatus::Ok, format!("granted{by}{opened}"), None)
            }
            (Some(true), Use::Excess(why)) => (
                FindingStatus::Excess,
                format!("granted{by}, and not needed to read: {why}"),
                Some(self.removal(permission)),
            ),
            (Some(false), Use::Needed)
                if !else_closed.is_empty() || opens.is_empty() && permission == API_ENABLED =>
            {
                (
                    FindingStatus::Missing,
                    format!("not granted; needed to read {}", else_closed.join(", ")),
                    Some(remedy(permission)),
                )
            }
            (Some(false), Use::Optional(why)) => {
                (FindingStatus::Ok, format!("not granted, and optional: {why}"), None)
            }
            (Some(false), _) => (FindingStatus::Ok, "not granted and not needed".to_owned(), None),
        };
        Finding {
            id: format!("permission.{}", permission.name),
            status,
            subject: permission.label.into(),
            message,
            hint,
        }
    }

    fn removal(&self, permission: Permission) -> String {
        let companion = GUIDE.iter().any(|(known, need)| {
            *known == permission
                && matches!(need, Use::Excess(why) if why.contains(MANAGE_USERS.label))
        });
        if companion && self.access.has(MANAGE_USERS) == Some(true) {
            return "it goes with `Manage Users`: grant `Monitor Login History` in its place, and do without the frozen flag".into();
        }
        match self.holders.by_permission.get(permission.name) {
            Some(holders) => format!("take it out of {}", holders.join(" and of ")),
            None => "take it out of the connecting user's profile or permission set".into(),
        }
    }

    fn dataset(&self, dataset: &'static Dataset) -> Result<Option<Finding>, Error> {
        let Some(object) = dataset.sobject() else { return Ok(None) };
        let finding = |status, message: String, hint| {
            Some(Finding {
                id: format!("dataset.{}", dataset.name),
                status,
                subject: dataset.title.into(),
                message,
                hint,
            })
        };
        let open = || dataset.permissions.first().map(|permission| remedy(*permission));
        if let Source::Tooling(_) = dataset.source {
            return Ok(finding(FindingStatus::Ok, "read by the Tooling API".into(), None));
        }
        let described = match self.catalogue.describe(object) {
            Ok(described) => described,
            Err(ApiError::Fatal(error)) => return Err(error),
            Err(error) => {
                return Ok(finding(FindingStatus::Unknown, error.into_error().message, None));
            }
        };
        let held = self.access.has_any(dataset.permissions);
        if described.is_none() {
            let absent = held == Some(true) || dataset.permissions.is_empty();
            return Ok(if absent {
                finding(FindingStatus::Ok, "absent: the org does not have it".into(), None)
            } else {
                let message = format!("denied: only `{}` opens it", openers(dataset));
                finding(FindingStatus::Missing, message, open())
            });
        }
        if let Some(owner) = dataset.own_rows
            && held != Some(true)
            && self.others_are_hidden(object, owner)?
        {
            let message = "partial: only the connecting user's own records are visible";
            return Ok(finding(FindingStatus::Partial, message.into(), open()));
        }
        let selection = &self.session.settings().selection;
        let mut missing = Vec::new();
        for field in dataset.fields.iter().filter(|field| !field.optional) {
            if !selection.leaves_out(dataset, field.name)
                && !self.catalogue.shows(object, field.name).map_err(ApiError::into_error)?
            {
                missing.push(field.name);
            }
        }
        if missing.is_empty() {
            return Ok(finding(FindingStatus::Ok, "readable".into(), None));
        }
        let hint =
            "give the connecting user read access to these fields (field-level security)".into();
        let message = format!("readable, without {}", missing.join(", "));
        Ok(finding(FindingStatus::Partial, message, Some(hint)))
    }

    /// Whether no record of anybody else is shown. Unknown counts as shown: the run finds out.
    fn others_are_hidden(&self, object: &str, owner: &str) -> Result<bool, Error> {
        let (_, Some(own)) = self.session.ids() else { return Ok(false) };
        let soql =
            format!("SELECT {owner} FROM {object} WHERE {owner} != {} LIMIT 1", literal(&own));
        match records(self.session, self.catalogue.version, object, &soql) {
            Ok(page) => Ok(page.records.is_empty()),
            Err(ApiError::Fatal(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }
}

/// The datasets that a permission opens, alone or as one of several.
fn opened_by(permission: Permission, reads: impl Fn(&Dataset) -> bool) -> Vec<&'static Dataset> {
    CATALOGUE
        .iter()
        .copied()
        .filter(|dataset| reads(dataset) && dataset.permissions.contains(&permission))
        .collect()
}

/// The guide's two ways to grant a permission.
fn remedy(permission: Permission) -> String {
    format!(
        "tick `{0}` in the connecting user's profile (the guide's Option 1), or in a permission set that is assigned to that user (Option 2)",
        permission.label
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::permission::{MONITOR_LOGIN_HISTORY, VIEW_SETUP};

    #[test]
    fn the_login_history_is_opened_by_either_of_two_permissions() {
        let names = |permission| -> Vec<&str> {
            opened_by(permission, |dataset| dataset.by_default).iter().map(|d| d.name).collect()
        };
        assert!(names(MONITOR_LOGIN_HISTORY).contains(&"login_history"));
        assert!(names(MANAGE_USERS).contains(&"login_history"));
        assert!(names(VIEW_SETUP).contains(&"user_license"));
        assert!(names(API_ENABLED).is_empty());
    }

    #[test]
    fn a_permission_is_traced_to_profile_and_permission_sets() {
        let page: Records = serde_json::from_value(serde_json::json!({"records": [
            {"PermissionSetId": "0PS1", "PermissionSet": {"Label": "X00e", "IsOwnedByProfile": true,
                "Profile": {"Name": "Standard"}, "PermissionsViewSetup": true}},
            {"PermissionSetId": "0PS2", "PermissionSet": {"Label": "Reader", "IsOwnedByProfile": false,
                "Profile": null, "PermissionsViewSetup": true, "PermissionsManageUsers": false}}
        ]}))
        .unwrap();
        let holders = Holders::of(&page, &[VIEW_SETUP, MANAGE_USERS]);
        assert_eq!(holders.sets, ["0PS1", "0PS2"]);
        assert_eq!(
            holders.shown(VIEW_SETUP),
            ", by the profile `Standard` and the permission set `Reader`"
        );
        assert_eq!(holders.shown(MANAGE_USERS), "");
    }
}
