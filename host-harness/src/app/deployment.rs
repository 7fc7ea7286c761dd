//! Connectors as an administrator handles them: create, change, delete, and make ready for use.

use std::collections::BTreeMap;
use std::sync::Arc;

use connector_api::host_side::Instance;
use connector_api::manifest::Manifest;
use connector_api::message::{ConfigureRequest, Problem};
use connector_api::{Error, ErrorKind, Secret};

use crate::cancel::Cancel;
use crate::error::HostError;
use crate::home::Home;
use crate::locks::RunLock;
use crate::plugin::Plugin;
use crate::redact;
use crate::schedule;
use crate::secret_store::{KeyPlace, Vault};
use crate::services::{Context, Secrets};
use crate::settings::Network;
use crate::store::{Connector, NewConnector, Store};

/// Settings that have columns of their own.
const OWN_COLUMNS: [&str; 2] = ["domain", "client_id"];

/// One endpoint server at work: its store, its key, its way to the internet.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The store.
    pub store: Arc<Store>,
    /// Seals and opens secrets.
    pub vault: Arc<Vault>,
    /// Network settings of the environment and `config.toml`.
    pub network: Network,
}

/// A connector as entered: everything a form would hold.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Its plain part.
    pub plain: NewConnector,
    /// All other settings, by name.
    pub settings: BTreeMap<String, String>,
    /// Secrets to store (`Some`) or remove (`None`).
    pub secrets: BTreeMap<String, Option<Secret>>,
}

impl Deployment {
    /// What a connector's library is given: without run, watcher or held secrets.
    pub fn context(&self, connector_id: i64, cancel: Cancel) -> Context {
        Context::new(Arc::clone(&self.store), Arc::clone(&self.vault), connector_id, cancel)
    }

    /// Opens store and key of a home, and takes back runs whose process is gone.
    ///
    /// # Errors
    /// When either cannot be used.
    pub fn open(home: &Home, key: &KeyPlace, network: Network) -> Result<Deployment, HostError> {
        let store = Arc::new(Store::open(home.inventory())?);
        let vault = Arc::new(Vault::open(&store, key)?);
        Ok(Deployment { store, vault, network })
    }

