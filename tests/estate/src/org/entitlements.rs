//! `UserLicense`, `PackageLicense` and its users, `TenantUsageEntitlement`.

use crate::clock::{DAY, HOUR};
use crate::org::catalog::{Counter, LICENSES};
use crate::org::grants::{Grant, Grants, Recipients};
use crate::org::population::{ADMIN, Pool, Usage};
use crate::org::stored::StoredTable;
use crate::org::{Estate, catalog};
use crate::value::Value;

/// The user licences.
pub(crate) fn user_licenses(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("UserLicense");
    for (license, spec) in LICENSES.iter().enumerate() {
        let seats = estate.license_truth(license);
        let counted_at = match spec.counter {
            Counter::Stale => estate.now - 26 * HOUR,
            _ => estate.now - HOUR / 4,
        };
        let id = estate.id("UserLicense", table.next());
        let row = table
            .row()
            .set("Id", Value::Id(id))
            .text("LicenseDefinitionKey", spec.key)
            .text("Name", spec.name)
            .text("MasterLabel", spec.label)
            .text("Status", if spec.enabled { "Active" } else { "Disabled" })
            .int("TotalLicenses", seats.purchased)
            .int("UsedLicenses", seats.used)
            .set("UsedLicensesLastUpdated", Value::Instant(counted_at))
            .stamp(estate.now - 2_260 * DAY, estate.now - 41 * DAY, estate.id("User", ADMIN));
        if let (Some(entitlement), Some(used)) =
            (seats.monthly_logins_entitlement, seats.monthly_logins_used)
        {
            row.int("MonthlyLoginsEntitlement", entitlement).int("MonthlyLoginsUsed", used);
        }
    }
    table
}

struct Package {
    namespace: &'static str,
    status: &'static str,
    /// Seats; -1 is a site licence.
    allowed: i64,
    expires_in_days: Option<i64>,
    /// Every how many users with a Salesforce licence; 0 for none.
    stride: u64,
}

const PACKAGES: &[Package] = &[
    Package { namespace: "dlrs", status: "Free", allowed: -1, expires_in_days: None, stride: 0 },
    Package {
        namespace: "acmesign",
        status: "Active",
        allowed: 40,
        expires_in_days: Some(120),
        stride: 6,
    },
    Package {
        namespace: "routeplan",
        status: "Trial",
        allowed: 10,
        expires_in_days: Some(9),
        stride: 40,
    },
    Package {
        namespace: "oldcpq",
        status: "Expired",
        allowed: 25,
        expires_in_days: Some(-64),
        stride: 15,
    },
    Package {
        namespace: "telephonyx",
        status: "Active",
        allowed: 0,
        expires_in_days: None,
        stride: 0,
    },
];

/// The package some of whose seats belong to people who left.
const KEPT_BY_LEAVERS: &str = "acmesign";

/// Seats of people who left.
fn package_leavers(estate: &Estate, package: &Package) -> Option<Recipients> {
    let sfdc = catalog::license("SFDC");
    let pool =
        Pool::new(&estate.population, |_, s| s.license == Some(sfdc) && s.usage == Usage::LongGone);
    (package.namespace == KEPT_BY_LEAVERS).then_some(Recipients { pool, stride: 12, offset: 3 })
}

/// Status and days to the end of the package in this row.
pub(crate) fn package_state(row: u64) -> (&'static str, Option<i64>) {
    let package = &PACKAGES[row as usize % PACKAGES.len()];
    (package.status, package.expires_in_days)
}

/// Key, whether it is metered, and the share used of each usage entitlement, in row order.
pub(crate) fn usage_shares() -> impl Iterator<Item = (&'static str, Option<f64>)> {
    TENANT_USAGE.iter().map(|usage| (usage.setting, usage.used.map(|used| used / usage.allowed)))
}

fn package_recipients(estate: &Estate, package: &Package) -> Option<Recipients> {
    let sfdc = catalog::license("SFDC");
    let pool = Pool::new(&estate.population, |_, s| {
        s.license == Some(sfdc) && s.usage.is_active() && s.usage != Usage::Machine
    });
    (package.stride > 0).then_some(Recipients { pool, stride: package.stride, offset: 1 })
}

