//! Who is in the org: how many users of each licence use it in which way, and where their rows lie.
//!
//! The rows of `User` fall into four regions by age. Inside a region a seeded shuffle maps rows to places,
//! and the places are cut into segments, one per licence and way of use. So every user's class is known from
//! the row number, every class can be counted and walked, and nothing is stored per user.

use crate::clock::DAY;
use crate::org::catalog::{self, LicenseIndex};
use crate::random::{self, Shuffle};

/// How a user uses the seat. The seat class and all logins follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Usage {
    /// Active, logs in often.
    Heavy,
    /// Active, logs in now and then.
    Light,
    /// New and not seen yet.
    Newcomer,
    /// Active user record, seen through the API only.
    Machine,
    /// Active user record that never logged in.
    Never,
    /// Active user record, last login 93 to 178 days ago.
    Idle,
    /// Active user record, last login before the login history begins.
    LongIdle,
    /// Deactivated, with logins inside the login history.
    Leaver,
    /// Deactivated long ago.
    LongGone,
}

impl Usage {
    /// `User.IsActive`.
    pub(crate) fn is_active(self) -> bool {
        !matches!(self, Usage::Leaver | Usage::LongGone)
    }
}

/// When the users of a region were created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// With the org: system users, the administrator, integrations.
    Founding,
    /// More than 190 days ago.
    Settled,
    /// 185 to 33 days ago.
    Recent,
    /// 27 to 2 days ago: within the grace period.
    New,
}

/// Users of one licence and one way of use: places `start..end` of a region.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    /// None for the system users whose profile nobody sees.
    pub(crate) license: Option<LicenseIndex>,
    pub(crate) usage: Usage,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Segment {
    pub(crate) fn len(&self) -> u64 {
        self.end - self.start
    }

    /// How many offsets in the segment leave `remainder` when divided by `modulus`.
    pub(crate) fn count_every(&self, modulus: u64, remainder: u64) -> u64 {
        (self.len() + modulus - 1 - remainder) / modulus
    }
}

/// Rows `base..base + len` of `User`.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) era: Era,
    pub(crate) base: u64,
    pub(crate) len: u64,
    shuffle: Shuffle,
    pub(crate) segments: Vec<Segment>,
}

/// Position of one user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) region: usize,
    pub(crate) segment: usize,
    /// Position in the segment.
    pub(crate) offset: u64,
}

/// All users.
#[derive(Debug)]
pub(crate) struct Population {
    pub(crate) users: u64,
    pub(crate) regions: Vec<Region>,
}

/// Row of Automated Process; Platform Integration User and Data.com Clean follow it.
pub(crate) const AUTOMATED_PROCESS: u64 = 0;
/// The first users have a profile that nobody sees.
pub(crate) const SYSTEM_USERS: u64 = 3;
/// Row of the Analytics integration user, on a licence of 0 of 0.
pub(crate) const ANALYTICS_USER: u64 = 3;
/// Row of the site's guest user.
pub(crate) const GUEST_USER: u64 = 4;
/// Row of the administrator the connector runs as.
pub(crate) const ADMIN: u64 = 5;
/// The smallest org.
pub(crate) const FEWEST_USERS: u64 = 10;

const TOPIC: u64 = 0x10;

impl Population {
    pub(crate) fn new(users: u64, seed: u64) -> Self {
        let users = users.max(FEWEST_USERS);
        let founding = founding_users(users);
        let rest = users - founding.len() as u64;
        let new = (rest * 3 / 100).max(1);
        let recent = (rest * 12 / 100).max(1);
        let settled = rest - new - recent;
        let founding_len = founding.len() as u64;
        let mut regions = vec![Region {
            era: Era::Founding,
            base: 0,
            len: founding_len,
            shuffle: Shuffle::identity(founding_len),
            segments: founding
                .into_iter()
                .enumerate()
                .map(|(at, (license, usage))| Segment {
                    license,
                    usage,
                    start: at as u64,
                    end: at as u64 + 1,
                })
                .collect(),
        }];
        let mut base = founding_len;
        for (era, len) in [(Era::Settled, settled), (Era::Recent, recent), (Era::New, new)] {
            regions.push(Region {
                era,
                base,
                len,
                shuffle: Shuffle::new(len, seed, TOPIC + era as u64),
                segments: segments(era, len),
            });
            base += len;
        }
        Self { users, regions }
    }

