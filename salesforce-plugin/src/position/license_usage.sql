-- Usage entitlements; an amount that is not metered is unknown, not zero. They come per period: of those
-- of one setting the one that has begun last, by the day of the latest measurement, counts; the others
-- are history. Parts of a unit count as allowed only when whole, and as used from the first one on.
-- A pool of logins that is a user licence too is counted there.
SELECT 'usage', "Id", "Setting", COALESCE("MasterLabel", "Setting"), 'active', 'units',
       CAST("CurrentAmountAllowed" AS BIGINT),
       CAST("AmountUsed" AS BIGINT) + CASE WHEN "AmountUsed" > CAST("AmountUsed" AS BIGINT) THEN 1 ELSE 0 END,
       "UsageDate", "EndDate" * 86400000
FROM (
    SELECT t.*, ROW_NUMBER() OVER (
               PARTITION BY "Setting", "ResourceGroupKey"
               ORDER BY CASE WHEN "StartDate" * 86400000 > m."Measured" THEN 1 ELSE 0 END,
                        CASE WHEN "StartDate" * 86400000 > m."Measured" THEN "StartDate" ELSE -"StartDate" END,
                        "Id"
           ) AS "Rank"
    FROM "tenant_usage_entitlement" t
    CROSS JOIN (SELECT MAX("UsageDate") AS "Measured" FROM "tenant_usage_entitlement") m
) AS period
WHERE "Rank" = 1
  AND NOT ("Setting" LIKE '%Logins' AND "CurrentAmountAllowed" IN (
      SELECT "MonthlyLoginsEntitlement" FROM "user_license" WHERE "MonthlyLoginsEntitlement" IS NOT NULL
      UNION ALL
      SELECT SUM("MonthlyLoginsEntitlement") FROM "user_license"
      HAVING SUM("MonthlyLoginsEntitlement") IS NOT NULL
  ))
ORDER BY "Id"
