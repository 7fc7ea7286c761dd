-- The allowances an administrator plans with.
SELECT 'limit', "Name", "Name", "Name", 'active',
       CASE WHEN "Name" LIKE '%MB' THEN 'MB' ELSE 'requests' END,
       "Max", "Max" - "Remaining", NULL, NULL
FROM "limits"
WHERE "Name" IN ('DailyApiRequests', 'DataStorageMB', 'FileStorageMB')
