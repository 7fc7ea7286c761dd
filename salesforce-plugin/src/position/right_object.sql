-- Access to objects, of permission sets themselves and of those in a group.
SELECT "ParentId", 'object', "SobjectType"
FROM "object_permissions"
WHERE "PermissionsRead" = 1
