//! The licences and profiles an Enterprise Edition org of this kind has.

/// Position in [`LICENSES`].
pub(crate) type LicenseIndex = usize;
/// Position in [`PROFILES`].
pub(crate) type ProfileIndex = usize;

/// How `TotalLicenses` comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bought {
    /// A fixed number, whatever the number of users.
    Fixed(i64),
    /// This many per hundred assigned seats, rounded up to a round number.
    PerHundred(i64),
    /// Fewer than assigned: the org is over its limit.
    TooFew,
}

/// How `UsedLicenses` relates to the active users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counter {
    /// Equal.
    Exact,
    /// Yesterday's figure, a few users short.
    Stale,
    /// Always zero: the platform does not count this licence's users.
    Zero,
}

/// One user licence.
#[derive(Debug)]
pub(crate) struct LicenseSpec {
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) enabled: bool,
    pub(crate) bought: Bought,
    pub(crate) counter: Counter,
    /// Charged by logins per month.
    pub(crate) by_logins: bool,
    /// Seats of people, not of system accounts.
    pub(crate) sold_to_people: bool,
}

impl LicenseSpec {
    /// Whether its holders are services, by what the licence is for.
    pub(crate) fn is_for_services(&self) -> bool {
        matches!(
            self.key,
            "SALESFORCE_INTEGRATION_USER" | "CLOUD_INTEGRATION_USER" | "INSIGHTS_INTEGRATION_USER"
        )
    }
}

const fn sold(
    key: &'static str,
    name: &'static str,
    bought: Bought,
    counter: Counter,
) -> LicenseSpec {
    LicenseSpec {
        key,
        name,
        label: name,
        enabled: true,
        bought,
        counter,
        by_logins: false,
        sold_to_people: true,
    }
}

const fn idle(key: &'static str, name: &'static str, total: i64) -> LicenseSpec {
    LicenseSpec {
        key,
        name,
        label: name,
        enabled: total > 0,
        bought: Bought::Fixed(total),
        counter: Counter::Exact,
        by_logins: false,
        sold_to_people: false,
    }
}

/// Every user licence of the org, in row order. Keys of Guest, Chatter External, External Identity and High
/// Volume Customer Portal are not documented; those here stand in for them.
pub(crate) const LICENSES: &[LicenseSpec] = &[
    sold("SFDC", "Salesforce", Bought::PerHundred(118), Counter::Exact),
    sold("AUL", "Salesforce Platform", Bought::TooFew, Counter::Exact),
    sold("PID_CHATTER", "Chatter Free", Bought::Fixed(5_000), Counter::Stale),
    sold("PID_Customer_Community", "Customer Community", Bought::PerHundred(140), Counter::Exact),
    LicenseSpec {
        by_logins: true,
        ..sold(
            "PID_Customer_Community_Login",
            "Customer Community Login",
            Bought::PerHundred(400),
            Counter::Exact,
        )
    },
    sold("PID_Partner_Community", "Partner Community", Bought::PerHundred(125), Counter::Exact),
    LicenseSpec {
        bought: Bought::Fixed(5),
        ..idle("SALESFORCE_INTEGRATION_USER", "Salesforce Integration", 5)
    },
    LicenseSpec {
        label: "Guest User License",
        counter: Counter::Zero,
        ..idle("PID_Guest_User", "Guest", 25)
    },
    LicenseSpec {
        counter: Counter::Zero,
        ..idle("INSIGHTS_INTEGRATION_USER", "Analytics Cloud Integration User", 0)
    },
    idle("PID_High_Volume_Customer_Portal", "High Volume Customer Portal", 100),
    idle("PID_Overage_High Volume Customer Portal", "High Volume Customer Portal", 0),
    idle("CLOUD_INTEGRATION_USER", "Cloud Integration User", 1),
    idle("PID_Identity_User", "Identity", 10),
    idle("PID_External_Identity", "External Identity", 0),
    idle("PID_XOrg_Proxy_User", "XOrg Proxy User", 0),
    idle("PID_STRATEGIC_PRM", "Gold Partner", 30),
    idle("PID_SILVER_PRM", "Silver Partner", 20),
    idle("PID_FDC_FREE", "Force.com - Free", 20),
    idle("FDC_ONE", "Lightning Platform - One App", 0),
    idle("FDC_SUB", "Force.com - App Subscription", 0),
    idle("AUL1", "Salesforce Platform One", 0),
    idle("AUL_LIGHT", "Salesforce Platform Light", 0),
    idle("PID_Customer_Community_Plus", "Customer Community Plus", 0),
    LicenseSpec {
        by_logins: true,
        ..idle("PID_Customer_Community_Plus_Login", "Customer Community Plus Login", 20)
    },
    idle("PID_Partner_Community_Login", "Partner Community Login", 0),
    idle("PID_Customer_Portal_Basic", "Customer Portal Manager Standard", 50),
    idle("PID_Customer_Portal_Standard", "Customer Portal Manager Custom", 50),
    idle("PID_Chatter_External", "Chatter External", 500),
    idle("PID_CONTENT", "Content Only", 0),
    idle("PID_KNOWLEDGE", "Knowledge Only", 0),
    idle("PID_IDEAS", "Ideas Only", 0),
    idle("PID_WDC", "Work.com Only", 0),
    idle("Platform_Portal_User", "Authenticated Website", 0),
    idle("Overage_Platform_Portal_User", "Overage Authenticated Website", 0),
    idle("POWER_PRM", "Partner", 0),
    idle("POWER_SSP", "Customer Portal Manager", 0),
    idle("PID_DigitalAgent", "Digital Agent", 0),
];

