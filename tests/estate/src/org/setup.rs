//! The organization itself, roles, groups, the audit trail, and who is logged in.

use crate::clock::DAY;
use crate::org::Estate;
use crate::org::grants::{Grant, Grants, Recipients};
use crate::org::population::{self, ADMIN, Pool, Usage};
use crate::org::stored::StoredTable;
use crate::org::users::UserRow;
use crate::random;
use crate::value::Value;

/// How many roles an org of this size has.
pub(crate) fn role_count(users: u64) -> u64 {
    (ROLES.len() as u64 + users / 100).min(400)
}

const ROLES: &[&str] = &[
    "CEO",
    "CFO",
    "COO",
    "SVP, Sales & Marketing",
    "SVP, Customer Service",
    "VP, International Sales",
    "VP, North American Sales",
    "Director, Channel Sales",
    "Channel Sales Team",
    "Marketing Team",
    "Customer Support, \"Tier 2\"",
    "Human Resources",
];

/// `Organization`: the one row.
pub(crate) fn organization(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("Organization");
    let sandbox = estate.spec.is_sandbox;
    table
        .row()
        .set("Id", Value::Id(estate.organization))
        .text("Name", if sandbox { "Acme, Inc. (UAT)" } else { "Acme, Inc." })
        .text("OrganizationType", "Enterprise Edition")
        .set("IsSandbox", Value::Bool(sandbox))
        .text("InstanceName", if sandbox { "GBR24S" } else { "GBR98" })
        .text("City", "London")
        .text("Country", "United Kingdom")
        .set(
            "Address",
            Value::Compound(
                "{\"city\":\"London\",\"country\":\"United Kingdom\",\"geocodeAccuracy\":null,\"latitude\":null,\
                 \"longitude\":null,\"postalCode\":null,\"state\":null,\"street\":null}"
                    .into(),
            ),
        )
        .text("PrimaryContact", "Robin Admin")
        .text("DefaultLocaleSidKey", "en_GB")
        .text("TimeZoneSidKey", "Europe/London")
        .text("LanguageLocaleKey", "en_US")
        .on("ReceivesInfoEmails")
        .on("ReceivesAdminInfoEmails")
        .on("PreferencesLightningLoginEnabled")
        .int("FiscalYearStartMonth", 1)
        .text("DefaultAccountAccess", "Edit")
        .text("DefaultContactAccess", "ControlledByParent")
        .text("DefaultOpportunityAccess", "Edit")
        .text("DefaultLeadAccess", "ReadEditTransfer")
        .text("DefaultCaseAccess", "ReadEditTransfer")
        .text("DefaultCalendarAccess", "HideDetailsInsert")
        .text("DefaultPricebookAccess", "ReadSelect")
        .text("DefaultCampaignAccess", "All")
        .text("UiSkin", "Theme3")
        .text("SignupCountryIsoCode", "GB")
        .text("WebToCaseDefaultOrigin", "Web")
        .int("NumKnowledgeService", 2)
        .int("MonthlyPageViewsUsed", 0)
        .int("MonthlyPageViewsEntitlement", 0)
        .stamp(estate.now - 2_260 * DAY, estate.now - 3 * DAY, estate.id("User", ADMIN));
    table
}

/// `UserRole`: a tree with two to four levels.
pub(crate) fn roles(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("UserRole");
    for role in 0..estate.roles {
        let name = match ROLES.get(role as usize) {
            Some(name) => (*name).to_owned(),
            None => format!("Team {}", role - ROLES.len() as u64 + 1),
        };
        let developer_name: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let parent =
            if role == 0 { Value::Null } else { Value::Id(estate.id("UserRole", (role - 1) / 4)) };
        let id = estate.id("UserRole", role);
        table
            .row()
            .set("Id", Value::Id(id))
            .text("Name", name)
            .text("DeveloperName", format!("R{role}_{developer_name}"))
            .set("ParentRoleId", parent)
            .text("PortalType", "None")
            .text("OpportunityAccessForAccountOwner", "Edit")
            .text("CaseAccessForAccountOwner", "Edit")
            .text("ContactAccessForAccountOwner", "Edit")
            .stamp(estate.now - 900 * DAY, estate.now - 100 * DAY, estate.id("User", ADMIN));
    }
    table
}

const GROUPS: &[(&str, &str)] = &[
    ("All Internal Users", "Organization"),
    ("EMEA, \"Deals\"", "Regular"),
    ("Tier 2 Cases", "Queue"),
];

