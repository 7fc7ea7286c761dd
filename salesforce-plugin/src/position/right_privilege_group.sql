-- The same rights by way of a group.
SELECT g."Id", 'privilege', 'ModifyAllData' FROM "permission_set" g
JOIN "permission_set_group_component" c ON c."PermissionSetGroupId" = g."PermissionSetGroupId"
JOIN "permission_set" m ON m."Id" = c."PermissionSetId" WHERE m."PermissionsModifyAllData" = 1
UNION ALL
SELECT g."Id", 'privilege', 'ViewAllData' FROM "permission_set" g
JOIN "permission_set_group_component" c ON c."PermissionSetGroupId" = g."PermissionSetGroupId"
JOIN "permission_set" m ON m."Id" = c."PermissionSetId" WHERE m."PermissionsViewAllData" = 1
UNION ALL
SELECT g."Id", 'privilege', 'ManageUsers' FROM "permission_set" g
JOIN "permission_set_group_component" c ON c."PermissionSetGroupId" = g."PermissionSetGroupId"
JOIN "permission_set" m ON m."Id" = c."PermissionSetId" WHERE m."PermissionsManageUsers" = 1
UNION ALL
SELECT g."Id", 'privilege', 'AuthorApex' FROM "permission_set" g
JOIN "permission_set_group_component" c ON c."PermissionSetGroupId" = g."PermissionSetGroupId"
JOIN "permission_set" m ON m."Id" = c."PermissionSetId" WHERE m."PermissionsAuthorApex" = 1