/// Licences that users hold in numbers, with their weight.
pub(crate) const MASS_LICENSES: &[(&str, u64)] = &[
    ("SFDC", 48),
    ("AUL", 24),
    ("PID_CHATTER", 9),
    ("PID_Customer_Community", 10),
    ("PID_Customer_Community_Login", 6),
    ("PID_Partner_Community", 3),
];

/// The position of a licence that is known to be in [`LICENSES`].
pub(crate) fn license(key: &str) -> LicenseIndex {
    LICENSES.iter().position(|license| license.key == key).expect("the key is in the catalogue")
}

/// One profile. Each belongs to exactly one licence.
#[derive(Debug)]
pub(crate) struct ProfileSpec {
    pub(crate) name: &'static str,
    pub(crate) license: &'static str,
    pub(crate) user_type: &'static str,
    pub(crate) role: ProfileRole,
}

/// Whom a profile is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProfileRole {
    /// People get one of these.
    Person,
    /// API-only accounts get the first of these.
    Integration,
    /// Full administration.
    Administrator,
    /// Nobody has it at the moment.
    Spare,
}

const fn profile(
    name: &'static str,
    license: &'static str,
    user_type: &'static str,
    role: ProfileRole,
) -> ProfileSpec {
    ProfileSpec { name, license, user_type, role }
}

