//! Profiles, permission sets, their licences and groups, and who has them.

use crate::clock::DAY;
use crate::org::Estate;
use crate::org::catalog::{self, PROFILES, ProfileRole};
use crate::org::grants::{Grant, Grants, Recipients};
use crate::org::population::{ADMIN, Pool, Segment, Usage};
use crate::org::stored::StoredTable;
use crate::value::Value;

/// Whom a set or licence is given to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Audience {
    /// Every n-th active user with a Salesforce licence.
    Crm(u64),
    /// Every n-th active user with a Salesforce Platform licence.
    Platform(u64),
    /// API-only accounts.
    Machines,
    /// Nobody.
    Nobody,
}

/// One permission set licence.
#[derive(Debug)]
pub(crate) struct LicenseSpec {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    total: i64,
    expires_in_days: Option<i64>,
    to: Audience,
}

const fn license(
    name: &'static str,
    label: &'static str,
    total: i64,
    expires_in_days: Option<i64>,
    to: Audience,
) -> LicenseSpec {
    LicenseSpec { name, label, total, expires_in_days, to }
}

/// The permission set licences, in row order. The one that ended is Disabled.
pub(crate) const LICENSES: &[LicenseSpec] = &[
    license(
        "SalesforceAPIIntegrationPsl",
        "Salesforce API Integration",
        5,
        None,
        Audience::Machines,
    ),
    license("SalesUserPsl", "Sales User", 0, Some(165), Audience::Crm(3)),
    license("EmbeddedServiceMessagingUserPsl", "Messaging User", 0, Some(165), Audience::Crm(10)),
    license("IdentityConnect", "Identity Connect", 0, None, Audience::Nobody),
    license(
        "FieldServiceStandardPsl",
        "Field Service Standard",
        50,
        Some(40),
        Audience::Platform(8),
    ),
    license(
        "FieldServiceDispatcherPsl",
        "Field Service Dispatcher",
        10,
        Some(40),
        Audience::Platform(30),
    ),
    license("FieldServiceMobilePsl", "Field Service Mobile", 10, Some(40), Audience::Nobody),
    license("EinsteinAnalyticsPlusPsl", "Einstein Analytics Plus", 1, Some(-30), Audience::Nobody),
    license("LightningSchedulerUserPsl", "Lightning Scheduler", 10, None, Audience::Nobody),
    license("OrderManagementPsl", "Orders Platform", 0, None, Audience::Nobody),
    license("SalesConsoleUser", "Sales Console User", 20, None, Audience::Crm(25)),
    license(
        "RetiredMobileChatPsl",
        "(Retired) Salesforce Mobile Chat Experience",
        0,
        None,
        Audience::Nobody,
    ),
];

/// Name, label, licence, audience.
const SETS: &[(&str, &str, Option<&str>, Audience)] = &[
    ("Sales_Console", "Sales Console, \"EMEA\"", Some("SalesConsoleUser"), Audience::Crm(25)),
    ("Sales_User_Access", "Sales User Access", Some("SalesUserPsl"), Audience::Crm(3)),
    (
        "Messaging_Agent",
        "Messaging Agent",
        Some("EmbeddedServiceMessagingUserPsl"),
        Audience::Crm(20),
    ),
    (
        "Field_Technician",
        "Field Technician",
        Some("FieldServiceStandardPsl"),
        Audience::Platform(8),
    ),
    (
        "Field_Dispatcher",
        "Field Dispatcher",
        Some("FieldServiceDispatcherPsl"),
        Audience::Platform(30),
    ),
    ("API_Integration", "API Integration", Some("SalesforceAPIIntegrationPsl"), Audience::Machines),
    ("Export_Reports", "Export Reports", None, Audience::Crm(4)),
    ("Manage_Campaigns", "Manage Campaigns", None, Audience::Crm(7)),
    ("Forecast_Override", "Forecast Override", None, Audience::Crm(31)),
    ("Knowledge_Author", "Knowledge Author", None, Audience::Crm(11)),
    ("Einstein_Preview", "Einstein Preview", None, Audience::Nobody),
    ("Payroll_Viewer", "Payroll Viewer", None, Audience::Platform(9)),
    ("Shift_Planner", "Shift Planner", None, Audience::Platform(14)),
    ("License_Reader", "License Reader", None, Audience::Nobody),
    ("Data_Steward", "Data Steward", None, Audience::Crm(23)),
];

/// Groups of sets: name, label, sets by position.
const GROUPS: &[(&str, &str, &[usize])] = &[
    ("Sales_Excellence", "Sales Excellence", &[0, 1, 6]),
    ("Service_Desk", "Service Desk", &[2, 9]),
];

