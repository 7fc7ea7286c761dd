-- Users made active again, by the audit trail's own words.
SELECT u."Id", MAX(a."CreatedDate")
FROM "setup_audit_trail" a
JOIN "user" u ON LOWER(u."Username") = LOWER(TRIM(REPLACE(a."Display", 'Activated user ', '')))
WHERE a."Action" = 'activateduser'
GROUP BY u."Id"
