//! `app_menu_item`: the apps an org offers.

use super::{Dataset, VIEW_SETUP, boolean, object, text, timestamp};

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
