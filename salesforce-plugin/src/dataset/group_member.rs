//! `group_member`: who is in which group.

use crate::dataset::model::{Bulk, Changes, Dataset, object, text, timestamp};
use crate::dataset::permission::VIEW_SETUP;

pub(super) const DATASET: Dataset = Dataset {
    by_default: false,
    changes: Changes::stamped(&["SystemModstamp"], None),
    bulk: Bulk::Yes,
    personal: true,
    ..object(
        "group_member",
        "Members of groups",
        "GroupMember",
        &[VIEW_SETUP],
        &[text("Id"), text("GroupId"), text("UserOrGroupId"), timestamp("SystemModstamp")],
    )
};
