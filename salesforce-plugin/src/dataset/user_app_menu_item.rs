//! `user_app_menu_item`: the apps as the connecting user sees them.

use crate::dataset::model::{Dataset, boolean, object, text};

pub(super) const DATASET: Dataset = Dataset {
    by_default: false,
    ..object(
        "user_app_menu_item",
        "The connecting user's apps",
        "UserAppMenuItem",
        &[],
        &[
            text("Id"),
            text("AppMenuItemId"),
            text("ApplicationId"),
            text("Name"),
            text("Label"),
            text("Type"),
            boolean("IsVisible"),
        ],
    )
};
