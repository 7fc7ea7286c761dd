//! `oauth_token`: which apps people let in, and when those last came. The columns that hold tokens
//! are never read. `Id` is null on every record, so that the key is made here. The result ends
//! after 2,500 records without a word: more are read user by user.

use crate::dataset::model::{
    Dataset, MADE_KEY, Paging, ROW_CAP, computed, integer, object, optional, text, timestamp,
};
use crate::dataset::permission::CUSTOMIZE_APPLICATION;

pub(super) const DATASET: Dataset = Dataset {
    by_default: false,
    key: MADE_KEY,
    paging: Paging::None,
    own_rows: Some("UserId"),
    row_cap: Some(ROW_CAP),
    personal: true,
    ..object(
        "oauth_token",
        "App authorizations",
        "OauthToken",
        &[CUSTOMIZE_APPLICATION],
        &[
            computed(text(MADE_KEY)),
            text("UserId"),
            text("AppName"),
            optional(text("AppMenuItemId")),
            integer("UseCount"),
            timestamp("LastUsedDate"),
            timestamp("CreatedDate"),
        ],
    )
};
