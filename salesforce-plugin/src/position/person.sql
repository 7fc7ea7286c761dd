-- Users. Those on an integration licence, and users of the platform itself, are services.
SELECT u."Id", u."Username", u."Name", u."IsActive", u."CreatedDate", u."LastLoginDate",
       CASE WHEN p."UserLicense.LicenseDefinitionKey" IN
                 ('SALESFORCE_INTEGRATION_USER', 'CLOUD_INTEGRATION_USER', 'INSIGHTS_INTEGRATION_USER')
              OR u."UserType" IN ('AutomatedProcess', 'CloudIntegrationUser')
            THEN 1 ELSE 0 END
FROM "user" u LEFT JOIN "profile" p ON p."Id" = u."ProfileId"