/// Every profile, in row order.
pub(crate) const PROFILES: &[ProfileSpec] = &[
    profile("System Administrator", "SFDC", "Standard", ProfileRole::Administrator),
    profile("Sales Representative", "SFDC", "Standard", ProfileRole::Person),
    profile("Sales Manager", "SFDC", "Standard", ProfileRole::Person),
    profile("Service Agent", "SFDC", "Standard", ProfileRole::Person),
    profile("Marketing User", "SFDC", "Standard", ProfileRole::Person),
    profile("Finance, Legal & \"Special\" Projects", "SFDC", "Standard", ProfileRole::Person),
    profile("Standard User", "SFDC", "Standard", ProfileRole::Spare),
    profile("Read Only", "SFDC", "Standard", ProfileRole::Spare),
    profile("Contract Manager", "SFDC", "Standard", ProfileRole::Spare),
    profile("Solution Manager", "SFDC", "Standard", ProfileRole::Spare),
    profile("Minimum Access - Salesforce", "SFDC", "Standard", ProfileRole::Spare),
    profile("Legacy API Integration", "SFDC", "Standard", ProfileRole::Integration),
    profile("Standard Platform User", "AUL", "Standard", ProfileRole::Person),
    profile("HR Self-Service", "AUL", "Standard", ProfileRole::Person),
    profile("Warehouse", "AUL", "Standard", ProfileRole::Person),
    profile("Platform API Integration", "AUL", "Standard", ProfileRole::Integration),
    profile("Chatter Free User", "PID_CHATTER", "CsnOnly", ProfileRole::Person),
    profile("Chatter Moderator User", "PID_CHATTER", "CsnOnly", ProfileRole::Spare),
    profile(
        "Customer Community User",
        "PID_Customer_Community",
        "CspLitePortal",
        ProfileRole::Person,
    ),
    profile(
        "Customer Community Login User",
        "PID_Customer_Community_Login",
        "CspLitePortal",
        ProfileRole::Person,
    ),
    profile("Partner Community User", "PID_Partner_Community", "PowerPartner", ProfileRole::Person),
    profile(
        "Minimum Access - API Only Integrations",
        "SALESFORCE_INTEGRATION_USER",
        "Standard",
        ProfileRole::Integration,
    ),
    profile("Help Center Profile", "PID_Guest_User", "Guest", ProfileRole::Person),
    profile(
        "Analytics Cloud Integration User",
        "INSIGHTS_INTEGRATION_USER",
        "Standard",
        ProfileRole::Integration,
    ),
    profile(
        "Analytics Cloud Security User",
        "INSIGHTS_INTEGRATION_USER",
        "Standard",
        ProfileRole::Spare,
    ),
    profile("Identity User", "PID_Identity_User", "Standard", ProfileRole::Spare),
    profile(
        "High Volume Customer Portal User",
        "PID_High_Volume_Customer_Portal",
        "CspLitePortal",
        ProfileRole::Spare,
    ),
    profile("Gold Partner User", "PID_STRATEGIC_PRM", "PowerPartner", ProfileRole::Spare),
    profile("Silver Partner User", "PID_SILVER_PRM", "PowerPartner", ProfileRole::Spare),
    profile(
        "Customer Portal Manager Standard",
        "PID_Customer_Portal_Basic",
        "PowerCustomerSuccess",
        ProfileRole::Spare,
    ),
    profile(
        "Customer Portal Manager Custom",
        "PID_Customer_Portal_Standard",
        "PowerCustomerSuccess",
        ProfileRole::Spare,
    ),
    profile("Force.com - Free User", "PID_FDC_FREE", "Standard", ProfileRole::Spare),
    profile("Chatter External User", "PID_Chatter_External", "CsnOnly", ProfileRole::Spare),
];

/// The profiles of a licence with this role, in row order.
pub(crate) fn profiles(license: LicenseIndex, role: ProfileRole) -> Vec<ProfileIndex> {
    let key = LICENSES[license].key;
    (0..PROFILES.len())
        .filter(|&at| PROFILES[at].license == key && PROFILES[at].role == role)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_are_unique_though_one_name_is_not() {
        let keys: HashSet<&str> = LICENSES.iter().map(|license| license.key).collect();
        assert_eq!(keys.len(), LICENSES.len());
        let twins: Vec<bool> = LICENSES
            .iter()
            .filter(|l| l.name == "High Volume Customer Portal")
            .map(|l| l.enabled)
            .collect();
        assert_eq!(twins, [true, false]);
    }

    #[test]
    fn every_profile_names_a_licence_and_fits_its_columns() {
        for profile in PROFILES {
            assert!(LICENSES[license(profile.license)].name.len() <= 40);
            assert!(LICENSES[license(profile.license)].key.len() <= 40);
        }
    }
}
