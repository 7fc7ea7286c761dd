//! How an org comes to be.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{error, fmt, io};

use chrono::{DateTime, Utc};
use estate::{Estate, EstateSpec};

use crate::app_key::Verifier;
use crate::authority::{Authority, CertificateKind, TlsVersions};
use crate::clock::{Clock, SystemClock};
use crate::core::{App, Core, Edited, Login, Visibility};
use crate::fault::{Fault, FaultScript};
use crate::hosts::{Edition, HostNames};
use crate::journal::Journal;
use crate::net::{ProxyAuth, Server, Settings};
use crate::org::SimulatedOrg;
use crate::policy::Policy;
use crate::random::{alphanumeric, token_characters};

/// Why an org could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A port or a file could not be opened.
    Io(io::Error),
    /// The certificate authority could not be made.
    Certificate(String),
    /// The app's certificate cannot be read.
    AppCertificate,
    /// There is no user with the asked user name.
    UnknownUser(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => formatter.write_str("cannot open a port or a file of the simulated org"),
            Self::Certificate(reason) => write!(formatter, "cannot make certificates: {reason}"),
            Self::AppCertificate => formatter
                .write_str("the app's certificate is neither CERTIFICATE nor PUBLIC KEY in PEM"),
            Self::UnknownUser(username) => write!(formatter, "the org has no user `{username}`"),
        }
    }
}

impl error::Error for StartError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// An org that is not running yet; every setting has a default.
#[derive(Debug, Clone)]
#[must_use = "an org exists only once it was started"]
pub struct OrgBuilder {
    users: u64,
    seed: u64,
    logins_per_user: u32,
    my_domain: String,
    edition: Edition,
    clock: Arc<dyn Clock>,
    now: Option<DateTime<Utc>>,
    client_id: Option<String>,
    client_secret: Option<String>,
    redirect_uris: Vec<String>,
    username: Option<String>,
    password: Option<String>,
    proxy: SocketAddr,
    tls: SocketAddr,
    proxy_auth: Option<ProxyAuth>,
    certificates: CertificateKind,
    tls_versions: TlsVersions,
    app_certificate: Option<String>,
    foreign_hosts: Vec<String>,
    policy: Policy,
    visibility: Visibility,
    faults: Vec<Fault>,
    journal_file: Option<PathBuf>,
}

impl Default for OrgBuilder {
    fn default() -> Self {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            users: 200,
            seed: 1,
            logins_per_user: 12,
            my_domain: "acme".to_owned(),
            edition: Edition::default(),
            clock: Arc::new(SystemClock::default()),
            now: None,
            client_id: None,
            client_secret: None,
            redirect_uris: Vec::new(),
            username: None,
            password: None,
            proxy: loopback,
            tls: loopback,
            proxy_auth: None,
            certificates: CertificateKind::default(),
            tls_versions: TlsVersions::default(),
            app_certificate: None,
            foreign_hosts: Vec::new(),
            policy: Policy::default(),
            visibility: Visibility::default(),
            faults: Vec::new(),
            journal_file: None,
        }
    }
}

impl OrgBuilder {
    /// Rows of `User`; 200 if not set.
    pub fn users(mut self, users: u64) -> Self {
        self.users = users;
        self
    }

    /// The number all records are made from; 1 if not set.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Mean number of `LoginHistory` rows per user; 12 if not set.
    pub fn logins_per_user(mut self, logins: u32) -> Self {
        self.logins_per_user = logins;
        self
    }

    /// My Domain name; `acme` if not set.
    pub fn my_domain(mut self, name: &str) -> Self {
        self.my_domain = name.to_ascii_lowercase();
        self
    }

    /// Kind of org; production if not set.
    pub fn edition(mut self, edition: Edition) -> Self {
        self.edition = edition;
        self
    }

    /// The clock; the system's if not set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The instant the records are made for; the clock's if not set.
    pub fn records_as_of(mut self, now: DateTime<Utc>) -> Self {
        self.now = Some(now);
        self
    }

    /// Consumer key of the app; random if not set.
    pub fn client_id(mut self, id: &str) -> Self {
        self.client_id = Some(id.to_owned());
        self
    }

    /// Consumer secret of the app; random if not set.
    pub fn client_secret(mut self, secret: &str) -> Self {
        self.client_secret = Some(secret.to_owned());
        self
    }

    /// Registers one more callback. The success pages of the login hosts and of the org's
    /// own host are always registered.
    pub fn redirect_uri(mut self, uri: &str) -> Self {
        self.redirect_uris.push(uri.to_owned());
        self
    }

    /// The user who authorizes the app; the org's administrator if not set.
    pub fn username(mut self, username: &str) -> Self {
        self.username = Some(username.to_owned());
        self
    }

