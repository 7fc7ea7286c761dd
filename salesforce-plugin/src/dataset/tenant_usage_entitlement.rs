//! `tenant_usage_entitlement`: usage-based entitlements; `EndDate` is the end of the contract. A null
//! `AmountUsed` means that it is not metered.

use crate::dataset::model::{Dataset, date, double, object, optional, text, timestamp};
use crate::dataset::permission::VIEW_SETUP;

pub(super) const DATASET: Dataset = object(
    "tenant_usage_entitlement",
    "Usage entitlements",
    "TenantUsageEntitlement",
    &[VIEW_SETUP],
    &[
        text("Id"),
        text("MasterLabel"),
        text("Setting"),
        text("ResourceGroupKey"),
        double("CurrentAmountAllowed"),
        double("AmountUsed"),
        timestamp("UsageDate"),
        date("StartDate"),
        date("EndDate"),
        text("Frequency"),
        optional(double("OverageGrace")),
        timestamp("SystemModstamp"),
    ],
);
