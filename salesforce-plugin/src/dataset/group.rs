//! `group`: public groups, queues, and those behind roles.

use crate::dataset::model::{Changes, Dataset, object, text, timestamp};
use crate::dataset::permission::VIEW_SETUP;

pub(super) const DATASET: Dataset = Dataset {
    by_default: false,
    changes: Changes::stamped(&["SystemModstamp"], Some("CreatedDate")),
    ..object(
        "group",
        "Groups",
        "Group",
        &[VIEW_SETUP],
        &[
            text("Id"),
            text("Name"),
            text("DeveloperName"),
            text("Type"),
            text("RelatedId"),
            timestamp("CreatedDate"),
            timestamp("SystemModstamp"),
        ],
    )
};
