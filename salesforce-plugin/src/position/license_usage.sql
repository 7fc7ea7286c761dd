-- Usage entitlements; an amount that is not metered is unknown, not zero.
SELECT 'usage', "Id", "Setting", COALESCE("MasterLabel", "Setting"), 'active', 'units',
       CAST("CurrentAmountAllowed" AS BIGINT), CAST("AmountUsed" AS BIGINT), "UsageDate", "EndDate" * 86400000
FROM "tenant_usage_entitlement"
