//! The org itself: its population and everything that follows from it.

mod accounts;
mod apps;
pub(crate) mod catalog;
mod editor;
mod edits;
mod elsewhere;
mod entitlements;
mod event_log;
mod grants;
mod login_fields;
mod logins;
mod metrics;
mod names;
mod networks;
mod permission_sets;
mod population;
mod rules;
mod security;
mod setup;
mod stored;
mod table;
mod truth;
mod users;

pub use editor::{EditError, Editor};
pub use elsewhere::Elsewhere;
pub use rules::{Case, RuleTruth};
pub(crate) use stored::{StoredRow, StoredTable};
pub(crate) use table::{Reader, Row};
pub use truth::{LicenseTruth, Truth};

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::clock;
use crate::id::Id;
use crate::person::Person;
use crate::random;
use crate::schema::{ObjectIndex, Schema};
use accounts::Accounts;
use edits::Edits;
use logins::Logins;
use population::Population;
use table::Source;
use users::UserRow;

/// What an estate is made from. Two estates of equal specs are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EstateSpec {
    /// Decides every value; another seed gives another org of the same shape.
    pub seed: u64,
    /// How many rows `User` has; raised to 10 if smaller.
    pub users: u64,
    /// About how many `LoginHistory` rows there are per user. Even at 0 there are as many as the seat classes need.
    pub logins_per_user: u32,
    /// The instant at which the org is looked at: all data ends here, and login history begins 179 days before.
    pub now: DateTime<Utc>,
    /// My Domain name, such as `acme`.
    pub my_domain: String,
    /// `Organization.IsSandbox`.
    pub is_sandbox: bool,
}

impl Default for EstateSpec {
    /// A production org of 200 users called `acme`, as of now.
    fn default() -> Self {
        Self {
            seed: 1,
            users: 200,
            logins_per_user: 12,
            now: Utc::now(),
            my_domain: "acme".to_owned(),
            is_sandbox: false,
        }
    }
}

/// The records of one org. Rows of large objects are computed when they are read, so a copy costs next to nothing.
#[derive(Debug, Clone)]
pub struct Estate {
    spec: EstateSpec,
    /// `spec.now` in whole seconds.
    now: i64,
    /// The instant the org is looked at; `now` until it is moved on.
    as_of: i64,
    /// How many logins there were since `now`.
    later_logins: u64,
    /// The first row of `LoginHistory` that is still kept.
    first_login: u64,
    /// For how long, in seconds, some of the later logins are not to be seen yet.
    login_delay: i64,
    organization: Id,
    pod: [u8; 2],
    /// Key prefix and number of the first row, by object name.
    id_space: Arc<HashMap<&'static str, ([u8; 3], u64)>>,
    population: Arc<Population>,
    logins: Arc<Logins>,
    accounts: Accounts,
    /// How many roles there are.
    roles: u64,
    /// By position in the schema.
    sources: Arc<Vec<Source>>,
    /// What was changed since.
    edits: Arc<Edits>,
}

impl Estate {
    /// Makes the org. The work does not depend on the number of users.
    pub fn new(spec: EstateSpec) -> Self {
        let schema = Schema::get();
        let now = spec.now.timestamp();
        let seed = spec.seed;
        let id_space = schema.objects.iter().enumerate().map(|(at, object)| {
            let first = 62_u64.pow(6) + random::below(seed, 0x01, at as u64, 62_u64.pow(7));
            (object.name.as_str(), (object.prefix(), first))
        });
        let population = Population::new(spec.users, seed);
        let mut estate = Self {
            now,
            as_of: now,
            later_logins: 0,
            first_login: 0,
            login_delay: 0,
            pod: pod(seed, spec.is_sandbox),
            id_space: Arc::new(id_space.collect()),
            logins: Arc::new(Logins::new(&population, spec.logins_per_user, seed, now)),
            accounts: Accounts::new(&population),
            roles: setup::role_count(population.users),
            organization: Id::new(*b"00D", *b"00", 0),
            sources: Arc::default(),
            edits: Arc::default(),
            population: Arc::new(population),
            spec,
        };
        estate.organization = estate.id("Organization", 0);
        estate.sources = Arc::new(table::sources(&estate));
        estate
    }

    /// What the estate was made from.
    pub fn spec(&self) -> &EstateSpec {
        &self.spec
    }

