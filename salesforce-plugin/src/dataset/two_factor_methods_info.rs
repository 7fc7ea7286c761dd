//! `two_factor_methods_info`: which second factors a user registered. Holds no secret. The result ends
//! after 2,500 records without a word: more are read user by user.

use crate::dataset::model::{Dataset, ROW_CAP, boolean, object, optional, text};
use crate::dataset::permission::MANAGE_MFA_IN_API;

pub(super) const DATASET: Dataset = Dataset {
    by_default: false,
    row_cap: Some(ROW_CAP),
    personal: true,
    ..object(
        "two_factor_methods_info",
        "Second factors",
        "TwoFactorMethodsInfo",
        &[MANAGE_MFA_IN_API],
        &[
            text("Id"),
            text("UserId"),
            boolean("HasTotp"),
            boolean("HasSalesforceAuthenticator"),
            boolean("HasSecurityKey"),
            optional(boolean("HasBuiltInAuthenticator")),
            optional(boolean("HasU2F")),
            optional(boolean("HasTempCode")),
            optional(boolean("HasUserVerifiedEmailAddress")),
            optional(boolean("HasUserVerifiedMobileNumber")),
        ],
    )
};
