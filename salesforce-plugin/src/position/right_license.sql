-- Permission sets that work with one permission-set licence only.
SELECT "Id", 'license', "LicenseId"
FROM "permission_set"
WHERE "LicenseId" IS NOT NULL
