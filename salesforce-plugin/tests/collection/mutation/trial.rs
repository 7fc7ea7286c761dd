//! One org, one host, and what a run makes of one wrong answer.

use std::collections::BTreeMap;
use std::time::Duration;

use connector_api::ErrorKind;
use connector_api::message::{CollectMode, DatasetStatus};
use salesforce_sim::{Action, Fault, RequestKind, SimulatedOrg};

use crate::host::{Memory, Records, Run, TestHost};

/// Every way of reading: whole and by pages, by a job in parts, a log, the Tooling API, a resource.
const DATASETS: [&str; 7] = [
    "limits",
    "user_license",
    "profile",
    "user",
    "permission_set_license_assign",
    "login_history",
    "installed_subscriber_package",
];
/// What changes by being looked at.
const SPENT: [&str; 3] =
    ["DailyApiRequests", "DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB"];

/// Which requests of a kind get a wrong answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// One.
    Once(At),
    /// One, and every later one about the same object: trying again does not help.
    From(At),
    /// Every one.
    Every,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum At {
    First,
    Middle,
    Last,
}

impl Place {
    /// Every one first: what is not played there is played nowhere.
    pub(crate) const ALL: [Place; 4] =
        [Place::Every, Place::Once(At::First), Place::From(At::Middle), Place::Once(At::Last)];
    pub(crate) const EVERY: [Place; 1] = [Place::Every];
    pub(crate) const ONCE: [Place; 3] =
        [Place::Once(At::First), Place::Once(At::Middle), Place::Once(At::Last)];
}

/// How a run with a wrong answer, and the next one, ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The answer was none that can be made wrong this way.
    NotPlayed,
    /// The records are the org's.
    Equal,
    /// The run says that it is not complete.
    Honest,
    /// Neither.
    Wrong(String),
}

/// A request by its object, and its number among those of its kind and object.
type Occurrence = (Option<String>, u64);

/// An org that changed since a host read it.
pub(crate) struct Trial {
    org: SimulatedOrg,
    host: TestHost,
    mode: CollectMode,
    before: Memory,
    truth: Records,
    occurrences: BTreeMap<RequestKind, Vec<Occurrence>>,
}

impl Trial {
    pub(crate) fn new(mode: CollectMode) -> Trial {
        // What has fewer than 2,000 records is read whole even by changes.
        let users = if mode == CollectMode::Full { 60 } else { 2_010 };
        let org = SimulatedOrg::builder().users(users).logins_per_user(1).seed(3).start();
        org.set_policy(|policy| {
            policy.gzip = false;
            policy.daily_api_limit = 1_000_000_000;
            policy.bulk.daily_jobs = 1_000_000_000;
            policy.logins_per_hour = 1_000_000_000;
            policy.session_timeout = Duration::from_secs(1_000_000_000);
            if mode == CollectMode::Full {
                policy.page_size = Some(25);
                policy.bulk.rows_per_part = 8;
            }
        });
        org.show_everything();
        let mut host = authorized(&org, mode);
        is_good(&host.full(&DATASETS));
        let users: Vec<String> = host.records["user"].keys().cloned().collect();
        let assigned: Vec<String> =
            host.records["permission_set_license_assign"].keys().cloned().collect();
        org.mutate(|edit| {
            edit.new_user("Standard Platform User")?;
            edit.set("User", &users[7], &[("Department", "Moved".into())])?;
            edit.deactivate_user(&users[12]).or_else(|_| edit.activate_user(&users[12]))?;
            edit.remove("PermissionSetLicenseAssign", &assigned[1])
        })
        .expect("changes");
        org.advance(Duration::from_secs(86_400));
        let before = host.memory();
        let mut witness = authorized(&org, mode);
        is_good(&witness.full(&DATASETS));
        let truth = witness.records;
        let counts = org.truth().row_counts;
        let counted = |dataset: &str, object: &str| {
            assert_eq!(truth[dataset].len() as u64, counts[object], "{dataset}");
        };
        counted("user", "User");
        counted("permission_set_license_assign", "PermissionSetLicenseAssign");
        counted("login_history", "LoginHistory");
        counted("user_license", "UserLicense");
        let mut trial = Trial { org, host, mode, before, truth, occurrences: BTreeMap::new() };
        trial.record();
        trial
    }

    /// Runs once without a fault, and keeps what was asked for.
    fn record(&mut self) {
        self.org.expire_sessions();
        self.org.clear_journal();
        let run = self.host.try_run(self.mode, &DATASETS, false).expect("a run");
        is_good(&run);
        assert_eq!(self.differs(), None, "the run without a fault");
        let mut seen: BTreeMap<(RequestKind, Option<String>), u64> = BTreeMap::new();
        for entry in self.org.journal() {
            // A session that ended answers once before it is renewed; that is no question.
            if entry.status == Some(401) {
                continue;
            }
            *seen.entry((entry.kind, entry.object)).or_default() += 1;
        }
        for ((kind, object), times) in seen {
            let of_kind = self.occurrences.entry(kind).or_default();
            of_kind.extend((1..=times).map(|nth| (object.clone(), nth)));
        }
        self.host.restore(&self.before);
    }

    /// The kinds of request that such a run makes.
    pub(crate) fn kinds(&self) -> Vec<RequestKind> {
        RequestKind::ALL.into_iter().filter(|kind| self.occurrences.contains_key(kind)).collect()
    }

