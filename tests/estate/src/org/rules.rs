//! What rules about licence waste must find in the seed, and what they must leave alone.
//!
//! The rules are numbered R01 to R22. Those that need what no org holds stand in [`super::elsewhere`]: prices (R16), a
//! contract (R21), a list of staff (R15). Left out are records of business objects (R07); storage (R19) is no record.

use std::collections::HashSet;

use crate::clock::DAY;
use crate::org::catalog::{LICENSES, LicenseIndex};
use crate::org::logins::StreamKind;
use crate::org::population::{self, Era, Place, Usage};
use crate::org::table::Source;
use crate::org::users::{Double, FEATURES, UserRow};
use crate::org::{Estate, entitlements, permission_sets, setup};
use crate::schema::Schema;

/// Licences that come with an edition or cost nothing.
const COSTS_NOTHING: [&str; 8] = [
    "PID_CHATTER",
    "PID_Chatter_External",
    "PID_Identity_User",
    "PID_FDC_FREE",
    "SALESFORCE_INTEGRATION_USER",
    "CLOUD_INTEGRATION_USER",
    "INSIGHTS_INTEGRATION_USER",
    "PID_Guest_User",
];

/// One record and why a rule finds it, or why it must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its id, 18 characters.
    pub id: String,
    /// The reason, in words.
    pub reason: &'static str,
}

/// What one rule has to say about the records of one object, as of the instant the org was made for. Records in
/// neither list are left to judgement: newcomers within their grace period, or people near a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTruth {
    /// `R01` to `R22`.
    pub rule: &'static str,
    /// The object the ids belong to.
    pub object: &'static str,
    /// Records it must find.
    pub found: Vec<Case>,
    /// Records it must not find although something about them looks like it.
    pub silent: Vec<Case>,
}

impl RuleTruth {
    pub(crate) fn new(rule: &'static str, object: &'static str) -> Self {
        Self { rule, object, found: Vec::new(), silent: Vec::new() }
    }
}

/// Finds or spares rows of one object.
struct Verdicts<'e> {
    estate: &'e Estate,
    truth: RuleTruth,
}

impl<'e> Verdicts<'e> {
    fn new(estate: &'e Estate, rule: &'static str, object: &'static str) -> Self {
        Self { estate, truth: RuleTruth::new(rule, object) }
    }

    fn found(&mut self, row: u64, reason: &'static str) {
        let id = self.estate.id(self.truth.object, row).to_string();
        self.truth.found.push(Case { id, reason });
    }

    fn silent(&mut self, row: u64, reason: &'static str) {
        let id = self.estate.id(self.truth.object, row).to_string();
        self.truth.silent.push(Case { id, reason });
    }
}

/// One user, as far as rules look.
struct Seat {
    row: u64,
    key: &'static str,
    license: LicenseIndex,
    usage: Usage,
    era: Era,
    frozen: bool,
}

impl Seat {
    fn is_paid(&self) -> bool {
        LICENSES[self.license].sold_to_people && self.key != "PID_CHATTER"
    }

    fn is_internal(&self) -> bool {
        matches!(self.key, "SFDC" | "AUL")
    }

    fn is_stale(&self) -> bool {
        matches!(self.usage, Usage::Idle | Usage::LongIdle | Usage::Never)
    }

    fn works(&self) -> bool {
        matches!(self.usage, Usage::Heavy | Usage::Light)
    }
}

impl Estate {
    /// What each rule must find and must not find. The work grows with the number of users.
    pub fn rules(&self) -> Vec<RuleTruth> {
        let seats = self.seats();
        let mut rules = self.seat_rules(&seats);
        rules.extend([self.sparse(&seats), self.platform(&seats), self.features(&seats)]);
        rules.extend(self.permission_set_licenses());
        rules.push(self.package_seats());
        rules.extend(self.pools());
        rules.push(self.doubles(&seats));
        rules.push(self.usage());
        rules.extend(self.expiring());
        rules.push(self.privileged(&seats));
        rules
    }

    fn seat(&self, place: Place) -> Option<Seat> {
        let segment = self.population.segment(place);
        let license = segment.license?;
        Some(Seat {
            row: self.population.row(place),
            key: LICENSES[license].key,
            license,
            usage: segment.usage,
            era: self.population.regions[place.region].era,
            frozen: population::is_frozen(segment, place.offset),
        })
    }

    fn seats(&self) -> Vec<Seat> {
        let places = self.population.segments().flat_map(|(region, segment, _, found)| {
            (0..found.len()).map(move |offset| Place { region, segment, offset })
        });
        places.filter_map(|place| self.seat(place)).collect()
    }

