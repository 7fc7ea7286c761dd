//! Changes over the rows an org was made with: rows set, added and removed.
//!
//! A changed row is kept whole and hides the computed one; a removed row leaves a gap, so that the numbers of all
//! other rows, and with them their ids, stay what they were. Nothing else is kept, whatever the size of the org.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::org::catalog::{Counter, LICENSES, LicenseIndex};
use crate::org::stored::StoredRow;
use crate::org::truth::Truth;
use crate::schema::ObjectIndex;

/// Every change so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edits {
    pub(crate) objects: HashMap<ObjectIndex, ObjectEdits>,
    /// Seats that moved: licence, class, by how many.
    pub(crate) seats: Vec<(LicenseIndex, SeatClass, i64)>,
    pub(crate) active_users: i64,
}

/// Changes to the rows of one object.
#[derive(Debug, Clone, Default)]
pub(crate) struct ObjectEdits {
    /// Changed and added rows.
    pub(crate) rows: BTreeMap<u64, StoredRow>,
    pub(crate) added: u64,
    /// Rows that are gone for good.
    pub(crate) removed: BTreeSet<u64>,
    /// Rows in the recycle bin.
    pub(crate) binned: BTreeSet<u64>,
}

/// The class of a seat, as [`LicenseTruth`](crate::LicenseTruth) counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeatClass {
    Active,
    Unknown,
    MachineOnly,
    Never,
    Inactive,
}

impl Edits {
    /// The row as it was left by the changes, if they touched it.
    pub(crate) fn row(&self, object: ObjectIndex, row: u64) -> Option<&StoredRow> {
        if self.objects.is_empty() {
            return None;
        }
        self.objects.get(&object)?.rows.get(&row)
    }

    /// How many rows were added.
    pub(crate) fn added(&self, object: ObjectIndex) -> u64 {
        self.objects.get(&object).map_or(0, |edits| edits.added)
    }

    /// Whether any row was changed, added or removed.
    pub(crate) fn touches(&self, object: ObjectIndex) -> bool {
        self.objects.contains_key(&object)
    }

    /// Whether the row was removed.
    pub(crate) fn hides(&self, object: ObjectIndex, row: u64, with_deleted: bool) -> bool {
        self.objects.get(&object).is_some_and(|edits| {
            edits.removed.contains(&row) || (!with_deleted && edits.binned.contains(&row))
        })
    }

    /// The rows that were removed.
    pub(crate) fn hidden(
        &self,
        object: ObjectIndex,
        with_deleted: bool,
    ) -> impl Iterator<Item = u64> + '_ {
        self.objects.get(&object).into_iter().flat_map(move |edits| {
            let binned = edits.binned.iter().filter(move |_| !with_deleted);
            edits.removed.iter().chain(binned).copied()
        })
    }

    /// Numbers of all changed and added rows.
    pub(crate) fn rows(&self, object: ObjectIndex) -> impl Iterator<Item = u64> + '_ {
        self.objects.get(&object).into_iter().flat_map(|edits| edits.rows.keys().copied())
    }

    /// Moves the seats that were moved.
    pub(crate) fn adjust(&self, truth: &mut Truth) {
        for (license, class, by) in &self.seats {
            let Some(seats) = truth.licenses.get_mut(*license) else { continue };
            match class {
                SeatClass::Active => seats.active += by,
                SeatClass::Unknown => seats.unknown += by,
                SeatClass::MachineOnly => seats.machine_only += by,
                SeatClass::Never => seats.never += by,
                SeatClass::Inactive => seats.inactive += by,
            }
            seats.assigned += by;
            if counts_users(*license) {
                seats.used += by;
                seats.available -= by;
            }
        }
        truth.total_users = truth.row_counts.get("User").copied().unwrap_or(truth.total_users);
        truth.active_users = truth.active_users.saturating_add_signed(self.active_users);
    }
}

/// Whether the platform's counter of a licence follows its users.
pub(crate) fn counts_users(license: LicenseIndex) -> bool {
    LICENSES[license].counter != Counter::Zero
}
