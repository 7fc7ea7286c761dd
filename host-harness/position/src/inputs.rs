//! What an administrator adds to what a connector collected: settings and imported lists.

use connector_api::position::UseRule;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::money::WhatIf;
use crate::source::Snapshot;

pub use crate::model::{Imported, Leaver, RuleSettings};

/// What a position is computed from in addition to the snapshot.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Limits of classes and rules.
    pub settings: RuleSettings,
    /// What the administrator imported.
    pub imported: Imported,
    /// Suppositions.
    pub what_if: WhatIf,
}

/// What the canonical tables depend on beside the snapshot.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct BaseInputs {
    /// When the data was read, in milliseconds.
    pub as_of_ms: i64,
    /// Who made a use.
    pub classification: Vec<UseRule>,
    /// See [`RuleSettings::sparse_window_days`].
    pub sparse_window_days: u32,
    /// See [`RuleSettings::tier_objects`]; the connector's list where none is set.
    pub tier_objects: Vec<String>,
    /// Whose employment has ended; none if no list was imported.
    pub leavers: Option<Vec<Leaver>>,
    /// Names of accounts that are services.
    pub service_accounts: Vec<String>,
    /// How often a newer table of the canonical tables made older ones useless.
    format: u32,
}

/// To be raised with every change of what the canonical tables hold.
const FORMAT: u32 = 3;

impl BaseInputs {
    /// The inputs for a snapshot.
    pub(crate) fn of(snapshot: &Snapshot, inputs: &Inputs) -> BaseInputs {
        let (rules, imported) = (&inputs.settings, &inputs.imported);
        let model = &snapshot.manifest.position;
        let tier_objects = rules.tier_objects.clone().unwrap_or_else(|| {
            model.tiers.first().map(|tier| tier.objects.clone()).unwrap_or_default()
        });
        BaseInputs {
            as_of_ms: snapshot.as_of.timestamp_millis(),
            classification: imported
                .classification
                .clone()
                .unwrap_or_else(|| model.classification.clone()),
            sparse_window_days: rules.sparse_window_days,
            tier_objects,
            leavers: imported.leavers.clone(),
            service_accounts: rules.service_accounts.clone(),
            format: FORMAT,
        }
    }

    /// The same inputs have the same digest.
    pub(crate) fn digest(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        hex::encode(Sha256::digest(text))
    }
}
