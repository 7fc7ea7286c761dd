SELECT 'feature', "FeatureType", "MetricsDate" * 86400000, "TotalLicenseCount", "AssignedUserCount", "ActiveUserCount"
FROM "active_feature_license_metric"