    /// Password of every user; random if not set.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Where the proxy listens; any free port of the loopback interface if not set.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.proxy = address;
        self
    }

    /// Where TLS is answered without a proxy; any free port of the loopback interface if
    /// not set.
    pub fn tls_listen(mut self, address: SocketAddr) -> Self {
        self.tls = address;
        self
    }

    /// User and password the proxy asks for; none if not set.
    pub fn proxy_auth(mut self, user: &str, password: &str) -> Self {
        self.proxy_auth = Some(ProxyAuth { user: user.to_owned(), password: password.to_owned() });
        self
    }

    /// What is right or wrong with the certificates.
    pub fn certificates(mut self, kind: CertificateKind) -> Self {
        self.certificates = kind;
        self
    }

    /// Versions of TLS the org speaks.
    pub fn tls_versions(mut self, versions: TlsVersions) -> Self {
        self.tls_versions = versions;
        self
    }

    /// Registers what verifies assertions the app signs: a certificate or a public key, PEM.
    /// Without it every assertion is refused.
    pub fn app_certificate(mut self, pem: &str) -> Self {
        self.app_certificate = Some(pem.to_owned());
        self
    }

    /// Listens at one more host, which is somebody else's. Clients that trust the org's
    /// authority trust it, and it answers `{}` to everything; every request is a violation.
    /// So a test sees what a client would have given away there. Hosts that are not named
    /// are refused by the proxy.
    pub fn foreign_host(mut self, host: &str) -> Self {
        self.foreign_hosts.push(host.to_owned());
        self
    }

    /// Changes settings of the org.
    pub fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    /// Hides an object from everyone, as a missing feature does.
    pub fn hide_object(mut self, object: &str) -> Self {
        self.visibility.hidden_objects.insert(object.to_owned());
        self
    }

    /// Hides a field from everyone, as field-level security does.
    pub fn hide_field(mut self, object: &str, field: &str) -> Self {
        self.visibility.hidden_fields.insert((object.to_owned(), field.to_owned()));
        self
    }

    /// An org without Digital Experiences: no `Network`, no monthly logins of licences.
    pub fn without_digital_experiences(mut self) -> Self {
        self.visibility.without_digital_experiences();
        self
    }

    /// Takes a permission, such as `PermissionsViewSetup`, from everyone.
    pub fn without_permission(mut self, permission: &str) -> Self {
        self.visibility.removed_permissions.insert(permission.to_owned());
        self
    }

    /// Gives the user who authorizes the app one more permission than the connector's guide
    /// asks for, such as `PermissionsMonitorLoginHistory`.
    pub fn with_permission(mut self, permission: &str) -> Self {
        self.visibility.added_permissions.insert(permission.to_owned());
        self
    }

    /// Appends a fault to the script.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Writes the journal to this file as well, one JSON object per line.
    pub fn journal_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.journal_file = Some(path.into());
        self
    }

    /// Starts the org.
    ///
    /// # Panics
    /// If it cannot be started; [`OrgBuilder::try_start`] says so in a value.
    #[must_use]
    pub fn start(self) -> SimulatedOrg {
        match self.try_start() {
            Ok(org) => org,
            Err(error) => panic!("{error}: {:?}", error::Error::source(&error)),
        }
    }

    /// Starts the org.
    ///
    /// # Errors
    /// If a port is taken, the journal's file cannot be written, the app's certificate cannot be
    /// read, or the user does not exist.
    pub fn try_start(self) -> Result<SimulatedOrg, StartError> {
        let hosts =
            HostNames::new(&self.my_domain, &self.edition).with_foreign(&self.foreign_hosts);
        let verifier = match &self.app_certificate {
            Some(pem) => Some(Verifier::from_pem(pem).ok_or(StartError::AppCertificate)?),
            None => None,
        };
        let now = self.clock.now();
        let estate = Estate::new(EstateSpec {
            seed: self.seed,
            users: self.users,
            logins_per_user: self.logins_per_user,
            now: self.now.unwrap_or(now),
            my_domain: self.my_domain.clone(),
            is_sandbox: self.edition.is_sandbox(),
        });
        let person = match &self.username {
            None => estate.admin(),
            Some(username) => estate
                .person_by_username(username)
                .ok_or_else(|| StartError::UnknownUser(username.clone()))?,
        };
        let mut redirect_uris = self.redirect_uris;
        for host in ["login.salesforce.com", "test.salesforce.com", &hosts.my_domain] {
            redirect_uris.push(format!("https://{host}/services/oauth2/success"));
        }
        let journal = match &self.journal_file {
            Some(path) => Journal::with_file(path)?,
            None => Journal::default(),
        };
        let faults = FaultScript::default();
        faults.set(self.faults);
        let certificate = |error: &dyn fmt::Display| StartError::Certificate(error.to_string());
        let serves = hosts.clone();
        let authority =
            Authority::new(self.certificates, now, move |host| serves.door(host).is_some())
                .map_err(|error| certificate(&error))?;
        let authority = Arc::new(authority);
        let tls =
            authority.server_config(self.tls_versions).map_err(|error| certificate(&error))?;
        let estate = Arc::new(estate);
        let core = Arc::new(Core {
            hosts,
            edited: Mutex::new(Edited { estate: Arc::clone(&estate), worked: Duration::ZERO }),
            started_at: now,
            estate,
            clock: self.clock,
            app: App {
                client_id: self
                    .client_id
                    .unwrap_or_else(|| format!("3MVG9{}", token_characters(80))),
                client_secret: self
                    .client_secret
                    .unwrap_or_else(|| crate::random::hex(64).to_ascii_uppercase()),
                redirect_uris,
                verifier,
            },
            login: Login {
                username: person.username,
                user_id: person.user_id,
                password: self.password.unwrap_or_else(|| alphanumeric(16)),
                security_token: alphanumeric(24),
            },
            policy: Mutex::new(self.policy),
            visibility: Mutex::new(self.visibility),
            grants: Mutex::default(),
            locators: crate::api::Locators::default(),
            jobs: crate::api::Jobs::default(),
            in_work: Arc::default(),
            usage: crate::api::ApiUsage::default(),
            faults,
            journal,
            schema_changed_at: Mutex::new(now),
        });
        let settings = Settings {
            tls,
            old_tls: self.tls_versions == TlsVersions::Only11,
            proxy_auth: self.proxy_auth.clone(),
        };
        let server = Server::start(Arc::clone(&core), settings, self.proxy, self.tls)?;
        Ok(SimulatedOrg::new(core, authority, server, self.proxy_auth))
    }
}
