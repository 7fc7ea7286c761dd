//! What a connector's datasets mean for software asset management.
//!
//! The host computes the licence position from a few canonical tables and knows no vendor. A
//! connector maps its datasets to them by one SQL `SELECT` each. The statements read the datasets as
//! tables of their own names, with every column of the manifest (null where it was not shown);
//! booleans are 0 and 1, instants are milliseconds since 1970 in UTC, dates are days since 1970.
//! They must stay within what SQLite and PostgreSQL share, quote every name, and read nothing else.
//!
//! | table | one row per | columns, in this order |
//! |---|---|---|
//! | `license` | licence pool | `family` text, `id` text, `key` text, `name` text, `status` text (`active`; another pool has nothing to give; null is taken for active), `unit` text (`seats`, `logins`, or another unit), `purchased` integer (null unknown, negative unlimited), `assigned` integer as the vendor reports it, `counted_at` instant of that count, `expires_at` instant |
//! | `seat` | licence held by a person | `family` text, `license_id` text, `person_id` text |
//! | `person` | account | `id` text, `username` text, `name` text, `is_active` 0/1, `created_at` instant, `last_login_at` instant, `is_service` 0/1 |
//! | `activity` | person and kind | `person_id` text, `kind` text (`human` or `machine`), `first_at` instant, `last_at` instant, `events` integer; successful uses only |
//! | `use` | single use, instead of `activity` | `person_id` text, `at` instant, `method` text, `detail` text, `application` text, `succeeded` 0/1; the host tells people from machines by [`PositionModel::classification`] and keeps daily sums |
//! | `identity` | account | `person_id` text, `is_internal` 0/1 (an employee's account rather than a customer's or the vendor's), `federation_id` text, `email` text, `employee_number` text, `is_administrator` 0/1 |
//! | `frozen` | account that is barred from logging in and still holds its seats | `person_id` text, `since` instant (at least since; null unknown) |
//! | `activation` | time an account was made active again | `person_id` text, `at` instant |
//! | `holding` | set of rights a person has | `person_id` text, `set_id` text |
//! | `right` | what a set gives | `set_id` text, `kind` text (`privilege`: more than a user needs; `object`: access to a kind of record; `license`: it works with that licence only), `name` text (for `license` the pool's id) |
//! | `meter` | pool that is used up over time | `family` text, `license_id` text, `frequency` text (`hourly`, `daily`, `weekly`, `monthly`, `quarterly`, `yearly`, `once`), `starts_at` instant, `ends_at` instant |
//! | `measure` | pool and day the vendor measured it | `family` text, `license_id` text, `on` instant (midnight), `purchased` integer, `assigned` integer, `active` integer (people who used it in the 30 days before) |
//!
//! Tables after `activity` are optional: what a connector does not give is not concluded from.
//! `family` is one of `user`, `permission_set`, `feature`, `package`, `usage`, `limit`, or a
//! connector's own word. Within family `user` every seat-holding person has exactly one seat.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The mapping from datasets to the canonical tables.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PositionModel {
    /// Statements by canonical table; a table may have several, their rows are added.
    #[serde(default)]
    pub views: Vec<PositionView>,
    /// Where the organization's own facts stand, for the head of a report.
    #[serde(default)]
    pub organization: Option<OrganizationView>,
    /// How far back the vendor keeps activity, in days; older evidence is weak.
    #[serde(default)]
    pub activity_retention_days: Option<u32>,
    /// Who stands behind a use; the first line that fits decides, a use no line fits is ambiguous
    /// and counts as human. An administrator may replace the whole table.
    #[serde(default)]
    pub classification: Vec<UseRule>,
    /// Keys of family `user` that cost nothing where no price says otherwise.
    #[serde(default)]
    pub free_licenses: Vec<String>,
    /// A lesser licence that is enough for who has no access to certain records.
    #[serde(default)]
    pub tiers: Vec<LicenseTier>,
    /// What to bear in mind at this vendor, by the rule's id (`R03`), added to the host's cautions.
    #[serde(default)]
    pub cautions: BTreeMap<String, Vec<String>>,
}

/// One line of the classification. An empty pattern fits everything; `*` stands for any text;
/// letters are compared without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UseRule {
    /// Pattern of `method`.
    #[serde(default)]
    pub method: String,
    /// Pattern of `detail`.
    #[serde(default)]
    pub detail: String,
    /// Pattern of `application`.
    #[serde(default)]
    pub application: String,
    /// `human`, `machine`, `ambiguous`, or `none` for what is no use of a licence.
    pub kind: String,
}

/// A licence and the lesser one that would do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LicenseTier {
    /// Key of the licence held.
    pub from: String,
    /// Key of the lesser one.
    pub to: String,
    /// Names of rights of kind `object` that only the former covers.
    pub objects: Vec<String>,
}

/// One statement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PositionView {
    /// The canonical table it fills.
    pub table: CanonicalTable,
    /// The licence family whose figures depend on it; empty for all of them.
    #[serde(default)]
    pub family: String,
    /// Datasets it reads. Where one is not complete, figures made from it are unknown.
    pub needs: Vec<String>,
    /// The `SELECT`.
    pub sql: String,
}

/// The canonical tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CanonicalTable {
    /// Licence pools.
    License,
    /// Licences held by people.
    Seat,
    /// Accounts.
    Person,
    /// Successful uses.
    Activity,
    /// Single uses.
    Use,
    /// Facts that tell who an account belongs to.
    Identity,
    /// Accounts barred from logging in.
    Frozen,
    /// Accounts made active again.
    Activation,
    /// Sets of rights people have.
    Holding,
    /// What sets of rights give.
    Right,
    /// Pools that are used up over time.
    Meter,
    /// The vendor's own measurements of pools.
    Measure,
    /// A table of a later contract: its rows are not used.
    #[serde(other)]
    Later,
}

impl CanonicalTable {
    /// The table's name.
    pub fn as_str(self) -> &'static str {
        match self {
            CanonicalTable::License => "license",
            CanonicalTable::Seat => "seat",
            CanonicalTable::Person => "person",
            CanonicalTable::Activity => "activity",
            CanonicalTable::Use => "use",
            CanonicalTable::Identity => "identity",
            CanonicalTable::Frozen => "frozen",
            CanonicalTable::Activation => "activation",
            CanonicalTable::Holding => "holding",
            CanonicalTable::Right => "right",
            CanonicalTable::Meter => "meter",
            CanonicalTable::Measure => "measure",
            CanonicalTable::Later => "later",
        }
    }

    /// How many columns a statement for it has.
    pub fn columns(self) -> usize {
        match self {
            CanonicalTable::License => 10,
            CanonicalTable::Person => 7,
            CanonicalTable::Use | CanonicalTable::Identity | CanonicalTable::Measure => 6,
            CanonicalTable::Activity | CanonicalTable::Meter => 5,
            CanonicalTable::Seat | CanonicalTable::Right => 3,
            CanonicalTable::Frozen | CanonicalTable::Activation | CanonicalTable::Holding => 2,
            CanonicalTable::Later => 0,
        }
    }
}

/// The organization's facts: one row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrganizationView {
    /// Datasets it reads.
    pub needs: Vec<String>,
    /// A `SELECT` with the columns `id`, `name`, `edition`, `is_sandbox` 0/1, `instance`.
    pub sql: String,
}
