//! A connector that collects, and a host that publishes its records as a store does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::DataType;
use connector_api::batch::ArrowBatch;
use connector_api::host_side::RecordSink;
use connector_api::message::{
    AuthorizeReply, AuthorizeRequest, CollectMode, CollectRequest, CollectSummary,
    ConfigureRequest, DatasetStatus, DatasetSummary, JournalEntry,
};
use connector_api::{Connector, Error, Host, Sink};
use salesforce_plugin::Salesforce;
use salesforce_sim::SimulatedOrg;
use testkit::{HostMemory, ScriptedHost};

/// What a host keeps of the runs so far: checkpoints and records.
#[derive(Clone)]
pub(crate) struct Memory {
    published: BTreeMap<String, String>,
    records: Records,
}

/// Records by dataset and key, as text of all their columns.
pub(crate) type Records = BTreeMap<String, BTreeMap<String, String>>;

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

impl RecordSink for Store {
    fn batch(&mut self, dataset: &str, batch: ArrowBatch) -> Result<(), Error> {
        let batch = batch.into_record_batch().expect("a valid batch");
        let key = &self.keys[dataset];
        let mut arrived = self.arrived.lock().expect("a lock");
        let columns: Vec<String> =
            batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        let first = arrived.columns.entry(dataset.into()).or_insert(columns.clone());
        assert_eq!(*first, columns, "{dataset}: the columns of a run stay the same");
        let keys = batch.column_by_name(key).expect("the key's column").as_string::<i32>().clone();
        for row in 0..batch.num_rows() {
            let record: Vec<String> =
                batch.columns().iter().map(|column| shown(column.as_ref(), row)).collect();
            arrived
                .rows
                .entry(dataset.into())
                .or_default()
                .push((keys.value(row).to_owned(), record.join("|")));
        }
        Ok(())
    }
    fn checkpoint(&mut self, dataset: &str, state: &str) -> Result<(), Error> {
        self.arrived.lock().expect("a lock").states.insert(dataset.into(), state.into());
        Ok(())
    }
}

/// A value as text, without the words around it for the types that most columns have.
fn shown(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return "null".to_owned();
    }
    match column.data_type() {
        DataType::Utf8 => format!("{:?}", column.as_string::<i32>().value(row)),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        _ => format!("{:?}", column.slice(row, 1)),
    }
}

/// A connector that is authorized, and what its host keeps.
pub(crate) struct TestHost {
    memory: HostMemory,
    host: Arc<ScriptedHost>,
    connector: Salesforce,
    keys: Arc<BTreeMap<String, String>>,
    /// What the store holds after the published runs.
    pub(crate) records: Records,
    _folder: tempfile::TempDir,
}

/// What one run did.
pub(crate) struct Run {
    pub(crate) summary: CollectSummary,
    /// Whether a dataset lost so much that nothing was published.
    pub(crate) held: bool,
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
        let memory = HostMemory::default();
        let host = Arc::new(ScriptedHost::over(&memory));
        memory.put("client_secret", org.client_secret());
        let connector =
            Salesforce::new(Host::new(Arc::<ScriptedHost>::clone(&host))).expect("a connector");
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
        memory.put("token", &org.approve(&url));
        connector.authorize(AuthorizeRequest::Finish).expect("a grant");
        let keys = Salesforce::manifest()
            .datasets
            .iter()
            .map(|dataset| (dataset.name.clone(), dataset.key[0].clone()))
            .collect();
        TestHost {
            memory,
            host,
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
        let slept = self.host.pauses().iter().sum::<std::time::Duration>();
        u64::try_from(slept.as_millis()).expect("a time")
    }

    pub(crate) fn secret(&self, name: &str) -> Option<String> {
        self.memory.get(name)
    }

    pub(crate) fn keep_secret(&self, name: &str, value: &str) {
        self.memory.put(name, value);
    }

    pub(crate) fn cancel(&self) {
        self.host.cancel();
    }

