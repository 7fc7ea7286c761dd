-- Permission sets by assignment, those of groups included.
SELECT "AssigneeId", "PermissionSetId"
FROM "permission_set_assignment"
WHERE "PermissionSetId" IS NOT NULL AND COALESCE("IsActive", 1) = 1
