SELECT 'permission_set', "PermissionSetLicenseId", "AssigneeId"
FROM "permission_set_license_assign"