    /// The faults for a place; `None` if it is the same as one that was tried.
    fn faults(&self, kind: RequestKind, action: &Action, place: Place) -> Option<Fault> {
        let all = &self.occurrences[&kind];
        let number = |at: At| match at {
            At::First => Some(0),
            At::Middle => Some(all.len() / 2).filter(|at| *at > 0),
            At::Last => Some(all.len() - 1).filter(|at| *at > all.len() / 2),
        };
        let fault = Fault::new(action.clone()).on_kind(kind);
        let on = |fault: Fault, at: At| {
            let (object, nth) = &all[number(at)?];
            let fault = fault.nth(*nth);
            Some(match object {
                Some(object) => fault.on_object(object),
                None => fault,
            })
        };
        match place {
            Place::Once(at) => on(fault, at),
            Place::From(at) => on(fault, at).map(Fault::always),
            Place::Every => Some(fault.always()),
        }
    }

    /// Plays one wrong answer and judges the run and the next.
    pub(crate) fn verdict(
        &mut self,
        kind: RequestKind,
        action: &Action,
        place: Place,
    ) -> Option<Verdict> {
        let fault = self.faults(kind, action, place)?;
        if kind == RequestKind::Token {
            self.org.expire_sessions();
        }
        self.org.clear_journal();
        self.org.faults().set([fault]);
        let verdict = self.run();
        self.org.faults().clear();
        self.org.show_everything();
        let played = self.org.journal().iter().any(|entry| entry.fault.is_some());
        let verdict = match verdict {
            Verdict::Wrong(_) => verdict,
            _ if !played => Verdict::NotPlayed,
            // A full run does not depend on the one before: the next trial's run is the next run.
            Verdict::Equal if self.mode == CollectMode::Full => return Some(Verdict::Equal),
            _ => match self.run() {
                Verdict::Equal => verdict,
                next => Verdict::Wrong(format!("the next run: {next:?}")),
            },
        };
        if matches!(verdict, Verdict::Wrong(_)) {
            // Whatever the connector remembers is not the next trial's.
            self.host = authorized(&self.org, self.mode);
        }
        self.host.restore(&self.before);
        Some(verdict)
    }

    fn run(&mut self) -> Verdict {
        let stops = |error: &connector_api::Error| {
            matches!(error.kind, ErrorKind::AUTH | ErrorKind::CONFIG)
                .then(|| Verdict::Wrong(format!("it stops the schedule: {error}")))
        };
        let run = match self.host.try_run(self.mode, &DATASETS, false) {
            Ok(run) => run,
            Err(error) => return stops(&error).unwrap_or(Verdict::Honest),
        };
        if let Some(error) = &run.summary.error {
            return stops(error).unwrap_or(Verdict::Honest);
        }
        if run.held {
            return Verdict::Honest;
        }
        let mut complete = true;
        for dataset in &run.summary.datasets {
            let held = self.host.records.get(&dataset.dataset).map_or(0, |rows| rows.len() as u64);
            // The host's own doubt: changes that do not add up.
            let adds_up = dataset.mode != Some(CollectMode::Incremental)
                || dataset.total.is_none_or(|total| total == held);
            let good = matches!(dataset.status, DatasetStatus::Complete | DatasetStatus::Absent);
            complete &= good && adds_up;
            if dataset.status == DatasetStatus::Complete
                && adds_up
                && let Some(why) = self.differs_in(&dataset.dataset)
            {
                return Verdict::Wrong(format!("it is called complete: {why}"));
            }
        }
        match self.differs() {
            None if complete => Verdict::Equal,
            Some(why) if complete => Verdict::Wrong(format!("complete: {why}")),
            _ => Verdict::Honest,
        }
    }

    fn differs(&self) -> Option<String> {
        DATASETS.iter().find_map(|dataset| self.differs_in(dataset))
    }

    /// How the records of a dataset differ from the org's.
    fn differs_in(&self, dataset: &str) -> Option<String> {
        let none = BTreeMap::new();
        let held = self.host.records.get(dataset).unwrap_or(&none);
        let truth = &self.truth[dataset];
        if held.len() != truth.len() {
            return Some(format!("`{dataset}` has {} of {} records", held.len(), truth.len()));
        }
        let same = |key: &String, record: &String| {
            truth.get(key).is_some_and(|true_one| {
                true_one == record || dataset == "limits" && may_differ(key, record)
            })
        };
        let wrong = held.iter().find(|(key, record)| !same(key, record))?;
        let shown: String = format!("{wrong:?}").chars().take(300).collect();
        Some(format!("`{dataset}` has a record that the org has not: {shown}"))
    }
}

/// Whether a limit is one that is spent, or is said to be unknown.
fn may_differ(key: &str, record: &str) -> bool {
    SPENT.contains(&key) || record.ends_with("|null|null")
}

fn authorized(org: &SimulatedOrg, mode: CollectMode) -> TestHost {
    let rows = if mode == CollectMode::Full { "50" } else { "0" };
    TestHost::authorized(org, &[("bulk_rows", rows)])
}

fn is_good(run: &Run) {
    assert!(run.summary.error.is_none(), "{:?}", run.summary.error);
    for dataset in &run.summary.datasets {
        assert_eq!(dataset.status, DatasetStatus::Complete, "{dataset:?}");
    }
}
