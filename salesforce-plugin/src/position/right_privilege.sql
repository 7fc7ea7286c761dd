-- Rights over all data, all users, or the program code.
SELECT "Id", 'privilege', 'ModifyAllData' FROM "permission_set" WHERE "PermissionsModifyAllData" = 1
UNION ALL
SELECT "Id", 'privilege', 'ViewAllData' FROM "permission_set" WHERE "PermissionsViewAllData" = 1
UNION ALL
SELECT "Id", 'privilege', 'ManageUsers' FROM "permission_set" WHERE "PermissionsManageUsers" = 1
UNION ALL
SELECT "Id", 'privilege', 'AuthorApex' FROM "permission_set" WHERE "PermissionsAuthorApex" = 1