/// `Group`: a few named ones, and two for each role as the platform makes them.
pub(crate) fn public_groups(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("Group");
    let admin = estate.id("User", ADMIN);
    for (name, kind) in GROUPS {
        let id = estate.id("Group", table.next());
        table
            .row()
            .set("Id", Value::Id(id))
            .text("Name", *name)
            .text("DeveloperName", name.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
            .text("Type", *kind)
            .set("OwnerId", Value::Id(estate.organization))
            .on("DoesIncludeBosses")
            .stamp(estate.now - 900 * DAY, estate.now - 100 * DAY, admin);
    }
    for role in 0..estate.roles {
        for kind in ["Role", "RoleAndSubordinates"] {
            let id = estate.id("Group", table.next());
            table
                .row()
                .set("Id", Value::Id(id))
                .text("Name", "")
                .text("Type", kind)
                .set("RelatedId", Value::Id(estate.id("UserRole", role)))
                .set("OwnerId", Value::Id(estate.organization))
                .stamp(estate.now - 900 * DAY, estate.now - 100 * DAY, admin);
        }
    }
    table
}

/// `GroupMember`: a few people in the named groups.
pub(crate) fn group_members(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("GroupMember");
    let people = Pool::new(&estate.population, |_, segment| segment.usage == Usage::Heavy);
    for group in [1, 2] {
        for rank in 0..people.len().min(25) {
            let id = estate.id("GroupMember", table.next());
            let user = people.member(&estate.population, rank);
            table
                .row()
                .set("Id", Value::Id(id))
                .set("GroupId", Value::Id(estate.id("Group", group)))
                .set("UserOrGroupId", Value::Id(estate.id("User", user)))
                .stamp(estate.now - 400 * DAY, estate.now - 100 * DAY, estate.id("User", ADMIN));
        }
    }
    table
}

const CHANGES: &[(&str, &str, &str)] = &[
    (
        "changedprofileforuser",
        "Manage Users",
        "Changed profile for user \"O'Brien\", was Sales Representative",
    ),
    ("PermSetAssign", "Manage Users", "Permission set Export Reports: assigned to a user"),
    ("PermSetUnassign", "Manage Users", "Permission set Sales Console: unassigned from a user"),
    ("deactivateduser", "Manage Users", "Deactivated a user"),
    ("createduser", "Manage Users", "Created new user"),
    ("frozeuser", "Manage Users", "Froze a user"),
    ("changedsessiontimeout", "Session Settings", "Changed session timeout from 2 hours to 1 hour"),
];

/// An old account that was activated again some days ago and not used since.
pub(crate) fn reactivated(estate: &Estate) -> Option<u64> {
    estate.population.find(population::Era::Settled, 0, Usage::Never, 0)
}

/// `SetupAuditTrail`: 180 days of changes, oldest first.
pub(crate) fn audit_trail(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("SetupAuditTrail");
    let rows = (estate.population.users / 4).clamp(20, 1_500);
    for row in 0..rows {
        let (action, section, display) =
            CHANGES[random::below(estate.seed(), 0x70, row, CHANGES.len() as u64) as usize];
        let at = estate.now - 179 * DAY + (179 * DAY - 600) / rows as i64 * row as i64;
        let (action, section, display) = match reactivated(estate) {
            Some(user) if row == rows * 174 / 179 => {
                let username = UserRow::read(estate, user).username(estate);
                ("activateduser", "Manage Users", format!("Activated user {username}"))
            }
            _ => (action, section, display.to_owned()),
        };
        let id = estate.id("SetupAuditTrail", row);
        table
            .row()
            .set("Id", Value::Id(id))
            .text("Action", action)
            .text("Section", section)
            .text("Display", display)
            .stamp(at, at, estate.id("User", ADMIN));
    }
    table
}

/// Who holds tokens of connected apps: every other person who works with the org daily, so that an org of 25,000
/// users has more tokens than one result can show.
pub(crate) fn token_grants(estate: &Estate) -> Grants {
    let pool =
        Pool::new(&estate.population, |_, s| matches!(s.usage, Usage::Heavy | Usage::Machine));
    single(Recipients { pool, stride: 2, offset: 0 })
}

/// Who is logged in right now.
pub(crate) fn session_grants(estate: &Estate) -> Grants {
    let settled = |era| matches!(era, population::Era::Founding | population::Era::Settled);
    let pool = Pool::new(&estate.population, |era, s| settled(era) && s.usage == Usage::Heavy);
    single(Recipients { pool, stride: 9, offset: 0 })
}

fn single(to: Recipients) -> Grants {
    Grants::new([Grant { target: Some(0), group: None, expires: false, to }])
}
