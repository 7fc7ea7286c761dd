//! `object_permissions`: which profiles and permission sets open the objects that only the
//! full CRM licence covers. Whoever reads none of them may do with a lesser licence; no record of
//! those objects is read.

use crate::dataset::model::{Dataset, boolean, object, text, timestamp};
use crate::dataset::permission::VIEW_SETUP;

pub(super) const DATASET: Dataset = Dataset {
    condition: Some("SobjectType IN ('Lead', 'Opportunity', 'Case', 'Campaign', 'Quote')"),
    ..object(
        "object_permissions",
        "Access to CRM objects",
        "ObjectPermissions",
        &[VIEW_SETUP],
        &[
            text("Id"),
            text("ParentId"),
            text("SobjectType"),
            boolean("PermissionsRead"),
            boolean("PermissionsCreate"),
            boolean("PermissionsEdit"),
            boolean("PermissionsViewAllRecords"),
            timestamp("SystemModstamp"),
        ],
    )
};