    /// A run that continues where the one before stopped: its records and states were kept.
    pub(crate) fn resume(&mut self, before: &Run, datasets: &[&str]) -> Run {
        for (dataset, state) in &before.states {
            self.memory.publish(dataset, state);
        }
        self.run(CollectMode::Full, datasets, true)
    }

    /// What the host keeps at this moment.
    pub(crate) fn memory(&self) -> Memory {
        Memory { published: self.memory.checkpoints(), records: self.records.clone() }
    }

    /// Puts the host back to what it kept then; its secrets stay those of now.
    pub(crate) fn restore(&mut self, memory: &Memory) {
        self.memory.publish_only(memory.published.clone());
        self.records = memory.records.clone();
    }

    fn run(&mut self, mode: CollectMode, datasets: &[&str], resume: bool) -> Run {
        self.try_run(mode, datasets, resume).expect("a summary")
    }

    /// One run, published as a store does: by dataset, and not at all where the run failed.
    ///
    /// # Errors
    /// What ends it before its first dataset.
    pub(crate) fn try_run(
        &mut self,
        mode: CollectMode,
        datasets: &[&str],
        resume: bool,
    ) -> Result<Run, connector_api::Error> {
        let arrived = Arc::new(Mutex::new(Arrived::default()));
        let store = Store { arrived: Arc::clone(&arrived), keys: Arc::clone(&self.keys) };
        let mut sink = Sink::new(Box::new(store));
        let request = CollectRequest {
            run_id: 1,
            mode,
            datasets: datasets.iter().map(|name| (*name).to_owned()).collect(),
            resume,
        };
        self.host.take_journal();
        let summary = self.connector.collect(request, &mut sink)?;
        let arrived = std::mem::take(&mut *arrived.lock().expect("a lock"));
        for dataset in &summary.datasets {
            let rows = arrived.rows.get(&dataset.dataset).map_or(0, Vec::len);
            assert_eq!(dataset.rows, rows as u64, "{}: rows as they arrived", dataset.dataset);
        }
        let held = summary.datasets.iter().any(|dataset| self.holds_back(dataset));
        if summary.error.is_none() && !held {
            for dataset in summary.datasets.iter().filter(|d| d.status.has_every_record()) {
                let records = self.records.entry(dataset.dataset.clone()).or_default();
                if dataset.mode != Some(CollectMode::Incremental) {
                    records.clear();
                }
                let rows = arrived.rows.get(&dataset.dataset).cloned().unwrap_or_default();
                records.extend(rows);
                if let Some(state) = arrived.states.get(&dataset.dataset) {
                    self.memory.publish(&dataset.dataset, state);
                }
            }
        }
        Ok(Run {
            summary,
            held,
            handed_over: arrived
                .rows
                .into_iter()
                .map(|(name, rows)| (name, rows.into_iter().map(|(key, _)| key).collect()))
                .collect(),
            columns: arrived.columns,
            states: arrived.states,
            journal: self.host.take_journal(),
        })
    }

    /// Whether a dataset lost many of its records and nothing confirmed that, as the host judges it.
    fn holds_back(&self, dataset: &DatasetSummary) -> bool {
        let before = self.records.get(&dataset.dataset).map_or(0, |rows| rows.len() as u64);
        let gone = matches!(dataset.status, DatasetStatus::Absent | DatasetStatus::Denied);
        let whole = dataset.mode != Some(CollectMode::Incremental);
        let now = match (gone, dataset.status.has_every_record()) {
            (true, _) => 0,
            (false, true) if whole => dataset.rows,
            _ => return false,
        };
        let lost = match before {
            0 => false,
            _ if now == 0 => true,
            1..50 => now * 3 < before * 2,
            _ => now * 5 < before * 4,
        };
        lost && !dataset.confirmed
    }

    /// A run that ends before its first dataset.
    pub(crate) fn fails(&self, datasets: &[&str]) -> connector_api::Error {
        let arrived = Arc::new(Mutex::new(Arrived::default()));
        let store = Store { arrived, keys: Arc::clone(&self.keys) };
        let mut sink = Sink::new(Box::new(store));
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
