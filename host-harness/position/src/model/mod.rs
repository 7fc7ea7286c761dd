//! What a licence position says: the shape of the report's JSON document.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use connector_api::manifest::PermissionSpec;
use serde::{Serialize, Serializer};

use crate::source::SnapshotStatus;
use crate::time::rfc3339;

mod amount;
mod bounds;
mod exemption;
mod forecast;
mod lists;
mod movement;
mod pool_money;
mod rule;
mod rule_id;
mod settings;
mod words;

pub use amount::{Amount, Amounts, Price};
pub(crate) use amount::{Decimal, shown as shown_amount};
pub use bounds::{Bound, Bounded, Bounds, Unseen};
pub use exemption::Exemption;
pub use forecast::{Forecast, Point, forecast};
pub use lists::{ContractLine, Imported, Leaver, PriceBook, PriceLine};
pub use movement::{Movement, PoolMovement, SeatChange};
pub use pool_money::PoolMoney;
pub use rule::{Confidence, Effect, PoolFinding, PoolFindings, RuleResult, UsesSeen, Value};
pub use rule_id::RuleId;
pub use settings::RuleSettings;
pub(crate) use words::words;
pub use words::{
    DifferenceReason, Family, LineId, PoolStatus, PriceBasis, ReadStatus, RuleStatus, SeatOutcome,
    Unit,
};

/// A pool: its family and the vendor's id of it.
pub type PoolKey = (Family, String);

/// The limits the seat classes are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Thresholds {
    /// Days within which a person's use makes a seat active.
    pub active_days: u32,
    /// Nothing is concluded from the silence of an account of at most this age, in days.
    pub grace_days: u32,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds { active_days: 90, grace_days: 30 }
    }
}

/// The licence position of one connector at one snapshot.
///
/// A figure that is not known is null, never 0. Instants are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize)]
pub struct Position {
    /// The connector's name.
    pub connector: String,
    /// The snapshot's number.
    pub snapshot: i64,
    /// When the data was read.
    #[serde(serialize_with = "instant")]
    pub as_of: DateTime<Utc>,
    /// When reading it ended.
    #[serde(serialize_with = "instant")]
    pub finished_at: DateTime<Utc>,
    /// `complete` or `partial`: how the run ended.
    pub snapshot_status: SnapshotStatus,
    /// The connector's title as its manifest gives it.
    pub title: String,
    /// The organization's own facts.
    pub org: Organization,
    /// The limits used.
    pub thresholds: Thresholds,
    /// The answer in one sentence.
    pub headline: String,
    /// What was not seen, so that the claims rest on a part of the organization.
    pub unseen: Unseen,
    /// What was supposed instead of the settings and imports, by name; empty if nothing was.
    pub supposed: BTreeMap<String, String>,
    /// The sums of money over all pools.
    pub money: MoneyTotal,
    /// What came of each rule.
    pub rules: Vec<RuleResult>,
    /// One entry for each licence pool, by family in the manifest's order.
    pub licenses: Vec<License>,
    /// Whether the figures fit each other.
    pub reconciliation: Vec<Line>,
    /// Over which time uses were seen, one entry for each source of activity.
    pub coverage: Vec<Coverage>,
    /// What could not be read, and what would open it.
    pub unknown: Vec<Unknown>,
    /// Status of each dataset of the manifest.
    pub datasets: Vec<DatasetLine>,
}

/// Money over all pools, by currency. Two different things: what planned additions need not buy, and
/// what need not be bought again at renewal.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MoneyTotal {
    /// What the purchased units cost in a year.
    pub cost_per_year: Amounts,
    /// Cost avoided until the end of the contracts.
    pub reusable_now: Amounts,
    /// Reduction over the next terms.
    pub reducible_at_renewal: Amounts,
    /// Seats reducible at renewal whose price is not known.
    pub unpriced_reducible_seats: i64,
    /// Reduction that the vendor would have to agree to: the notice date of the contract has passed
    /// and it renews by itself.
    pub reducible_if_agreed: Amounts,
    /// Whether all prices are list prices: the amounts are an estimate then.
    pub list_price_estimate: bool,
    /// How the claims are meant.
    pub bounds: Bounds,
}

/// The organization's facts; null where they were not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Organization {
    /// The vendor's id of it.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// The edition it has.
    pub edition: Option<String>,
    /// Whether it is a copy for tests, which must not be added to others.
    pub is_sandbox: Option<bool>,
    /// Where the vendor runs it.
    pub instance: Option<String>,
}