    fn seat_of(&self, user: u64) -> Option<Seat> {
        self.seat(self.population.place(user))
    }

    /// R01 never used, R02 inactive, R03 machines on paid seats, R04 frozen.
    fn seat_rules(&self, seats: &[Seat]) -> Vec<RuleTruth> {
        let verdicts = |rule| Verdicts::new(self, rule, "User");
        let [mut never, mut idle, mut machine, mut frozen] =
            ["R01", "R02", "R03", "R04"].map(verdicts);
        let reactivated = setup::reactivated(self);
        for seat in seats {
            let Seat { row, usage, .. } = *seat;
            let hunted = seat.is_paid() && seat.is_internal();
            match usage {
                Usage::Never if Some(row) == reactivated => {
                    never.silent(row, "activated again some days ago, by the setup audit trail");
                }
                Usage::Never if hunted => {
                    never.found(row, "active, paid, older than 30 days, no login")
                }
                Usage::Never if LICENSES[seat.license].is_for_services() => {
                    never.silent(row, "a service account");
                }
                Usage::Never if !seat.is_paid() => never.silent(row, "the licence costs nothing"),
                Usage::Never => never.silent(row, "an external user"),
                Usage::Newcomer => never.silent(row, "younger than 30 days"),
                Usage::Idle | Usage::LongIdle if hunted => {
                    idle.found(row, "the last login is more than 90 days ago");
                }
                Usage::Idle | Usage::LongIdle => idle.silent(row, "external, or costs nothing"),
                Usage::Light => idle.silent(row, "logged in within 90 days"),
                Usage::Leaver | Usage::LongGone => idle.silent(row, "not active"),
                Usage::Machine if hunted => {
                    machine.found(row, "only machines log in on a paid seat");
                }
                Usage::Machine => machine.silent(row, "an integration licence"),
                Usage::Heavy => {}
            }
            if usage == Usage::Machine {
                idle.silent(row, "only machines log in");
            }
            match seat.frozen {
                true if !usage.is_active() => frozen.silent(row, "not active, so not billed"),
                true if !seat.is_paid() => frozen.silent(row, "the licence costs nothing"),
                true => match (self.now - UserRow::read(self, row).modified_at(self)) / DAY {
                    15.. => frozen.found(row, "frozen and still holding a paid seat"),
                    ..13 => frozen.silent(row, "frozen less than 14 days ago"),
                    _ => {}
                },
                false => {}
            }
        }
        [never, idle, machine, frozen].map(|verdicts| verdicts.truth).into()
    }

    /// R05: at most two days with a login in 90 days.
    fn sparse(&self, seats: &[Seat]) -> RuleTruth {
        let mut verdicts = Verdicts::new(self, "R05", "User");
        for seat in seats.iter().filter(|seat| seat.is_internal() && seat.usage == Usage::Light) {
            let age = self.now - self.population.created_at(seat.row, self.now);
            if age < 88 * DAY {
                verdicts.silent(seat.row, "younger than 90 days");
                continue;
            }
            // Whoever looks a day later, or in another time zone, must count the same.
            let (least, most) =
                (self.days_with_logins(seat.row, 88), self.days_with_logins(seat.row, 92));
            match age > 92 * DAY && most <= 2 && least >= 1 {
                true => verdicts.found(seat.row, "one or two days with a login in 90 days"),
                false if least > 2 => verdicts.silent(seat.row, "more than two days with a login"),
                false => {}
            }
        }
        verdicts.truth
    }

    /// Days with a login of a person within this many days.
    pub(crate) fn days_with_logins(&self, user: u64, days: i64) -> usize {
        let mut reader = crate::org::logins::LoginReader::default();
        let rows = self.logins.rows_of(&self.population, user);
        let at = rows.into_iter().filter_map(|row| {
            let login = reader.read(&self.logins, &self.population, row);
            (login.kind == StreamKind::Human && login.at >= self.now - days * DAY)
                .then(|| login.at.div_euclid(DAY))
        });
        at.collect::<HashSet<i64>>().len()
    }

    /// R06: a Salesforce licence without a right to read leads, opportunities or cases.
    fn platform(&self, seats: &[Seat]) -> RuleTruth {
        let mut verdicts = Verdicts::new(self, "R06", "User");
        let people = |seat: &&Seat| {
            seat.key == "SFDC" && seat.usage.is_active() && seat.usage != Usage::Newcomer
        };
        for seat in seats.iter().filter(people) {
            let profile = UserRow::read(self, seat.row).profile();
            if profile.is_none_or(permission_sets::profile_reads_crm) {
                continue;
            }
            if seat.era == Era::New {
                verdicts.silent(seat.row, "younger than 30 days: sets may come later");
                continue;
            }
            match self.sets_of(seat.row).flat_map(permission_sets::traits).any(|set| set.reads_crm)
            {
                true => verdicts.silent(seat.row, "a permission set or a group opens CRM objects"),
                false => verdicts.found(seat.row, "neither profile nor set opens CRM objects"),
            }
        }
        verdicts.truth
    }

