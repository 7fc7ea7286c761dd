//! `GET /limits`.

use estate::{ApiError, Case, RuleTruth};
use serde_json::{Map, Value, json};

use super::Caller;

/// Key, allowance, and what this org has used of it.
const LIMITS: [(&str, u64, u64); 67] = [
    ("AnalyticsExternalDataSizeMB", 40_960, 0),
    ("CdpAiInferenceApiMonthlyLimit", 500_000_000, 0),
    ("ConcurrentAsyncGetReportInstances", 200, 0),
    ("ConcurrentEinsteinDataInsightsStoryCreation", 5, 0),
    ("ConcurrentEinsteinDiscoveryStoryCreation", 2, 0),
    ("ConcurrentSyncReportRuns", 20, 1),
    ("ContentDistBandwidthLimitMB", 51_200, 0),
    ("ContentDistViewLimit", 50_000, 0),
    ("ContentPublicationLimit", 2_500, 4),
    ("DailyAnalyticsDataflowJobExecutions", 60, 0),
    ("DailyAnalyticsUploadedFilesSizeMB", 51_200, 0),
    ("DailyApexCursorLimit", 10_000, 0),
    ("DailyApexCursorRowsLimit", 100_000_000, 0),
    ("DailyApexPCursorLimit", 200_000, 0),
    ("DailyAsyncApexExecutions", 250_000, 312),
    ("DailyAsyncApexTests", 500, 0),
    ("DailyBulkApiBatches", 15_000, 7),
    ("DailyDeliveredPlatformEvents", 10_000, 42),
    ("DailyDurableGenericStreamingApiEvents", 10_000, 0),
    ("DailyDurableStreamingApiEvents", 10_000, 0),
    ("DailyEinsteinDataInsightsStoryCreation", 1_000, 0),
    ("DailyEinsteinDiscoveryOptimizationJobRuns", 25, 0),
    ("DailyEinsteinDiscoveryPredictAPICalls", 50_000, 0),
    ("DailyEinsteinDiscoveryPredictionsByCDC", 500_000, 0),
    ("DailyEinsteinDiscoveryStoryCreation", 100, 0),
    ("DailyFunctionsApiCallLimit", 50_000, 0),
    ("DailyGenericStreamingApiEvents", 10_000, 0),
    ("DailyMetadataRetrievesWithDependencies", 500, 0),
    ("DailyScratchOrgs", 6, 2),
    ("DailyStandardVolumePlatformEvents", 10_000, 0),
    ("DailyStreamingApiEvents", 10_000, 0),
    ("DailyWorkflowEmails", 100_000, 55),
    ("DataStorageMB", 10_240, 3_871),
    ("DurableStreamingApiConcurrentClients", 20, 0),
    ("FileStorageMB", 10_240, 8_602),
    ("HourlyAsyncReportRuns", 1_200, 0),
    ("HourlyDashboardRefreshes", 200, 3),
    ("HourlyDashboardResults", 5_000, 12),
    ("HourlyDashboardStatuses", 999_999_999, 0),
    ("HourlyElevateAsyncReportRuns", 3_000, 0),
    ("HourlyElevateSyncReportRuns", 3_000, 0),
    ("HourlyEventStreamEventsDelivered", 50_000, 0),
    ("HourlyLongTermIdMapping", 100_000, 0),
    ("HourlyManagedContentPublicRequests", 50_000, 0),
    ("HourlyODataCallout", 1_000, 0),
    ("HourlyPublishedPlatformEvents", 50_000, 9),
    ("HourlyPublishedStandardVolumePlatformEvents", 1_000, 0),
    ("HourlyShortTermIdMapping", 100_000, 0),
    ("HourlySyncReportRuns", 500, 6),
    ("HourlyTimeBasedWorkflow", 1_000, 0),
    ("MassEmail", 5_000, 20),
    ("MaxContentDocumentsLimit", 30_000_000, 5_120),
    ("MonthlyEinsteinDiscoveryStoryCreation", 500, 0),
    ("MonthlyPlatformEventsUsageEntitlement", 0, 0),
    ("Package2VersionCreates", 6, 0),
    ("Package2VersionCreatesWithoutValidation", 500, 0),
    ("PlatformEventTriggersWithParallelProcessing", 5, 0),
    ("PrivateConnectOutboundCalloutHourlyLimitMB", 0, 0),
    ("PublishCallbackUsageInApex", 5_242_880, 0),
    ("SandboxUsage", 25, 1),
    ("SingleEmail", 5_000, 31),
    ("StreamingApiConcurrentClients", 20, 0),
    ("ActiveScratchOrgs", 3, 2),
    ("DailyDeliveredGenericPlatformEvents", 10_000, 0),
    ("HourlyManagedContentDeliveryRequests", 50_000, 0),
    ("ConcurrentActiveCampaignRuns", 10, 0),
    ("DailyEmailTrackingEvents", 25_000, 0),
];

/// Keys for which the caller needs to manage users.
const STORAGE: [&str; 2] = ["DataStorageMB", "FileStorageMB"];

/// Every limit the caller may see.
pub(super) fn answer(caller: &Caller<'_>) -> Result<String, ApiError> {
    let has = |permission: &str| caller.viewer.permissions.contains(permission);
    if !has("PermissionsViewSetup") {
        return Err(ApiError::new(403, "INSUFFICIENT_ACCESS", "insufficient access rights"));
    }
    let mut limits: Map<String, Value> = LIMITS
        .iter()
        .filter(|(key, ..)| has("PermissionsManageUsers") || !STORAGE.contains(key))
        .map(|(key, max, used)| ((*key).to_owned(), limit(*max, *used)))
        .collect();
    let (now, policy) = (caller.core.clock.now(), caller.core.policy());
    let spent = caller.core.usage.spent(now);
    let mut requests = limit(policy.daily_api_limit, spent + policy.budget.used_by_others);
    if let Some(app) = &policy.budget.app_limit {
        requests[app.name.as_str()] = limit(app.calls, spent);
    }
    limits.insert("DailyApiRequests".to_owned(), requests);
    let jobs = limit(policy.bulk.daily_jobs, caller.core.jobs.created.spent(now));
    limits.insert("DailyBulkV2QueryJobs".to_owned(), jobs);
    let megabytes = caller.core.jobs.bytes.spent(now).div_ceil(1_000_000);
    limits.insert("DailyBulkV2QueryFileStorageMB".to_owned(), limit(976_562, megabytes));
    let mut permission_sets = limit(1_500, 14);
    permission_sets["CreateCustom"] = limit(1_000, 14);
    limits.insert("PermissionSets".to_owned(), permission_sets);
    Ok(Value::Object(limits).to_string())
}

/// What a rule about storage and API headroom finds among the keys.
pub(crate) fn storage_rule() -> RuleTruth {
    let case = |key: &str, reason| Case { id: key.to_owned(), reason };
    let mut rule =
        RuleTruth { rule: "R19", object: "limits", found: Vec::new(), silent: Vec::new() };
    for (key, max, used) in LIMITS.iter().filter(|(key, ..)| STORAGE.contains(key)) {
        match used * 5 >= max * 4 {
            true => rule.found.push(case(key, "four fifths of the storage are used")),
            false => rule.silent.push(case(key, "storage is left")),
        }
    }
    rule
}

fn limit(max: u64, used: u64) -> Value {
    json!({"Max": max, "Remaining": max.saturating_sub(used)})
}
