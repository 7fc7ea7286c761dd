//! A host in memory: secrets, leases, and a process that can die at any durable write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex};

use abi_stable::erased_types::TD_Opaque;
use abi_stable::std_types::{RArc, ROption, RStr, RString};
use connector_api::abi::{BatchSink, BatchSink_TO, HostServices, HostServices_TO, PResult};
use connector_api::batch::ArrowBatch;
use connector_api::guard::guarded;
use connector_api::message::{
    AuthorizeReply, AuthorizeRequest, CheckReport, CollectRequest, CollectSummary,
    ConfigureRequest, Finding, GrantSummary, Problem,
};
use connector_api::{Connector, Error, ErrorKind, Host, Sink};
use salesforce_plugin::Salesforce;
use salesforce_sim::{Entry, SimulatedOrg, Violation};

/// What outlives a process: the sealed secrets, and who holds a lease.
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Shared>);

#[derive(Default)]
struct Shared {
    secrets: Mutex<BTreeMap<String, String>>,
    leased: Mutex<BTreeSet<String>>,
    released: Condvar,
}

impl Store {
    pub(crate) fn put(&self, name: &str, value: &str) {
        self.0.secrets.lock().unwrap().insert(name.into(), value.into());
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.secrets.lock().unwrap().get(name).cloned()
    }

    /// A copy that later writes do not reach.
    pub(crate) fn copy(&self) -> Store {
        let store = Store::default();
        *store.0.secrets.lock().unwrap() = self.0.secrets.lock().unwrap().clone();
        store
    }

    /// The stored grant.
    pub(crate) fn grant(&self) -> serde_json::Value {
        serde_json::from_str(&self.get("grant").expect("a grant")).unwrap()
    }
}

/// When a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    Never,
    /// Before that durable write, counted from zero, reaches the store.
    Before(usize),
    /// After it did, before anything else happens.
    After(usize),
}

struct Process {
    store: Store,
    death: Death,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    writes: usize,
    dead: bool,
    pauses_ms: Vec<u64>,
    log: Vec<String>,
}

impl Process {
    fn alive(&self) -> Result<(), Error> {
        if self.state.lock().unwrap().dead {
            return Err(Error::new(ErrorKind::OTHER, "the process is dead"));
        }
        Ok(())
    }
}

struct Services(Arc<Process>);