    /// Rows of `PermissionSet` a user has, without that of the profile.
    fn sets_of(&self, user: u64) -> impl Iterator<Item = u64> + '_ {
        let object = Schema::get().index("PermissionSetAssignment");
        let grants = match &self.sources[object] {
            Source::Grants(grants, _) => Some(grants),
            _ => None,
        };
        grants.into_iter().flat_map(move |grants| {
            let rows = grants.rows_of(&self.population, user);
            rows.into_iter().map(|row| grants.read(self, row).target)
        })
    }

    /// User and target of every row of an assignment table.
    fn assignments(&self, object: &str) -> Vec<(u64, u64, u64)> {
        match &self.sources[Schema::get().index(object)] {
            Source::Grants(grants, _) => (0..grants.len())
                .map(|row| {
                    let grant = grants.read(self, row);
                    (row, grant.user, grant.target)
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// R08 idle permission set licences, R09 those that nothing uses.
    fn permission_set_licenses(&self) -> [RuleTruth; 2] {
        let object = "PermissionSetLicenseAssign";
        let mut idle = Verdicts::new(self, "R08", object);
        let mut unused = Verdicts::new(self, "R09", object);
        for (row, user, license) in self.assignments(object) {
            let Some(seat) = self.seat_of(user) else { continue };
            match seat.usage {
                Usage::Leaver | Usage::LongGone => idle.found(row, "the holder is not active"),
                _ if LICENSES[seat.license].is_for_services() => {}
                _ if seat.is_stale() => idle.found(row, "the holder does not log in"),
                Usage::Heavy | Usage::Light => idle.silent(row, "the holder logs in"),
                _ => {}
            }
            let uses = |set: &u64| {
                permission_sets::traits(*set)
                    .iter()
                    .any(|set| set.license == Some(license as usize))
            };
            let using: Vec<u64> = self.sets_of(user).filter(uses).collect();
            match using.as_slice() {
                [] => unused.found(row, "no permission set of the holder uses it"),
                sets if sets.iter().all(|set| permission_sets::is_of_group(*set)) => {
                    unused.silent(row, "a set inside a group uses it");
                }
                _ => unused.silent(row, "a permission set uses it"),
            }
        }
        [idle.truth, unused.truth]
    }

    /// R10: feature licences of people who do not log in.
    fn features(&self, seats: &[Seat]) -> RuleTruth {
        let mut verdicts = Verdicts::new(self, "R10", "User");
        for seat in seats.iter().filter(|seat| seat.usage.is_active()) {
            let user = UserRow::read(self, seat.row);
            if !FEATURES.iter().any(|&(.., modulus, remainder)| user.feature(modulus, remainder)) {
                continue;
            }
            if seat.is_stale() {
                verdicts.found(seat.row, "has a feature licence and does not log in");
            } else if seat.works() {
                verdicts.silent(seat.row, "has a feature licence and logs in");
            }
        }
        verdicts.truth
    }

    /// R11: seats of packages nobody uses.
    fn package_seats(&self) -> RuleTruth {
        let mut verdicts = Verdicts::new(self, "R11", "UserPackageLicense");
        for (row, user, package) in self.assignments("UserPackageLicense") {
            let Some(seat) = self.seat_of(user) else { continue };
            match (entitlements::package_state(package).0, seat.usage) {
                ("Expired", _) => verdicts.found(row, "the package's licence has ended"),
                (_, Usage::Leaver | Usage::LongGone) => {
                    verdicts.found(row, "the holder is not active");
                }
                _ if seat.is_stale() => verdicts.found(row, "the holder does not log in"),
                _ if seat.works() => verdicts.silent(row, "the holder logs in"),
                _ => {}
            }
        }
        verdicts.truth
    }

    /// R12 shelfware, R13 too few seats, R17 monthly logins nearly used up.
    fn pools(&self) -> [RuleTruth; 3] {
        let verdicts = |rule| Verdicts::new(self, rule, "UserLicense");
        let [mut shelf, mut over, mut logins] = ["R12", "R13", "R17"].map(verdicts);
        for (license, spec) in LICENSES.iter().enumerate() {
            let row = license as u64;
            let seats = self.license_truth(license);
            let paid = !COSTS_NOTHING.contains(&spec.key) && !spec.by_logins;
            if seats.used > seats.purchased {
                over.found(row, "more seats are used than were bought");
                shelf.silent(row, "no seat is left");
            } else if seats.used == seats.purchased {
                shelf.silent(row, "no seat is left");
                over.silent(row, "nothing was bought and nothing is used");
            } else {
                over.silent(row, "seats are left");
                if paid && seats.available * 10 > seats.purchased {
                    shelf.found(row, "more than a tenth of the seats lies unused");
                } else if !paid && !spec.by_logins {
                    shelf.silent(row, "the licence costs nothing");
                }
            }
            match (seats.monthly_logins_used, seats.monthly_logins_entitlement) {
                (Some(used), Some(entitlement)) if used * 5 >= entitlement * 4 => {
                    logins.found(row, "four fifths of the month's logins are used");
                }
                (Some(_), Some(_)) => logins.silent(row, "few of the month's logins are used"),
                _ => {}
            }
        }
        [shelf, over, logins].map(|verdicts| verdicts.truth)
    }

    /// R14: people with two accounts.
    fn doubles(&self, seats: &[Seat]) -> RuleTruth {
        let mut verdicts = Verdicts::new(self, "R14", "User");
        for seat in seats {
            match UserRow::read(self, seat.row).double(self) {
                Some(Double::Federated(other)) => {
                    for row in [other, seat.row] {
                        verdicts.found(row, "two active users have one federation identifier");
                    }
                }
                Some(Double::Mail(other)) => {
                    for row in [other, seat.row] {
                        verdicts.found(row, "two active users have one mail address");
                    }
                }
                Some(Double::Administrator(other)) => {
                    for row in [other, seat.row] {
                        verdicts.silent(row, "an administrator has a second account");
                    }
                }
                Some(Double::Former(other)) => {
                    for row in [other, seat.row] {
                        verdicts.silent(row, "only one of the accounts is active");
                    }
                }
                None => {}
            }
        }
        verdicts.truth
    }

    /// R18: usage entitlements beyond their allowance.
    fn usage(&self) -> RuleTruth {
        let mut verdicts = Verdicts::new(self, "R18", "TenantUsageEntitlement");
        for (row, (_, share)) in entitlements::usage_shares().enumerate() {
            let row = row as u64;
            match share {
                None => verdicts.silent(row, "not metered, which is not zero"),
                Some(share) if share > 1.0 => verdicts.found(row, "more was used than is allowed"),
                Some(share) if share < 0.1 => verdicts.silent(row, "hardly used, so not projected"),
                Some(_) => {}
            }
        }
        verdicts.truth
    }

    /// R20: licences that end within 90 days.
    fn expiring(&self) -> [RuleTruth; 2] {
        let mut sets = Verdicts::new(self, "R20", "PermissionSetLicense");
        let mut packages = Verdicts::new(self, "R20", "PackageLicense");
        let all_sets = (0..permission_sets::LICENSES.len()).map(permission_sets::ends_in_days);
        let count = self.base_len(Schema::get().index("PackageLicense"), false);
        let all_packages = (0..count).map(|row| entitlements::package_state(row).1);
        for (row, days) in (0..).zip(all_sets) {
            judge_end(&mut sets, row, days);
        }
        for (row, days) in (0..).zip(all_packages) {
            judge_end(&mut packages, row, days);
        }
        [sets.truth, packages.truth]
    }

    /// R22: people who may see everything and have not logged in for 30 days.
    fn privileged(&self, seats: &[Seat]) -> RuleTruth {
        let mut verdicts = Verdicts::new(self, "R22", "User");
        let admin = |row| row == population::ADMIN;
        for seat in seats.iter().filter(|seat| seat.usage.is_active()) {
            let mut sets = self.sets_of(seat.row).flat_map(permission_sets::traits);
            if !admin(seat.row) && !sets.any(|set| set.privileged) {
                continue;
            }
            let last = UserRow::read(self, seat.row).last_login(self);
            match last.map(|at| (self.now - at) / DAY) {
                None if seat.era == Era::New => {}
                None => verdicts.found(seat.row, "may see everything and never logged in"),
                Some(32..) => verdicts.found(seat.row, "may see everything, idle for 30 days"),
                Some(..28) => verdicts.silent(seat.row, "may see everything and logs in"),
                Some(_) => {}
            }
        }
        verdicts.truth
    }
}

fn judge_end(verdicts: &mut Verdicts<'_>, row: u64, days: Option<i64>) {
    match days {
        Some(0..=88) => verdicts.found(row, "ends within 90 days"),
        Some(92..) => verdicts.silent(row, "ends later"),
        None => verdicts.silent(row, "has no end"),
        Some(_) => {}
    }
}
