//! What conditions of rules are evaluated by.

use crate::inputs::RuleSettings;
use crate::seats::Account;
use crate::time::DAY_MS;

/// What conditions are evaluated by.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a RuleSettings,
    pub(crate) as_of_ms: i64,
    /// The oldest use that was read.
    pub(crate) covered_from: Option<i64>,
    /// How far back the vendor keeps uses, in days.
    pub(crate) retention_days: u32,
    /// Whether an empty last login means that there was none.
    pub(crate) last_login_shown: bool,
    pub(crate) tier_objects: Vec<String>,
}

/// The oldest use of an organization is seldom as old as the vendor would keep it.
const RETENTION_SLACK_DAYS: u32 = 7;

impl Context<'_> {
    /// Whether uses were read for this many days.
    pub(crate) fn covers(&self, days: u32) -> bool {
        // A first use on the day after still leaves no room for more.
        let since = self.as_of_ms - i64::from(days.saturating_sub(1)) * DAY_MS;
        self.covered_from.is_some_and(|from| from <= since)
    }

    /// Whether all uses of an account were read that the vendor can have: since it was created, or
    /// for as long as the vendor keeps them.
    pub(crate) fn covers_account(&self, created_at: Option<i64>) -> bool {
        let since_creation =
            self.covered_from.zip(created_at).is_some_and(|(from, created)| from <= created);
        since_creation || self.covers(self.retention_days.saturating_sub(RETENTION_SLACK_DAYS))
    }

    /// Whether an account's last login may have been a machine's that was not read: the vendor
    /// may still have the use, and it lies before the uses that were read.
    pub(crate) fn may_be_machine(&self, account: &Account) -> bool {
        let unrecorded = account.human_at.is_none() && account.machine_at.is_none();
        let kept_since = self.as_of_ms - i64::from(self.retention_days) * DAY_MS;
        unrecorded
            && account.last_login_at.is_some_and(|at| at >= kept_since)
            && !self.covers_account(account.created_at)
    }
}

/// Whether a key is in the connector's list of licences that cost nothing.
pub(crate) fn is_free(free: &[String], key: &str) -> bool {
    free.iter().any(|free| free.eq_ignore_ascii_case(key))
}
