-- Feature licences are flags of the user.
SELECT 'feature', 'MarketingUser', "Id" FROM "user" WHERE "UserPermissionsMarketingUser" = 1
UNION ALL
SELECT 'feature', 'OfflineUser', "Id" FROM "user" WHERE "UserPermissionsOfflineUser" = 1
UNION ALL
SELECT 'feature', 'SFContentUser', "Id" FROM "user" WHERE "UserPermissionsSFContentUser" = 1
UNION ALL
SELECT 'feature', 'KnowledgeUser', "Id" FROM "user" WHERE "UserPermissionsKnowledgeUser" = 1
UNION ALL
SELECT 'feature', 'InteractionUser', "Id" FROM "user" WHERE "UserPermissionsInteractionUser" = 1
UNION ALL
SELECT 'feature', 'SupportUser', "Id" FROM "user" WHERE "UserPermissionsSupportUser" = 1
UNION ALL
SELECT 'feature', 'JigsawProspectingUser', "Id" FROM "user" WHERE "UserPermissionsJigsawProspectingUser" = 1
UNION ALL
SELECT 'feature', 'SiteforceContributorUser', "Id" FROM "user" WHERE "UserPermissionsSiteforceContributorUser" = 1
UNION ALL
SELECT 'feature', 'SiteforcePublisherUser', "Id" FROM "user" WHERE "UserPermissionsSiteforcePublisherUser" = 1
UNION ALL
SELECT 'feature', 'WorkDotComUserFeature', "Id" FROM "user" WHERE "UserPermissionsWorkDotComUserFeature" = 1
UNION ALL
SELECT 'feature', 'MobileUser', "Id" FROM "user" WHERE "UserPermissionsMobileUser" = 1
UNION ALL
SELECT 'feature', 'LiveAgentUser', "Id" FROM "user" WHERE "UserPermissionsLiveAgentUser" = 1
