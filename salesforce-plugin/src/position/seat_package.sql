SELECT 'package', "PackageLicenseId", "UserId"
FROM "user_package_license"
