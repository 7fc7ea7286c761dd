//! Which connector runs when: a state machine that gets the time and what happened, and returns
//! what to start. It reads no clock and touches no disk, so that years of it fit into a test.
//!
//! - A slot that passed while the server was down, or while other runs had the place, is made up
//!   for by one run, however many slots it was. Slots that pass during a connector's own run are not.
//! - A failed run is tried again after 5 minutes, then after three times as long each time, up to
//!   6 hours; slots in between wait for that. One without a grant or with
//!   wrong settings waits until these change. A paused one continues when the vendor said.
//! - Three crashes in a row hold a connector back for 24 hours. Its library is held back, with every
//!   other connector of it, only when several organizations see it crash: one organization with bad
//!   data must not stop the others.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use connector_api::ErrorKind;
use serde::{Deserialize, Serialize};

use crate::schedule::Schedule;
use crate::store::{RunError, RunStatus};

/// The wait after the first failure; each further one is three times as long.
const FIRST_RETRY: Duration = Duration::minutes(5);
/// The longest wait after a failure.
const LONGEST_RETRY: Duration = Duration::hours(6);
/// The wait of a paused run for which the vendor named no time.
const PAUSE: Duration = Duration::hours(1);
/// The longest wait a vendor can ask for.
const LONGEST_PAUSE: Duration = Duration::hours(25);
/// Consecutive crashes that quarantine a connector, or a library.
const MOST_CRASHES: u32 = 3;
/// Organizations that must see a library crash before it is quarantined.
const LEAST_ORGANIZATIONS: usize = 2;
/// Length of the quarantine.
const QUARANTINE: Duration = Duration::hours(24);
/// A clock set back by more than this makes the schedule begin anew.
const CLOCK_SLACK: Duration = Duration::hours(25);

/// Settings of the scheduler.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The zone schedules are meant in.
    pub zone: Tz,
    /// Most concurrent runs.
    pub most_runs: usize,
    /// Largest random delay after a slot, fixed for each connector; never more than a tenth of the time
    /// between two slots.
    pub jitter: Duration,
}

/// One connector as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The store's number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its feature.
    pub feature: String,
    /// The organization it reads: whose data may be what a crash comes from.
    pub organization: String,
    /// Its schedule, as entered.
    pub schedule: Option<String>,
    /// Why it must not run, whatever its schedule says.
    pub hold: Option<String>,
    /// Changes with its settings, secrets and grant.
    pub fingerprint: String,
}

/// What is remembered of a connector across restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobState {
    /// The schedule the rest belongs to.
    #[serde(default)]
    pub schedule: Option<String>,
    /// Every slot up to here is served.
    #[serde(default)]
    pub served_to: Option<DateTime<Utc>>,
    /// Failed runs in a row.
    #[serde(default)]
    pub failures: u32,
    /// When the last run is retried or continues, whatever the schedule says.
    #[serde(default)]
    pub retry_at: Option<DateTime<Utc>>,
    /// The last run was paused rather than failed.
    #[serde(default)]
    pub paused: bool,
    /// It waits for a person: until the fingerprint is another one.
    #[serde(default)]
    pub stopped_at_fingerprint: Option<String>,
    /// Why it does not simply follow its schedule.
    #[serde(default)]
    pub reason: Option<String>,
    /// A run of it was begun and did not report its end.
    #[serde(default)]
    pub running: bool,
    /// Runs in a row that ended in a crash.
    #[serde(default)]
    pub crashes: u32,
    /// It crashed too often and is held back until then.
    #[serde(default)]
    pub held_until: Option<DateTime<Utc>>,
}

/// What is remembered of a connector library across restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginState {
    /// Runs in a row that ended in a crash of the library.
    #[serde(default)]
    pub crashes: u32,
    /// The organizations whose runs crashed since the last run that did not.
    #[serde(default)]
    pub organizations: BTreeSet<String>,
    /// It is held back until then.
    #[serde(default)]
    pub held_until: Option<DateTime<Utc>>,
    /// How it crashed last.
    #[serde(default)]
    pub reason: Option<String>,
    /// The library's SHA-256; another one starts afresh.
    #[serde(default)]
    pub digest: String,
}

/// States of connectors to be remembered, by number.
pub type JobChanges = Vec<(i64, JobState)>;
/// States of libraries to be remembered, by feature.
pub type PluginChanges = Vec<(String, PluginState)>;

