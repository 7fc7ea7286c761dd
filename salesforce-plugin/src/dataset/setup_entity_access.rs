//! `setup_entity_access`: which permission sets open which app.

use crate::dataset::model::{Bulk, Dataset, object, text, timestamp};
use crate::dataset::permission::VIEW_SETUP;

pub(super) const DATASET: Dataset = Dataset {
    by_default: false,
    condition: Some(
        "SetupEntityType IN ('ConnectedApplication', 'ExternalClientApplication', 'ServiceProvider', 'TabSet')",
    ),
    bulk: Bulk::Yes,
    ..object(
        "setup_entity_access",
        "Access to apps",
        "SetupEntityAccess",
        &[VIEW_SETUP],
        &[
            text("Id"),
            text("ParentId"),
            text("SetupEntityId"),
            text("SetupEntityType"),
            timestamp("SystemModstamp"),
        ],
    )
};
