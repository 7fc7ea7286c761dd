//! `LoginHistory`: six months of logins in time order, computed and never stored.
//!
//! Users of one kind form a stream. A stream runs in rounds: in each round every member logs in once, in an order
//! that changes from round to round. The last round is therefore everybody's last login. Time is cut into buckets;
//! each stream spreads its rows evenly over its buckets, so the number of rows before a bucket has a closed form,
//! and one bucket is small enough to be made, sorted and kept by a reader.

use crate::clock::{DAY, HOUR};
use crate::org::population::{Era, Place, Pool, Population, Usage};
use crate::random::{self, Shuffle};

/// How many days of logins are kept.
pub(crate) const HISTORY_DAYS: i64 = 179;
/// Rows a bucket should have at most.
const BUCKET_ROWS: u64 = 512;
const TOPIC: u64 = 0x40;

/// What kind of logins a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamKind {
    /// People at a browser or on a phone.
    Human,
    /// Integrations.
    Machine,
    /// Attempts that were refused.
    Failed,
}

#[derive(Debug)]
struct Stream {
    kind: StreamKind,
    pool: Pool,
    rounds: u64,
    /// First bucket, and the bucket after the last.
    buckets: (u64, u64),
    shuffle: Shuffle,
    topic: u64,
}

/// One login.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login {
    pub(crate) kind: StreamKind,
    /// Row of the user.
    pub(crate) user: u64,
    /// When, in seconds.
    pub(crate) at: i64,
    /// Decides type, address and browser.
    pub(crate) dice: u64,
    /// Nobody logs in after it in the same stream.
    pub(crate) is_last_round: bool,
}

/// All logins.
#[derive(Debug)]
pub(crate) struct Logins {
    seed: u64,
    streams: Vec<Stream>,
    buckets: u64,
    buckets_per_day: u64,
    start: i64,
    /// Where in the 24 hours before "now" the logins fall.
    day: DayShape,
    len: u64,
    /// Who continues to log in when the org is read later.
    regulars: Pool,
    regulars_order: Shuffle,
    /// Logins of the regulars in a day.
    later_per_day: u64,
}

