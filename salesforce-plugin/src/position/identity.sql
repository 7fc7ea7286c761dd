-- Employees have the type Standard; other types are customers, partners, or users of the platform.
-- An administrator is who may change all data and all users: profiles are renamed and translated.
SELECT u."Id", CASE WHEN u."UserType" = 'Standard' THEN 1 ELSE 0 END,
       u."FederationIdentifier", u."Email", u."EmployeeNumber",
       CASE WHEN s."PermissionsModifyAllData" IS NULL OR s."PermissionsManageUsers" IS NULL THEN NULL
            WHEN s."PermissionsModifyAllData" = 1 AND s."PermissionsManageUsers" = 1 THEN 1
            ELSE 0 END
FROM "user" u
LEFT JOIN "permission_set" s ON s."ProfileId" = u."ProfileId" AND s."IsOwnedByProfile" = 1
