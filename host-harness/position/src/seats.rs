//! The class of each seat, and how many seats of a pool are in each.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::model::{Family, PoolKey, Thresholds, UnknownBecause};
use crate::tables::db::AnalysisDb;
use crate::time::DAY_MS;

/// The five classes of a seat held by an active account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Active,
    Unknown(Because),
    MachineOnly,
    Never,
    Inactive,
}

/// Why a class is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    NotReadable,
    NewAccount,
    Contradiction,
}

/// What is known of an account; instants in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    pub(crate) created_at: Option<i64>,
    pub(crate) last_login_at: Option<i64>,
    /// `None` if it was not shown.
    pub(crate) is_service: Option<bool>,
    /// The last use by a person.
    pub(crate) human_at: Option<i64>,
    /// The last use by a machine.
    pub(crate) machine_at: Option<i64>,
}

/// A last login this much newer than every use that was read is another use.
const SAME_LOGIN_MS: i64 = 60_000;

impl Account {
    /// Whether the last login is newer than every use that was read: a use that was not seen.
    pub(crate) fn has_unread_login(&self) -> bool {
        let last_use = self.human_at.max(self.machine_at);
        self.last_login_at
            .zip(last_use)
            .is_some_and(|(login, used)| login > used.saturating_add(SAME_LOGIN_MS))
    }
}

/// What the classes of one family's seats are decided by; instants in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Whether the uses of everybody were read.
    pub(crate) activity_readable: bool,
    /// Whether an empty last login means that there was none.
    pub(crate) last_login_shown: bool,
    /// A use from here on makes a seat active.
    pub(crate) active_since: i64,
    /// An account created from here on is new.
    pub(crate) new_since: i64,
    /// The oldest use that was read.
    pub(crate) covered_from: Option<i64>,
}

impl Rules {
    pub(crate) fn new(as_of_ms: i64, thresholds: Thresholds) -> Rules {
        let back = |days: u32| as_of_ms.saturating_sub(i64::from(days) * DAY_MS);
        Rules {
            activity_readable: true,
            last_login_shown: true,
            active_since: back(thresholds.active_days),
            new_since: back(thresholds.grace_days),
            covered_from: None,
        }
    }

    /// Whether uses were seen for less time than the threshold asks for.
    pub(crate) fn covers_too_little(&self) -> bool {
        self.covered_from.is_none_or(|from| from > self.active_since)
    }

    /// The class of a seat, and whether it rests on weak evidence: the last-login field, which does
    /// not tell a person from a machine.
    ///
    /// The tests and their order are: **active**, used by a person since `active_since`;
    /// **unknown**, uses are not readable or the account is new; **machine only**, a service
    /// account, or used by machines and by no person in the time covered; **never**, no last login
    /// and no use; **inactive**, the rest. Both limits count as within.
    ///
    /// Where uses are not readable, nothing is concluded from the last login either. Where they
    /// are, it replaces the time before the oldest of them. An account whose last login is
    /// recent and later than all its recorded uses contradicts itself (it was used while the data
    /// was read, or uses are missing), and an account of unknown age may be new: both are unknown,
    /// because a seat should rather be kept than taken from someone who uses it.
    pub(crate) fn classify(&self, account: &Account) -> (Class, bool) {
        if !self.activity_readable {
            return (Class::Unknown(Because::NotReadable), false);
        }
        if account.human_at.is_some_and(|at| at >= self.active_since) {
            return (Class::Active, false);
        }
        let recent_login = account.last_login_at.filter(|at| *at >= self.active_since);
        let before_coverage = |at: i64| self.covered_from.is_none_or(|from| at < from);
        if recent_login.is_some_and(before_coverage) {
            return (Class::Active, true);
        }
        if account.created_at.is_none_or(|at| at >= self.new_since) {
            return (Class::Unknown(Because::NewAccount), false);
        }
        let service = account.is_service == Some(true);
        if service || (account.machine_at.is_some() && account.human_at.is_none()) {
            // A person may have used it before the uses that were read.
            return match self.covers_too_little() {
                true => (Class::Unknown(Because::NotReadable), false),
                false => (Class::MachineOnly, false),
            };
        }
        if account.is_service.is_none() {
            return (Class::Unknown(Because::NotReadable), false);
        }
        let last_use = account.human_at.max(account.machine_at);
        if recent_login.is_some() && last_use.is_none_or(|at| at < self.active_since) {
            return (Class::Unknown(Because::Contradiction), false);
        }
        match (account.last_login_at, last_use) {
            (None, None) if self.last_login_shown => (Class::Never, false),
            (None, None) => (Class::Unknown(Because::NotReadable), false),
            (Some(_), None) => (Class::Inactive, true),
            (_, Some(_)) => (Class::Inactive, account.has_unread_login()),
        }
    }
}

