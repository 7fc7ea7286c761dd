-- A user holds the licence of the profile; users of the platform itself have a profile nobody sees.
SELECT 'user', p."UserLicenseId", u."Id"
FROM "user" u JOIN "profile" p ON p."Id" = u."ProfileId"
WHERE p."UserLicenseId" IS NOT NULL
