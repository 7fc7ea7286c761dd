//! Days and years of the scheduler, by a clock that is only a number.

use chrono::TimeZone;

use super::*;

fn at(hour: u32, minute: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, hour, minute, 0).unwrap()
}

fn settings(most_runs: usize) -> Settings {
    Settings { zone: Tz::UTC, most_runs, jitter: Duration::zero() }
}

fn entry(id: i64, schedule: &str) -> Entry {
    Entry {
        id,
        name: format!("connector {id}"),
        feature: "sample".into(),
        organization: format!("organization {id}"),
        schedule: Some(schedule.into()),
        hold: None,
        fingerprint: "one".into(),
    }
}

fn scheduler(most_runs: usize) -> Scheduler {
    Scheduler::new(settings(most_runs), BTreeMap::new(), BTreeMap::new())
}

/// One connector with that schedule, first seen at midnight.
fn one(schedule: &str) -> Scheduler {
    let mut scheduler = scheduler(4);
    scheduler.update(vec![entry(1, schedule)], &BTreeMap::new(), at(0, 0));
    scheduler
}

fn failed(kind: ErrorKind, message: &str, retry_after_ms: Option<u64>) -> Ended {
    let status =
        if kind == ErrorKind::RATE_LIMITED { RunStatus::Paused } else { RunStatus::Failed };
    let error = RunError { kind, message: message.into(), hint: None, retry_after_ms };
    Ended::Badly { status, error }
}

/// The scheduler as the next process finds it: only what was to be remembered.
fn restarted(mut scheduler: Scheduler, entries: Vec<Entry>, now: DateTime<Utc>) -> Scheduler {
    let (jobs, plugins) = scheduler.take_changes();
    let text = serde_json::to_string(&jobs).unwrap();
    let jobs: Vec<(i64, JobState)> = serde_json::from_str(&text).unwrap();
    let mut next =
        Scheduler::new(settings(4), jobs.into_iter().collect(), plugins.into_iter().collect());
    next.recover(now);
    next.update(entries, &BTreeMap::new(), now);
    next
}

#[test]
fn a_slot_starts_its_run_once_and_not_before() {
    let mut scheduler = one("daily 02:30");
    assert_eq!(scheduler.next_wake(), Some(at(2, 30)));
    assert!(scheduler.start(at(2, 29)).is_empty());
    assert_eq!(scheduler.start(at(2, 30)).len(), 1);
    assert!(scheduler.start(at(2, 30)).is_empty());
    assert_eq!(scheduler.view(at(2, 31))[0].standing, ScheduleStatus::Running);
    scheduler.ended(1, &Ended::Well, at(2, 40));
    assert!(scheduler.start(at(23, 59)).is_empty());
    assert_eq!(scheduler.next_wake(), Some(at(2, 30) + Duration::days(1)));
}

#[test]
fn after_downtime_one_run_makes_up_for_all_slots_missed() {
    let scheduler = one("hourly");
    let later = at(0, 0) + Duration::days(3);
    let mut scheduler = restarted(scheduler, vec![entry(1, "hourly")], later);
    assert_eq!(scheduler.start(later).len(), 1);
    scheduler.ended(1, &Ended::Well, later + Duration::minutes(1));
    assert!(scheduler.start(later + Duration::minutes(2)).is_empty());
    assert_eq!(scheduler.next_wake(), Some(later + Duration::hours(1)));
}

#[test]
fn a_new_connector_and_a_new_schedule_wait_for_their_first_slot() {
    let mut scheduler = one("daily 02:30");
    scheduler.update(vec![entry(1, "daily 01:00")], &BTreeMap::new(), at(5, 0));
    assert!(scheduler.start(at(5, 0)).is_empty());
    assert_eq!(scheduler.next_wake(), Some(at(1, 0) + Duration::days(1)));
}