/// The seats of one pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Held by active accounts, counted apart from the classes.
    pub(crate) holders: i64,
    pub(crate) active: i64,
    pub(crate) inactive: i64,
    pub(crate) never: i64,
    pub(crate) machine_only: i64,
    pub(crate) unknown: i64,
    pub(crate) unknown_because: UnknownBecause,
    /// Classes that rest on weak evidence.
    pub(crate) weak: i64,
    /// Held by inactive accounts.
    pub(crate) held_by_inactive: i64,
    /// Held by accounts that were not shown.
    pub(crate) held_by_unlisted: i64,
    /// Held by accounts of which it was not shown whether they are active.
    pub(crate) undecided: i64,
}

impl Tally {
    fn add(&mut self, (class, weak): (Class, bool)) {
        let because = &mut self.unknown_because;
        match class {
            Class::Active => self.active += 1,
            Class::MachineOnly => self.machine_only += 1,
            Class::Never => self.never += 1,
            Class::Inactive => self.inactive += 1,
            Class::Unknown(reason) => {
                self.unknown += 1;
                match reason {
                    Because::NotReadable => because.not_readable += 1,
                    Because::NewAccount => because.new_account += 1,
                    Because::Contradiction => because.contradiction += 1,
                }
            }
        }
        self.weak += i64::from(weak);
    }
}

/// Seats by family and pool.
pub(crate) type Census = BTreeMap<PoolKey, Tally>;

/// What is known of one seat and who holds it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SeatFacts {
    /// The holder's number.
    pub(crate) person_no: i64,
    /// Whether the holder's account was shown at all.
    pub(crate) listed: bool,
    pub(crate) is_active: Option<bool>,
    pub(crate) account: Account,
    /// On how many days of the window a person used the account.
    pub(crate) human_days: Option<i64>,
    pub(crate) is_internal: Option<bool>,
    pub(crate) frozen: bool,
    pub(crate) frozen_since: Option<i64>,
    pub(crate) activated_at: Option<i64>,
    /// See [`crate::tables::derive`].
    pub(crate) flags: i64,
    /// Whether the holder has a set of rights that works with this licence.
    pub(crate) consumed: Option<bool>,
}

