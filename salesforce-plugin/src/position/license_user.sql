-- Pools of user licences. Login-based ones are bought as logins per month and counted by Salesforce alone.
SELECT 'user', "Id", "LicenseDefinitionKey", COALESCE("MasterLabel", "Name"), LOWER("Status"),
       CASE WHEN "MonthlyLoginsEntitlement" IS NULL THEN 'seats' ELSE 'logins' END,
       COALESCE("MonthlyLoginsEntitlement", "TotalLicenses"),
       CASE WHEN "MonthlyLoginsEntitlement" IS NULL THEN "UsedLicenses" ELSE "MonthlyLoginsUsed" END,
       "UsedLicensesLastUpdated", NULL
FROM "user_license"
