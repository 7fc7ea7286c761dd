//! Where the rows of each object come from, and how they are read.

use crate::clock::DAY;
use crate::org::accounts::account_getter;
use crate::org::grants::{self, GrantRow, Grants};
use crate::org::login_fields::{LoginRow, login_getter};
use crate::org::logins::LoginReader;
use crate::org::stored::StoredRow;
use crate::org::users::{Getter, UserRow, user_getter, user_login_getter};
use crate::org::{
    Estate, apps, entitlements, event_log, metrics, networks, permission_sets, security, setup,
};
use crate::schema::{FieldIndex, Kind, Object, ObjectIndex, Schema};
use crate::value::Value;

/// How long logins are kept: six months.
pub(crate) const LOGINS_KEPT: i64 = 182 * DAY;
/// How long the setup audit trail is kept.
const AUDIT_KEPT: i64 = 180 * DAY;

/// The rows of one object.
#[derive(Debug)]
pub(crate) enum Source {
    /// Kept.
    Stored(Vec<StoredRow>),
    /// One per user.
    Users(Vec<Getter<UserRow>>),
    /// The login history.
    Logins(Vec<Getter<LoginRow>>),
    /// Assignments to users.
    Grants(Grants, Vec<Getter<GrantRow>>),
    /// Accounts.
    Accounts(Vec<Getter<u64>>),
    /// One row, which depends on the viewer.
    Access,
}

/// One row, ready for its fields to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Row<'e> {
    /// A kept row.
    Stored(&'e StoredRow),
    /// Of `User` or `UserLogin`.
    User(UserRow),
    /// Of `LoginHistory`.
    Login(LoginRow),
    /// Of an assignment table.
    Grant(GrantRow),
    /// Of `Account`.
    Account(u64),
}

/// Reads rows of an estate and keeps what neighbouring rows share.
#[derive(Debug)]
pub(crate) struct Reader<'e> {
    pub(crate) estate: &'e Estate,
    /// The viewer's row of `UserPermissionAccess`.
    access: &'e StoredRow,
    logins: LoginReader,
}

impl<'e> Reader<'e> {
    pub(crate) fn new(estate: &'e Estate, access: &'e StoredRow) -> Self {
        Self { estate, access, logins: LoginReader::default() }
    }

    /// Reads a row, which must exist.
    pub(crate) fn row(&mut self, object: ObjectIndex, row: u64) -> Row<'e> {
        let estate = self.estate;
        if let Some(cells) = estate.edits.row(object, row) {
            return Row::Stored(cells);
        }
        match &estate.sources[object] {
            Source::Stored(rows) => Row::Stored(&rows[row as usize]),
            Source::Users(_) => Row::User(UserRow::read(estate, row)),
            Source::Logins(_) => {
                let login = match row.checked_sub(estate.logins.len()) {
                    Some(later) => estate.logins.later_login(&estate.population, later),
                    None => self.logins.read(&estate.logins, &estate.population, row),
                };
                Row::Login(LoginRow { row, login })
            }
            Source::Grants(grants, _) => Row::Grant(grants.read(estate, row)),
            Source::Accounts(_) => Row::Account(row),
            Source::Access => Row::Stored(self.access),
        }
    }

    /// Reads one field of a row of `object`.
    pub(crate) fn value<'r>(
        &self,
        object: ObjectIndex,
        row: &'r Row<'e>,
        field: FieldIndex,
    ) -> Value<'r> {
        let estate = self.estate;
        match (&estate.sources[object], row) {
            (Source::Users(getters), Row::User(user)) => getters[field](estate, user),
            (Source::Logins(getters), Row::Login(login)) => getters[field](estate, login),
            (Source::Grants(_, getters), Row::Grant(grant)) => getters[field](estate, grant),
            (Source::Accounts(getters), Row::Account(account)) => getters[field](estate, account),
            (_, Row::Stored(cells)) => cells[field].borrowed(),
            _ => Value::Null,
        }
    }
}

