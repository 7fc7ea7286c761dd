-- Licences of managed packages; trial and free ones can be used like active ones, a negative number
-- of allowed licences is a site licence.
SELECT 'package', "Id", "NamespacePrefix", "NamespacePrefix",
       CASE WHEN "Status" IN ('Trial', 'Free', 'Active') THEN 'active' ELSE LOWER("Status") END, 'seats',
       "AllowedLicenses", "UsedLicenses", NULL, "ExpirationDate"
FROM "package_license"
