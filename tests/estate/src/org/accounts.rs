//! `Account`: the companies that external users belong to, and a few deleted ones.

use std::borrow::Cow;

use crate::clock::DAY;
use crate::org::population::{self, Population};
use crate::org::users::Getter;
use crate::org::{catalog, names};
use crate::value::Value;

/// How many accounts there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accounts {
    /// Rows that every query sees.
    pub(crate) live: u64,
    /// Rows after them that lie in the recycle bin.
    pub(crate) deleted: u64,
}

impl Accounts {
    pub(crate) fn new(population: &Population) -> Self {
        let external = |key: &str| {
            matches!(
                key,
                "PID_Customer_Community" | "PID_Customer_Community_Login" | "PID_Partner_Community"
            )
        };
        let users: u64 = population
            .segments()
            .filter(|(.., segment)| {
                segment.license.is_some_and(|at| external(catalog::LICENSES[at].key))
            })
            .map(|(.., segment)| segment.len())
            .sum();
        let live = users / 3 + 2;
        Self { live, deleted: live / 40 + 1 }
    }
}

/// How `Account` fields are computed.
pub(crate) fn account_getter(field: &str) -> Option<Getter<u64>> {
    Some(match field {
        "Id" => |e, row| Value::Id(e.id("Account", *row)),
        "IsDeleted" => |e, row| Value::Bool(*row >= e.accounts.live),
        "Name" => |_, row| {
            let name = names::ACCOUNTS[*row as usize % names::ACCOUNTS.len()];
            Value::Text(match *row as usize / names::ACCOUNTS.len() {
                0 => Cow::Borrowed(name),
                branch => Cow::Owned(format!("{name} {branch}")),
            })
        },
        "Type" => |_, row| Value::Text(if row % 5 == 0 { "Partner" } else { "Customer" }.into()),
        "Industry" => |_, row| match row % 4 {
            0 => Value::Null,
            kind => {
                Value::Text(["Banking", "Construction", "Biotechnology"][kind as usize - 1].into())
            }
        },
        "AccountNumber" => |_, row| Value::Text(format!("A-{:07}", row).into()),
        "NumberOfEmployees" => |_, row| Value::Int(10 + (row * 37 % 5_000) as i64),
        "AnnualRevenue" => |_, row| Value::Double((row * 91_003 % 9_000_000) as f64),
        "OwnerId" | "CreatedById" | "LastModifiedById" => {
            |e, _| Value::Id(e.id("User", population::ADMIN))
        }
        "CreatedDate" | "LastModifiedDate" | "SystemModstamp" => |e, row| {
            Value::Instant(population::moment(e.seed(), 0x60, *row, e.now - 900 * DAY, e.now - DAY))
        },
        "PhotoUrl" => {
            |e, row| Value::Text(format!("/services/images/photo/{}", e.id("Account", *row)).into())
        }
        "CleanStatus" => |_, _| Value::Text("Pending".into()),
        _ => return None,
    })
}
