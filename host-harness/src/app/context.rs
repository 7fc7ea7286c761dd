//! What every function of the application works with, opened when first needed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::app::deployment::{self, Deployment};
use crate::error::HostError;
use crate::home::Home;
use crate::plugin::Plugin;
use crate::plugin_dir::{self, Folder, Loading, Scan};
use crate::schedule::{self, scheduler};
use crate::secret_store::Vault;
use crate::settings::{Config, Environment, Network};
use crate::store::{Connector, ReadStore, Store};
use crate::trust::TrustedKeys;

/// What an endpoint server is opened with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The home folder named by the caller; otherwise that of the environment or the platform.
    pub home: Option<PathBuf>,
    /// The only folder to look for connector libraries in.
    pub plugins: Option<PathBuf>,
    /// What the process was started with.
    pub environment: Environment,
    /// Run connector libraries in processes of their own.
    pub isolate: bool,
}

/// One endpoint server: its home, settings, connector libraries and store.
#[derive(Debug)]
pub struct App {
    home: Home,
    config: Config,
    environment: Environment,
    home_was_named: bool,
    plugins: Option<PathBuf>,
    isolate: bool,
    scan: OnceLock<Scan>,
    store: OnceLock<Arc<Store>>,
    deployment: OnceLock<Deployment>,
}

impl App {
    /// Reads the settings of a home. Store and libraries are opened when first needed.
    ///
    /// # Errors
    /// When there is no home folder to use, or `config.toml` is wrong.
    pub fn open(options: Options) -> Result<App, HostError> {
        let Options { home, plugins, environment, isolate } = options;
        let named = home.as_ref().or(environment.home.as_ref());
        let home_was_named = named.is_some();
        let home = match named {
            Some(path) => Home::new(std::path::absolute(path).map_err(HostError::failed)?),
            None => Home::platform_default()?,
        };
        let config = Config::read(&home)?;
        Ok(App {
            home,
            config,
            environment,
            home_was_named,
            plugins,
            isolate,
            scan: OnceLock::new(),
            store: OnceLock::new(),
            deployment: OnceLock::new(),
        })
    }

    /// The home folder.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The home folder, if one was named rather than the platform's.
    pub fn named_home(&self) -> Option<&Path> {
        self.home_was_named.then(|| self.home.path())
    }

    /// The plugins folder named by the caller.
    pub fn named_plugins(&self) -> Option<&Path> {
        self.plugins.as_deref()
    }

    /// The settings of `config.toml`.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where connector libraries run.
    pub fn loading(&self) -> Loading {
        if self.isolate { Loading::Isolated(self.config.limits()) } else { Loading::Here }
    }

    /// The connector libraries of this endpoint server.
    ///
    /// # Errors
    /// When a folder or a key that was named is not there.
    pub fn scan(&self) -> Result<&Scan, HostError> {
        if let Some(scan) = self.scan.get() {
            return Ok(scan);
        }
        let keys = TrustedKeys::read(&self.config.trusted_keys)?;
        let scan = plugin_dir::scan(&self.plugin_folders()?, &keys, self.loading());
        Ok(self.scan.get_or_init(|| scan))
    }

    fn plugin_folders(&self) -> Result<Vec<Folder>, HostError> {
        Ok(plugin_dir::folders(
            self.plugins.as_deref(),
            self.environment.plugins.as_deref(),
            self.config.plugins.as_deref(),
            &self.home.plugins(),
            self.config.plugins_policy,
        )?)
    }

    /// The folder connector libraries are installed into.
    pub fn install_folder(&self) -> PathBuf {
        self.plugins.clone().unwrap_or_else(|| self.home.plugins())
    }

    /// The store. Runs whose process is gone are taken back when it is first opened.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn store(&self) -> Result<&Arc<Store>, HostError> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let store = Arc::new(Store::open(self.home.inventory())?);
        deployment::recover_runs(&store, None)?;
        Ok(self.store.get_or_init(|| store))
    }

    /// The store, to be read only; `None` if nothing was ever stored. Reading makes no store.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn read_store(&self) -> Result<Option<ReadStore>, HostError> {
        if !self.home.store_file().exists() {
            return Ok(None);
        }
        Ok(Some(Store::open_read(self.home.inventory())?))
    }

    /// The store with its key and network settings.
    ///
    /// # Errors
    /// When store or key cannot be opened.
    pub fn deployment(&self) -> Result<&Deployment, HostError> {
        if let Some(deployment) = self.deployment.get() {
            return Ok(deployment);
        }
        let store = Arc::clone(self.store()?);
        let vault = Arc::new(Vault::open(&store, &self.environment.key)?);
        let network: Network =
            self.environment.network.clone().overridden_by(self.config.network());
        Ok(self.deployment.get_or_init(|| Deployment { store, vault, network }))
    }

    /// Seals everything with another key; returns the file that holds it.
    ///
    /// # Errors
    /// When another process uses the key, or files cannot be written.
    pub fn change_key(&self, new_key: Option<&Path>) -> Result<PathBuf, HostError> {
        Ok(Vault::change_key(self.store()?, &self.environment.key, new_key)?)
    }

    /// A connector with the library of its feature, which must be enabled.
    ///
    /// # Errors
    /// Of kind usage for an unknown connector or a disabled feature, of kind plugin without library.
    pub fn ready(&self, name: &str) -> Result<(Connector, &Plugin), HostError> {
        let connector = self.store()?.connectors().named(name)?;
        let plugin = self.enabled(&connector.feature)?;
        Ok((connector, plugin))
    }

    /// The library of a feature, which must be enabled.
    ///
    /// # Errors
    /// Of kind usage for a disabled feature, of kind plugin without library.
    pub fn enabled(&self, feature: &str) -> Result<&Plugin, HostError> {
        let plugin = self.scan()?.plugin(feature)?;
        if !self.store()?.features().is_enabled(feature)? {
            return Err(HostError::usage(format_args!("the feature `{feature}` is disabled"))
                .with_hint(format_args!("run `features enable {feature}`")));
        }
        Ok(plugin)
    }

    /// How the scheduler works, by `config.toml`.
    ///
    /// # Errors
    /// When the time zone is not known.
    pub fn schedule_settings(&self) -> Result<scheduler::Settings, HostError> {
        Ok(scheduler::Settings {
            zone: schedule::zone(self.config.time_zone.as_deref())?,
            most_runs: self.config.parallel_runs.unwrap_or(4) as usize,
            jitter: chrono::Duration::minutes(i64::from(self.config.jitter_minutes.unwrap_or(5))),
        })
    }
}
