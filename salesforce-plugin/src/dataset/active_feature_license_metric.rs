//! `active_feature_license_metric`: users by feature licence and day, with the only count of
//! feature licences bought that the API gives.

use crate::dataset::model::{Changes, Countable, Dataset, date, integer, object, text, timestamp};
use crate::dataset::permission::VIEW_SETUP;

pub(super) const DATASET: Dataset = Dataset {
    countable: Countable::Perhaps,
    changes: Changes::log_of("SystemModstamp"),
    ..object(
        "active_feature_license_metric",
        "Active users by feature licence",
        "ActiveFeatureLicenseMetric",
        &[VIEW_SETUP],
        &[
            text("Id"),
            date("MetricsDate"),
            text("FeatureType"),
            integer("TotalLicenseCount"),
            integer("AssignedUserCount"),
            integer("ActiveUserCount"),
            timestamp("SystemModstamp"),
        ],
    )
};
