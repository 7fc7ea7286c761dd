//! `lightning_usage_by_app_type_metrics`: who used Lightning or the mobile app on which day. Not in
//! sandboxes.

use crate::dataset::model::{Bulk, Changes, Countable, Dataset, date, object, text, timestamp};
use crate::dataset::permission::VIEW_SETUP;

pub(super) const DATASET: Dataset = Dataset {
    countable: Countable::Perhaps,
    by_default: false,
    changes: Changes::log_of("SystemModstamp"),
    bulk: Bulk::Perhaps,
    personal: true,
    ..object(
        "lightning_usage_by_app_type_metrics",
        "Use of Lightning and mobile",
        "LightningUsageByAppTypeMetrics",
        &[VIEW_SETUP],
        &[
            text("Id"),
            date("MetricsDate"),
            text("UserId"),
            text("AppExperience"),
            timestamp("SystemModstamp"),
        ],
    )
};