/// The set whose holders may see everything.
pub(crate) const PRIVILEGED_SET: &str = "Data_Steward";
/// First permission set that no profile owns.
const FIRST_SET: u64 = PROFILES.len() as u64;
/// First hidden set of a group.
const FIRST_GROUP_SET: u64 = FIRST_SET + SETS.len() as u64;

fn recipients(estate: &Estate, to: Audience) -> Option<Recipients> {
    let active = |key: &'static str| {
        let license = catalog::license(key);
        move |s: &Segment| {
            s.license == Some(license) && s.usage.is_active() && s.usage != Usage::Machine
        }
    };
    let (pool, stride) = match to {
        Audience::Crm(stride) => (Pool::new(&estate.population, |_, s| active("SFDC")(s)), stride),
        Audience::Platform(stride) => {
            (Pool::new(&estate.population, |_, s| active("AUL")(s)), stride)
        }
        Audience::Machines => {
            let integration = catalog::license("SALESFORCE_INTEGRATION_USER");
            (Pool::new(&estate.population, |_, s| s.license == Some(integration)), 1)
        }
        Audience::Nobody => return None,
    };
    Some(Recipients { pool, stride, offset: 0 })
}

/// How many holders of a permission set licence logged in within a month.
pub(crate) fn used_in_a_month(estate: &Estate, spec: &LicenseSpec) -> i64 {
    recipients(estate, spec.to).map_or(0, |to| {
        let parts = to.by_segment().map(|(region, segment, seats)| {
            estate.logins.share_in_a_month(region, segment) * seats as f64
        });
        parts.sum::<f64>().round() as i64
    })
}

/// Total and used seats of a permission set licence.
pub(crate) fn license_seats(estate: &Estate, spec: &LicenseSpec) -> (i64, i64) {
    let used = recipients(estate, spec.to).map_or(0, |to| to.len()) as i64;
    (spec.total.max((used * 6 / 5 + 4) / 5 * 5), used)
}

/// `PermissionSetLicense`.
pub(crate) fn licenses(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("PermissionSetLicense");
    let today = estate.now.div_euclid(DAY);
    for spec in LICENSES {
        let (total, used) = license_seats(estate, spec);
        let ended = spec.expires_in_days.is_some_and(|days| days < 0);
        let id = estate.id("PermissionSetLicense", table.next());
        table
            .row()
            .set("Id", Value::Id(id))
            .text("DeveloperName", spec.name)
            .text("PermissionSetLicenseKey", spec.name)
            .text("MasterLabel", spec.label)
            .text("Language", "en_US")
            .text("Status", if ended || total == 0 { "Disabled" } else { "Active" })
            .int("TotalLicenses", total)
            .int("UsedLicenses", used)
            .int("MigratableLicenses", 0)
            .set(
                "ExpirationDate",
                spec.expires_in_days.map_or(Value::Null, |days| Value::Date(today + days)),
            )
            .set("IsAvailableForIntegrations", Value::Bool(matches!(spec.to, Audience::Machines)))
            .stamp(estate.now - 800 * DAY, estate.now - 41 * DAY, estate.id("User", ADMIN));
    }
    table
}

/// Who has a permission set licence. Some of those who left still hold one; the counter ignores them.
pub(crate) fn license_grants(estate: &Estate) -> Grants {
    let grant = |at: usize, to| Grant { target: Some(at as u64), group: None, expires: false, to };
    let mut grants: Vec<Grant> = (LICENSES.iter().enumerate())
        .filter_map(|(at, spec)| Some(grant(at, recipients(estate, spec.to)?)))
        .collect();
    let sfdc = catalog::license("SFDC");
    let left =
        Pool::new(&estate.population, |_, s| s.license == Some(sfdc) && s.usage == Usage::LongGone);
    grants.push(grant(1, Recipients { pool: left, stride: 8, offset: 0 }));
    Grants::new(grants)
}

/// `Profile`.
pub(crate) fn profiles(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("Profile");
    for profile in PROFILES {
        let license = catalog::license(profile.license) as u64;
        let id = estate.id("Profile", table.next());
        table
            .row()
            .set("Id", Value::Id(id))
            .text("Name", profile.name)
            .text("UserType", profile.user_type)
            .set("UserLicenseId", Value::Id(estate.id("UserLicense", license)))
            .on_where(|permission| has_permission(profile.role, permission))
            .stamp(estate.now - 2_260 * DAY, estate.now - 90 * DAY, estate.id("User", ADMIN));
    }
    table
}

fn has_permission(role: ProfileRole, permission: &str) -> bool {
    match role {
        ProfileRole::Administrator => permission.starts_with("Permissions"),
        ProfileRole::Integration => {
            matches!(
                permission,
                "PermissionsApiEnabled"
                    | "PermissionsApiUserOnly"
                    | "PermissionsPasswordNeverExpires"
            )
        }
        _ => matches!(
            permission,
            "PermissionsApiEnabled" | "PermissionsRunReports" | "PermissionsViewRoles"
        ),
    }
}

