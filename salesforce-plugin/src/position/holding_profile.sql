-- Every profile owns a hidden permission set that its users have.
SELECT u."Id", s."Id"
FROM "user" u JOIN "permission_set" s ON s."ProfileId" = u."ProfileId"
WHERE s."IsOwnedByProfile" = 1
