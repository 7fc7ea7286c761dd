//! The limits of classes and rules.

use serde::{Deserialize, Serialize};

use super::Thresholds;

/// The limits of the rules: section `[rules]` of `config.toml`, every key optional.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleSettings {
    /// Days within which a person's use makes a seat active.
    pub active_days: u32,
    /// Nothing is concluded from the silence of an account of at most this age, in days.
    pub grace_days: u32,
    /// R04: days an account must be frozen.
    pub frozen_days: u32,
    /// R05: the days looked at.
    pub sparse_window_days: u32,
    /// R05: most of these days with a use.
    pub sparse_most_days: u32,
    /// R12, R11: unassigned seats that are kept, in percent of what was bought.
    pub headroom_percent: f64,
    /// R12: days of lead time for which the net additions of the last 90 days are kept.
    pub lead_time_days: u32,
    /// R12: days whose highest count of assignments is needed.
    pub peak_days: u32,
    /// R12, R19: days over which net additions and pace are counted.
    pub pace_days: u32,
    /// R17: share of the month's logins, in percent.
    pub login_pool_percent: f64,
    /// R16, R17: percent of the month before which nothing is projected.
    pub login_pool_elapsed_percent: f64,
    /// R17: percent used below which nothing is projected.
    pub login_pool_used_percent: f64,
    /// R18: percent of the period before which nothing is projected.
    pub usage_elapsed_percent: f64,
    /// R18: percent used below which nothing is projected.
    pub usage_used_percent: f64,
    /// R19: share of the allowance, in percent.
    pub limit_percent: f64,
    /// R20: days within which a pool ends.
    pub expiry_days: u32,
    /// R20: days within which a contract's notice must be given.
    pub notice_days: u32,
    /// R22: days without a use.
    pub privilege_idle_days: u32,
    /// User names of service accounts; `*` matches any text.
    pub service_accounts: Vec<String>,
    /// R06: names of the objects that need the full licence, instead of the connector's list.
    pub tier_objects: Option<Vec<String>>,
    /// Ids of rules that are not to be run.
    pub off: Vec<String>,
}

impl Default for RuleSettings {
    fn default() -> RuleSettings {
        RuleSettings {
            active_days: 90,
            grace_days: 30,
            frozen_days: 14,
            sparse_window_days: 90,
            sparse_most_days: 2,
            headroom_percent: 5.0,
            lead_time_days: 30,
            peak_days: 365,
            pace_days: 90,
            login_pool_percent: 80.0,
            login_pool_elapsed_percent: 5.0,
            login_pool_used_percent: 10.0,
            usage_elapsed_percent: 5.0,
            usage_used_percent: 10.0,
            limit_percent: 80.0,
            expiry_days: 90,
            notice_days: 120,
            privilege_idle_days: 30,
            service_accounts: Vec::new(),
            tier_objects: None,
            off: Vec::new(),
        }
    }
}

impl RuleSettings {
    /// The limits the seat classes are told apart by.
    pub fn thresholds(&self) -> Thresholds {
        Thresholds { active_days: self.active_days, grace_days: self.grace_days }
    }
}
