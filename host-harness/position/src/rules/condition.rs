//! The conditions of rules about seats: each is true, false, or cannot be told.

use super::context::Context;
use crate::seats::{Because, Class, SeatFacts};
use crate::tables::derive;
use crate::time::DAY_MS;

/// One condition of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Active,
    Internal,
    Paid,
    NotService,
    NotFreeService,
    OlderThanGrace,
    OlderThanWindow,
    NotReactivated,
    NeverUsed,
    LoggedInOnce,
    Idle,
    InUse,
    MachineOnly,
    IsFrozen,
    FrozenLongEnough,
    WindowCovered,
    Sparse,
    InTier,
    ReadsNoTierObject,
    HasTwin,
    HasLeft,
    HasPrivilege,
    PrivilegeIdle,
    HolderGoneOrIdle,
    StaleHolder,
    NotConsumed,
    HolderGoneIdleOrPoolEnded,
}

/// What is known of the pool a seat belongs to.
#[derive(Clone, Debug, Default)]
pub(crate) struct PoolFacts {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) paid: bool,
    /// The pool's status is known and not `active`.
    pub(crate) ended: bool,
    pub(crate) is_tier: bool,
}

impl Condition {
    /// Whether it holds; none if that cannot be told.
    pub(crate) fn holds(
        self,
        context: &Context<'_>,
        pool: &PoolFacts,
        facts: &SeatFacts,
        class: Option<Class>,
    ) -> Option<bool> {
        use Condition::*;
        let settings = context.settings;
        let before = |at: Option<i64>, days: u32| {
            at.map(|at| at < context.as_of_ms - i64::from(days) * DAY_MS)
        };
        // Uses that are not readable, or contradict the last login, say nothing.
        let readable =
            !matches!(class, Some(Class::Unknown(Because::NotReadable | Because::Contradiction)));
        let may_be_machine = context.may_be_machine(&facts.account);
        let stale = match class {
            Some(Class::Unknown(_)) => None,
            Some(Class::Inactive) if may_be_machine => None,
            Some(class) => Some(matches!(class, Class::Inactive | Class::Never)),
            None => Some(false),
        };
        match self {
            Active => facts.is_active,
            Internal => facts.is_internal,
            Paid => Some(pool.paid),
            NotService => {
                let service = facts.account.is_service?;
                (!may_be_machine).then_some(!service && class != Some(Class::MachineOnly))
            }
            NotFreeService => Some(pool.paid),
            OlderThanGrace => before(facts.account.created_at, settings.grace_days),
            OlderThanWindow => before(facts.account.created_at, settings.sparse_window_days),
            NotReactivated => match facts.activated_at {
                None => Some(true),
                at => before(at, settings.grace_days),
            },
            NeverUsed => readable.then_some(class == Some(Class::Never)),
            LoggedInOnce => Some(facts.account.last_login_at.is_some()),
            Idle => readable.then_some(class == Some(Class::Inactive)),
            InUse => readable.then_some(class == Some(Class::Active)),
            MachineOnly => {
                let covered = context.covers_account(facts.account.created_at);
                (readable && covered).then_some(
                    class == Some(Class::MachineOnly)
                        && facts.account.machine_at.is_some()
                        && facts.account.human_at.is_none(),
                )
            }
            IsFrozen => Some(facts.frozen),
            FrozenLongEnough => before(facts.frozen_since, settings.frozen_days),
            WindowCovered => Some(context.covers(settings.sparse_window_days)),
            Sparse => readable.then(|| {
                facts
                    .human_days
                    .is_some_and(|days| (1..=i64::from(settings.sparse_most_days)).contains(&days))
            }),
            InTier => Some(pool.is_tier),
            ReadsNoTierObject => Some(facts.flags & derive::NEEDS_TIER == 0),
            HasTwin => Some(facts.flags & derive::TWIN != 0),
            HasLeft => Some(facts.flags & derive::LEFT != 0),
            HasPrivilege => Some(facts.flags & derive::PRIVILEGED != 0),
            PrivilegeIdle => {
                let last = facts
                    .account
                    .human_at
                    .max(facts.account.machine_at)
                    .max(facts.account.last_login_at);
                let known = last.is_some() || context.last_login_shown;
                (readable && known)
                    .then(|| before(last, settings.privilege_idle_days).unwrap_or(true))
            }
            HolderGoneOrIdle => match facts.is_active {
                Some(false) => Some(true),
                Some(true) => stale,
                None => None,
            },
            StaleHolder => stale,
            NotConsumed => facts.consumed.map(|consumed| !consumed),
            HolderGoneIdleOrPoolEnded => {
                if pool.ended {
                    return Some(true);
                }
                HolderGoneOrIdle.holds(context, pool, facts, class)
            }
        }
    }

    /// The condition in words, with its limit.
    pub(crate) fn words(self, context: &Context<'_>) -> String {
        use Condition::*;
        let settings = context.settings;
        match self {
            Active => "the account is active".into(),
            Internal => "the account is an employee's, not a customer's or the vendor's".into(),
            Paid => "the licence costs something".into(),
            NotService => "no service account, and not used by machines alone".into(),
            NotFreeService => "not on a licence for integrations".into(),
            OlderThanGrace => {
                format!("the account is more than {} days old", settings.grace_days)
            }
            OlderThanWindow => {
                format!("the account is more than {} days old", settings.sparse_window_days)
            }
            NotReactivated => {
                format!("not made active again in the last {} days", settings.grace_days)
            }
            NeverUsed => "no last login and no recorded use".into(),
            LoggedInOnce => "the last login is known".into(),
            Idle => format!("no use by a person in the last {} days", settings.active_days),
            InUse => format!("used by a person in the last {} days", settings.active_days),
            MachineOnly => "used by machines, and by no person in the time covered".into(),
            IsFrozen => "the account is frozen".into(),
            FrozenLongEnough => format!("frozen for more than {} days", settings.frozen_days),
            WindowCovered => {
                format!("uses of the last {} days were read", settings.sparse_window_days)
            }
            Sparse => format!(
                "used on at most {} of the last {} days",
                settings.sparse_most_days, settings.sparse_window_days
            ),
            InTier => "the licence has a lesser one".into(),
            ReadsNoTierObject => format!(
                "may read none of the objects that need it: {}",
                context.tier_objects.join(", ")
            ),
            HasTwin => "another active account has the same federation id or e-mail".into(),
            HasLeft => "the staff list says that the person has left".into(),
            HasPrivilege => "has a right over all data, all users or the code".into(),
            PrivilegeIdle => {
                format!("not used in the last {} days", settings.privilege_idle_days)
            }
            HolderGoneOrIdle => format!(
                "the holder is not active, or was not used by a person in {} days",
                settings.active_days
            ),
            StaleHolder => {
                format!("the holder was not used by a person in {} days", settings.active_days)
            }
            NotConsumed => "no permission set of the holder works with it".into(),
            HolderGoneIdleOrPoolEnded => format!(
                "the package's licence has ended, or the holder is not active or was not used by a person in {} days",
                settings.active_days
            ),
        }
    }
}
