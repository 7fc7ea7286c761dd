//! `network`: sites; only where Digital Experiences is on.

use crate::dataset::model::{Dataset, object, text, timestamp};

pub(super) const DATASET: Dataset = Dataset {
    by_default: false,
    ..object(
        "network",
        "Experience Cloud sites",
        "Network",
        &[],
        &[
            text("Id"),
            text("Name"),
            text("Status"),
            text("UrlPathPrefix"),
            timestamp("CreatedDate"),
            timestamp("SystemModstamp"),
        ],
    )
};
