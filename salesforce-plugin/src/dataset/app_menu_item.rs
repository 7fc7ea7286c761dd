//! `app_menu_item`: the apps an org offers.

use crate::dataset::model::{Dataset, boolean, object, text, timestamp};
use crate::dataset::permission::VIEW_SETUP;

pub(super) const DATASET: Dataset = Dataset {
    by_default: false,
    ..object(
        "app_menu_item",
        "Apps in the menu",
        "AppMenuItem",
        &[VIEW_SETUP],
        &[
            text("Id"),
            text("Name"),
            text("Label"),
            text("Type"),
            text("ApplicationId"),
            boolean("IsAccessible"),
            boolean("IsVisible"),
            timestamp("SystemModstamp"),
        ],
    )
};
