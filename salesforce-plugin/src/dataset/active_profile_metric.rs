//! `active_profile_metric`: users by profile, day and licence, as Salesforce counts them: assigned, and
//! active within 30 days.

use crate::dataset::model::{Changes, Countable, Dataset, date, integer, object, text, timestamp};
use crate::dataset::permission::VIEW_SETUP;

pub(super) const DATASET: Dataset = Dataset {
    countable: Countable::Perhaps,
    changes: Changes::log_of("SystemModstamp"),
    ..object(
        "active_profile_metric",
        "Active users by profile",
        "ActiveProfileMetric",
        &[VIEW_SETUP],
        &[
            text("Id"),
            date("MetricsDate"),
            text("UserLicenseId"),
            text("ProfileId"),
            integer("AssignedUserCount"),
            integer("ActiveUserCount"),
            timestamp("SystemModstamp"),
        ],
    )
};
