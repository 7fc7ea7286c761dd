//! Assignments of permission sets, permission-set licences and packages: strides through pools of users.
//!
//! The grants of one table follow each other; grant `g` gives its target to every `stride`-th member of a pool.
//! So a row number is a grant and a rank, and nothing is stored per assignment.

use crate::clock::DAY;
use crate::org::Estate;
use crate::org::apps::CONNECTED;
use crate::org::population::{self, Pool, Population};
use crate::org::users::{Getter, UserRow};
use crate::value::Value;

/// What is granted to whom.
#[derive(Debug)]
pub(crate) struct Grant {
    /// Row of the permission set, licence or package; none for "the set of the user's own profile".
    pub(crate) target: Option<u64>,
    /// Row of the permission set group the grant was made through.
    pub(crate) group: Option<u64>,
    /// The assignment ends some weeks from now.
    pub(crate) expires: bool,
    pub(crate) to: Recipients,
}

/// The members `offset`, `offset + stride`, ... of a pool.
#[derive(Debug)]
pub(crate) struct Recipients {
    pub(crate) pool: Pool,
    pub(crate) stride: u64,
    pub(crate) offset: u64,
}

impl Recipients {
    pub(crate) fn len(&self) -> u64 {
        self.upto(self.pool.len())
    }

    /// Region and segment with the number of recipients in it.
    pub(crate) fn by_segment(&self) -> impl Iterator<Item = (usize, usize, u64)> + '_ {
        self.pool.parts().map(|(region, segment, ranks)| {
            (region, segment, self.upto(ranks.end) - self.upto(ranks.start))
        })
    }

    fn upto(&self, rank: u64) -> u64 {
        rank.saturating_sub(self.offset).div_ceil(self.stride)
    }
}

/// One table of assignments.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    /// With the row of the first assignment of each.
    grants: Vec<(u64, Grant)>,
    len: u64,
}

/// One assignment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GrantRow {
    pub(crate) row: u64,
    /// Row of the user.
    pub(crate) user: u64,
    /// Row of the target.
    pub(crate) target: u64,
    group: Option<u64>,
    expires: bool,
}