impl HostServices for Services {
    fn log_level(&self) -> u32 {
        5
    }
    fn log(&self, _level: u32, target: RStr<'_>, message: RStr<'_>) {
        self.0.state.lock().unwrap().log.push(format!("{target} {message}"));
    }
    fn progress(&self, _dataset: RStr<'_>, _rows: u64, _expected: ROption<u64>) {}
    fn is_cancelled(&self) -> bool {
        self.0.state.lock().unwrap().dead
    }
    fn sleep(&self, ms: u64) -> bool {
        self.0.state.lock().unwrap().pauses_ms.push(ms);
        false
    }
    fn acquire(&self, _bucket: RStr<'_>, _cost: u32) -> PResult<()> {
        guarded("acquire", || self.0.alive())
    }
    fn secret_get(&self, name: RStr<'_>) -> PResult<ROption<RString>> {
        guarded("secret_get", || {
            self.0.alive()?;
            Ok(self.0.store.get(name.as_str()).map(RString::from).into())
        })
    }
    fn secret_put(&self, name: RStr<'_>, value: ROption<RStr<'_>>) -> PResult<()> {
        guarded("secret_put", || {
            self.0.alive()?;
            let mut state = self.0.state.lock().unwrap();
            let number = state.writes;
            state.writes += 1;
            if self.0.death == Death::Before(number) {
                state.dead = true;
                return Err(Error::new(ErrorKind::OTHER, "the process is dead"));
            }
            let mut secrets = self.0.store.0.secrets.lock().unwrap();
            match value.into_option() {
                Some(value) => secrets.insert(name.to_string(), value.to_string()),
                None => secrets.remove(name.as_str()),
            };
            if self.0.death == Death::After(number) {
                state.dead = true;
                return Err(Error::new(ErrorKind::OTHER, "the process is dead"));
            }
            Ok(())
        })
    }
    fn lease_acquire(&self, name: RStr<'_>, _ttl_ms: u64) -> PResult<u64> {
        guarded("lease", || {
            self.0.alive()?;
            let shared = &self.0.store.0;
            let mut leased = shared.leased.lock().unwrap();
            while leased.contains(name.as_str()) {
                leased = shared.released.wait(leased).unwrap();
            }
            leased.insert(name.to_string());
            Ok(1)
        })
    }
    fn lease_release(&self, name: RStr<'_>, _lease: u64) {
        self.0.store.0.leased.lock().unwrap().remove(name.as_str());
        self.0.store.0.released.notify_all();
    }
    fn checkpoint_get(&self, _dataset: RStr<'_>) -> PResult<ROption<RString>> {
        guarded("checkpoint", || Ok(ROption::RNone))
    }
    fn journal(&self, entry_json: RStr<'_>) {
        self.0.state.lock().unwrap().log.push(entry_json.to_string());
    }
    fn extension(&self, _id: RStr<'_>, _json: RStr<'_>) -> PResult<RString> {
        guarded("extension", || Err(Error::unsupported("no extension")))
    }
}

struct NoSink;

impl BatchSink for NoSink {
    fn batch(&mut self, _dataset: RStr<'_>, batch: ArrowBatch) -> PResult<()> {
        guarded("batch", || {
            drop(batch);
            Ok(())
        })
    }
    fn checkpoint(&mut self, _dataset: RStr<'_>, _state_json: RStr<'_>) -> PResult<()> {
        guarded("checkpoint", || Ok(()))
    }
}

/// One process with one configured connector.
pub(crate) struct Server {
    process: Arc<Process>,
    plugin: Salesforce,
    /// The CA file lives as long as it is used.
    _ca: Arc<tempfile::NamedTempFile>,
}

/// Settings of a connector, and what its processes share.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) store: Store,
    pub(crate) settings: BTreeMap<String, String>,
    ca: Arc<tempfile::NamedTempFile>,
}