/// One licence pool. Counts are in `unit`; the classes and `holders` count people.
#[derive(Clone, Debug, Default, Serialize)]
pub struct License {
    /// The kind of licence.
    pub family: Family,
    /// The vendor's id of the pool.
    pub id: String,
    /// The stable key of what was bought.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// The pool's status in the vendor's words; only `active` pools can be used.
    pub status: Option<PoolStatus>,
    /// What it is counted in.
    pub unit: Unit,
    /// What was bought and can be used: 0 in a pool that is not active, null when unlimited.
    pub purchased: Option<i64>,
    /// What the vendor reports as bought, whatever the pool's status.
    pub purchased_reported: Option<i64>,
    /// Whether the pool has no limit.
    pub unlimited: bool,
    /// What the vendor reports as used.
    pub assigned: Option<i64>,
    /// Seats held by active accounts, counted here; null where the unit is not `seats`.
    pub assigned_recomputed: Option<i64>,
    /// `purchased` less `assigned`; negative when more is used than was bought.
    pub available: Option<i64>,
    /// Active accounts that hold this licence, whatever its unit. The first five classes sum to it.
    pub holders: Option<i64>,
    /// Held by an account a person used within the threshold.
    pub active: Option<i64>,
    /// Held by an account no person used within the threshold.
    pub inactive: Option<i64>,
    /// Held by an account that was never used.
    pub never: Option<i64>,
    /// Held by an account only machines used, or a service account.
    pub machine_only: Option<i64>,
    /// Held by an account about whose use nothing can be said.
    pub unknown: Option<i64>,
    /// Assigned, by the vendor's count, to accounts that were not shown: counts as needed. The six
    /// classes sum to `assigned`, or to `holders` if the counter is behind. `None` if the unit is not
    /// seats or one of the two is unknown.
    pub unseen: Option<i64>,
    /// Whether more holders were seen than the vendor's counter says.
    pub counter_behind: bool,
    /// Why those are unknown.
    pub unknown_because: UnknownBecause,
    /// Seats whose class rests on the account's last-login field, not on recorded uses.
    pub weak_evidence: Option<i64>,
    /// When the vendor counted `assigned`.
    #[serde(serialize_with = "optional_instant")]
    pub counted_at: Option<DateTime<Utc>>,
    /// When the pool ends.
    #[serde(serialize_with = "optional_instant")]
    pub expires_at: Option<DateTime<Utc>>,
    /// What it costs, and what could be saved.
    pub money: PoolMoney,
    /// How it stood at earlier snapshots and at the vendor's own measurements, oldest first.
    pub trend: Vec<Point>,
    /// The worst status of the datasets these figures are made from.
    pub completeness: ReadStatus,
    /// Which figures are null, and why.
    pub gaps: Vec<Gap>,
}

/// How many seats are unknown for which reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UnknownBecause {
    /// Uses could not be read, or the last login was not shown.
    pub not_readable: i64,
    /// The account is within the grace period, or its age is not known.
    pub new_account: i64,
    /// The account's last login is recent, and the recorded uses do not show it.
    pub contradiction: i64,
}

/// Figures that are null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Their names, as in [`License`].
    pub figures: Vec<&'static str>,
    /// The dataset they would be made from.
    pub dataset: String,
    /// Status of that dataset.
    pub status: ReadStatus,
    /// Why, as one sentence.
    pub reason: String,
}

/// Whether a comparison came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineStatus {
    /// Both sides agree.
    Ok,
    /// They do not.
    Difference,
    /// One side is not known.
    NotAssessed,
}

impl LineStatus {
    /// The word used in JSON and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            LineStatus::Ok => "ok",
            LineStatus::Difference => "difference",
            LineStatus::NotAssessed => "not_assessed",
        }
    }
}

/// One line of reconciliation.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Which comparison.
    pub id: LineId,
    /// How it came out.
    pub status: LineStatus,
    /// What it is about: a family, or `organization`.
    pub subject: String,
    /// The first figure.
    pub left: Option<i64>,
    /// The figure it is compared with.
    pub right: Option<i64>,
    /// `left` less `right`.
    pub difference: Option<i64>,
    /// What is compared and what follows, as one sentence.
    pub message: String,
    /// Where the difference lies, by pool.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<PoolDifference>,
}

