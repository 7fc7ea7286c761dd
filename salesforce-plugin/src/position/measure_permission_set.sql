SELECT 'permission_set', "PermissionSetLicenseId", "MetricsDate" * 86400000, "TotalLicenses", "AssignedUserCount", "ActiveUserCount"
FROM "active_perm_set_license_metric"