    /// Takes back runs whose process is gone. `own` is a connector whose lock the caller holds.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn recover_runs(&self, own: Option<i64>) -> Result<(), HostError> {
        let recovered = recover_runs(&self.store, own)?;
        log::debug!("{recovered} runs taken back");
        Ok(())
    }

    /// A connector's other settings.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub fn settings(&self, connector: &Connector) -> Result<BTreeMap<String, String>, HostError> {
        let settings = self.vault.settings(&self.store, connector.id)?;
        serde_json::from_str(settings.expose()).map_err(|_| {
            HostError::failed(format_args!("the settings of `{}` are damaged", connector.name))
        })
    }

    /// The connector as a draft, to be changed.
    ///
    /// # Errors
    /// When its settings cannot be opened.
    pub fn draft(&self, connector: &Connector) -> Result<Draft, HostError> {
        Ok(Draft {
            plain: NewConnector {
                name: connector.name.clone(),
                description: connector.description.clone(),
                feature: connector.feature.clone(),
                domain: connector.domain.clone(),
                client_id: connector.client_id.clone(),
                schedule: connector.schedule.clone(),
            },
            settings: self.settings(connector)?,
            secrets: BTreeMap::new(),
        })
    }

    /// Checks and stores a new connector; all or nothing.
    ///
    /// # Errors
    /// A settings error with all problems by field.
    pub fn create(&self, plugin: &Plugin, draft: &Draft) -> Result<i64, HostError> {
        self.validate(plugin, draft, None)?;
        let settings = serde_json::to_string(&draft.settings).map_err(HostError::failed)?;
        let connectors = self.store.connectors();
        Ok(connectors.insert(&self.vault, &draft.plain, &settings, &draft.secrets)?)
    }

    /// Checks and stores a changed connector; all or nothing.
    ///
    /// # Errors
    /// A settings error with all problems by field.
    pub fn change(
        &self,
        plugin: &Plugin,
        connector: &Connector,
        draft: &Draft,
    ) -> Result<(), HostError> {
        self.validate(plugin, draft, Some(connector))?;
        let settings = serde_json::to_string(&draft.settings).map_err(HostError::failed)?;
        let (connectors, id) = (self.store.connectors(), connector.id);
        Ok(connectors.update(&self.vault, id, &draft.plain, &settings, &draft.secrets)?)
    }

    /// Deletes a connector with its secrets, runs and records.
    ///
    /// # Errors
    /// When a run of it is in progress, or the store cannot be written.
    pub fn delete(&self, connector: &Connector) -> Result<(), HostError> {
        let _lock = RunLock::take(self.store.folder(), connector)?;
        Ok(self.store.connectors().delete(&self.vault, connector)?)
    }

    /// Everything that is wrong with a draft, by field.
    fn validate(
        &self,
        plugin: &Plugin,
        draft: &Draft,
        existing: Option<&Connector>,
    ) -> Result<(), HostError> {
        let mut problems = host_problems(&plugin.manifest, draft);
        let mut present: BTreeMap<String, bool> = BTreeMap::new();
        if let Some(existing) = existing {
            for name in self.store.secrets().names(existing.id)? {
                present.insert(name, true);
            }
        }
        for (name, value) in &draft.secrets {
            present.insert(name.clone(), value.is_some());
        }
        let held: Vec<&String> =
            present.iter().filter(|(_, there)| **there).map(|(name, _)| name).collect();
        let request = self.request(&plugin.manifest, draft, &held)?;
        if problems.is_empty() {
            problems = self.connector_problems(plugin, draft, existing, &request)?;
        }
        for spec in plugin.manifest.settings.iter().filter(|spec| spec.required) {
            let value = request.settings.get(&spec.name);
            let there = if spec.secret {
                request.secrets.contains(&spec.name)
            } else {
                value.is_some_and(|value| !value.trim().is_empty())
            };
            if !there && !problems.iter().any(|problem| problem.field == spec.name) {
                problems.push(Problem {
                    field: spec.name.clone(),
                    message: "a value is needed".into(),
                    hint: Some(spec.help.clone()).filter(|help| !help.is_empty()),
                });
            }
        }
        refuse(problems)
    }

    fn connector_problems(
        &self,
        plugin: &Plugin,
        draft: &Draft,
        existing: Option<&Connector>,
        request: &ConfigureRequest,
    ) -> Result<Vec<Problem>, HostError> {
        let mut context =
            self.context(existing.map_or(0, |connector| connector.id), Cancel::default());
        if existing.is_none() {
            let secrets = draft.secrets.iter();
            context = context.with_secrets(Secrets::Memory(
                secrets.filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect(),
            ));
        }
        let instance = plugin.instance(Arc::new(context))?;
        Ok(instance.configure(request)?)
    }

    /// The settings as a connector gets them: those entered, defaults, network settings.
    fn request(
        &self,
        manifest: &Manifest,
        draft: &Draft,
        secrets: &[&String],
    ) -> Result<ConfigureRequest, HostError> {
        let mut settings = draft.settings.clone();
        for (name, value) in
            [("domain", &draft.plain.domain), ("client_id", &draft.plain.client_id)]
        {
            if manifest.setting(name).is_some() && !value.trim().is_empty() {
                settings.insert(name.into(), value.clone());
            }
        }
        for spec in manifest.settings.iter().filter(|spec| !spec.secret) {
            if let Some(default) = &spec.default {
                settings.entry(spec.name.clone()).or_insert_with(|| default.clone());
            }
        }
        self.network.fill(manifest, &mut settings)?;
        let is_secret = |name: &str| manifest.setting(name).is_some_and(|spec| spec.secret);
        Ok(ConfigureRequest {
            settings,
            secrets: secrets.iter().filter(|name| is_secret(name)).map(|n| (*n).clone()).collect(),
        })
    }
}

/// Takes back runs whose process is gone; returns how many.
///
/// # Errors
/// When the store cannot be written.
pub fn recover_runs(store: &Store, own: Option<i64>) -> Result<usize, HostError> {
    let recovered =
        store.runs().recover(|id| own != Some(id) && RunLock::is_held(store.folder(), id))?;
    for run in &recovered {
        log::warn!(
            "run {} of `{}` was taken back: its process ended before it did",
            run.id,
            run.connector
        );
    }
    Ok(recovered.len())
}

/// An instance of a stored connector, with its settings accepted.
///
/// # Errors
/// Those of the connector; [`ErrorKind::CONFIG`] when it does not accept its settings any more.
pub fn configured(
    deployment: &Deployment,
    plugin: &Plugin,
    connector: &Connector,
    context: &Arc<Context>,
) -> Result<Box<dyn Instance>, Error> {
    let request = configure_request(deployment, plugin, connector)?;
    let instance = plugin.instance(Arc::<Context>::clone(context))?;
    let problems = instance.configure(&request)?;
    if problems.is_empty() {
        return Ok(instance);
    }
    Err(refused_settings(&problems))
}