impl Setup {
    /// A connector for that org, by that grant.
    pub(crate) fn new(org: &SimulatedOrg, grant: &str) -> Setup {
        let ca = Arc::new(tempfile::NamedTempFile::new().unwrap());
        org.write_ca(ca.path()).unwrap();
        let store = Store::default();
        store.put("client_secret", org.client_secret());
        let settings = [
            ("domain", org.my_domain_host().to_owned()),
            ("client_id", org.client_id().to_owned()),
            ("proxy", org.proxy_url_with_credentials()),
            ("ca_file", ca.path().to_str().unwrap().to_owned()),
            ("grant", grant.to_owned()),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).into();
        Setup { store, settings, ca }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Setup {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// The same settings over another store.
    pub(crate) fn over(&self, store: Store) -> Setup {
        Setup { store, ..self.clone() }
    }

    pub(crate) fn start(&self) -> Server {
        self.start_until(Death::Never)
    }

    pub(crate) fn start_until(&self, death: Death) -> Server {
        let process =
            Arc::new(Process { store: self.store.clone(), death, state: Mutex::default() });
        let services = HostServices_TO::from_value(Services(Arc::clone(&process)), TD_Opaque);
        let plugin = Salesforce::new(Host::new(RArc::new(services))).unwrap();
        let server = Server { process, plugin, _ca: Arc::clone(&self.ca) };
        let problems = server.configure(self);
        assert!(problems.is_empty(), "{problems:?}");
        server
    }
}

impl Server {
    fn configure(&self, setup: &Setup) -> Vec<Problem> {
        let secrets = setup.store.0.secrets.lock().unwrap().keys().cloned().collect();
        let request = ConfigureRequest { settings: setup.settings.clone(), secrets };
        self.plugin.configure(request).unwrap()
    }

    /// The link; empty where there is none.
    pub(crate) fn link(&self) -> String {
        match self.plugin.authorize(AuthorizeRequest::Begin).unwrap() {
            AuthorizeReply::Link { url, .. } => url,
            AuthorizeReply::Granted(_) => panic!("granted at once"),
        }
    }

    pub(crate) fn begin(&self) -> Result<AuthorizeReply, Error> {
        self.plugin.authorize(AuthorizeRequest::Begin)
    }

    /// Pastes the Token.
    pub(crate) fn paste(&self, token: &str) -> Result<GrantSummary, Error> {
        self.process.store.put("token", token);
        let reply = self.plugin.authorize(AuthorizeRequest::Finish);
        self.process.store.0.secrets.lock().unwrap().remove("token");
        granted(reply?)
    }

    pub(crate) fn accept_host(&self, host: &str) -> Result<GrantSummary, Error> {
        granted(self.plugin.authorize(AuthorizeRequest::AcceptHost { host: host.into() })?)
    }

    pub(crate) fn deauthorize(&self) -> connector_api::message::DeauthorizeReply {
        self.plugin.deauthorize().unwrap()
    }

    pub(crate) fn check(&self) -> CheckReport {
        self.plugin.check().unwrap()
    }

    /// The finding of that id.
    pub(crate) fn finding(&self, id: &str) -> Finding {
        let report = self.check();
        let found = report.findings.iter().find(|finding| finding.id == id);
        found.unwrap_or_else(|| panic!("no `{id}` in {:?}", report.findings)).clone()
    }

    /// Reads the org's limits: the smallest run.
    pub(crate) fn run(&self) -> Result<CollectSummary, Error> {
        let request = CollectRequest { datasets: vec!["limits".into()], ..Default::default() };
        let mut sink = Sink::new(BatchSink_TO::from_value(NoSink, TD_Opaque));
        let summary = self.plugin.collect(request, &mut sink)?;
        match summary.error {
            Some(error) => Err(error),
            None => Ok(summary),
        }
    }

    pub(crate) fn writes(&self) -> usize {
        self.process.state.lock().unwrap().writes
    }

    pub(crate) fn pauses_ms(&self) -> Vec<u64> {
        self.process.state.lock().unwrap().pauses_ms.clone()
    }

    pub(crate) fn log(&self) -> String {
        self.process.state.lock().unwrap().log.join("\n")
    }
}

fn granted(reply: AuthorizeReply) -> Result<GrantSummary, Error> {
    match reply {
        AuthorizeReply::Granted(summary) => Ok(summary),
        AuthorizeReply::Link { .. } => panic!("a link"),
    }
}

/// A small org, whose owner changed those settings.
pub(crate) fn org(change: impl FnOnce(&mut salesforce_sim::Policy)) -> SimulatedOrg {
    SimulatedOrg::builder().users(20).logins_per_user(1).policy(change).start()
}

/// Authorized by a pasted refresh token.
pub(crate) fn authorized(org: &SimulatedOrg) -> Setup {
    let setup = Setup::new(org, "authorization_code");
    let summary = setup.start().paste(&org.issue_refresh_token()).unwrap();
    assert!(summary.renewable);
    setup
}

/// Token requests with that grant type.
pub(crate) fn token_requests(org: &SimulatedOrg, grant_type: &str) -> Vec<Entry> {
    let wanted = |entry: &Entry| entry.grant_type.as_deref() == Some(grant_type);
    org.journal().into_iter().filter(wanted).collect()
}

/// What was done that no client should do.
pub(crate) fn violations(org: &SimulatedOrg) -> Vec<Violation> {
    org.violations().into_iter().map(|(violation, _)| violation).collect()
}

/// Nothing that no client should do was done.
pub(crate) fn assert_well_behaved(org: &SimulatedOrg) {
    let found = org.violations().into_iter().next();
    assert!(found.is_none(), "{found:?}");
}