impl Logins {
    pub(crate) fn new(population: &Population, mean: u32, seed: u64, now: i64) -> Self {
        let mean = u64::from(mean);
        let pool = |eras: &[Era], usages: &[Usage]| {
            Pool::new(population, |era, segment| {
                eras.contains(&era) && usages.contains(&segment.usage)
            })
        };
        let old = [Era::Founding, Era::Settled];
        // Kind, members, rounds, first day and day after the last, counted back from now. Three rounds of the
        // occasional users put the last login of each within 60 days.
        let plans = [
            (StreamKind::Human, pool(&old, &[Usage::Heavy]), (2 * mean).max(6), 179, 0),
            (StreamKind::Human, pool(&old, &[Usage::Light]), (mean / 2).max(3), 179, 0),
            (StreamKind::Human, pool(&[Era::Recent], &[Usage::Heavy]), (mean / 2).max(2), 32, 0),
            (StreamKind::Human, pool(&[Era::Recent], &[Usage::Light]), (mean / 6).max(1), 32, 0),
            (StreamKind::Human, pool(&[Era::New], &[Usage::Light]), 1, 1, 0),
            (StreamKind::Human, pool(&old, &[Usage::Idle]), (mean / 4).max(1), 178, 93),
            (StreamKind::Human, pool(&old, &[Usage::Leaver]), 1, 170, 40),
            (StreamKind::Machine, pool(&old, &[Usage::Machine]), (3 * mean).max(4), 179, 0),
            (StreamKind::Machine, pool(&[Era::Recent], &[Usage::Machine]), mean.max(2), 32, 0),
            (StreamKind::Failed, pool(&old, &[Usage::Heavy]), 1, 179, 0),
            (StreamKind::Failed, pool(&[Era::Settled], &[Usage::Never, Usage::Idle]), 1, 60, 1),
        ];
        let len = plans.iter().map(|plan| plan.1.len() * plan.2).sum::<u64>();
        let days = HISTORY_DAYS as u64;
        let buckets_per_day = (len / days / BUCKET_ROWS + 1).min(2_880);
        let streams = plans
            .into_iter()
            .enumerate()
            .filter(|(_, plan)| plan.1.len() > 0)
            .map(|(at, (kind, pool, rounds, from, to))| Stream {
                kind,
                rounds,
                buckets: ((days - from) * buckets_per_day, (days - to) * buckets_per_day),
                shuffle: Shuffle::new(pool.len(), seed, TOPIC + at as u64),
                topic: TOPIC + 32 + at as u64,
                pool,
            })
            .collect();
        let regulars = pool(&old, &[Usage::Heavy, Usage::Machine]);
        Self {
            later_per_day: (regulars.len() * (2 * mean).max(6) / days).max(1),
            regulars_order: Shuffle::new(regulars.len(), seed, TOPIC + 128),
            regulars,
            seed,
            streams,
            buckets: days * buckets_per_day,
            buckets_per_day,
            start: now - HISTORY_DAYS * DAY,
            day: DayShape::before(now),
            len,
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The share of a segment's users who logged in within 30 days. In each round everybody logs in once, so it
    /// follows from how much of a round lies in them.
    pub(crate) fn share_in_a_month(&self, region: usize, segment: usize) -> f64 {
        let place = Place { region, segment, offset: 0 };
        let month = self.buckets - (30 * self.buckets_per_day).min(self.buckets);
        let shares = self.streams.iter().filter_map(|stream| {
            stream.pool.rank(place).filter(|_| stream.kind != StreamKind::Failed)?;
            let (from, to) = stream.buckets;
            let overlap = to.saturating_sub(month.max(from)) as f64;
            Some((stream.rounds as f64 * overlap / (to - from) as f64).min(1.0))
        });
        shares.fold(0.0, f64::max)
    }

    /// The last successful login of the user at `place`, if it lies in the history.
    pub(crate) fn last_success(&self, place: Place) -> Option<i64> {
        let of_stream = |stream: &Stream| {
            let rank = stream.pool.rank(place)?;
            Some(self.time(stream, stream.sequence(self.seed, stream.rounds - 1, rank)))
        };
        self.streams
            .iter()
            .filter(|stream| stream.kind != StreamKind::Failed)
            .filter_map(of_stream)
            .max()
    }

    /// How many logins there were in the first `seconds` after the history's end.
    pub(crate) fn later(&self, seconds: i64) -> u64 {
        let logins = i128::from(seconds.max(0)) * i128::from(self.later_per_day) / i128::from(DAY);
        u64::try_from(logins).unwrap_or(u64::MAX)
    }

    /// A login after the history's end, counted from zero.
    pub(crate) fn later_login(&self, population: &Population, number: u64) -> Login {
        let members = self.regulars.len();
        let rank = self.regulars_in(number / members).forward(number % members);
        let user = self.regulars.member(population, rank);
        let machine = population.segment(population.place(user)).usage == Usage::Machine;
        Login {
            kind: if machine { StreamKind::Machine } else { StreamKind::Human },
            user,
            at: self.later_at(number),
            dice: random::mix(self.seed, TOPIC + 129, number),
            is_last_round: false,
        }
    }

    /// When that login was; the smallest instant at which [`later`](Self::later) counts it.
    pub(crate) fn later_at(&self, number: u64) -> i64 {
        let end = self.start + HISTORY_DAYS * DAY;
        end + ((u128::from(number) + 1) * DAY as u128).div_ceil(u128::from(self.later_per_day))
            as i64
    }

    /// Which of the first `count` later logins are of the user at `place`, ascending.
    pub(crate) fn later_rows_of(&self, place: Place, count: u64) -> Vec<u64> {
        let Some(rank) = self.regulars.rank(place) else { return Vec::new() };
        let members = self.regulars.len();
        (0..count.div_ceil(members))
            .map(|round| round * members + self.regulars_in(round).backward(rank))
            .filter(|row| *row < count)
            .collect()
    }

    /// The last of them, in seconds.
    pub(crate) fn last_later(&self, place: Place, count: u64) -> Option<i64> {
        let rank = self.regulars.rank(place)?;
        let members = self.regulars.len();
        let rounds = count.div_ceil(members);
        (rounds.saturating_sub(2)..rounds)
            .rev()
            .map(|round| round * members + self.regulars_in(round).backward(rank))
            .find(|row| *row < count)
            .map(|row| self.later_at(row))
    }

    fn regulars_in(&self, round: u64) -> Shuffle {
        self.regulars_order.turned(random::mix(self.seed, TOPIC + 130, round))
    }

    /// Rows of all logins of one user, ascending.
    pub(crate) fn rows_of(&self, population: &Population, user: u64) -> Vec<u64> {
        let place = population.place(user);
        let mut rows = Vec::new();
        for stream in &self.streams {
            let Some(rank) = stream.pool.rank(place) else { continue };
            for round in 0..stream.rounds {
                let bucket = stream.bucket_of(stream.sequence(self.seed, round, rank));
                let first = self.before(bucket);
                let logins = self.bucket(population, bucket);
                rows.extend(
                    (first..)
                        .zip(&logins)
                        .filter(|(_, login)| login.user == user)
                        .map(|(row, _)| row),
                );
            }
        }
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// The first row at or after `time`.
    pub(crate) fn first_at(&self, population: &Population, time: i64) -> u64 {
        if time <= self.start {
            return 0;
        }
        let day = ((time - self.start) / DAY) as u64;
        if day >= HISTORY_DAYS as u64 {
            return self.len;
        }
        // Times inside a day are bent, so look for the bucket by the time at which it begins.
        let (mut low, mut high) = (day * self.buckets_per_day, (day + 1) * self.buckets_per_day);
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if self.bent(middle as f64) < time as f64 { low = middle } else { high = middle }
        }
        // Whole seconds at a seam may belong to either neighbour.
        for bucket in low.saturating_sub(1)..self.buckets {
            let logins = self.bucket(population, bucket);
            let inside = logins.partition_point(|login| login.at < time) as u64;
            if inside < logins.len() as u64 {
                return self.before(bucket) + inside;
            }
        }
        self.len
    }

    fn before(&self, bucket: u64) -> u64 {
        self.streams.iter().map(|stream| stream.before(bucket)).sum()
    }

    fn bucket(&self, population: &Population, bucket: u64) -> Vec<Login> {
        let mut logins = Vec::new();
        for stream in &self.streams {
            for sequence in stream.before(bucket)..stream.before(bucket + 1) {
                let (round, rank) = stream.member(self.seed, sequence);
                logins.push(Login {
                    kind: stream.kind,
                    user: stream.pool.member(population, rank),
                    at: self.time(stream, sequence),
                    dice: random::mix(self.seed, stream.topic, sequence),
                    is_last_round: round + 1 == stream.rounds,
                });
            }
        }
        logins.sort_by_key(|login| login.at);
        logins
    }

    fn time(&self, stream: &Stream, sequence: u64) -> i64 {
        let bucket = stream.bucket_of(sequence);
        let first = stream.before(bucket);
        let count = stream.before(bucket + 1) - first;
        let jitter = (random::mix(self.seed, stream.topic + 32, sequence) >> 40) as f64
            / (1_u64 << 24) as f64;
        self.bent(bucket as f64 + ((sequence - first) as f64 + jitter) / count as f64) as i64
    }

    /// The instant of a position on the bucket scale.
    fn bent(&self, position: f64) -> f64 {
        let days = position / self.buckets_per_day as f64;
        let day = days.floor();
        self.start as f64 + day * DAY as f64 + self.day.bend(days - day)
    }
}

impl Stream {
    fn len(&self) -> u64 {
        self.pool.len() * self.rounds
    }

    /// Rows of this stream before `bucket`.
    fn before(&self, bucket: u64) -> u64 {
        let (from, to) = self.buckets;
        let done = bucket.clamp(from, to) - from;
        (u128::from(self.len()) * u128::from(done) / u128::from(to - from)) as u64
    }

    fn bucket_of(&self, sequence: u64) -> u64 {
        let (from, to) = self.buckets;
        from + ((u128::from(sequence + 1) * u128::from(to - from)).div_ceil(u128::from(self.len()))
            as u64)
            - 1
    }

    fn sequence(&self, seed: u64, round: u64, rank: u64) -> u64 {
        round * self.pool.len() + self.round(seed, round).backward(rank)
    }

    fn member(&self, seed: u64, sequence: u64) -> (u64, u64) {
        let round = sequence / self.pool.len();
        (round, self.round(seed, round).forward(sequence % self.pool.len()))
    }

    fn round(&self, seed: u64, round: u64) -> Shuffle {
        self.shuffle.turned(random::mix(seed, self.topic + 64, round))
    }
}

/// Reads logins by row and keeps the bucket it is in.
#[derive(Debug, Default)]
pub(crate) struct LoginReader {
    /// Row of the first login kept.
    first: u64,
    kept: Vec<Login>,
}

impl LoginReader {
    pub(crate) fn read(&mut self, logins: &Logins, population: &Population, row: u64) -> Login {
        if row < self.first || row >= self.first + self.kept.len() as u64 {
            let (mut low, mut high) = (0, logins.buckets);
            while low + 1 < high {
                let middle = low + (high - low) / 2;
                if logins.before(middle) <= row { low = middle } else { high = middle }
            }
            self.first = logins.before(low);
            self.kept = logins.bucket(population, low);
        }
        self.kept[(row - self.first) as usize]
    }
}

/// Working hours: how the share of a day's logins maps to the time of day.
#[derive(Debug)]
struct DayShape {
    /// Share of the day's logins before each of the 24 hours that precede "now", and 1 at the end.
    share: [f64; 25],
}

impl DayShape {
    fn before(now: i64) -> Self {
        let mut share = [0.0; 25];
        for hour in 0..24 {
            let of_day = (now + hour * HOUR).rem_euclid(DAY) / HOUR;
            let weight = match of_day {
                8..=11 | 13..=16 => 8.0,
                7 | 12 | 17 => 5.0,
                6 | 18..=20 => 2.0,
                _ => 0.6,
            };
            share[hour as usize + 1] = share[hour as usize] + weight;
        }
        let total = share[24];
        Self { share: share.map(|part| part / total) }
    }

    /// Seconds into the day at which this share of its logins has happened.
    fn bend(&self, share: f64) -> f64 {
        let hour = self.share.partition_point(|&before| before <= share).clamp(1, 24) - 1;
        let (from, to) = (self.share[hour], self.share[hour + 1]);
        (hour as f64 + (share - from) / (to - from)) * HOUR as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000;

    #[test]
    fn rows_come_in_time_order_and_the_bounds_agree_with_a_scan() {
        let population = Population::new(700, 5);
        let logins = Logins::new(&population, 12, 5, NOW);
        let mut reader = LoginReader::default();
        let times: Vec<i64> =
            (0..logins.len()).map(|row| reader.read(&logins, &population, row).at).collect();
        assert!(times.is_sorted());
        assert!(times[0] >= NOW - 180 * DAY && times[times.len() - 1] <= NOW);
        for time in (NOW - 181 * DAY..NOW + DAY).step_by(40_000) {
            assert_eq!(
                logins.first_at(&population, time),
                times.partition_point(|&at| at < time) as u64
            );
        }
        for row in (0..times.len()).step_by(97) {
            let expected = times.partition_point(|&at| at < times[row]) as u64;
            assert_eq!(logins.first_at(&population, times[row]), expected);
        }
    }

    #[test]
    fn a_users_rows_and_last_login_agree_with_a_scan() {
        let population = Population::new(300, 9);
        let logins = Logins::new(&population, 8, 9, NOW);
        let mut reader = LoginReader::default();
        let all: Vec<Login> =
            (0..logins.len()).map(|row| reader.read(&logins, &population, row)).collect();
        for user in 0..300 {
            let rows: Vec<u64> =
                (0..logins.len()).filter(|&row| all[row as usize].user == user).collect();
            assert_eq!(logins.rows_of(&population, user), rows);
            let last = rows
                .iter()
                .map(|&row| all[row as usize])
                .filter(|l| l.kind != StreamKind::Failed)
                .map(|l| l.at);
            assert_eq!(logins.last_success(population.place(user)), last.max());
        }
    }
}
