//! What is true of the org by construction, for tests to compare with what a connector finds out.

use std::collections::BTreeMap;

use crate::org::Estate;
use crate::org::catalog::{Bought, Counter, LICENSES, LicenseIndex};
use crate::org::population::{self, Usage};
use crate::schema::Schema;

/// The seats of one user licence. The five classes sum to `assigned`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LicenseTruth {
    /// `UserLicense.Id`, 18 characters.
    pub id: String,
    /// `LicenseDefinitionKey`.
    pub license_definition_key: String,
    /// `Name`, which is not unique.
    pub name: String,
    /// `Active` or `Disabled`.
    pub status: String,
    /// `TotalLicenses`.
    pub purchased: i64,
    /// `UsedLicenses`, as the platform reports it.
    pub used: i64,
    /// Active users whose profile belongs to the licence.
    pub assigned: i64,
    /// `purchased - used`; negative when the org is over its limit.
    pub available: i64,
    /// Assigned, with a human login in the last 90 days (never near the limit: 60 days at most).
    pub active: i64,
    /// Assigned, created less than 30 days ago and without a human login.
    pub unknown: i64,
    /// Assigned, with logins of machines only, or to an integration licence whose holders are
    /// services.
    pub machine_only: i64,
    /// Assigned, older than 30 days, and never logged in.
    pub never: i64,
    /// Assigned, with a last human login more than 92 days ago.
    pub inactive: i64,
    /// `MonthlyLoginsEntitlement`, where the licence is charged by logins.
    pub monthly_logins_entitlement: Option<i64>,
    /// `MonthlyLoginsUsed`, where the licence is charged by logins.
    pub monthly_logins_used: Option<i64>,
}

/// What is true of the org.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Truth {
    /// Every user licence, in row order, also those with 0 of 0.
    pub licenses: Vec<LicenseTruth>,
    /// Rows of `User`.
    pub total_users: u64,
    /// Rows of `User` with `IsActive`, including system users without a visible licence.
    pub active_users: u64,
    /// Rows of `UserLogin` with `IsFrozen`.
    pub frozen_users: u64,
    /// Rows of every object, without deleted ones.
    pub row_counts: BTreeMap<String, u64>,
}

impl Truth {
    /// The licence with this `LicenseDefinitionKey`.
    pub fn license(&self, key: &str) -> Option<&LicenseTruth> {
        self.licenses.iter().find(|license| license.license_definition_key == key)
    }
}

impl Estate {
    /// What is true of the org, from the classes its users were made with.
    pub fn truth(&self) -> Truth {
        let segments = || self.population.segments().map(|(.., segment)| segment);
        let active = segments().filter(|segment| segment.usage.is_active());
        let objects = Schema::get().objects.iter().enumerate();
        let mut truth = Truth {
            licenses: (0..LICENSES.len()).map(|license| self.license_truth(license)).collect(),
            total_users: self.population.users,
            active_users: active.map(population::Segment::len).sum(),
            frozen_users: segments().map(population::frozen_count).sum(),
            row_counts: objects
                .map(|(at, object)| (object.name.clone(), self.shown(at, false)))
                .collect(),
        };
        self.edits.adjust(&mut truth);
        truth
    }

    /// The seats of one licence.
    pub(crate) fn license_truth(&self, license: LicenseIndex) -> LicenseTruth {
        let spec = &LICENSES[license];
        let mut seats = LicenseTruth {
            id: self.id("UserLicense", license as u64).to_string(),
            license_definition_key: spec.key.to_owned(),
            name: spec.name.to_owned(),
            status: if spec.enabled { "Active" } else { "Disabled" }.to_owned(),
            ..LicenseTruth::default()
        };
        for (.., segment) in
            self.population.segments().filter(|(.., segment)| segment.license == Some(license))
        {
            let class = match segment.usage {
                Usage::Heavy | Usage::Light => &mut seats.active,
                Usage::Newcomer => &mut seats.unknown,
                Usage::Machine => &mut seats.machine_only,
                Usage::Never if spec.is_for_services() => &mut seats.machine_only,
                Usage::Never => &mut seats.never,
                Usage::Idle | Usage::LongIdle => &mut seats.inactive,
                Usage::Leaver | Usage::LongGone => continue,
            };
            *class += segment.len() as i64;
        }
        seats.assigned =
            seats.active + seats.unknown + seats.machine_only + seats.never + seats.inactive;
        seats.used = match spec.counter {
            Counter::Exact => seats.assigned,
            Counter::Stale => (seats.assigned - 3).max(0),
            Counter::Zero => 0,
        };
        seats.purchased = match spec.bought {
            Bought::Fixed(total) => total,
            Bought::PerHundred(percent) => round_up(seats.assigned * percent / 100 + 5),
            Bought::TooFew => (seats.assigned - seats.assigned / 50 - 1).max(0),
        };
        seats.available = seats.purchased - seats.used;
        if spec.by_logins {
            seats.monthly_logins_entitlement = Some(seats.purchased * 5);
            seats.monthly_logins_used = Some(seats.active * 4);
        }
        // The pool of the one site that customers log in to is nearly used up.
        if seats.active > 0 {
            seats.monthly_logins_used =
                seats.monthly_logins_entitlement.map(|logins| logins * 86 / 100);
        }
        seats
    }
}

/// Orders are placed in round numbers.
fn round_up(seats: i64) -> i64 {
    let step = match seats {
        ..100 => 5,
        100..1_000 => 25,
        _ => 250,
    };
    (seats + step - 1) / step * step
}
