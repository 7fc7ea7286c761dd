//! `user`: all users, active or not; they are never deleted. Some active users of the platform
//! itself have a `ProfileId` whose profile is not visible.

use crate::dataset::model::{
    Bulk, CUSTOM_FIELDS, Changes, Dataset, boolean, computed, copied, object, optional, personal,
    text, timestamp,
};
use crate::dataset::permission::VIEW_ALL_USERS;

pub(super) const DATASET: Dataset = Dataset {
    // Whether a login alone moves `SystemModstamp` is not documented.
    changes: Changes::Stamps {
        fields: &["SystemModstamp", "LastLoginDate"],
        created: Some("CreatedDate"),
        deletable: true,
    },
    bulk: Bulk::Yes,
    custom_fields: true,
    own_rows: Some("Id"),
    personal: true,
    ..object(
        "user",
        "Users",
        "User",
        &[VIEW_ALL_USERS],
        &[
            text("Id"),
            personal(text("Username")),
            personal(text("Name")),
            personal(text("FirstName")),
            personal(text("LastName")),
            personal(text("Email")),
            personal(text("Alias")),
            personal(text("FederationIdentifier")),
            personal(text("EmployeeNumber")),
            text("Department"),
            text("Division"),
            text("CompanyName"),
            text("Title"),
            text("Country"),
            boolean("IsActive"),
            text("UserType"),
            text("ProfileId"),
            copied(text("Profile.Name"), "profile", "ProfileId", "Name"),
            copied(text("Profile.UserLicenseId"), "profile", "ProfileId", "UserLicenseId"),
            text("UserRoleId"),
            text("ManagerId"),
            // Portal users only, and only where the org has portals.
            optional(text("ContactId")),
            optional(text("AccountId")),
            timestamp("LastLoginDate"),
            timestamp("LastPasswordChangeDate"),
            timestamp("CreatedDate"),
            timestamp("LastModifiedDate"),
            timestamp("SystemModstamp"),
            // Feature licences are flags; an org shows those it has.
            optional(boolean("UserPermissionsMarketingUser")),
            optional(boolean("UserPermissionsOfflineUser")),
            optional(boolean("UserPermissionsSFContentUser")),
            optional(boolean("UserPermissionsKnowledgeUser")),
            optional(boolean("UserPermissionsInteractionUser")),
            optional(boolean("UserPermissionsSupportUser")),
            optional(boolean("UserPermissionsJigsawProspectingUser")),
            optional(boolean("UserPermissionsSiteforceContributorUser")),
            optional(boolean("UserPermissionsSiteforcePublisherUser")),
            optional(boolean("UserPermissionsWorkDotComUserFeature")),
            optional(boolean("UserPermissionsMobileUser")),
            optional(boolean("UserPermissionsLiveAgentUser")),
            computed(text(CUSTOM_FIELDS)),
        ],
    )
};
