-- A group needs the licences of the sets in it.
SELECT g."Id", 'license', m."LicenseId"
FROM "permission_set" g
JOIN "permission_set_group_component" c ON c."PermissionSetGroupId" = g."PermissionSetGroupId"
JOIN "permission_set" m ON m."Id" = c."PermissionSetId"
WHERE m."LicenseId" IS NOT NULL
