-- Pools of permission-set licences; the developer name is the stable key, labels change with releases.
SELECT 'permission_set', "Id", COALESCE("DeveloperName", "PermissionSetLicenseKey"), "MasterLabel", LOWER("Status"), 'seats',
       "TotalLicenses", "UsedLicenses", NULL, "ExpirationDate" * 86400000
FROM "permission_set_license"
