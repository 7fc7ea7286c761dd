-- Usage entitlements, one for each setting: the period that has begun last; the others are history, or
-- have not begun. The day is that of the newest measurement. Quantities are decimals: what was bought
-- counts in whole units, a unit that was begun is used. An amount that is not metered is unknown, not zero.
WITH
day AS (SELECT MAX(COALESCE("UsageDate", "SystemModstamp")) / 86400000 AS today FROM "tenant_usage_entitlement"),
period AS (
    SELECT e.*, ROW_NUMBER() OVER (
        PARTITION BY e."Setting", COALESCE(e."ResourceGroupKey", '')
        ORDER BY COALESCE(e."StartDate" <= day.today, 1) DESC, e."StartDate" DESC, e."Id"
    ) AS number
    FROM "tenant_usage_entitlement" e, day
)
SELECT 'usage', "Id", "Setting", COALESCE("MasterLabel", "Setting"), 'active', 'units',
       CAST("CurrentAmountAllowed" AS BIGINT),
       CAST("AmountUsed" AS BIGINT) + ("AmountUsed" > CAST("AmountUsed" AS BIGINT)),
       "UsageDate", "EndDate" * 86400000
FROM period WHERE number = 1
