//! `organization`: the org itself, one record.

use crate::dataset::model::{Dataset, boolean, integer, object, optional, text, timestamp};

pub(super) const DATASET: Dataset = object(
    "organization",
    "Organization",
    "Organization",
    &[],
    &[
        text("Id"),
        text("Name"),
        text("OrganizationType"),
        boolean("IsSandbox"),
        text("InstanceName"),
        timestamp("TrialExpirationDate"),
        text("NamespacePrefix"),
        text("LanguageLocaleKey"),
        optional(text("TimeZoneSidKey")),
        optional(text("SignupCountryIsoCode")),
        optional(integer("NumKnowledgeService")),
        timestamp("CreatedDate"),
    ],
);
