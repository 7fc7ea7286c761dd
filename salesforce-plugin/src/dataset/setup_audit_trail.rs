//! `setup_audit_trail`: 180 days of changes made in Setup; says since when a user is active again.

use crate::dataset::model::{
    Changes, Dataset, Paging, object, optional, personal, text, timestamp,
};
use crate::dataset::permission::VIEW_SETUP;

pub(super) const DATASET: Dataset = Dataset {
    by_default: false,
    paging: Paging::Stamp("CreatedDate"),
    changes: Changes::log_of("CreatedDate"),
    personal: true,
    ..object(
        "setup_audit_trail",
        "Setup audit trail",
        "SetupAuditTrail",
        &[VIEW_SETUP],
        &[
            text("Id"),
            text("Action"),
            text("Section"),
            personal(text("Display")),
            timestamp("CreatedDate"),
            text("CreatedById"),
            personal(text("DelegateUser")),
            optional(text("ResponsibleNamespacePrefix")),
        ],
    )
};