impl Estate {
    /// Number of rows an object was made with; the later logins count among them.
    pub(crate) fn base_len(&self, object: ObjectIndex, with_deleted: bool) -> u64 {
        match &self.sources[object] {
            Source::Stored(rows) => rows.len() as u64,
            Source::Users(_) => self.population.users,
            Source::Logins(_) => self.logins.len() + self.later_logins,
            Source::Grants(grants, _) => grants.len(),
            Source::Accounts(_) if with_deleted => self.accounts.live + self.accounts.deleted,
            Source::Accounts(_) => self.accounts.live,
            Source::Access => 1,
        }
    }

    /// Rows of `object` whose reference `field` holds the user in `user`, if they can be found without a scan.
    pub(crate) fn rows_of_user(
        &self,
        object: ObjectIndex,
        field: &str,
        user: u64,
    ) -> Option<Vec<u64>> {
        let since_made = user >= self.population.users;
        let mut rows = match (&self.sources[object], field) {
            (
                Source::Logins(_) | Source::Users(_) | Source::Grants(..),
                "AssigneeId" | "UserId" | "UsersId" | "MemberId",
            ) if since_made => Vec::new(),
            (Source::Logins(_), "UserId") => {
                let mut rows = self.logins.rows_of(&self.population, user);
                let place = self.population.place(user);
                let later = self.logins.later_rows_of(place, self.later_logins);
                rows.extend(later.into_iter().map(|row| self.logins.len() + row));
                rows
            }
            (Source::Users(_), "UserId") => vec![user],
            (Source::Grants(grants, _), "AssigneeId" | "UserId" | "UsersId" | "MemberId") => {
                grants.rows_of(&self.population, user)
            }
            _ => return None,
        };
        if self.edits.touches(object) {
            rows.extend(self.edits.rows(object));
            rows.sort_unstable();
            rows.dedup();
        }
        Some(rows)
    }

    /// The first row that is still kept.
    pub(crate) fn first_kept(&self, object: ObjectIndex) -> u64 {
        match &self.sources[object] {
            Source::Logins(_) => self.first_login,
            Source::Stored(rows) if Schema::get().objects[object].name == "SetupAuditTrail" => {
                let field = Schema::get().objects[object].field("CreatedDate");
                let gone = |row: &StoredRow| {
                    let created = field.map(|at| &row[at]);
                    matches!(created, Some(Value::Instant(at)) if *at < self.as_of - AUDIT_KEPT)
                };
                rows.partition_point(gone) as u64
            }
            _ => 0,
        }
    }

    /// Whether the rows of an object are logins.
    pub(crate) fn holds_logins(&self, object: ObjectIndex) -> bool {
        matches!(self.sources[object], Source::Logins(_))
    }

    /// The first row of `LoginHistory` at or after `time`.
    pub(crate) fn first_login_at(&self, time: i64) -> u64 {
        match time > self.now {
            true => self.logins.len() + self.logins.later(time - 1 - self.now),
            false => self.logins.first_at(&self.population, time),
        }
    }
}

/// The sources of all objects, in schema order.
pub(crate) fn sources(estate: &Estate) -> Vec<Source> {
    Schema::get().objects.iter().map(|object| source(estate, object)).collect()
}

