//! A host in memory: keeps secrets, checkpoints and records as a store would, and never sleeps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use abi_stable::erased_types::TD_Opaque;
use abi_stable::std_types::{RArc, ROption, RResult, RStr, RString};
use arrow_array::cast::AsArray;
use connector_api::abi::{BatchSink, BatchSink_TO, HostServices, HostServices_TO, PResult};
use connector_api::batch::ArrowBatch;
use connector_api::message::{
    AuthorizeReply, AuthorizeRequest, CollectMode, CollectRequest, CollectSummary,
    ConfigureRequest, DatasetStatus, DatasetSummary, JournalEntry,
};
use connector_api::{Connector, Host, Sink};
use salesforce_plugin::Salesforce;
use salesforce_sim::SimulatedOrg;

#[derive(Default)]
struct Kept {
    secrets: BTreeMap<String, String>,
    published: BTreeMap<String, String>,
    journal: Vec<JournalEntry>,
    slept_ms: u64,
}

/// Records by dataset and key, as text of all their columns.
pub(crate) type Records = BTreeMap<String, BTreeMap<String, String>>;

struct Services(Arc<Mutex<Kept>>, Arc<AtomicBool>);

impl HostServices for Services {
    fn log_level(&self) -> u32 {
        0
    }
    fn log(&self, _: u32, _: RStr<'_>, _: RStr<'_>) {}
    fn progress(&self, _: RStr<'_>, _: u64, _: ROption<u64>) {}
    fn is_cancelled(&self) -> bool {
        self.1.load(Ordering::Acquire)
    }
    fn sleep(&self, ms: u64) -> bool {
        self.0.lock().expect("a lock").slept_ms += ms;
        self.is_cancelled()
    }
    fn acquire(&self, _: RStr<'_>, _: u32) -> PResult<()> {
        RResult::ROk(())
    }
    fn secret_get(&self, name: RStr<'_>) -> PResult<ROption<RString>> {
        let kept = self.0.lock().expect("a lock");
        RResult::ROk(
            kept.secrets.get(name.as_str()).map(|text| RString::from(text.as_str())).into(),
        )
    }
    fn secret_put(&self, name: RStr<'_>, value: ROption<RStr<'_>>) -> PResult<()> {
        let mut kept = self.0.lock().expect("a lock");
        match value.into_option() {
            Some(value) => kept.secrets.insert(name.as_str().into(), value.as_str().into()),
            None => kept.secrets.remove(name.as_str()),
        };
        RResult::ROk(())
    }
    fn lease_acquire(&self, _: RStr<'_>, _: u64) -> PResult<u64> {
        RResult::ROk(1)
    }
    fn lease_release(&self, _: RStr<'_>, _: u64) {}
    fn checkpoint_get(&self, dataset: RStr<'_>) -> PResult<ROption<RString>> {
        let kept = self.0.lock().expect("a lock");
        let state = kept.published.get(dataset.as_str()).map(|text| RString::from(text.as_str()));
        RResult::ROk(state.into())
    }
    fn journal(&self, entry: RStr<'_>) {
        let entry = serde_json::from_str(entry.as_str()).expect("a journal entry");
        self.0.lock().expect("a lock").journal.push(entry);
    }
    fn extension(&self, _: RStr<'_>, _: RStr<'_>) -> PResult<RString> {
        RResult::ROk("".into())
    }
}

#[derive(Default)]
struct Arrived {
    /// Keys and records in the order they came.
    rows: BTreeMap<String, Vec<(String, String)>>,
    states: BTreeMap<String, String>,
    columns: BTreeMap<String, Vec<String>>,
}

struct Store {
    arrived: Arc<Mutex<Arrived>>,
    keys: Arc<BTreeMap<String, String>>,
}

impl BatchSink for Store {
    fn batch(&mut self, dataset: RStr<'_>, batch: ArrowBatch) -> PResult<()> {
        let batch = batch.into_record_batch().expect("a valid batch");
        let key = &self.keys[dataset.as_str()];
        let mut arrived = self.arrived.lock().expect("a lock");
        let columns: Vec<String> =
            batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        let first = arrived.columns.entry(dataset.as_str().into()).or_insert(columns.clone());
        assert_eq!(*first, columns, "{dataset}: the columns of a run stay the same");
        let keys = batch.column_by_name(key).expect("the key's column").as_string::<i32>().clone();
        for row in 0..batch.num_rows() {
            let record: Vec<String> = batch
                .columns()
                .iter()
                .map(|column| format!("{:?}", column.slice(row, 1)))
                .collect();
            arrived
                .rows
                .entry(dataset.as_str().into())
                .or_default()
                .push((keys.value(row).to_owned(), record.join("|")));
        }
        RResult::ROk(())
    }
    fn checkpoint(&mut self, dataset: RStr<'_>, state: RStr<'_>) -> PResult<()> {
        self.arrived
            .lock()
            .expect("a lock")
            .states
            .insert(dataset.as_str().into(), state.as_str().into());
        RResult::ROk(())
    }
}

/// A connector that is authorized, and what its host keeps.
pub(crate) struct TestHost {
    kept: Arc<Mutex<Kept>>,
    cancelled: Arc<AtomicBool>,
    connector: Salesforce,
    keys: Arc<BTreeMap<String, String>>,
    /// What the store holds after the published runs.
    pub(crate) records: Records,
    _folder: tempfile::TempDir,
}

/// What one run did.
pub(crate) struct Run {
    pub(crate) summary: CollectSummary,
    /// Keys in the order they were handed over.
    pub(crate) handed_over: BTreeMap<String, Vec<String>>,
    pub(crate) columns: BTreeMap<String, Vec<String>>,
    pub(crate) journal: Vec<JournalEntry>,
    /// The last state of each dataset.
    pub(crate) states: BTreeMap<String, String>,
}

impl Run {
    #[track_caller]
    pub(crate) fn of(&self, dataset: &str) -> &DatasetSummary {
        self.summary.datasets.iter().find(|d| d.dataset == dataset).expect("a dataset of the run")
    }

    #[track_caller]
    pub(crate) fn is_complete(&self, dataset: &str) -> &DatasetSummary {
        let summary = self.of(dataset);
        assert_eq!(summary.status, DatasetStatus::Complete, "{summary:?}");
        assert!(self.summary.error.is_none(), "{:?}", self.summary.error);
        summary
    }

    /// Nothing was handed over twice.
    #[track_caller]
    pub(crate) fn nothing_twice(&self, dataset: &str) {
        let keys = &self.handed_over[dataset];
        let different: BTreeSet<&String> = keys.iter().collect();
        assert_eq!(different.len(), keys.len(), "{dataset}: something came twice");
    }

    pub(crate) fn requests(&self, method: &str, part: &str) -> usize {
        self.journal
            .iter()
            .filter(|entry| entry.method == method && entry.path.contains(part))
            .count()
    }
}

impl TestHost {
    pub(crate) fn authorized(org: &SimulatedOrg, settings: &[(&str, &str)]) -> TestHost {
        let folder = tempfile::tempdir().expect("a folder");
        let ca = folder.path().join("ca.pem");
        org.write_ca(&ca).expect("the CA file");
        let kept = Arc::new(Mutex::new(Kept::default()));
        let cancelled = Arc::new(AtomicBool::new(false));
        let services = Services(Arc::clone(&kept), Arc::clone(&cancelled));
        let host = Host::new(RArc::new(HostServices_TO::from_value(services, TD_Opaque)));
        kept.lock()
            .expect("a lock")
            .secrets
            .insert("client_secret".into(), org.client_secret().into());
        let connector = Salesforce::new(host).expect("a connector");
        let mut request = ConfigureRequest::default();
        let ca = ca.to_str().expect("a readable path");
        let proxy = org.proxy_url();
        let base = [
            ("domain", org.my_domain_host()),
            ("client_id", org.client_id()),
            ("proxy", &proxy),
            ("ca_file", ca),
        ];
        for (name, value) in base.iter().chain(settings) {
            request.settings.insert((*name).into(), (*value).into());
        }
        request.secrets.insert("client_secret".into());
        let problems = connector.configure(request).expect("settings");
        assert!(problems.is_empty(), "{problems:?}");
        let reply = connector.authorize(AuthorizeRequest::Begin).expect("a link");
        let AuthorizeReply::Link { url, .. } = reply else { panic!("no link") };
        kept.lock().expect("a lock").secrets.insert("token".into(), org.approve(&url));
        connector.authorize(AuthorizeRequest::Finish).expect("a grant");
        let keys = Salesforce::manifest()
            .datasets
            .iter()
            .map(|dataset| (dataset.name.clone(), dataset.key[0].clone()))
            .collect();
        TestHost {
            kept,
            cancelled,
            connector,
            keys: Arc::new(keys),
            records: Records::new(),
            _folder: folder,
        }
    }

    pub(crate) fn connector(&self) -> &Salesforce {
        &self.connector
    }

    pub(crate) fn slept_ms(&self) -> u64 {
        self.kept.lock().expect("a lock").slept_ms
    }

    pub(crate) fn secret(&self, name: &str) -> Option<String> {
        self.kept.lock().expect("a lock").secrets.get(name).cloned()
    }

    pub(crate) fn keep_secret(&self, name: &str, value: &str) {
        self.kept.lock().expect("a lock").secrets.insert(name.into(), value.into());
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// A run that goes on where the one before stopped: its records and states were kept.
    pub(crate) fn resume(&mut self, before: &Run, datasets: &[&str]) -> Run {
        self.kept.lock().expect("a lock").published.extend(before.states.clone());
        self.run(CollectMode::Full, datasets, true)
    }

    /// One run, published as a store does: by dataset, and not at all where the run failed.
    fn run(&mut self, mode: CollectMode, datasets: &[&str], resume: bool) -> Run {
        let arrived = Arc::new(Mutex::new(Arrived::default()));
        let store = Store { arrived: Arc::clone(&arrived), keys: Arc::clone(&self.keys) };
        let mut sink = Sink::new(BatchSink_TO::from_value(store, TD_Opaque));
        let request = CollectRequest {
            run_id: 1,
            mode,
            datasets: datasets.iter().map(|name| (*name).to_owned()).collect(),
            resume,
        };
        self.kept.lock().expect("a lock").journal.clear();
        let summary = self.connector.collect(request, &mut sink).expect("a summary");
        let arrived = std::mem::take(&mut *arrived.lock().expect("a lock"));
        for dataset in &summary.datasets {
            let rows = arrived.rows.get(&dataset.dataset).map_or(0, Vec::len);
            assert_eq!(dataset.rows, rows as u64, "{}: rows as they arrived", dataset.dataset);
        }
        if summary.error.is_none() {
            for dataset in summary.datasets.iter().filter(|d| d.status.has_every_record()) {
                let records = self.records.entry(dataset.dataset.clone()).or_default();
                if dataset.mode != Some(CollectMode::Incremental) {
                    records.clear();
                }
                let rows = arrived.rows.get(&dataset.dataset).cloned().unwrap_or_default();
                records.extend(rows);
                if let Some(state) = arrived.states.get(&dataset.dataset) {
                    let mut kept = self.kept.lock().expect("a lock");
                    kept.published.insert(dataset.dataset.clone(), state.clone());
                }
            }
        }
        Run {
            summary,
            handed_over: arrived
                .rows
                .into_iter()
                .map(|(name, rows)| (name, rows.into_iter().map(|(key, _)| key).collect()))
                .collect(),
            columns: arrived.columns,
            states: arrived.states,
            journal: self.kept.lock().expect("a lock").journal.clone(),
        }
    }

    /// A run that ends before its first dataset.
    pub(crate) fn fails(&self, datasets: &[&str]) -> connector_api::Error {
        let arrived = Arc::new(Mutex::new(Arrived::default()));
        let store = Store { arrived, keys: Arc::clone(&self.keys) };
        let mut sink = Sink::new(BatchSink_TO::from_value(store, TD_Opaque));
        let request = CollectRequest {
            datasets: datasets.iter().map(|name| (*name).to_owned()).collect(),
            ..CollectRequest::default()
        };
        self.connector.collect(request, &mut sink).expect_err("an error")
    }

    pub(crate) fn full(&mut self, datasets: &[&str]) -> Run {
        self.run(CollectMode::Full, datasets, false)
    }

    pub(crate) fn changes(&mut self, datasets: &[&str]) -> Run {
        self.run(CollectMode::Incremental, datasets, false)
    }
}