/// How a run ended, as far as the schedule is concerned.
#[derive(Clone, Debug)]
pub enum Ended {
    /// Something was published.
    Well,
    /// Nothing was published.
    Badly {
        /// Failed or paused.
        status: RunStatus,
        /// Why.
        error: RunError,
    },
    /// Another process runs it.
    Busy,
    /// It was asked to stop because the server stops: it continues at the next start.
    Interrupted,
    /// It was asked to stop because it must not run any more.
    Withdrawn,
}

/// A connector's status in the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleStatus {
    /// It waits for its next slot.
    Waiting,
    /// It is due, but other runs come first.
    Queued,
    /// A run is in progress.
    Running,
    /// Its last run failed; it is tried again.
    BackingOff,
    /// Its last run was paused; it continues later.
    Paused,
    /// It waits for a person.
    Stopped,
    /// It must not run.
    Held,
    /// It has no schedule.
    Unscheduled,
}

/// A connector in the schedule, for people.
#[derive(Clone, Debug, Serialize)]
pub struct JobView {
    /// The store's number.
    #[serde(skip)]
    pub id: i64,
    /// Its name.
    pub connector: String,
    /// Its feature.
    pub feature: String,
    /// Its schedule, as entered.
    pub schedule: Option<String>,
    /// Its status.
    pub standing: ScheduleStatus,
    /// When it runs next; `None` if that is not decided by time.
    pub next_run: Option<DateTime<Utc>>,
    /// Why it does not simply follow its schedule.
    pub reason: Option<String>,
    /// Failed runs in a row.
    pub failures: u32,
}

struct Job {
    entry: Entry,
    schedule: Option<Schedule>,
    state: JobState,
    /// When it is due; none while it runs, is held or stopped.
    due: Option<DateTime<Utc>>,
}

/// Decides what runs when.
pub struct Scheduler {
    settings: Settings,
    jobs: BTreeMap<i64, Job>,
    plugins: BTreeMap<String, PluginState>,
    /// When each connector is due that waits for a time.
    queue: BTreeSet<(DateTime<Utc>, i64)>,
    running: usize,
    changed_jobs: BTreeSet<i64>,
    changed_plugins: BTreeSet<String>,
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler").field("jobs", &self.jobs.len()).finish_non_exhaustive()
    }
}

impl Scheduler {
    /// A scheduler that continues from what was remembered.
    pub fn new(
        settings: Settings,
        jobs: BTreeMap<i64, JobState>,
        plugins: BTreeMap<String, PluginState>,
    ) -> Scheduler {
        let remembered = |id: i64, state: JobState| {
            let entry = Entry {
                id,
                name: String::new(),
                feature: String::new(),
                organization: String::new(),
                schedule: None,
                hold: None,
                fingerprint: String::new(),
            };
            (id, Job { entry, schedule: None, state, due: None })
        };
        Scheduler {
            settings,
            jobs: jobs.into_iter().map(|(id, state)| remembered(id, state)).collect(),
            plugins,
            queue: BTreeSet::new(),
            running: 0,
            changed_jobs: BTreeSet::new(),
            changed_plugins: BTreeSet::new(),
        }
    }

    /// At the start of a server: runs that were in progress when the last one ended did not end
    /// well. Not for a mere look at the state.
    pub fn recover(&mut self, now: DateTime<Utc>) {
        let cut: Vec<i64> =
            self.jobs.iter().filter(|(_, job)| job.state.running).map(|(id, _)| *id).collect();
        for id in cut {
            if let Some(job) = self.jobs.get_mut(&id) {
                job.state.running = false;
                fail(&mut job.state, now, "the endpoint server ended during the run", None);
                self.changed_jobs.insert(id);
            }
        }
    }

    /// Tells what connectors there are now. `digests` are the SHA-256 of the libraries, by feature.
    pub fn update(
        &mut self,
        entries: Vec<Entry>,
        digests: &BTreeMap<String, String>,
        now: DateTime<Utc>,
    ) {
        for (feature, digest) in digests {
            let plugin = self.plugins.entry(feature.clone()).or_default();
            if plugin.digest != *digest {
                *plugin = PluginState { digest: digest.clone(), ..PluginState::default() };
                self.changed_plugins.insert(feature.clone());
                self.release(feature);
                self.replan_feature(feature, now);
            }
        }
        let known: BTreeSet<i64> = entries.iter().map(|entry| entry.id).collect();
        // The store forgot the state of a deleted connector with it.
        self.jobs.retain(|id, job| known.contains(id) || job.state.running);
        self.queue.retain(|(_, id)| known.contains(id));
        for entry in entries {
            let id = entry.id;
            let unchanged = self.jobs.get(&id).is_some_and(|job| job.entry == entry);
            let in_order = |job: &Job| !far_ahead(&job.state, now);
            if !unchanged || !self.jobs.get(&id).is_some_and(in_order) {
                self.update_one(entry, now);
                self.replan(id, now);
            }
        }
    }

