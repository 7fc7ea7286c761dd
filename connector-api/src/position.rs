//! What a connector's datasets mean for software asset management.
//!
//! The host computes the licence position from four canonical tables and knows no vendor. A
//! connector maps its datasets to them by one SQL `SELECT` each. The statements read the datasets as
//! tables of their own names, with every column of the manifest (null where it was not shown);
//! booleans are 0 and 1, instants are milliseconds since 1970 in UTC, dates are days since 1970.
//! They must stay within what SQLite and PostgreSQL share, quote every name, and read nothing else.
//!
//! | table | one row per | columns, in this order |
//! |---|---|---|
//! | `license` | licence pool | `family` text, `id` text, `key` text, `name` text, `status` text, `unit` text (`seats`, `logins`, or another unit), `purchased` integer (null unknown, negative unlimited), `assigned` integer as the vendor reports it, `counted_at` instant of that count, `expires_at` instant |
//! | `seat` | licence held by a person | `family` text, `license_id` text, `person_id` text |
//! | `person` | account | `id` text, `username` text, `name` text, `is_active` 0/1, `created_at` instant, `last_login_at` instant, `is_service` 0/1 |
//! | `activity` | person and kind | `person_id` text, `kind` text (`human` or `machine`), `first_at` instant, `last_at` instant, `events` integer; successful uses only |
//!
//! `family` is one of `user`, `permission_set`, `feature`, `package`, `usage`, `limit`, or a
//! connector's own word. Within family `user` every seat-holding person has exactly one seat.

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
}

/// The organization's facts: one row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrganizationView {
    /// Datasets it reads.
    pub needs: Vec<String>,
    /// A `SELECT` with the columns `id`, `name`, `edition`, `is_sandbox` 0/1, `instance`.
    pub sql: String,
}
