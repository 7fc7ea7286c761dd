//! `connected_application`: the connected apps installed in the org.

use super::{
    CUSTOMIZE_APPLICATION, Dataset, VIEW_SETUP, boolean, integer, object, text, timestamp,
};

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
