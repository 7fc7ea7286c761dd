//! `active_perm_set_license_metric`: users by permission-set licence and day, as Salesforce counts them.

use crate::dataset::model::{Changes, Countable, Dataset, date, integer, object, text, timestamp};
use crate::dataset::permission::VIEW_SETUP;

pub(super) const DATASET: Dataset = Dataset {
    countable: Countable::Perhaps,
    changes: Changes::log_of("SystemModstamp"),
    ..object(
        "active_perm_set_license_metric",
        "Active users by permission-set licence",
        "ActivePermSetLicenseMetric",
        &[VIEW_SETUP],
        &[
            text("Id"),
            date("MetricsDate"),
            text("PermissionSetLicenseId"),
            text("DeveloperName"),
            text("MasterLabel"),
            integer("TotalLicenses"),
            integer("AssignedUserCount"),
            integer("ActiveUserCount"),
            timestamp("SystemModstamp"),
        ],
    )
};