#[test]
fn failures_are_tried_again_ever_later_up_to_six_hours_and_say_why() {
    let mut scheduler = one("hourly");
    let mut now = at(1, 0);
    let mut waits = Vec::new();
    for _ in 0..7 {
        assert_eq!(scheduler.start(now).len(), 1, "at {now}");
        scheduler.ended(1, &failed(ErrorKind::RETRYABLE, "no network", None), now);
        let view = scheduler.view(now).remove(0);
        assert_eq!(view.standing, ScheduleStatus::BackingOff);
        assert_eq!(view.reason.as_deref(), Some("no network"));
        let next = view.next_run.unwrap();
        waits.push((next - now).num_minutes());
        now = next;
    }
    assert_eq!(waits, [5, 15, 45, 135, 360, 360, 360]);
    assert_eq!(scheduler.start(now).len(), 1);
    scheduler.ended(1, &Ended::Well, now);
    let view = scheduler.view(now).remove(0);
    assert_eq!((view.standing, view.failures, view.reason), (ScheduleStatus::Waiting, 0, None));
}

#[test]
fn a_vendor_that_names_a_time_is_not_asked_earlier() {
    let mut scheduler = one("hourly");
    scheduler.start(at(1, 0));
    scheduler.ended(1, &failed(ErrorKind::RETRYABLE, "busy", Some(3_600_000)), at(1, 0));
    assert_eq!(scheduler.next_wake(), Some(at(2, 0)));
}

#[test]
fn a_paused_run_goes_on_when_the_vendor_said_and_is_no_failure() {
    let mut scheduler = one("daily 01:00");
    scheduler.start(at(1, 0));
    let paused = failed(ErrorKind::RATE_LIMITED, "the allowance is used up", Some(7_200_000));
    scheduler.ended(1, &paused, at(1, 10));
    let view = scheduler.view(at(1, 11)).remove(0);
    assert_eq!((view.standing, view.failures), (ScheduleStatus::Paused, 0));
    assert!(scheduler.start(at(3, 9)).is_empty());
    assert_eq!(scheduler.start(at(3, 10)).len(), 1);
}

#[test]
fn what_a_person_must_mend_stops_until_it_is_fixed_and_then_runs_at_once() {
    for kind in [ErrorKind::AUTH, ErrorKind::CONFIG] {
        let mut scheduler = one("hourly");
        scheduler.start(at(1, 0));
        scheduler.ended(1, &failed(kind, "the grant was revoked", None), at(1, 1));
        let later = at(1, 0) + Duration::days(30);
        assert!(scheduler.start(later).is_empty());
        let view = scheduler.view(later).remove(0);
        assert_eq!(view.standing, ScheduleStatus::Stopped);
        assert_eq!(view.reason.as_deref(), Some("the grant was revoked"));
        // Still so after a restart …
        let mut scheduler = restarted(scheduler, vec![entry(1, "hourly")], later);
        assert!(scheduler.start(later).is_empty());
        // … until the settings or the grant are others.
        let fixed = Entry { fingerprint: "two".into(), ..entry(1, "hourly") };
        scheduler.update(vec![fixed], &BTreeMap::new(), later);
        assert_eq!(scheduler.start(later).len(), 1, "{kind:?}");
    }
}

#[test]
fn a_held_connector_does_not_run_and_misses_what_passes_meanwhile() {
    let mut scheduler = one("daily 02:30");
    let held = Entry { hold: Some("its feature is disabled".into()), ..entry(1, "daily 02:30") };
    scheduler.update(vec![held], &BTreeMap::new(), at(1, 0));
    assert!(scheduler.start(at(2, 30)).is_empty());
    assert_eq!(scheduler.view(at(2, 30))[0].standing, ScheduleStatus::Held);
    scheduler.update(vec![entry(1, "daily 02:30")], &BTreeMap::new(), at(4, 0));
    assert!(scheduler.start(at(4, 0)).is_empty());
    assert_eq!(scheduler.next_wake(), Some(at(2, 30) + Duration::days(1)));
}

#[test]
fn a_run_cut_short_by_a_dying_server_is_tried_again_later_and_by_a_stopping_one_at_once() {
    let mut scheduler = one("daily 02:30");
    scheduler.start(at(2, 30));
    let died = restarted(scheduler, vec![entry(1, "daily 02:30")], at(2, 40));
    assert_eq!(died.next_wake(), Some(at(2, 45)));
    assert!(died.view(at(2, 40))[0].reason.as_ref().unwrap().contains("ended during the run"));

    let mut scheduler = one("daily 02:30");
    scheduler.start(at(2, 30));
    scheduler.ended(1, &Ended::Interrupted, at(2, 31));
    let mut stopped = restarted(scheduler, vec![entry(1, "daily 02:30")], at(9, 0));
    assert_eq!(stopped.start(at(9, 0)).len(), 1);
}

