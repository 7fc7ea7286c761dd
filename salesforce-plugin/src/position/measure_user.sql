-- Users are measured by profile; a licence is the sum of its profiles.
SELECT 'user', "UserLicenseId", "MetricsDate" * 86400000, NULL, SUM("AssignedUserCount"), SUM("ActiveUserCount")
FROM "active_profile_metric"
GROUP BY "UserLicenseId", "MetricsDate"