impl Grants {
    pub(crate) fn new(grants: impl IntoIterator<Item = Grant>) -> Self {
        let mut table = Self::default();
        for grant in grants {
            let len = grant.to.len();
            if len > 0 {
                table.grants.push((table.len, grant));
                table.len += len;
            }
        }
        table
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn read(&self, estate: &Estate, row: u64) -> GrantRow {
        let (first, grant) =
            &self.grants[self.grants.partition_point(|(first, _)| *first <= row) - 1];
        let rank = grant.to.offset + (row - first) * grant.to.stride;
        let user = grant.to.pool.member(&estate.population, rank);
        let target = match grant.target {
            Some(target) => target,
            None => UserRow::read(estate, user).profile().unwrap_or(0) as u64,
        };
        GrantRow { row, user, target, group: grant.group, expires: grant.expires }
    }

    /// Rows of one user's assignments, ascending.
    pub(crate) fn rows_of(&self, population: &Population, user: u64) -> Vec<u64> {
        let place = population.place(user);
        let row = |(first, grant): &(u64, Grant)| {
            let rank = grant.to.pool.rank(place)?.checked_sub(grant.to.offset)?;
            (rank % grant.to.stride == 0).then_some(first + rank / grant.to.stride)
        };
        self.grants.iter().filter_map(row).collect()
    }
}

impl GrantRow {
    fn at(&self, estate: &Estate) -> i64 {
        let created = estate.population.created_at(self.user, estate.now);
        population::moment(estate.seed(), 0x50, self.row, created, estate.now - DAY / 4)
    }
}

/// How `PermissionSetAssignment` fields are computed.
pub(crate) fn set_assignment_getter(field: &str) -> Option<Getter<GrantRow>> {
    Some(match field {
        "Id" => |e, g| Value::Id(e.id("PermissionSetAssignment", g.row)),
        "PermissionSetId" => |e, g| Value::Id(e.id("PermissionSet", g.target)),
        "PermissionSetGroupId" => |e, g| match g.group {
            Some(group) => Value::Id(e.id("PermissionSetGroup", group)),
            None => Value::Null,
        },
        "AssigneeId" => |e, g| Value::Id(e.id("User", g.user)),
        "SystemModstamp" => |e, g| Value::Instant(g.at(e)),
        "ExpirationDate" => |e, g| match g.expires {
            true => Value::Instant(e.now + 21 * DAY),
            false => Value::Null,
        },
        "IsActive" => |_, _| Value::Bool(true),
        _ => return None,
    })
}

/// How `PermissionSetLicenseAssign` fields are computed.
pub(crate) fn license_assign_getter(field: &str) -> Option<Getter<GrantRow>> {
    Some(match field {
        "Id" => |e, g| Value::Id(e.id("PermissionSetLicenseAssign", g.row)),
        "PermissionSetLicenseId" => |e, g| Value::Id(e.id("PermissionSetLicense", g.target)),
        "AssigneeId" => |e, g| Value::Id(e.id("User", g.user)),
        _ => return system_getter(field),
    })
}

/// How `UserPackageLicense` fields are computed.
pub(crate) fn package_user_getter(field: &str) -> Option<Getter<GrantRow>> {
    Some(match field {
        "Id" => |e, g| Value::Id(e.id("UserPackageLicense", g.row)),
        "PackageLicenseId" => |e, g| Value::Id(e.id("PackageLicense", g.target)),
        "UserId" => |e, g| Value::Id(e.id("User", g.user)),
        _ => return system_getter(field),
    })
}

/// How `OauthToken` fields are computed. Its id is always null, and the secrets are never shown.
pub(crate) fn token_getter(field: &str) -> Option<Getter<GrantRow>> {
    Some(match field {
        "UserId" => |e, g| Value::Id(e.id("User", g.user)),
        "AppName" => {
            |_, g| Value::Text(CONNECTED[(g.row % CONNECTED.len() as u64) as usize].into())
        }
        "AppMenuItemId" => |e, g| Value::Id(e.id("AppMenuItem", g.row % CONNECTED.len() as u64)),
        "UseCount" => |_, g| Value::Int((g.row % 97) as i64),
        "CreatedDate" => |e, g| Value::Instant(g.at(e)),
        "LastUsedDate" => |e, g| match g.row % 97 {
            0 => Value::Null,
            _ => Value::Instant(population::moment(e.seed(), 0x51, g.row, g.at(e), e.now)),
        },
        _ => return None,
    })
}

/// How `AuthSession` fields are computed.
pub(crate) fn session_getter(field: &str) -> Option<Getter<GrantRow>> {
    Some(match field {
        "Id" => |e, g| Value::Id(e.id("AuthSession", g.row)),
        "UsersId" => |e, g| Value::Id(e.id("User", g.user)),
        "CreatedDate" => {
            |e, g| Value::Instant(population::moment(e.seed(), 0x52, g.row, e.now - DAY / 2, e.now))
        }
        "LastModifiedDate" => {
            |e, g| Value::Instant(population::moment(e.seed(), 0x52, g.row, e.now - DAY / 2, e.now))
        }
        "NumSecondsValid" => |_, _| Value::Int(7_200),
        "UserType" => |e, g| Value::Text(UserRow::read(e, g.user).user_type().into()),
        "SourceIp" => |_, g| Value::Text(format!("192.0.2.{}", 1 + g.user % 254).into()),
        "LoginType" => |_, _| Value::Text("Application".into()),
        "SessionType" => |_, g| Value::Text(if g.row % 5 == 0 { "Oauth2" } else { "UI" }.into()),
        "SessionSecurityLevel" => |_, _| Value::Text("STANDARD".into()),
        _ => return None,
    })
}

fn system_getter(field: &str) -> Option<Getter<GrantRow>> {
    Some(match field {
        "CreatedDate" | "LastModifiedDate" | "SystemModstamp" => |e, g| Value::Instant(g.at(e)),
        "CreatedById" | "LastModifiedById" => |e, _| Value::Id(e.id("User", population::ADMIN)),
        _ => return None,
    })
}