    fn update_one(&mut self, entry: Entry, now: DateTime<Utc>) {
        let id = entry.id;
        let fresh = Job {
            entry: Entry { fingerprint: String::new(), ..entry.clone() },
            schedule: None,
            state: JobState::default(),
            due: None,
        };
        let job = self.jobs.entry(id).or_insert(fresh);
        let before = job.state.clone();
        let state = &mut job.state;
        if state.schedule != entry.schedule || job.schedule.is_none() {
            // Text in the store was checked; a word an older version accepted is never silent.
            job.schedule = match entry.schedule.as_deref().map(Schedule::parse) {
                Some(Ok(schedule)) => Some(schedule),
                Some(Err(error)) => {
                    state.reason = Some(error.message);
                    None
                }
                None => None,
            };
        }
        let released = job.entry.hold.is_some() && entry.hold.is_none();
        if state.schedule != entry.schedule || state.served_to.is_none() {
            state.schedule.clone_from(&entry.schedule);
            state.served_to = Some(now);
        } else if released && !job.entry.fingerprint.is_empty() {
            // It was kept from running on purpose: what it missed is not made up for.
            state.served_to = Some(now);
        }
        if far_ahead(state, now) {
            state.served_to = Some(now);
            state.retry_at = state.retry_at.map(|at| at.min(now));
        }
        if state.stopped_at_fingerprint.as_ref().is_some_and(|stop| *stop != entry.fingerprint) {
            *state = JobState {
                schedule: state.schedule.take(),
                served_to: state.served_to,
                running: state.running,
                retry_at: Some(now),
                ..JobState::default()
            };
        }
        if state.held_until.is_some() && job.entry.fingerprint != entry.fingerprint {
            // Other settings may be what it needed. An empty one is that of the process before.
            if !job.entry.fingerprint.is_empty() {
                (state.crashes, state.held_until, state.retry_at) = (0, None, Some(now));
            }
        }
        if *state != before {
            self.changed_jobs.insert(id);
        }
        job.entry = entry;
    }

    /// What to start now, the one that waited longest first. Each is noted as running.
    pub fn start(&mut self, now: DateTime<Utc>) -> Vec<Entry> {
        let places = self.settings.most_runs.saturating_sub(self.running);
        let due: Vec<(DateTime<Utc>, i64)> =
            self.queue.iter().take_while(|(due, _)| *due <= now).take(places).copied().collect();
        let mut started = Vec::new();
        for (at, id) in due {
            self.queue.remove(&(at, id));
            if let Some(job) = self.jobs.get_mut(&id) {
                job.state.running = true;
                job.state.served_to = Some(now);
                job.state.retry_at = None;
                job.due = None;
                self.running += 1;
                self.changed_jobs.insert(id);
                started.push(job.entry.clone());
            }
        }
        started
    }

    /// Tells how a run that [`Scheduler::start`] answered ended.
    pub fn ended(&mut self, id: i64, ended: &Ended, now: DateTime<Utc>) {
        self.running = self.running.saturating_sub(1);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let state = &mut job.state;
        state.running = false;
        state.served_to = Some(now);
        state.retry_at = None;
        self.changed_jobs.insert(id);
        let feature = job.entry.feature.clone();
        match ended {
            Ended::Well => {
                state.failures = 0;
                state.paused = false;
                state.reason = None;
                (state.crashes, state.held_until) = (0, None);
                self.calm(&feature);
            }
            Ended::Interrupted => state.retry_at = Some(now),
            Ended::Withdrawn => {}
            Ended::Busy => {
                state.retry_at = Some(now + Duration::minutes(1));
                state.reason = Some("another process is running it".into());
            }
            Ended::Badly { status: RunStatus::Paused, error } => {
                let wait = error.retry_after_ms.map_or(PAUSE, milliseconds);
                state.retry_at = Some(now + wait.clamp(Duration::minutes(1), LONGEST_PAUSE));
                state.paused = true;
                state.reason = Some(error.message.clone());
                (state.crashes, state.held_until) = (0, None);
                self.calm(&feature);
            }
            Ended::Badly { error, .. }
                if matches!(error.kind, ErrorKind::AUTH | ErrorKind::CONFIG) =>
            {
                state.failures += 1;
                state.paused = false;
                state.stopped_at_fingerprint = Some(job.entry.fingerprint.clone());
                state.reason = Some(error.message.clone());
            }
            Ended::Badly { error, .. } => {
                fail(state, now, &error.message, error.retry_after_ms);
                if error.kind == ErrorKind::PANIC {
                    state.crashes += 1;
                    if state.crashes >= MOST_CRASHES {
                        state.crashes = 0;
                        state.held_until = Some(now + QUARANTINE);
                    }
                    let organization = job.entry.organization.clone();
                    self.crashed(&feature, organization, &error.message, now);
                }
            }
        }
        self.replan(id, now);
    }

