//! How the counts of assigned seats moved between two snapshots, and what moved them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// From the snapshot before to this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Movement {
    /// The number of the snapshot before.
    pub from: i64,
    /// When its data was read.
    pub from_as_of: DateTime<Utc>,
    /// Every pool that is counted in seats.
    pub pools: Vec<PoolMovement>,
    /// Families that cannot be compared, and why; an empty family means all.
    pub not_compared: Vec<(String, String)>,
}

/// How one pool moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolMovement {
    /// The family.
    pub family: String,
    /// The key.
    pub key: String,
    /// The name.
    pub name: String,
    /// As the vendor reported it before; `None` if it did not.
    pub before: Option<i64>,
    /// As the vendor reports it now.
    pub after: Option<i64>,
    /// What the records say.
    pub seats: SeatChange,
}

/// Seats of one pool that were given and taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatChange {
    /// The family.
    pub family: String,
    /// The pool's id.
    pub license_id: String,
    /// The key, where the pool is known.
    pub key: String,
    /// Given to accounts that are new.
    pub given_to_new: i64,
    /// Given to accounts that were there.
    pub given: i64,
    /// Came back because the holder was made active.
    pub activated: i64,
    /// Taken from accounts that stayed.
    pub taken: i64,
    /// Went because the holder was made inactive.
    pub deactivated: i64,
    /// Went with the account.
    pub removed_with_account: i64,
    /// Seats of active holders: the sum of the above with its sign.
    pub net_active: i64,
    /// Seats given less seats taken, whether or not their holders are active.
    pub net_held: i64,
}