fn source(estate: &Estate, object: &Object) -> Source {
    let stored = |table: crate::org::StoredTable| Source::Stored(table.finish());
    match object.name.as_str() {
        "User" => Source::Users(getters(
            object,
            user_getter,
            |_, _| Value::Bool(false),
            |_, _| Value::Null,
        )),
        "UserLogin" => Source::Users(getters(
            object,
            user_login_getter,
            |_, _| Value::Bool(false),
            |_, _| Value::Null,
        )),
        "LoginHistory" => Source::Logins(getters(
            object,
            login_getter,
            |_, _| Value::Bool(false),
            |_, _| Value::Null,
        )),
        "Account" => Source::Accounts(getters(
            object,
            account_getter,
            |_, _| Value::Bool(false),
            |_, _| Value::Null,
        )),
        "PermissionSetAssignment" => {
            granted(object, permission_sets::set_grants(estate), grants::set_assignment_getter)
        }
        "PermissionSetLicenseAssign" => {
            granted(object, permission_sets::license_grants(estate), grants::license_assign_getter)
        }
        "UserPackageLicense" => {
            granted(object, entitlements::package_grants(estate), grants::package_user_getter)
        }
        "OauthToken" => granted(object, setup::token_grants(estate), grants::token_getter),
        "AuthSession" => granted(object, setup::session_grants(estate), grants::session_getter),
        "TwoFactorMethodsInfo" => Source::Users(getters(
            object,
            security::methods_getter,
            |_, _| Value::Bool(false),
            |_, _| Value::Null,
        )),
        "LoginGeo" => Source::Logins(getters(
            object,
            security::geo_getter,
            |_, _| Value::Bool(false),
            |_, _| Value::Null,
        )),
        "VerificationHistory" => {
            granted(object, security::verifications(estate), security::verification_getter)
        }
        "NetworkMember" => granted(object, networks::members(estate), networks::member_getter),
        "LightningUsageByAppTypeMetrics" => {
            granted(object, metrics::app_usage(estate), metrics::app_usage_getter)
        }
        "Network" => stored(networks::networks(estate)),
        "ConnectedApplication" => stored(apps::connected(estate)),
        "ExternalClientApplication" => stored(apps::external(estate)),
        "AppMenuItem" => stored(apps::menu_items(estate)),
        "UserAppMenuItem" => stored(apps::user_menu_items(estate)),
        "EventLogFile" => stored(event_log::files(estate)),
        "UserPermissionAccess" => Source::Access,
        "Organization" => stored(setup::organization(estate)),
        "UserLicense" => stored(entitlements::user_licenses(estate)),
        "PackageLicense" => stored(entitlements::packages(estate)),
        "TenantUsageEntitlement" => stored(entitlements::tenant_usage(estate)),
        "Profile" => stored(permission_sets::profiles(estate)),
        "PermissionSet" => stored(permission_sets::permission_sets(estate)),
        "PermissionSetLicense" => stored(permission_sets::licenses(estate)),
        "PermissionSetGroup" => stored(permission_sets::groups(estate)),
        "PermissionSetGroupComponent" => stored(permission_sets::components(estate)),
        "ObjectPermissions" => stored(permission_sets::object_permissions(estate)),
        "SetupEntityAccess" => stored(permission_sets::entity_access(estate)),
        "UserRole" => stored(setup::roles(estate)),
        "Group" => stored(setup::public_groups(estate)),
        "GroupMember" => stored(setup::group_members(estate)),
        "SetupAuditTrail" => stored(setup::audit_trail(estate)),
        "ActiveFeatureLicenseMetric" => stored(metrics::features(estate)),
        "ActivePermSetLicenseMetric" => stored(metrics::permission_set_licenses(estate)),
        "ActiveProfileMetric" => stored(metrics::profiles(estate)),
        _ => Source::Stored(Vec::new()),
    }
}

fn granted(
    object: &Object,
    grants: Grants,
    getter: fn(&str) -> Option<Getter<GrantRow>>,
) -> Source {
    Source::Grants(grants, getters(object, getter, |_, _| Value::Bool(false), |_, _| Value::Null))
}

/// The getter of every field; check boxes nobody sets are off, other fields empty.
fn getters<T>(
    object: &Object,
    find: fn(&str) -> Option<Getter<T>>,
    off: Getter<T>,
    empty: Getter<T>,
) -> Vec<Getter<T>> {
    let default = |kind| if kind == Kind::Bool { off } else { empty };
    object.fields.iter().map(|field| find(&field.name).unwrap_or(default(field.kind))).collect()
}
