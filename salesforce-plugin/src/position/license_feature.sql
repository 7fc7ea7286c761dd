-- What was bought of feature licences stands on no licence object, only in the newest measurement.
SELECT 'feature', "FeatureType", "FeatureType", "FeatureType", 'active', 'seats',
       "TotalLicenseCount", "AssignedUserCount", "MetricsDate" * 86400000, NULL
FROM "active_feature_license_metric"
WHERE "MetricsDate" = (SELECT MAX("MetricsDate") FROM "active_feature_license_metric")