#[test]
fn three_crashes_in_a_row_hold_the_library_back_for_a_day_or_until_it_is_another() {
    let digests = |digest: &str| BTreeMap::from([("sample".to_owned(), digest.to_owned())]);
    let mut scheduler = scheduler(4);
    let entries = vec![entry(1, "hourly"), entry(2, "hourly")];
    scheduler.update(entries.clone(), &digests("a"), at(0, 0));
    let mut now = at(1, 0);
    for _ in 0..2 {
        for started in scheduler.start(now) {
            scheduler.ended(
                started.id,
                &failed(ErrorKind::PANIC, "killed by signal 11", None),
                now,
            );
        }
        now += Duration::hours(2);
    }
    let view = scheduler.view(now).remove(0);
    assert_eq!(view.standing, ScheduleStatus::Held);
    assert!(view.reason.as_ref().unwrap().contains("killed by signal 11"), "{view:?}");
    assert!(scheduler.start(now + Duration::hours(20)).is_empty());
    let until = scheduler.plugins()["sample"].held_until.unwrap();
    let mut waited = restarted(scheduler, entries.clone(), now);
    assert!(waited.start(until - Duration::minutes(1)).is_empty());
    assert_eq!(waited.start(until).len(), 2);
    let mut scheduler = restarted(waited, entries.clone(), now);
    scheduler.update(entries, &digests("b"), now);
    assert_eq!(scheduler.plugins()["sample"].held_until, None);
}

#[test]
fn the_crashes_of_one_organization_hold_back_its_connectors_and_no_other() {
    let mut scheduler = scheduler(4);
    let of_one = |id| Entry { organization: "hostile".into(), ..entry(id, "hourly") };
    let entries = vec![of_one(1), of_one(2), of_one(3), entry(4, "hourly")];
    scheduler.update(entries.clone(), &BTreeMap::new(), at(0, 0));
    let mut now = at(1, 0);
    for _ in 0..MOST_CRASHES {
        for started in scheduler.start(now) {
            let ended = match started.id {
                4 => Ended::Well,
                _ => failed(ErrorKind::PANIC, "killed by signal 11", None),
            };
            scheduler.ended(started.id, &ended, now);
        }
        now += Duration::hours(2);
    }
    let standing = |scheduler: &Scheduler, id: usize| scheduler.view(now)[id - 1].standing;
    for id in 1..=3 {
        assert_eq!(standing(&scheduler, id), ScheduleStatus::Held);
    }
    assert_eq!(scheduler.plugins()["sample"].held_until, None);
    assert_eq!(scheduler.start(now).iter().map(|entry| entry.id).collect::<Vec<_>>(), [4]);
    scheduler.ended(4, &Ended::Well, now);
    // It outlasts a restart, and ends with other settings or after a day.
    let mut next = restarted(scheduler, entries, now);
    assert_eq!(standing(&next, 1), ScheduleStatus::Held);
    let changed = Entry { fingerprint: "two".into(), ..of_one(1) };
    next.update(vec![changed, of_one(2), of_one(3), entry(4, "hourly")], &BTreeMap::new(), now);
    assert_ne!(standing(&next, 1), ScheduleStatus::Held);
    assert_eq!(next.view(now + QUARANTINE)[1].standing, ScheduleStatus::Queued);
}

#[test]
fn a_clock_that_jumps_causes_no_storm_and_no_standstill() {
    let mut scheduler = one("hourly");
    for jump in [Duration::hours(1), Duration::days(1), Duration::days(3_650)] {
        let now = at(1, 0) + jump;
        scheduler.update(vec![entry(1, "hourly")], &BTreeMap::new(), now);
        assert_eq!(scheduler.start(now).len(), 1, "one run after {jump}");
        scheduler.ended(1, &Ended::Well, now);
        assert!(scheduler.start(now).is_empty());
    }
    // Ten years back: it continues from there.
    scheduler.update(vec![entry(1, "hourly")], &BTreeMap::new(), at(5, 30));
    assert_eq!(scheduler.next_wake(), Some(at(6, 0)));
}