    /// Returns the position of the user of this row.
    pub(crate) fn place(&self, row: u64) -> Place {
        let region = self
            .regions
            .iter()
            .rposition(|region| region.base <= row && region.len > 0)
            .unwrap_or(0);
        let found = &self.regions[region];
        let place = found.shuffle.forward(row - found.base);
        let segment = found.segments.partition_point(|segment| segment.end <= place);
        Place { region, segment, offset: place - found.segments[segment].start }
    }

    /// The row of the user at `place`.
    pub(crate) fn row(&self, place: Place) -> u64 {
        let region = &self.regions[place.region];
        region.base + region.shuffle.backward(region.segments[place.segment].start + place.offset)
    }

    /// The segment of a place.
    pub(crate) fn segment(&self, place: Place) -> &Segment {
        &self.regions[place.region].segments[place.segment]
    }

    /// Every segment with its region, in row order of the regions.
    pub(crate) fn segments(&self) -> impl Iterator<Item = (usize, usize, &Region, &Segment)> {
        self.regions.iter().enumerate().flat_map(|(r, region)| {
            region.segments.iter().enumerate().map(move |(s, segment)| (r, s, region, segment))
        })
    }

    /// The row of the user at this position among the users of one era, licence and way of use.
    pub(crate) fn find(
        &self,
        era: Era,
        license: LicenseIndex,
        usage: Usage,
        offset: u64,
    ) -> Option<u64> {
        let (region, segment, ..) = self.segments().find(|(.., region, segment)| {
            region.era == era && segment.license == Some(license) && segment.usage == usage
        })?;
        (offset < self.regions[region].segments[segment].len())
            .then(|| self.row(Place { region, segment, offset }))
    }

    /// When the user was created; rises with the row.
    pub(crate) fn created_at(&self, row: u64, now: i64) -> i64 {
        let place = self.place(row);
        let region = &self.regions[place.region];
        let (from, to) = match region.era {
            Era::Founding => (now - 2_260 * DAY, now - 2_250 * DAY),
            Era::Settled => (now - 2_249 * DAY, now - 190 * DAY),
            Era::Recent => (now - 185 * DAY, now - 33 * DAY),
            Era::New => (now - 27 * DAY, now - 2 * DAY),
        };
        from + (i128::from(to - from) * i128::from(row - region.base)
            / i128::from(region.len.max(1))) as i64
    }
}

/// Some users in a fixed order: whole segments one after the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pool {
    /// Rank of the part's first member, region and segment.
    parts: Vec<(u64, usize, usize)>,
    len: u64,
}

impl Pool {
    /// The users of all segments that `keep` accepts.
    pub(crate) fn new(population: &Population, keep: impl Fn(Era, &Segment) -> bool) -> Self {
        let mut pool = Self::default();
        for (r, s, region, segment) in population.segments() {
            if segment.len() > 0 && keep(region.era, segment) {
                pool.parts.push((pool.len, r, s));
                pool.len += segment.len();
            }
        }
        pool
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The row of the member with this rank.
    pub(crate) fn member(&self, population: &Population, rank: u64) -> u64 {
        let (first, region, segment) =
            self.parts[self.parts.partition_point(|part| part.0 <= rank) - 1];
        population.row(Place { region, segment, offset: rank - first })
    }

    /// Region and segment of each part, with the ranks of its members.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (usize, usize, std::ops::Range<u64>)> + '_ {
        self.parts.iter().enumerate().map(|(at, &(first, region, segment))| {
            let end = self.parts.get(at + 1).map_or(self.len, |next| next.0);
            (region, segment, first..end)
        })
    }

    /// The rank of the user at `place`, if the user is a member.
    pub(crate) fn rank(&self, place: Place) -> Option<u64> {
        let part =
            self.parts.iter().find(|part| part.1 == place.region && part.2 == place.segment)?;
        Some(part.0 + place.offset)
    }
}

fn founding_users(users: u64) -> Vec<(Option<LicenseIndex>, Usage)> {
    let mut people = vec![(None, Usage::Never); SYSTEM_USERS as usize];
    people.push((Some(catalog::license("INSIGHTS_INTEGRATION_USER")), Usage::Never));
    people.push((Some(catalog::license("PID_Guest_User")), Usage::Never));
    people.push((Some(catalog::license("SFDC")), Usage::Heavy));
    let integration = Some(catalog::license("SALESFORCE_INTEGRATION_USER"));
    people.push((integration, Usage::Machine));
    if users >= 30 {
        people.extend([
            (integration, Usage::Machine),
            (integration, Usage::Machine),
            (integration, Usage::Never),
        ]);
        people.push((Some(catalog::license("SFDC")), Usage::Machine));
    }
    people
}

