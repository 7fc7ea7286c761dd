-- Employees have the type Standard; other types are customers, partners, or users of the platform.
SELECT u."Id", CASE WHEN u."UserType" = 'Standard' THEN 1 ELSE 0 END,
       u."FederationIdentifier", u."Email", u."EmployeeNumber",
       CASE WHEN u."Profile.Name" = 'System Administrator' THEN 1 ELSE 0 END
FROM "user" u