/// A simulated world: runs take as long as `takes` says; returns every start.
fn simulate(
    scheduler: &mut Scheduler,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    takes: impl Fn(i64) -> Duration,
) -> (Vec<(DateTime<Utc>, i64)>, usize) {
    let mut ends: BTreeSet<(DateTime<Utc>, i64)> = BTreeSet::new();
    let mut starts = Vec::new();
    let mut most = 0;
    let mut now = from;
    loop {
        for entry in scheduler.start(now) {
            assert!(ends.iter().all(|(_, id)| *id != entry.id), "two runs of {} at once", entry.id);
            starts.push((now, entry.id));
            ends.insert((now + takes(entry.id), entry.id));
        }
        most = most.max(ends.len());
        let next = [ends.first().map(|(end, _)| *end), scheduler.next_wake()];
        let Some(next) = next.into_iter().flatten().min().filter(|next| *next < to) else { break };
        now = now.max(next);
        while let Some(end) = ends.first().copied().filter(|(end, _)| *end <= now) {
            ends.remove(&end);
            scheduler.ended(end.1, &Ended::Well, now);
        }
    }
    (starts, most)
}

#[test]
fn a_day_of_a_thousand_connectors_misses_no_slot_and_keeps_its_limit() {
    let mut scheduler = Scheduler::new(
        Settings { zone: Tz::Europe__Berlin, most_runs: 8, jitter: Duration::minutes(5) },
        BTreeMap::new(),
        BTreeMap::new(),
    );
    let schedules = ["daily 02:30", "0 */6 * * *", "hourly", "daily 23:00"];
    let entries: Vec<Entry> =
        (0..1_000).map(|id| entry(id, schedules[usize::try_from(id).unwrap() % 4])).collect();
    scheduler.update(entries, &BTreeMap::new(), at(0, 0));
    let end = at(0, 0) + Duration::days(1);
    let (starts, most) = simulate(&mut scheduler, at(0, 0), end, |_| Duration::seconds(20));
    assert_eq!(most, 8);
    let mut counts = BTreeMap::<i64, u32>::new();
    for (_, id) in starts {
        *counts.entry(id).or_default() += 1;
    }
    for id in 0..1_000 {
        // The last slots of the hour may still wait for a place when the day ends.
        let (least, most) = [(1, 1), (4, 4), (22, 24), (1, 1)][usize::try_from(id).unwrap() % 4];
        let count = counts.get(&id).copied().unwrap_or(0);
        assert!((least..=most).contains(&count), "connector {id}: {count} runs");
    }
}

#[test]
fn thirty_days_of_two_thousand_runs_keep_nothing_behind() {
    let mut scheduler = scheduler(4);
    let entries: Vec<Entry> = (0..3).map(|id| entry(id, "hourly")).collect();
    scheduler.update(entries, &BTreeMap::new(), at(0, 0));
    let end = at(0, 0) + Duration::days(30);
    let (starts, _) = simulate(&mut scheduler, at(0, 0), end, |_| Duration::minutes(2));
    assert_eq!(starts.len(), 3 * (30 * 24 - 1));
    let (jobs, _) = scheduler.take_changes();
    assert_eq!((jobs.len(), scheduler.running()), (3, 0));
}

#[test]
fn jitter_spreads_neighbours_and_stays_within_a_tenth_of_the_interval() {
    let mut scheduler = Scheduler::new(
        Settings { zone: Tz::UTC, most_runs: 8, jitter: Duration::minutes(5) },
        BTreeMap::new(),
        BTreeMap::new(),
    );
    let entries =
        (0..100).map(|id| entry(id, if id < 50 { "daily 02:30" } else { "*/10 * * * *" }));
    scheduler.update(entries.collect(), &BTreeMap::new(), at(2, 21));
    let mut seen = BTreeSet::new();
    for view in scheduler.view(at(2, 21)) {
        let late = (view.next_run.unwrap() - at(2, 30)).num_seconds();
        let most = if view.id < 50 { 300 } else { 60 };
        assert!((0..=most).contains(&late), "{view:?}");
        seen.insert(late);
    }
    assert!(seen.len() > 50, "{} different times", seen.len());
}