    /// The org's id in its 18-character form.
    pub fn organization_id(&self) -> String {
        self.organization.to_string()
    }

    /// The same org later: rows past their retention are gone, dates such as `TODAY` mean the new instant, and people
    /// and integrations logged in during `working`, the part of the time that counts as spent at work.
    pub fn at(&self, as_of: DateTime<Utc>, working: std::time::Duration) -> Self {
        let working = i64::try_from(working.as_secs()).unwrap_or(i64::MAX);
        let mut later = Self {
            as_of: as_of.timestamp().max(self.now),
            later_logins: self.logins.later(working),
            ..self.clone()
        };
        later.first_login = match later.as_of > later.now {
            true => later.first_login_at(later.as_of - table::LOGINS_KEPT),
            // A history made for "now" is shorter than the platform keeps it.
            false => 0,
        };
        later
    }

    /// The same org, in which every seventh of the later logins shows up `by` after its `LoginTime` only.
    pub fn delay_logins(&self, by: std::time::Duration) -> Self {
        Self { login_delay: i64::try_from(by.as_secs()).unwrap_or(i64::MAX), ..self.clone() }
    }

    /// The same org after some changes, which are stamped with `at` where nothing else is said.
    ///
    /// # Errors
    /// What `change` answers.
    pub fn edit<T>(
        &self,
        at: DateTime<Utc>,
        change: impl FnOnce(&mut Editor) -> Result<T, EditError>,
    ) -> Result<(Self, T), EditError> {
        let mut editor = Editor::new(self.clone(), at.timestamp());
        let made = change(&mut editor)?;
        Ok((editor.finish(), made))
    }

    /// How many rows an object has, without deleted ones; `None` for an object the estate does not hold.
    pub fn count(&self, object: &str) -> Option<u64> {
        Some(self.shown(Schema::get().find(object)?, false))
    }

    /// The connector's user: an ordinary active System Administrator.
    pub fn admin(&self) -> Person {
        self.person(population::ADMIN)
    }

    /// The user who logs in with this name, in any case.
    pub fn person_by_username(&self, username: &str) -> Option<Person> {
        let local = username.split('@').next()?;
        let row = match local.to_ascii_lowercase().as_str() {
            "admin" => population::ADMIN,
            "autoproc" => population::AUTOMATED_PROCESS,
            "cloud" => 1,
            "automatedclean" => 2,
            other => other.rsplit('.').next()?.parse().ok()?,
        };
        let known = row < self.population.users
            && UserRow::read(self, row).username(self).eq_ignore_ascii_case(username);
        known.then(|| self.person(row))
    }

    /// The user with this id, in its 15 or 18 character form.
    pub fn person_by_id(&self, id: &str) -> Option<Person> {
        let (object, row) = self.locate(Id::parse(id)?, false)?;
        (Schema::get().objects[object].name == "User").then(|| self.person(row))
    }

    fn person(&self, row: u64) -> Person {
        let user = UserRow::read(self, row);
        let profile = user.profile();
        let (time_zone, locale) = user.zone_and_locale(self);
        Person {
            user_id: self.id("User", row).to_string(),
            organization_id: self.organization_id(),
            username: user.username(self),
            name: user.name().into_owned(),
            email: user.email(self),
            nickname: user.nickname(),
            first_name: user.first_name().map(str::to_owned),
            last_name: user.last_name().to_owned(),
            user_type: user.user_type().to_owned(),
            time_zone: time_zone.to_owned(),
            language: "en_US".to_owned(),
            locale: locale.to_owned(),
            is_active: user.is_active(),
            is_frozen: user.is_frozen(self),
            profile_id: user.profile_id(self).to_string(),
            profile_name: profile.map(|profile| catalog::PROFILES[profile].name.to_owned()),
            updated_at: clock::to_utc(user.modified_at(self)),
        }
    }

    /// The content of the event log file in this row.
    pub(crate) fn event_log(&self, row: u64) -> Option<String> {
        event_log::content(self, row)
    }

    /// The id of a row.
    pub(crate) fn id(&self, object: &str, row: u64) -> Id {
        let (prefix, first) = self.id_space[object];
        Id::new(prefix, self.pod, first + row)
    }

    /// An id of an object the estate does not hold.
    pub(crate) fn foreign_id(&self, prefix: [u8; 3], number: u64) -> Id {
        Id::new(prefix, self.pod, 62_u64.pow(6) + number)
    }