/// `PermissionSet`: the hidden one of each profile, those people assign, the hidden one of each group.
pub(crate) fn permission_sets(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("PermissionSet");
    let admin = estate.id("User", ADMIN);
    for (profile, spec) in PROFILES.iter().enumerate() {
        let id = estate.id("PermissionSet", table.next());
        let profile_id = estate.id("Profile", profile as u64);
        let hidden = format!("X{}_128_09_04_{}", &profile_id.to_string()[..15], profile + 4);
        table
            .row()
            .set("Id", Value::Id(id))
            .text("Name", hidden[..hidden.len().min(80)].to_owned())
            .text("Label", profile_id.to_string())
            .text("Type", "Profile")
            .on("IsOwnedByProfile")
            .set("ProfileId", Value::Id(profile_id))
            .set(
                "LicenseId",
                Value::Id(estate.id("UserLicense", catalog::license(spec.license) as u64)),
            )
            .on_where(|permission| has_permission(spec.role, permission))
            .stamp(estate.now - 2_260 * DAY, estate.now - 90 * DAY, admin);
    }
    for (at, (name, label, license, _)) in SETS.iter().enumerate() {
        let id = estate.id("PermissionSet", table.next());
        let license = license.and_then(|name| LICENSES.iter().position(|spec| spec.name == name));
        let license = license
            .map_or(Value::Null, |at| Value::Id(estate.id("PermissionSetLicense", at as u64)));
        let groups = GROUPS.iter().filter(|(.., sets)| sets.contains(&at)).count();
        table
            .row()
            .set("Id", Value::Id(id))
            .text("Name", *name)
            .text("Label", *label)
            .text("Type", "Regular")
            .on("IsCustom")
            .set("LicenseId", license)
            .int("PsgCount", groups as i64)
            .on_where(|permission| {
                matches!(
                    (*name, permission),
                    ("Export_Reports", "PermissionsExportReport")
                        | (PRIVILEGED_SET, "PermissionsViewAllData")
                )
            })
            .stamp(estate.now - 500 * DAY, estate.now - 60 * DAY, admin);
    }
    for (at, (name, label, _)) in GROUPS.iter().enumerate() {
        let id = estate.id("PermissionSet", table.next());
        table
            .row()
            .set("Id", Value::Id(id))
            .text("Name", *name)
            .text("Label", *label)
            .text("Type", "Group")
            .set("PermissionSetGroupId", Value::Id(estate.id("PermissionSetGroup", at as u64)))
            .stamp(estate.now - 300 * DAY, estate.now - 60 * DAY, admin);
    }
    table
}

/// Who has a permission set: everybody the hidden set of the profile, many people some of the others.
pub(crate) fn set_grants(estate: &Estate) -> Grants {
    let everybody = Pool::new(&estate.population, |_, segment| segment.license.is_some());
    let own = Recipients { pool: everybody, stride: 1, offset: 0 };
    let mut grants = vec![Grant { target: None, group: None, expires: false, to: own }];
    for (at, (name, .., to)) in SETS.iter().enumerate() {
        if let Some(to) = recipients(estate, *to) {
            let expires = *name == "Payroll_Viewer";
            grants.push(Grant { target: Some(FIRST_SET + at as u64), group: None, expires, to });
        }
    }
    for at in 0..GROUPS.len() as u64 {
        if let Some(mut to) = recipients(estate, Audience::Crm(13 + at)) {
            // Some of the second group hold a licence that only a set inside the group uses.
            to.offset = 5 - at;
            grants.push(Grant {
                target: Some(FIRST_GROUP_SET + at),
                group: Some(at),
                expires: false,
                to,
            });
        }
    }
    Grants::new(grants)
}

/// `PermissionSetGroup`.
pub(crate) fn groups(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("PermissionSetGroup");
    for (name, label, _) in GROUPS {
        let id = estate.id("PermissionSetGroup", table.next());
        table
            .row()
            .set("Id", Value::Id(id))
            .text("DeveloperName", *name)
            .text("MasterLabel", *label)
            .text("Language", "en_US")
            .text("Status", "Updated")
            .stamp(estate.now - 300 * DAY, estate.now - 60 * DAY, estate.id("User", ADMIN));
    }
    table
}

/// `PermissionSetGroupComponent`.
pub(crate) fn components(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("PermissionSetGroupComponent");
    for (group, (.., sets)) in GROUPS.iter().enumerate() {
        for set in *sets {
            let id = estate.id("PermissionSetGroupComponent", table.next());
            table
                .row()
                .set("Id", Value::Id(id))
                .set(
                    "PermissionSetGroupId",
                    Value::Id(estate.id("PermissionSetGroup", group as u64)),
                )
                .set(
                    "PermissionSetId",
                    Value::Id(estate.id("PermissionSet", FIRST_SET + *set as u64)),
                )
                .stamp(estate.now - 300 * DAY, estate.now - 60 * DAY, estate.id("User", ADMIN));
        }
    }
    table
}

