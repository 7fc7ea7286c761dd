//! `network_member`: who is a member of which site.

use crate::dataset::model::{Bulk, Changes, Dataset, object, text, timestamp};
use crate::dataset::permission::VIEW_ALL_USERS;

pub(super) const DATASET: Dataset = Dataset {
    by_default: false,
    changes: Changes::stamped(&["SystemModstamp"], Some("CreatedDate")),
    bulk: Bulk::Yes,
    personal: true,
    ..object(
        "network_member",
        "Members of Experience Cloud sites",
        "NetworkMember",
        &[VIEW_ALL_USERS],
        &[
            text("Id"),
            text("MemberId"),
            text("NetworkId"),
            timestamp("CreatedDate"),
            timestamp("SystemModstamp"),
        ],
    )
};
