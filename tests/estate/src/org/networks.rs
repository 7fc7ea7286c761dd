//! `Network` and `NetworkMember`: the sites of Digital Experiences and who may use them.

use crate::clock::DAY;
use crate::org::Estate;
use crate::org::catalog;
use crate::org::grants::{Grant, GrantRow, Grants, Recipients};
use crate::org::population::{self, ADMIN, Pool};
use crate::org::stored::StoredTable;
use crate::org::users::Getter;
use crate::value::Value;

/// Name, path and state of the sites, in row order.
const SITES: &[(&str, &str, &str)] = &[
    ("Customer Help Center", "help", "Live"),
    ("Partner Hub", "partners", "Live"),
    ("Investor Day", "investors", "UnderConstruction"),
];

/// `Network`.
pub(crate) fn networks(estate: &Estate) -> StoredTable {
    let mut table = StoredTable::new("Network");
    for (name, path, status) in SITES {
        let id = estate.id("Network", table.next());
        table
            .row()
            .set("Id", Value::Id(id))
            .text("Name", *name)
            .text("UrlPathPrefix", *path)
            .text("Status", *status)
            .on("OptionsAllowInternalUserLogin")
            .stamp(estate.now - 800 * DAY, estate.now - 50 * DAY, estate.id("User", ADMIN));
    }
    table
}

/// Customers are members of the help center, partners of the hub.
pub(crate) fn members(estate: &Estate) -> Grants {
    let holders = |keys: &[&str]| {
        Pool::new(&estate.population, |_, segment| {
            segment.license.is_some_and(|at| keys.contains(&catalog::LICENSES[at].key))
        })
    };
    let customers = holders(&["PID_Customer_Community", "PID_Customer_Community_Login"]);
    let partners = holders(&["PID_Partner_Community"]);
    let grant = |network: u64, pool| Grant {
        target: Some(network),
        group: None,
        expires: false,
        to: Recipients { pool, stride: 1, offset: 0 },
    };
    Grants::new([grant(0, customers), grant(1, partners)])
}

/// How `NetworkMember` fields are computed.
pub(crate) fn member_getter(field: &str) -> Option<Getter<GrantRow>> {
    Some(match field {
        "Id" => |e, g| Value::Id(e.id("NetworkMember", g.row)),
        "MemberId" => |e, g| Value::Id(e.id("User", g.user)),
        "NetworkId" => |e, g| Value::Id(e.id("Network", g.target)),
        "CreatedDate" | "SystemModstamp" => {
            |e, g| Value::Instant(e.population.created_at(g.user, e.now))
        }
        "CreatedById" => |e, _| Value::Id(e.id("User", population::ADMIN)),
        "DigestFrequency" => |_, _| Value::Text("W".into()),
        "DefaultGroupNotificationFrequency" => |_, _| Value::Text("N".into()),
        _ => return None,
    })
}
