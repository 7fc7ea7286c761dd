//! `external_client_application`: the successors of connected apps.

use crate::dataset::model::{Dataset, object, text, timestamp};
use crate::dataset::permission::{CUSTOMIZE_APPLICATION, VIEW_SETUP};

pub(super) const DATASET: Dataset = object(
    "external_client_application",
    "External client apps",
    "ExternalClientApplication",
    &[VIEW_SETUP, CUSTOMIZE_APPLICATION],
    &[
        text("Id"),
        text("DeveloperName"),
        text("MasterLabel"),
        text("NamespacePrefix"),
        text("DistributionState"),
        text("ManagedType"),
        timestamp("CreatedDate"),
        timestamp("SystemModstamp"),
    ],
);