/// A pool whose reported and recomputed counts differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PoolDifference {
    /// The pool's key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// As the vendor reports it.
    pub left: i64,
    /// As counted here.
    pub right: i64,
    /// `left` less `right`.
    pub difference: i64,
    /// The likely reason.
    pub reason: DifferenceReason,
}

/// Over which time uses were seen.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage {
    /// The family it counts for; empty for all.
    pub family: String,
    /// The datasets it comes from.
    pub datasets: Vec<String>,
    /// Whether uses of everybody could be read.
    pub readable: bool,
    /// The oldest use.
    #[serde(serialize_with = "optional_instant")]
    pub from: Option<DateTime<Utc>>,
    /// When they were read.
    #[serde(serialize_with = "optional_instant")]
    pub to: Option<DateTime<Utc>>,
    /// Successful uses in that time.
    pub events: Option<i64>,
    /// Accounts they belong to.
    pub people: Option<i64>,
    /// Attempts that failed; they prove no use.
    pub failed: Option<i64>,
    /// Successful uses of which it is not known whether a person or a machine made them; they count
    /// as a person's.
    pub ambiguous: Option<i64>,
    /// How far back the vendor keeps them, in days.
    pub retention_days: Option<u32>,
    /// Whether the time covered is shorter than the threshold: then the accounts' last-login field
    /// replaces the rest, as weak evidence.
    pub shorter_than_threshold: bool,
    /// Why not readable.
    pub reason: Option<String>,
}

/// Something that could not be read, or not completely.
#[derive(Clone, Debug, Serialize)]
pub struct Unknown {
    /// The dataset.
    pub dataset: String,
    /// Its title for people.
    pub title: String,
    /// Status.
    pub status: ReadStatus,
    /// Why, as one sentence.
    pub reason: String,
    /// The figures that are null because of it, each with its family.
    pub affects: Vec<String>,
    /// What the connecting account needs at the vendor to read all of it.
    pub permissions: Vec<PermissionSpec>,
}

/// Status of one dataset.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetLine {
    /// The dataset.
    pub dataset: String,
    /// Its title for people.
    pub title: String,
    /// `complete`, another status of a reading, or `not_collected`.
    pub status: ReadStatus,
    /// Records read.
    pub rows: Option<u64>,
    /// Records the vendor counted.
    pub expected: Option<u64>,
    /// Wanted fields that were not shown.
    pub missing_fields: Vec<String>,
    /// Why it is not complete.
    pub reason: Option<String>,
    /// When it was read: earlier than the snapshot if its run left the dataset out.
    #[serde(serialize_with = "optional_instant")]
    pub as_of: Option<DateTime<Utc>>,
}

impl Line {
    /// Whether it shows that the vendor counts user seats of accounts that were not shown.
    pub fn shows_invisible_people(&self) -> bool {
        self.id == LineId::I1
            && self.subject == Family::User.as_str()
            && self.status == LineStatus::Difference
            && self.pools.iter().any(|pool| pool.reason == DifferenceReason::InvisiblePeople)
    }
}

impl License {
    /// The six classes in the order they are shown, with their names.
    pub fn classes(&self) -> [(&'static str, Option<i64>); 6] {
        [
            ("active", self.active),
            ("inactive", self.inactive),
            ("never", self.never),
            ("machine_only", self.machine_only),
            ("unknown", self.unknown),
            ("unseen", self.unseen),
        ]
    }

    /// Whether its status is known and it cannot be used.
    pub fn has_ended(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.is_usable() == Some(false))
    }

    /// Family and id.
    pub fn pool(&self) -> PoolKey {
        (self.family.clone(), self.id.clone())
    }

    /// Family and key, as trends are kept.
    pub fn named(&self) -> (Family, String) {
        (self.family.clone(), self.key.clone())
    }

    /// Whether it is a pool of nothing that cannot be used: kept in JSON, counted in tables.
    pub fn is_dormant(&self) -> bool {
        self.has_ended() && self.assigned == Some(0) && self.holders.unwrap_or(0) == 0
    }

    /// Whether that figure is null for want of data rather than because it has no meaning here.
    pub fn lacks(&self, figure: &str) -> bool {
        self.gaps.iter().any(|gap| gap.figures.contains(&figure))
    }
}

fn instant<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*at))
}

fn optional_instant<S: Serializer>(
    at: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    at.map(rfc3339).serialize(serializer)
}
