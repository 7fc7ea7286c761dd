-- Usage entitlements run over a period that starts with StartDate and repeats with Frequency.
SELECT 'usage', "Id", LOWER("Frequency"), "StartDate" * 86400000, "EndDate" * 86400000
FROM "tenant_usage_entitlement"