/// Objects that make a seat a CRM seat.
const CRM_OBJECTS: &[&str] = &["Lead", "Opportunity", "Case"];
/// The profile of people with a Salesforce licence that opens none of them.
const PLAIN_PROFILE: &str = "Finance, Legal & \"Special\" Projects";
/// Sets that open some of them.
const CRM_SETS: &[(&str, &[&str])] = &[
    ("Sales_Console", &["Opportunity"]),
    ("Sales_User_Access", &["Lead", "Opportunity"]),
    ("Messaging_Agent", &["Case"]),
];

/// `ObjectPermissions`: what profiles and sets may do with accounts, contacts and CRM objects.
pub(crate) fn object_permissions(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("ObjectPermissions");
    let mut add = |parent: u64, object: &'static str, all: bool| {
        let id = estate.id("ObjectPermissions", table.next());
        table
            .row()
            .set("Id", Value::Id(id))
            .set("ParentId", Value::Id(estate.id("PermissionSet", parent)))
            .text("SobjectType", object)
            .on_where(|permission| all || permission == "PermissionsRead")
            .stamp(estate.now - 2_260 * DAY, estate.now - 90 * DAY, estate.id("User", ADMIN));
    };
    for (profile, spec) in
        PROFILES.iter().enumerate().filter(|(_, spec)| spec.role != ProfileRole::Spare)
    {
        let administrator = spec.role == ProfileRole::Administrator;
        add(profile as u64, "Account", administrator);
        if spec.license == "SFDC" && spec.name != PLAIN_PROFILE {
            for object in CRM_OBJECTS {
                add(profile as u64, object, administrator);
            }
        }
    }
    for (name, objects) in CRM_SETS {
        let set = SETS.iter().position(|(known, ..)| known == name).unwrap_or_default() as u64;
        for object in *objects {
            add(FIRST_SET + set, object, false);
        }
    }
    table
}

/// Whether people with this profile read CRM objects by it.
pub(crate) fn profile_reads_crm(profile: usize) -> bool {
    PROFILES[profile].license == "SFDC" && PROFILES[profile].name != PLAIN_PROFILE
}

/// A row of `PermissionSet`, as far as rules look at it.
pub(crate) struct SetTraits {
    /// Position of the permission set licence it uses.
    pub(crate) license: Option<usize>,
    /// It opens CRM objects.
    pub(crate) reads_crm: bool,
    /// Its holders may see everything.
    pub(crate) privileged: bool,
}

/// What a permission set gives; a hidden set of a group gives what its sets give.
pub(crate) fn traits(row: u64) -> Vec<SetTraits> {
    let one = |at: usize| {
        let (name, _, license, _) = SETS[at];
        SetTraits {
            license: license.and_then(|name| LICENSES.iter().position(|spec| spec.name == name)),
            reads_crm: CRM_SETS.iter().any(|(known, _)| *known == name),
            privileged: name == PRIVILEGED_SET,
        }
    };
    match row.checked_sub(FIRST_SET) {
        None => Vec::new(),
        Some(at) if at < SETS.len() as u64 => vec![one(at as usize)],
        Some(at) => match GROUPS.get(at as usize - SETS.len()) {
            Some((.., sets)) => sets.iter().map(|set| one(*set)).collect(),
            None => Vec::new(),
        },
    }
}

/// Whether a permission set is the hidden one of a group.
pub(crate) fn is_of_group(row: u64) -> bool {
    row >= FIRST_GROUP_SET
}

/// In how many days a permission set licence ends.
pub(crate) fn ends_in_days(license: usize) -> Option<i64> {
    LICENSES[license].expires_in_days
}

/// `SetupEntityAccess`: which sets open which connected apps.
pub(crate) fn entity_access(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("SetupEntityAccess");
    for (set, app) in [(0, 0), (FIRST_SET + 5, 1), (FIRST_SET + 5, 2), (FIRST_SET, 2)] {
        let id = estate.id("SetupEntityAccess", table.next());
        table
            .row()
            .set("Id", Value::Id(id))
            .set("ParentId", Value::Id(estate.id("PermissionSet", set)))
            .set("SetupEntityId", Value::Id(estate.id("ConnectedApplication", app)))
            .text("SetupEntityType", "ConnectedApplication")
            .stamp(estate.now - 300 * DAY, estate.now - 60 * DAY, estate.id("User", ADMIN));
    }
    table
}