    /// The object and row an id belongs to.
    pub(crate) fn locate(&self, id: Id, with_deleted: bool) -> Option<(ObjectIndex, u64)> {
        let schema = Schema::get();
        let object = schema.by_prefix(id.prefix())?;
        let first = self.id_space[schema.objects[object].name.as_str()].1;
        let row = id.number()?.checked_sub(first)?;
        (id.pod() == self.pod && self.shows(object, row, with_deleted)).then_some((object, row))
    }

    /// How many rows of `object` have an id before `id`, or not after it.
    pub(crate) fn rows_before(&self, object: ObjectIndex, id: Id, including: bool) -> u64 {
        let len = self.physical(object);
        let name = Schema::get().objects[object].name.as_str();
        let (mut low, mut high) = (0, len);
        while low < high {
            let middle = low + (high - low) / 2;
            let at = self.id(name, middle);
            if at < id || (including && at == id) { low = middle + 1 } else { high = middle }
        }
        low
    }

    pub(crate) fn seed(&self) -> u64 {
        self.spec.seed
    }

    /// The instant the org is looked at, in seconds.
    pub(crate) fn present(&self) -> i64 {
        self.as_of
    }

    /// Number of rows that ever were, whether or not anybody sees them; row numbers lie below it.
    pub(crate) fn physical(&self, object: ObjectIndex) -> u64 {
        self.base_len(object, true) + self.edits.added(object)
    }

    /// Rows that may be seen. Inside it some are missing if [`has_gaps`](Self::has_gaps).
    pub(crate) fn range(&self, object: ObjectIndex, with_deleted: bool) -> Range<u64> {
        let end = match self.edits.added(object) {
            0 => self.base_len(object, with_deleted),
            _ => self.physical(object),
        };
        self.first_kept(object).min(end)..end
    }

    /// Whether rows inside [`range`](Self::range) are missing.
    pub(crate) fn has_gaps(&self, object: ObjectIndex) -> bool {
        self.edits.touches(object) || (self.login_delay > 0 && self.holds_logins(object))
    }

    /// Whether a row can be seen.
    pub(crate) fn shows(&self, object: ObjectIndex, row: u64, with_deleted: bool) -> bool {
        let in_bin = (self.base_len(object, false)..self.base_len(object, true)).contains(&row);
        self.range(object, with_deleted).contains(&row)
            && (with_deleted || !in_bin)
            && !self.edits.hides(object, row, with_deleted)
            && !self.is_delayed(object, row)
    }

    /// Whether a login was not written down yet.
    fn is_delayed(&self, object: ObjectIndex, row: u64) -> bool {
        self.login_delay > 0
            && self.holds_logins(object)
            && row.checked_sub(self.logins.len()).is_some_and(|later| {
                later % 7 == 3 && self.logins.later_at(later) > self.as_of - self.login_delay
            })
    }

    /// Whether a row was removed for good.
    pub(crate) fn is_removed(&self, object: ObjectIndex, row: u64) -> bool {
        self.edits.hides(object, row, true)
    }

    /// How many rows can be seen.
    pub(crate) fn shown(&self, object: ObjectIndex, with_deleted: bool) -> u64 {
        let range = self.range(object, with_deleted);
        let all = range.end - range.start;
        if !self.has_gaps(object) {
            return all;
        }
        let in_bin = match with_deleted || self.edits.added(object) == 0 {
            true => 0,
            false => self.base_len(object, true) - self.base_len(object, false),
        };
        let hidden = self.edits.hidden(object, with_deleted);
        let delayed = match self.holds_logins(object) {
            true => {
                let first = self.as_of.saturating_sub(self.login_delay);
                let first = self.first_login_at(first).max(range.start);
                (first..range.end).filter(|row| self.is_delayed(object, *row)).count() as u64
            }
            false => 0,
        };
        all - in_bin - delayed - hidden.filter(|row| range.contains(row)).count() as u64
    }
}

/// The two characters that real ids use for the server they were made on.
fn pod(seed: u64, is_sandbox: bool) -> [u8; 2] {
    let letters = b"dfghjknpqrtvwx";
    let letter = letters[random::below(seed, 0x02, 0, letters.len() as u64) as usize];
    [letter, if is_sandbox { b'S' } else { b'M' }]
}