/// Cuts `len` places by weight; rounding never loses a place.
fn segments(era: Era, len: u64) -> Vec<Segment> {
    let mut cuts = Vec::new();
    let mut total = 0_u64;
    for &(key, weight) in catalog::MASS_LICENSES {
        for &(usage, share) in usages(key, era) {
            total += weight * share;
            cuts.push((catalog::license(key), usage, total));
        }
    }
    let mut start = 0;
    let mut made = Vec::with_capacity(cuts.len());
    for (license, usage, upto) in cuts {
        let end = (u128::from(len) * u128::from(upto) / u128::from(total)) as u64;
        made.push(Segment { license: Some(license), usage, start, end });
        start = end;
    }
    made
}

/// Shares of 100 of one licence's users.
fn usages(key: &str, era: Era) -> &'static [(Usage, u64)] {
    use Usage::{Heavy, Idle, Leaver, Light, LongGone, LongIdle, Machine, Never, Newcomer};
    match (era, key) {
        (Era::New, _) => &[(Newcomer, 60), (Light, 40)],
        (Era::Recent, "SFDC" | "AUL") => &[(Heavy, 36), (Light, 40), (Never, 18), (Machine, 6)],
        (Era::Recent, _) => &[(Heavy, 20), (Light, 50), (Never, 30)],
        (_, "SFDC") => &[
            (Heavy, 31),
            (Light, 24),
            (Idle, 8),
            (LongIdle, 6),
            (Never, 5),
            (Machine, 3),
            (Leaver, 4),
            (LongGone, 19),
        ],
        (_, "AUL") => &[
            (Heavy, 20),
            (Light, 30),
            (Idle, 9),
            (LongIdle, 8),
            (Never, 9),
            (Machine, 4),
            (Leaver, 4),
            (LongGone, 16),
        ],
        (_, "PID_CHATTER") => {
            &[(Heavy, 5), (Light, 25), (Idle, 10), (LongIdle, 20), (Never, 20), (LongGone, 20)]
        }
        _ => &[
            (Heavy, 8),
            (Light, 40),
            (Idle, 14),
            (LongIdle, 14),
            (Never, 14),
            (Leaver, 2),
            (LongGone, 8),
        ],
    }
}

/// Every seventh seat of a few unused classes is frozen.
pub(crate) fn is_frozen(segment: &Segment, offset: u64) -> bool {
    can_freeze(segment) && offset % 7 == 2
}

/// The frozen users of one segment.
pub(crate) fn frozen_count(segment: &Segment) -> u64 {
    if can_freeze(segment) { segment.count_every(7, 2) } else { 0 }
}

fn can_freeze(segment: &Segment) -> bool {
    segment.license.is_some_and(|license| catalog::LICENSES[license].sold_to_people)
        && matches!(segment.usage, Usage::Idle | Usage::Never | Usage::Leaver)
}

/// The moment in `from..to` that belongs to this user and topic.
pub(crate) fn moment(seed: u64, topic: u64, row: u64, from: i64, to: i64) -> i64 {
    from + random::below(seed, topic, row, (to - from).max(1) as u64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_rows_are_inverse_and_cover_every_user() {
        for users in [10, 11, 29, 30, 200, 5_003] {
            let population = Population::new(users, 3);
            let counted: u64 = population.segments().map(|(.., segment)| segment.len()).sum();
            assert_eq!(counted, users);
            for row in 0..users {
                assert_eq!(population.row(population.place(row)), row);
            }
        }
    }

    #[test]
    fn pools_rank_exactly_their_members() {
        let population = Population::new(1_000, 3);
        let pool = Pool::new(&population, |_, segment| segment.usage == Usage::Idle);
        let members: Vec<u64> =
            (0..pool.len()).map(|rank| pool.member(&population, rank)).collect();
        for row in 0..1_000 {
            let place = population.place(row);
            let is_member = population.segment(place).usage == Usage::Idle;
            assert_eq!(pool.rank(place).is_some(), is_member);
            if let Some(rank) = pool.rank(place) {
                assert_eq!(members[rank as usize], row);
            }
        }
    }

    #[test]
    fn users_are_created_in_row_order() {
        let population = Population::new(5_000, 3);
        let created: Vec<i64> =
            (0..5_000).map(|row| population.created_at(row, 1_800_000_000)).collect();
        assert!(created.is_sorted());
    }
}