    /// A run that did not crash ends a row of crashes.
    fn calm(&mut self, feature: &str) {
        if let Some(plugin) = self.plugins.get_mut(feature)
            && (plugin.crashes > 0 || plugin.held_until.is_some())
        {
            *plugin = PluginState { digest: plugin.digest.clone(), ..PluginState::default() };
            self.changed_plugins.insert(feature.into());
        }
    }

    /// Connectors of a library that is another one now may run again.
    fn release(&mut self, feature: &str) {
        for (id, job) in &mut self.jobs {
            if job.entry.feature == feature
                && (job.state.crashes > 0 || job.state.held_until.is_some())
            {
                (job.state.crashes, job.state.held_until) = (0, None);
                self.changed_jobs.insert(*id);
            }
        }
    }

    fn crashed(&mut self, feature: &str, organization: String, reason: &str, now: DateTime<Utc>) {
        let plugin = self.plugins.entry(feature.into()).or_default();
        plugin.crashes += 1;
        plugin.organizations.insert(organization);
        plugin.reason = Some(reason.into());
        if plugin.crashes >= MOST_CRASHES && plugin.organizations.len() >= LEAST_ORGANIZATIONS {
            plugin.crashes = 0;
            plugin.held_until = Some(now + QUARANTINE);
            self.replan_feature(feature, now);
        }
        self.changed_plugins.insert(feature.into());
    }

    /// The next instant at which [`Scheduler::start`] may have something; none if nothing waits.
    pub fn next_wake(&self) -> Option<DateTime<Utc>> {
        if self.running >= self.settings.most_runs {
            return None;
        }
        self.queue.first().map(|(due, _)| *due)
    }

    /// How many runs are in progress.
    pub fn running(&self) -> usize {
        self.running
    }

    /// The zone schedules are meant in.
    pub fn zone(&self) -> Tz {
        self.settings.zone
    }

    /// Every connector in the schedule, by name.
    pub fn view(&self, now: DateTime<Utc>) -> Vec<JobView> {
        let mut views: Vec<JobView> =
            self.jobs.values().map(|job| self.view_one(job, now)).collect();
        views.sort_by(|a, b| a.connector.cmp(&b.connector));
        views
    }

    fn view_one(&self, job: &Job, now: DateTime<Utc>) -> JobView {
        let held = self.held(job, now);
        let state = &job.state;
        let standing = if state.running {
            ScheduleStatus::Running
        } else if state.stopped_at_fingerprint.is_some() {
            ScheduleStatus::Stopped
        } else if held.is_some() {
            ScheduleStatus::Held
        } else if job.due.is_some_and(|due| due <= now) {
            ScheduleStatus::Queued
        } else if state.retry_at.is_some() {
            if state.paused { ScheduleStatus::Paused } else { ScheduleStatus::BackingOff }
        } else if job.due.is_none() {
            ScheduleStatus::Unscheduled
        } else {
            ScheduleStatus::Waiting
        };
        let reason = match standing {
            ScheduleStatus::Held => held.map(|(reason, _)| reason),
            ScheduleStatus::Waiting | ScheduleStatus::Running => None,
            _ => state.reason.clone(),
        };
        JobView {
            id: job.entry.id,
            connector: job.entry.name.clone(),
            feature: job.entry.feature.clone(),
            schedule: job.entry.schedule.clone(),
            standing,
            next_run: job.due.filter(|_| !state.running),
            reason,
            failures: state.failures,
        }
    }

    /// The libraries that crashed, by feature.
    pub fn plugins(&self) -> &BTreeMap<String, PluginState> {
        &self.plugins
    }