/// The installed packages that count seats.
pub(crate) fn packages(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("PackageLicense");
    for package in PACKAGES {
        let seats = |to: Option<Recipients>| to.map_or(0, |to| to.len()) as i64;
        let used =
            seats(package_recipients(estate, package)) + seats(package_leavers(estate, package));
        let allowed = if package.allowed > 0 {
            package.allowed.max(used + used / 5)
        } else {
            package.allowed
        };
        let expires = package
            .expires_in_days
            .map_or(Value::Null, |days| Value::Instant(estate.now + days * DAY));
        let id = estate.id("PackageLicense", table.next());
        table
            .row()
            .set("Id", Value::Id(id))
            .text("NamespacePrefix", package.namespace)
            .text("Status", package.status)
            .int("AllowedLicenses", allowed)
            .int("UsedLicenses", used)
            .set("ExpirationDate", expires)
            .set("IsProvisioned", Value::Bool(package.status != "Expired"))
            .stamp(estate.now - 700 * DAY, estate.now - 12 * DAY, estate.id("User", ADMIN));
    }
    table
}

/// Who has a seat of a package.
pub(crate) fn package_grants(estate: &Estate) -> Grants {
    let grant = |at: usize, to| Grant { target: Some(at as u64), group: None, expires: false, to };
    Grants::new(PACKAGES.iter().enumerate().flat_map(|(at, package)| {
        let seats = [package_recipients(estate, package), package_leavers(estate, package)];
        seats.into_iter().flatten().map(move |to| grant(at, to))
    }))
}

struct TenantUsage {
    setting: &'static str,
    label: Option<&'static str>,
    allowed: f64,
    used: Option<f64>,
    frequency: Option<&'static str>,
}

const TENANT_USAGE: &[TenantUsage] = &[
    TenantUsage {
        setting: "setting/force.com/orgValue.MaxCdpProfiles",
        label: None,
        allowed: 10_000.0,
        used: None,
        frequency: None,
    },
    TenantUsage {
        setting: "setting/force.com/orgValue.DailyApiCalls",
        label: Some("Daily API Requests"),
        allowed: 145_000.0,
        used: Some(11_204.0),
        frequency: Some("Daily"),
    },
    TenantUsage {
        setting: "setting/force.com/orgValue.MonthlyPlatformEvents",
        label: Some("Platform Events"),
        allowed: 750_000.0,
        used: Some(1_024.0),
        frequency: Some("Monthly"),
    },
    TenantUsage {
        setting: "setting/force.com/orgValue.MaxEinsteinRequests",
        label: Some("Einstein Requests"),
        allowed: 50_000.0,
        used: Some(50_310.0),
        frequency: Some("Yearly"),
    },
    TenantUsage {
        setting: "setting/force.com/orgValue.MaxSurveyResponses",
        label: Some("Survey Responses, \"Base\""),
        allowed: 300.0,
        used: Some(0.0),
        frequency: Some("Once"),
    },
    TenantUsage {
        setting: "setting/force.com/orgValue.MaxSandboxFull",
        label: None,
        allowed: 1.0,
        used: Some(1.0),
        frequency: None,
    },
];

/// What the contract allows in units other than seats.
pub(crate) fn tenant_usage(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("TenantUsageEntitlement");
    let today = estate.now.div_euclid(DAY);
    for usage in TENANT_USAGE {
        let id = estate.id("TenantUsageEntitlement", table.next());
        let row = table
            .row()
            .set("Id", Value::Id(id))
            .text("Setting", usage.setting)
            .text("ResourceGroupKey", "(tenant)")
            .set("MasterLabel", usage.label.map_or(Value::Null, |label| Value::Text(label.into())))
            .set("CurrentAmountAllowed", Value::Double(usage.allowed))
            .set("AmountUsed", usage.used.map_or(Value::Null, Value::Double))
            .set("UsageDate", usage.used.map_or(Value::Null, |_| Value::Instant(estate.now - DAY)))
            .set("StartDate", Value::Date(today - 200))
            .set("EndDate", usage.frequency.map_or(Value::Null, |_| Value::Date(today + 165)))
            .set(
                "Frequency",
                usage.frequency.map_or(Value::Null, |frequency| Value::Text(frequency.into())),
            )
            .stamp(estate.now - 200 * DAY, estate.now - DAY, estate.id("User", ADMIN));
        if usage.frequency.is_none() {
            row.on("IsPersistentResource");
        }
    }
    table
}
