SELECT g."Id", 'object', o."SobjectType"
FROM "permission_set" g
JOIN "permission_set_group_component" c ON c."PermissionSetGroupId" = g."PermissionSetGroupId"
JOIN "object_permissions" o ON o."ParentId" = c."PermissionSetId"
WHERE o."PermissionsRead" = 1