    /// What changed since the last call and is to be remembered.
    pub fn take_changes(&mut self) -> (JobChanges, PluginChanges) {
        let jobs = std::mem::take(&mut self.changed_jobs)
            .into_iter()
            .filter_map(|id| Some((id, self.jobs.get(&id)?.state.clone())))
            .collect();
        let plugins = std::mem::take(&mut self.changed_plugins)
            .into_iter()
            .filter_map(|feature| Some((feature.clone(), self.plugins.get(&feature)?.clone())))
            .collect();
        (jobs, plugins)
    }

    /// Why a connector must not run, and from when on it may again if that is known.
    fn held(&self, job: &Job, now: DateTime<Utc>) -> Option<(String, Option<DateTime<Utc>>)> {
        if let Some(hold) = &job.entry.hold {
            return Some((hold.clone(), None));
        }
        if let Some(until) = job.state.held_until.filter(|until| *until > now) {
            let reason = job.state.reason.as_deref().unwrap_or("no reason is known");
            return Some((
                format!("it crashed {MOST_CRASHES} times in a row and is held back: {reason}"),
                Some(until),
            ));
        }
        let plugin = self.plugins.get(&job.entry.feature)?;
        let until = plugin.held_until.filter(|until| *until > now)?;
        let reason = plugin.reason.as_deref().unwrap_or("it crashed");
        Some((
            format!("its library crashed {MOST_CRASHES} times in a row and is held back: {reason}"),
            Some(until),
        ))
    }

    /// Plans one connector anew.
    fn replan(&mut self, id: i64, now: DateTime<Utc>) {
        let Some(job) = self.jobs.get(&id) else { return };
        let due = self.plan(job, now);
        let before = job.due;
        if let Some(before) = before {
            self.queue.remove(&(before, id));
        }
        if let Some(due) = due {
            self.queue.insert((due, id));
        }
        if let Some(job) = self.jobs.get_mut(&id) {
            job.due = due;
        }
    }

    /// Plans every connector of a library anew.
    fn replan_feature(&mut self, feature: &str, now: DateTime<Utc>) {
        let ids: Vec<i64> = self
            .jobs
            .values()
            .filter(|job| job.entry.feature == feature)
            .map(|job| job.entry.id)
            .collect();
        for id in ids {
            self.replan(id, now);
        }
    }

    fn plan(&self, job: &Job, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let state = &job.state;
        if state.running || state.stopped_at_fingerprint.is_some() || job.entry.hold.is_some() {
            return None;
        }
        let schedule = job.schedule.as_ref()?;
        let held_until = self.held(job, now).and_then(|(_, until)| until);
        let planned = match state.retry_at {
            Some(retry) => retry,
            None => self.next_slot(job, schedule, now)?,
        };
        Some(held_until.map_or(planned, |until| planned.max(until)))
    }

    fn next_slot(
        &self,
        job: &Job,
        schedule: &Schedule,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let state = &job.state;
        let slot = schedule.next_after(state.served_to.unwrap_or(now), self.settings.zone)?;
        let most = match schedule.next_after(slot, self.settings.zone) {
            Some(following) => self.settings.jitter.min((following - slot) / 10),
            None => self.settings.jitter,
        };
        Some(slot + share(job.entry.id, most))
    }
}

/// Whether the clock was set back so far that waiting for what was planned would take for ever.
fn far_ahead(state: &JobState, now: DateTime<Utc>) -> bool {
    [state.served_to, state.retry_at].into_iter().flatten().any(|at| at > now + CLOCK_SLACK)
}

fn milliseconds(ms: u64) -> Duration {
    Duration::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX / 2))
}

fn fail(state: &mut JobState, now: DateTime<Utc>, reason: &str, retry_after_ms: Option<u64>) {
    let mut wait = FIRST_RETRY;
    for _ in 0..state.failures.min(10) {
        wait = (wait * 3).min(LONGEST_RETRY);
    }
    let asked = retry_after_ms.map_or(Duration::zero(), milliseconds).min(LONGEST_PAUSE);
    state.failures += 1;
    state.paused = false;
    state.retry_at = Some(now + wait.max(asked));
    state.reason = Some(reason.into());
}

/// A connector's own part of a time span, the same each time.
fn share(id: i64, most: Duration) -> Duration {
    // The multiplier of Knuth's multiplicative hash spreads neighbouring numbers.
    let spread = (id.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % 1_000;
    most * i32::try_from(spread).unwrap_or(0) / 1_000
}

#[cfg(test)]
mod tests;
