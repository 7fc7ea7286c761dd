//! `external_client_application`: the successors of connected apps.

use super::{CUSTOMIZE_APPLICATION, Dataset, VIEW_SETUP, object, text, timestamp};

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
