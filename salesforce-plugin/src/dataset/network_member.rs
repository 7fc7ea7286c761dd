//! `network_member`: who is a member of which site.

use super::{Bulk, Changes, Dataset, VIEW_ALL_USERS, object, text, timestamp};

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