/// Reads all seats, pool by pool.
///
/// # Errors
/// When the canonical tables cannot be read, or `each` fails.
pub(crate) fn scan(
    db: &AnalysisDb,
    mut each: impl FnMut(&PoolKey, &SeatFacts) -> Result<(), Error>,
) -> Result<(), Error> {
    let by_family: bool =
        db.connection.query_row("SELECT EXISTS(SELECT 1 FROM activity)", [], |row| row.get(0))?;
    let (columns, join) = if by_family {
        (
            "COALESCE(MAX(q.human_at, f.human_at), q.human_at, f.human_at),
             COALESCE(MAX(q.machine_at, f.machine_at), q.machine_at, f.machine_at)",
            "LEFT JOIN activity f ON f.person_no = q.no
                 AND f.family = (SELECT family FROM pool WHERE no = s.pool_no)",
        )
    } else {
        ("q.human_at, q.machine_at", "")
    };
    let pools: std::collections::HashMap<i64, PoolKey> = db
        .connection
        .prepare("SELECT no, family, license_id FROM pool")?
        .query_map([], |row| {
            Ok((row.get(0)?, (Family::from(row.get_ref(1)?.as_str()?), row.get(2)?)))
        })?
        .collect::<Result<_, _>>()?;
    let mut statement = db.connection.prepare(&format!(
        "SELECT s.pool_no, q.no, q.listed, q.is_active, q.created_at, q.last_login_at,
                q.is_service <> 0, {columns}, q.human_days, q.is_internal, q.frozen,
                q.frozen_since, q.activated_at, q.flags, s.consumed
         FROM seat s CROSS JOIN person q ON q.no = s.person_no {join}
         ORDER BY s.pool_no, s.person_no"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(pool) = pools.get(&row.get(0)?) else { continue };
        let facts = SeatFacts {
            person_no: row.get(1)?,
            listed: row.get(2)?,
            is_active: row.get(3)?,
            account: Account {
                created_at: row.get(4)?,
                last_login_at: row.get(5)?,
                is_service: row.get(6)?,
                human_at: row.get(7)?,
                machine_at: row.get(8)?,
            },
            human_days: row.get(9)?,
            is_internal: row.get(10)?,
            frozen: row.get(11)?,
            frozen_since: row.get(12)?,
            activated_at: row.get(13)?,
            flags: row.get(14)?,
            consumed: row.get(15)?,
        };
        each(pool, &facts)?;
    }
    Ok(())
}

/// Counts and classifies all seats, in one pass over them; `each` sees every seat with its class.
///
/// # Errors
/// When the canonical tables cannot be read.
pub(crate) fn count(
    db: &AnalysisDb,
    rules: impl Fn(&Family) -> Rules,
    mut each: impl FnMut(&PoolKey, &SeatFacts, Option<(Class, bool)>) -> Result<(), Error>,
) -> Result<Census, Error> {
    let mut census = Census::new();
    let mut current: Option<(PoolKey, Rules, Tally)> = None;
    scan(db, |pool, facts| {
        if current.as_ref().is_none_or(|(known, ..)| known != pool) {
            let next = (pool.clone(), rules(&pool.0), Tally::default());
            if let Some((key, _, tally)) = current.replace(next) {
                census.insert(key, tally);
            }
        }
        let Some((_, rules, tally)) = current.as_mut() else { return Ok(()) };
        let mut class = None;
        match (facts.listed, facts.is_active) {
            (false, _) => tally.held_by_unlisted += 1,
            (true, None) => tally.undecided += 1,
            (true, Some(false)) => tally.held_by_inactive += 1,
            (true, Some(true)) => {
                let found = rules.classify(&facts.account);
                tally.add(found);
                class = Some(found);
            }
        }
        each(pool, facts, class)
    })?;
    census.extend(current.map(|(key, _, tally)| (key, tally)));
    count_holders(db, &mut census)?;
    Ok(census)
}

/// The other way to the same number, for the check that the classes sum to it: as counted when the
/// tables were made.
fn count_holders(db: &AnalysisDb, census: &mut Census) -> Result<(), Error> {
    let mut statement = db.connection.prepare("SELECT family, license_id, holders FROM pool")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        census
            .entry((
                Family::from(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?),
                row.get(1)?,
            ))
            .or_default()
            .holders = row.get(2)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000 * DAY_MS;

    fn days_ago(days: i64) -> Option<i64> {
        Some(NOW - days * DAY_MS)
    }

    /// Uses were read as far back as 180 days.
    fn rules() -> Rules {
        Rules { covered_from: days_ago(180), ..Rules::new(NOW, Thresholds::default()) }
    }

    fn old() -> Account {
        Account { created_at: days_ago(400), is_service: Some(false), ..Account::default() }
    }

    fn class(account: Account) -> Class {
        rules().classify(&account).0
    }

    #[test]
    fn a_person_is_active_up_to_and_on_the_last_day_of_the_threshold() {
        let used = |at| Account { human_at: at, last_login_at: at, ..old() };
        assert_eq!(class(used(days_ago(0))), Class::Active);
        assert_eq!(class(used(days_ago(90))), Class::Active);
        assert_eq!(class(used(days_ago(90).map(|at| at - 1))), Class::Inactive);
    }

    #[test]
    fn a_new_account_is_unknown_up_to_and_on_the_last_day_of_grace() {
        let created = |at| Account { created_at: at, ..old() };
        let new = Class::Unknown(Because::NewAccount);
        assert_eq!(class(created(days_ago(3))), new);
        assert_eq!(class(created(days_ago(30))), new);
        assert_eq!(class(created(days_ago(30).map(|at| at - 1))), Class::Never);
        assert_eq!(class(created(None)), new, "an account of unknown age may be new");
    }

    #[test]
    fn a_new_account_that_a_person_uses_is_active_whatever_its_age() {
        let account =
            Account { created_at: days_ago(1), human_at: days_ago(0), ..Account::default() };
        assert_eq!(class(account), Class::Active);
    }

    #[test]
    fn machines_without_a_person_make_machine_only_and_so_does_a_service_account() {
        let machine = Account { machine_at: days_ago(1), last_login_at: days_ago(1), ..old() };
        assert_eq!(class(machine), Class::MachineOnly);
        assert_eq!(class(Account { machine_at: days_ago(170), ..machine }), Class::MachineOnly);
        assert_eq!(class(Account { is_service: Some(true), ..old() }), Class::MachineOnly);
        assert_eq!(
            class(Account { human_at: days_ago(120), ..machine }),
            Class::Inactive,
            "a person used it within the time covered"
        );
        assert_eq!(
            class(Account { is_service: Some(true), created_at: days_ago(3), ..machine }),
            Class::Unknown(Because::NewAccount),
            "grace comes first"
        );
        assert_eq!(
            class(Account { is_service: Some(true), human_at: days_ago(3), ..old() }),
            Class::Active,
            "a person uses it"
        );
    }

    #[test]
    fn never_needs_both_an_empty_last_login_and_no_use() {
        assert_eq!(class(old()), Class::Never);
        assert_eq!(class(Account { human_at: days_ago(120), ..old() }), Class::Inactive);
        assert_eq!(class(Account { last_login_at: days_ago(300), ..old() }), Class::Inactive);
    }

    #[test]
    fn a_last_login_from_before_the_uses_that_were_read_is_weak_evidence() {
        let short = Rules { covered_from: days_ago(20), ..rules() };
        assert!(short.covers_too_little() && !rules().covers_too_little());
        let logged_in = |at| Account { last_login_at: at, ..old() };
        assert_eq!(short.classify(&logged_in(days_ago(60))), (Class::Active, true));
        assert_eq!(short.classify(&logged_in(days_ago(100))), (Class::Inactive, true));
        assert_eq!(short.classify(&old()), (Class::Never, false));
        assert_eq!(rules().classify(&logged_in(days_ago(300))), (Class::Inactive, true));
    }

    #[test]
    fn a_recent_login_that_the_uses_do_not_show_is_a_contradiction_and_not_idleness() {
        let contradiction = Class::Unknown(Because::Contradiction);
        assert_eq!(class(Account { last_login_at: days_ago(2), ..old() }), contradiction);
        let account = Account { last_login_at: days_ago(2), human_at: days_ago(120), ..old() };
        assert_eq!(class(account), contradiction);
    }

    #[test]
    fn without_readable_uses_every_seat_is_unknown_even_one_that_never_logged_in() {
        let blind = Rules { activity_readable: false, ..rules() };
        let unknown = (Class::Unknown(Because::NotReadable), false);
        assert_eq!(blind.classify(&old()), unknown);
        assert_eq!(blind.classify(&Account { last_login_at: days_ago(1), ..old() }), unknown);
        assert_eq!(blind.classify(&Account { is_service: Some(true), ..old() }), unknown);
    }

    #[test]
    fn a_last_login_that_was_not_shown_does_not_mean_never() {
        let hidden = Rules { last_login_shown: false, ..rules() };
        assert_eq!(hidden.classify(&old()).0, Class::Unknown(Because::NotReadable));
        let used = Account { human_at: days_ago(120), ..old() };
        assert_eq!(hidden.classify(&used).0, Class::Inactive);
    }
}