/// The settings of a stored connector as its library gets them.
///
/// # Errors
/// [`ErrorKind::CONFIG`] for a setting that names what is not there.
pub(crate) fn configure_request(
    deployment: &Deployment,
    plugin: &Plugin,
    connector: &Connector,
) -> Result<ConfigureRequest, Error> {
    let draft = deployment.draft(connector)?;
    let names = deployment.store.secrets().names(connector.id).map_err(HostError::from)?;
    let names: Vec<&String> = names.iter().collect();
    Ok(deployment.request(&plugin.manifest, &draft, &names)?)
}

/// A connector that does not accept settings it accepted before.
pub(crate) fn refused_settings(problems: &[Problem]) -> Error {
    let text: Vec<String> = problems
        .iter()
        .map(|problem| format!("`{}`: {}", problem.field, problem.message))
        .collect();
    Error::new(
        ErrorKind::CONFIG,
        format_args!("the connector does not accept its settings: {}", text.join("; ")),
    )
    .with_hint("change them with `connectors edit`")
}

/// Makes an instance ready, runs one operation on it, and puts it away.
///
/// # Errors
/// Those of the connector.
pub fn with_instance<T>(
    deployment: &Deployment,
    plugin: &Plugin,
    connector: &Connector,
    context: &Arc<Context>,
    operation: impl FnOnce(&dyn Instance) -> Result<T, Error>,
) -> Result<T, Error> {
    let instance = configured(deployment, plugin, connector, context)?;
    instance.enable()?;
    let result = operation(&*instance);
    if !matches!(&result, Err(error) if error.kind == ErrorKind::PANIC)
        && let Err(error) = instance.disable()
    {
        log::warn!("the connector could not be disabled: {error}");
    }
    result
}

/// What is wrong with a draft before the connector is asked.
fn host_problems(manifest: &Manifest, draft: &Draft) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut problem = |field: &str, message: String, hint: Option<String>| {
        problems.push(Problem { field: field.into(), message, hint });
    };
    let name = &draft.plain.name;
    if name.trim().is_empty() {
        problem("name", "a name is needed".into(), None);
    } else if name.chars().count() > 100 || name != &redact::safe_text(name) || name.trim() != name
    {
        problem("name", "it is too long or holds characters that cannot be shown".into(), None);
    }
    if let Some(text) = &draft.plain.schedule
        && let Err(error) = schedule::check(text)
    {
        problem("schedule", error.message, error.hint);
    }
    for (key, value) in [("domain", &draft.plain.domain), ("client_id", &draft.plain.client_id)] {
        if manifest.setting(key).is_none() && !value.is_empty() {
            problem(key, "this connector has no such setting".into(), None);
        }
    }
    let known: Vec<&str> = manifest.settings.iter().map(|spec| spec.name.as_str()).collect();
    for key in draft.settings.keys() {
        match manifest.setting(key) {
            None => problem(
                key,
                "this connector has no such setting".into(),
                Some(format!("it has {}", known.join(", "))),
            ),
            Some(_) if OWN_COLUMNS.contains(&key.as_str()) => problem(
                key,
                "it has an option of its own".into(),
                Some(format!("use `--{}`", key.replace('_', "-"))),
            ),
            Some(spec) if spec.secret => problem(
                key,
                "a secret must not be given on the command line".into(),
                Some(format!("put it into a file and use `--set-file {key}=FILE`")),
            ),
            Some(_) => {}
        }
    }
    for key in draft.secrets.keys() {
        if !manifest.setting(key).is_some_and(|spec| spec.secret) {
            problem(key, "this connector has no such secret".into(), None);
        }
    }
    problems
}

/// One error that carries all problems; a single problem becomes the message itself.
fn refuse(problems: Vec<Problem>) -> Result<(), HostError> {
    let error = match problems.as_slice() {
        [] => return Ok(()),
        [one] => HostError {
            hint: one.hint.clone(),
            ..HostError::config(format_args!(
                "the connector was not saved: `{}`: {}",
                one.field, one.message
            ))
        },
        many => HostError::config(format_args!(
            "the connector was not saved: {} settings are wrong",
            many.len()
        )),
    };
    Err(HostError { problems, ..error })
}
