//! `connected_application`: the connected apps installed in the org.

use crate::dataset::model::{Dataset, boolean, integer, object, text, timestamp};
use crate::dataset::permission::{CUSTOMIZE_APPLICATION, VIEW_SETUP};

pub(super) const DATASET: Dataset = object(
    "connected_application",
    "Connected apps",
    "ConnectedApplication",
    &[VIEW_SETUP, CUSTOMIZE_APPLICATION],
    &[
        text("Id"),
        text("Name"),
        boolean("OptionsAllowAdminApprovedUsersOnly"),
        integer("RefreshTokenValidityPeriod"),
        timestamp("CreatedDate"),
        timestamp("SystemModstamp"),
    ],
);
