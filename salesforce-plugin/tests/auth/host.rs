//! A connector that authorizes, and the host of its processes.

use std::collections::BTreeMap;
use std::sync::Arc;

use connector_api::message::{
    AuthorizeReply, AuthorizeRequest, CheckReport, CollectRequest, CollectSummary,
    ConfigureRequest, Finding, GrantSummary, Problem,
};
use connector_api::{Connector, Error, Host, Sink};
use salesforce_plugin::Salesforce;
use salesforce_sim::{Entry, SimulatedOrg, Violation};
use testkit::{Death, HostMemory, ScriptedHost, discard};

/// One process with one configured connector.
pub(crate) struct Server {
    host: Arc<ScriptedHost>,
    memory: HostMemory,
    plugin: Salesforce,
    /// The CA file lives as long as it is used.
    _ca: Arc<tempfile::NamedTempFile>,
}

/// Settings of a connector, and what its processes share.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) store: HostMemory,
    pub(crate) settings: BTreeMap<String, String>,
    ca: Arc<tempfile::NamedTempFile>,
}

impl Setup {
    /// A connector for that org, by that grant.
    pub(crate) fn new(org: &SimulatedOrg, grant: &str) -> Setup {
        let ca = Arc::new(tempfile::NamedTempFile::new().unwrap());
        org.write_ca(ca.path()).unwrap();
        let store = HostMemory::default();
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
    pub(crate) fn over(&self, store: HostMemory) -> Setup {
        Setup { store, ..self.clone() }
    }

    /// The stored grant.
    pub(crate) fn grant(&self) -> serde_json::Value {
        serde_json::from_str(&self.store.get("grant").expect("a grant")).unwrap()
    }

    pub(crate) fn start(&self) -> Server {
        self.start_until(Death::Never)
    }

    pub(crate) fn start_until(&self, death: Death) -> Server {
        let host = Arc::new(ScriptedHost::over(&self.store).dying(death).logging());
        let plugin = Salesforce::new(Host::new(Arc::<ScriptedHost>::clone(&host))).unwrap();
        let memory = self.store.clone();
        let server = Server { host, memory, plugin, _ca: Arc::clone(&self.ca) };
        let problems = server.configure(self);
        assert!(problems.is_empty(), "{problems:?}");
        server
    }
}

impl Server {
    fn configure(&self, setup: &Setup) -> Vec<Problem> {
        let request =
            ConfigureRequest { settings: setup.settings.clone(), secrets: setup.store.names() };
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
        self.memory.put("token", token);
        let reply = self.plugin.authorize(AuthorizeRequest::Finish);
        self.memory.remove("token");
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
        let mut sink = Sink::new(discard());
        let summary = self.plugin.collect(request, &mut sink)?;
        match summary.error {
            Some(error) => Err(error),
            None => Ok(summary),
        }
    }

    pub(crate) fn writes(&self) -> usize {
        self.host.writes()
    }

    pub(crate) fn pauses_ms(&self) -> Vec<u64> {
        let ms = |pause: &std::time::Duration| u64::try_from(pause.as_millis()).unwrap();
        self.host.pauses().iter().map(ms).collect()
    }

    pub(crate) fn log(&self) -> String {
        self.host.log()
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
